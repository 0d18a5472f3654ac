package ucontact.evaluation.server;

import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/** {@code POST /Integra/resources/auth/UserLogin} and {@code GET …/auth/UserInfo}. */
final class Login {

    private static final String BEARER = "Bearer ";

    private final Users users;
    private final Attempts attempts = new Attempts();
    private final Sessions sessions = new Sessions();

    Login(Users users) {
        this.users = users;
    }

    /** 200 with a token; 401; 400 for an invalid form; 429 after too many failures. */
    Reply login(HttpExchange exchange) throws IOException {
        String source = source(exchange);
        long wait = attempts.wait(source);
        if (wait > 0) {
            return Reply.problem(429, "too many failed logins").header("Retry-After", Long.toString(wait));
        }
        Map<String, String> form = Form.read(exchange.getRequestBody());
        if (form == null || !form.containsKey("user") || !form.containsKey("password")) {
            return Reply.problem(400, "expected the form fields user and password");
        }
        String user = form.get("user");
        if (!users.accepts(user, form.get("password"))) {
            attempts.failed(source);
            Log.info("login refused, from " + source);
            return Reply.problem(401, "wrong user or password");
        }
        attempts.succeeded(source);
        Log.info("login of " + user + ", from " + source);
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("token", sessions.begin(user));
        document.put("user", user);
        document.put("expiresInSeconds", Sessions.SECONDS);
        document.put("evaluation", true);
        return new Reply(200, document);
    }

    /** The user of the request's token; null without a valid one. */
    String user(HttpExchange exchange) {
        String header = exchange.getRequestHeaders().getFirst("Authorization");
        return header != null && header.startsWith(BEARER)
                ? sessions.user(header.substring(BEARER.length()).trim()) : null;
    }

    /** The response to a request without a valid token. */
    static Reply unknown() {
        return Reply.problem(401, "no valid token").header("WWW-Authenticate", "Bearer");
    }

    /** The token's user: 200, or 401. */
    Reply info(HttpExchange exchange) {
        String user = user(exchange);
        if (user == null) {
            return unknown();
        }
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("user", user);
        document.put("evaluation", true);
        return new Reply(200, document);
    }

    /** The client's address as reported by the proxy: only loopback can reach this server. */
    static String source(HttpExchange exchange) {
        String told = exchange.getRequestHeaders().getFirst("X-Real-IP");
        boolean address = told != null && told.matches("[0-9A-Fa-f.:]{2,45}");
        return address ? told : exchange.getRemoteAddress().getAddress().getHostAddress();
    }
}
