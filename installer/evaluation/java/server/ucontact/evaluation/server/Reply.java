package ucontact.evaluation.server;

import com.sun.net.httpserver.HttpExchange;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** A status and a JSON document, the only kind of response of this server. */
final class Reply {

    private final int status;
    private final Map<String, Object> document;
    private final Map<String, String> headers = new LinkedHashMap<>();

    Reply(int status, Map<String, Object> document) {
        this.status = status;
        this.document = document;
    }

    /** A response with an error message only. */
    static Reply problem(int status, String what) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("error", what);
        document.put("evaluation", true);
        return new Reply(status, document);
    }

    Reply header(String name, String value) {
        headers.put(name, value);
        return this;
    }

    int status() {
        return status;
    }

    void send(HttpExchange exchange) throws IOException {
        byte[] body = (Json.of(document) + "\n").getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.getResponseHeaders().set("Cache-Control", "no-store");
        for (Map.Entry<String, String> header : headers.entrySet()) {
            exchange.getResponseHeaders().set(header.getKey(), header.getValue());
        }
        if (exchange.getRequestMethod().equals("HEAD")) {
            exchange.sendResponseHeaders(status, -1);
            return;
        }
        exchange.sendResponseHeaders(status, body.length);
        try (OutputStream out = exchange.getResponseBody()) {
            out.write(body);
        }
    }
}
