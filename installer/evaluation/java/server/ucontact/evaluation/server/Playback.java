package ucontact.evaluation.server;

import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import ucontact.evaluation.module.Recordings;
import ucontact.evaluation.module.Recordings.Access;
import ucontact.evaluation.module.Recordings.Recording;
import ucontact.evaluation.module.Site;

/**
 * {@code GET /Integra/resources/recordings/ID} (with {@code ?format=wav}: as WAV), {@code GET …/recordings?call=ID}, and {@code POST
 * …/recordings/pause} and {@code …/resume} with the form field {@code call}.
 *
 * <p>Decides, writes down who asked, and passes the request to the portal's NGINX with a ticket for
 * the telephony server, which has the files. What is missing and what is not allowed look the same.
 * Settings: {@code recordings.secret}, {@code recordings.listeners}.
 */
final class Playback {

    private static final String NO_SUCH = "no such recording";
    private static final int MOST_REQUEST = 80;

    private final Site site;
    private final Login login;
    private final Recordings index;
    private final String secret;
    private final Set<String> listeners;

    /** {@code index} is null if no module has it. */
    Playback(Site site, Login login, Recordings index) {
        this.site = site;
        this.login = login;
        this.index = index;
        this.secret = site.setting("recordings.secret", "");
        this.listeners = new HashSet<>(
                Arrays.asList(site.setting("recordings.listeners", "").split("\\s*,\\s*")));
    }

    /** 200 by NGINX; 401; 404; 503 while nobody could be asked or nothing written down. */
    Reply play(HttpExchange exchange, String id) {
        String user = login.user(exchange);
        if (user == null) {
            return Login.unknown();
        }
        if (!id.matches("[1-9][0-9]{0,17}")) {
            return Reply.problem(404, NO_SUCH);
        }
        String query = exchange.getRequestURI().getRawQuery();
        if (query != null && !query.equals("format=wav")) {
            return Reply.problem(400, "the only format is wav");
        }
        String operation = query == null ? "recording" : "wav";
        if (index == null || secret.isEmpty()) {
            return away();
        }
        try {
            long number = Long.parseLong(id);
            Recording found = index.find(site, number);
            boolean granted = found != null && listeners.contains(user);
            String outcome = granted ? "granted" : found == null ? "missing" : "refused";
            index.log(site, new Access(user, Login.source(exchange), number,
                    found == null ? "" : found.path, outcome, request(exchange)));
            if (!granted) {
                return Reply.problem(404, NO_SUCH);
            }
            return passed(operation, Ticket.of(
                    secret, operation, found.path, Long.toString(found.bytes), found.sha256));
        } catch (IOException error) {
            Log.error("recording " + id, error);
            return away();
        }
    }

    /** 200 with the recordings of the call that the user may hear: for others there are none. */
    Reply list(HttpExchange exchange) {
        String user = login.user(exchange);
        if (user == null) {
            return Login.unknown();
        }
        String query = exchange.getRequestURI().getRawQuery();
        if (query == null || !query.matches("call=[0-9]{1,12}\\.[0-9]{1,12}")) {
            return Reply.problem(400, "expected ?call=ID, the call's id");
        }
        if (index == null) {
            return away();
        }
        Map<String, Object> document = new LinkedHashMap<>();
        try {
            document.put("recordings", listeners.contains(user)
                    ? index.ofCall(site, query.substring("call=".length())) : Collections.emptyList());
        } catch (IOException error) {
            Log.error("listing recordings", error);
            return away();
        }
        document.put("evaluation", true);
        return new Reply(200, document);
    }

    /** 200 by NGINX when the call's recordings are silent or go on; 409 by it for no such call. */
    Reply pause(HttpExchange exchange, String operation) throws IOException {
        String user = login.user(exchange);
        if (user == null) {
            return Login.unknown();
        }
        Map<String, String> form = Form.read(exchange.getRequestBody());
        String call = form == null ? null : form.get("call");
        if (call == null || !call.matches("[0-9]{1,12}\\.[0-9]{1,12}")) {
            return Reply.problem(400, "expected the form field call, the call's linked id");
        }
        if (secret.isEmpty()) {
            return away();
        }
        Log.info(operation + " of the recording of " + call + " by " + user);
        return passed(operation, Ticket.of(secret, operation, call, user));
    }

    private static Reply passed(String operation, String ticket) {
        return new Reply(200, new LinkedHashMap<String, Object>())
                .header("X-Accel-Redirect", "/_recordings/" + operation)
                .header("X-Recording-Ticket", ticket);
    }

    private static Reply away() {
        return Reply.problem(503, "recordings are not available");
    }

    private static String request(HttpExchange exchange) {
        String range = exchange.getRequestHeaders().getFirst("Range");
        String words = exchange.getRequestMethod() + (range == null ? "" : " " + range);
        words = words.replaceAll("[^ -~]", "?");
        return words.length() > MOST_REQUEST ? words.substring(0, MOST_REQUEST) : words;
    }
}
