package ucontact.evaluation.server;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** The REST API under {@code /Integra/resources}; unknown resources are rejected. */
final class Api implements HttpHandler {

    private static final String ROOT = "/Integra/resources";

    private static final String RECORDING = ROOT + "/recordings/";
    private static final String AGENT = ROOT + "/agents/";

    private final Health health;
    private final Login login;
    private final Playback playback;
    private final Agents agents;
    private final AtomicInteger underWay = new AtomicInteger();
    private volatile boolean closing;

    Api(Health health, Login login, Playback playback, Agents agents) {
        this.health = health;
        this.login = login;
        this.playback = playback;
        this.agents = agents;
    }

    @Override
    public void handle(HttpExchange exchange) throws IOException {
        long begun = System.nanoTime();
        underWay.incrementAndGet();
        try {
            Reply reply = safely(exchange);
            reply.send(exchange);
            Log.info(exchange.getRequestMethod() + " " + exchange.getRequestURI().getRawPath() + " "
                    + reply.status() + " " + (System.nanoTime() - begun) / 1_000_000 + " ms");
        } finally {
            underWay.decrementAndGet();
            exchange.close();
        }
    }

    /** Rejects new requests, and waits for running ones, {@code seconds} at most. */
    void close(int seconds) throws InterruptedException {
        closing = true;
        long end = System.nanoTime() + seconds * 1_000_000_000L;
        while (underWay.get() > 0 && end - System.nanoTime() > 0) {
            Thread.sleep(20);
        }
    }

    private Reply safely(HttpExchange exchange) {
        try {
            return closing ? Reply.problem(503, "the server is stopping") : answer(exchange);
        } catch (IOException | RuntimeException error) {
            Log.error("answering " + exchange.getRequestURI().getRawPath(), error);
            return Reply.problem(500, "internal error");
        }
    }

    private Reply answer(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        switch (path) {
            case ROOT + "/health":
                return allowed(exchange, "GET", "HEAD") ? health.answer() : refused("GET, HEAD");
            case ROOT + "/auth/UserLogin":
                return allowed(exchange, "POST") ? login.login(exchange) : refused("POST");
            case ROOT + "/auth/UserInfo":
                return allowed(exchange, "GET", "HEAD") ? login.info(exchange) : refused("GET, HEAD");
            case ROOT + "/recordings":
                return allowed(exchange, "GET", "HEAD") ? playback.list(exchange) : refused("GET, HEAD");
            case ROOT + "/recordings/pause":
                return allowed(exchange, "POST") ? playback.pause(exchange, "pause") : refused("POST");
            case ROOT + "/recordings/resume":
                return allowed(exchange, "POST") ? playback.pause(exchange, "resume") : refused("POST");
            default:
                if (path.startsWith(RECORDING)) {
                    return allowed(exchange, "GET", "HEAD")
                            ? playback.play(exchange, path.substring(RECORDING.length()))
                            : refused("GET, HEAD");
                }
                if (path.startsWith(AGENT)) {
                    return agents.answer(exchange, path.substring(AGENT.length()));
                }
                return Reply.problem(404, "the evaluation release has no such resource");
        }
    }

    private static boolean allowed(HttpExchange exchange, String... methods) {
        List<String> known = Arrays.asList(methods);
        return known.contains(exchange.getRequestMethod());
    }

    private static Reply refused(String allowed) {
        return Reply.problem(405, "method not allowed").header("Allow", allowed);
    }
}
