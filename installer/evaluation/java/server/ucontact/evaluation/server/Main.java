package ucontact.evaluation.server;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.Reader;
import java.net.InetSocketAddress;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import ucontact.evaluation.module.Module;
import ucontact.evaluation.module.Site;

/**
 * The backend of the evaluation release.
 *
 * <p>{@code java -jar server/IntegraServer.jar [PROPERTIES]}; the properties file can also be named
 * by the system property {@code integraserver.properties}.
 */
public final class Main {

    private static final String PROPERTIES = "/etc/IntegraServer/integraserver.properties";
    private static final int THREADS = 16;
    private static final int BACKLOG = 128;
    private static final int CLOSE_SECONDS = 5;
    private static final int WRONG_SETTINGS = 2;

    private Main() {}

    public static void main(String[] arguments) throws IOException, URISyntaxException {
        // A client that sends or reads too slowly does not keep a thread (seconds).
        System.setProperty("sun.net.httpserver.maxReqTime", "15");
        System.setProperty("sun.net.httpserver.maxRspTime", "30");
        String file = arguments.length > 0 ? arguments[0]
                : System.getProperty("integraserver.properties", PROPERTIES);
        try {
            serve(new Site(home(), read(Paths.get(file))));
        } catch (IllegalArgumentException error) {
            Log.error("settings in " + file, error);
            System.exit(WRONG_SETTINGS);
        }
    }

    /** The release's version, from the jar's manifest. */
    static String version() {
        String version = Main.class.getPackage().getImplementationVersion();
        return version == null ? "unknown" : version;
    }

    private static void serve(Site site) throws IOException {
        Map<String, Module> modules = Modules.load(site.home().resolve("server"));
        Login login = new Login(new Users(site));
        Playback playback = new Playback(site, login, Modules.recordings(modules));
        Api api = new Api(new Health(site, modules), login, playback, new Agents(site, login));
        String address = site.setting("listen.address", "127.0.0.1");
        int port = site.number("listen.port", 8080);
        HttpServer server = HttpServer.create(new InetSocketAddress(address, port), BACKLOG);
        ExecutorService threads = Executors.newFixedThreadPool(THREADS);
        server.setExecutor(threads);
        server.createContext("/", api);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(server, api, threads)));
        server.start();
        Log.info("uContact evaluation backend " + version() + " on " + address + ":" + port
                + ", modules " + modules.keySet());
    }

    private static void stop(HttpServer server, Api api, ExecutorService threads) {
        Log.info("stopping");
        try {
            api.close(CLOSE_SECONDS);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
        server.stop(0);
        threads.shutdownNow();
        Log.info("stopped");
    }

    /** The parent of this jar's folder, with links resolved, so that a switch of releases
     * under a running server does not mix two of them. */
    private static Path home() throws IOException, URISyntaxException {
        Path jar = Paths.get(Main.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        return jar.toRealPath().getParent().getParent();
    }

    private static Properties read(Path file) throws IOException {
        Properties settings = new Properties();
        try (Reader reader = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
            settings.load(reader);
        }
        return settings;
    }
}
