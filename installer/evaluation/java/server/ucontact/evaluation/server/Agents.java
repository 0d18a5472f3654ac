package ucontact.evaluation.server;

import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import ucontact.evaluation.module.Site;

/**
 * {@code GET /Integra/resources/agents/NUMBER}, and {@code POST …/NUMBER/login}, {@code logout},
 * {@code pause} (form field {@code reason}) and {@code unpause}.
 *
 * <p>Decides who may, and passes the request to the portal's NGINX with a ticket for the telephony
 * server. Settings: {@code recordings.secret}, {@code agents.managers}.
 */
final class Agents {

    private static final Set<String> WORK =
            new HashSet<>(Arrays.asList("login", "logout", "pause", "unpause"));
    private static final int MOST_REASON = 80;

    private final Login login;
    private final String secret;
    private final Set<String> managers;

    Agents(Site site, Login login) {
        this.login = login;
        this.secret = site.setting("recordings.secret", "");
        this.managers = new HashSet<>(
                Arrays.asList(site.setting("agents.managers", "").split("\\s*,\\s*")));
    }

    /** 200 with the agent's state by NGINX; 400, 401, 403, 404, 405; 409 when Asterisk refuses. */
    Reply answer(HttpExchange exchange, String rest) throws IOException {
        String user = login.user(exchange);
        if (user == null) {
            return Login.unknown();
        }
        String[] parts = rest.split("/", -1);
        if (!parts[0].matches("[0-9]{1,20}") || parts.length > 2
                || parts.length == 2 && !WORK.contains(parts[1])) {
            return Reply.problem(404, "no such agent or operation");
        }
        String method = parts.length == 1 ? "GET" : "POST";
        if (!exchange.getRequestMethod().equals(method)) {
            return Reply.problem(405, "method not allowed").header("Allow", method);
        }
        if (!managers.contains(user)) {
            return Reply.problem(403, "not allowed to drive agents");
        }
        if (secret.isEmpty()) {
            return Reply.problem(503, "telephony is not available");
        }
        String operation = parts.length == 1 ? "state" : parts[1];
        String reason = "";
        if (operation.equals("pause")) {
            Map<String, String> form = Form.read(exchange.getRequestBody());
            reason = form == null || form.get("reason") == null ? "" : form.get("reason");
            if (reason.length() > MOST_REASON || !reason.matches("[ -~]*")) {
                return Reply.problem(400, "no such reason in site.yml");
            }
        }
        if (!operation.equals("state")) {
            Log.info(operation + " of agent " + parts[0] + " by " + user);
        }
        return new Reply(200, new LinkedHashMap<String, Object>())
                .header("X-Accel-Redirect", "/_recordings/agent-" + operation)
                .header("X-Recording-Ticket",
                        Ticket.of(secret, "agent-" + operation, parts[0], user, reason));
    }
}
