package ucontact.evaluation.server;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.TreeMap;
import java.util.Map;
import ucontact.evaluation.module.Module;
import ucontact.evaluation.module.Recordings;

/** The modules of {@code server/}: one per folder (R22). */
final class Modules {

    static final List<String> FOLDERS =
            Collections.unmodifiableList(Arrays.asList("jasper", "jdbc", "mail", "others", "ssh", "ws"));

    private Modules() {}

    /** Loads every jar of the folders, then asks each for its module; keyed by module name. */
    static Map<String, Module> load(Path server) throws IOException {
        List<URL> jars = new ArrayList<>();
        for (String folder : FOLDERS) {
            Path path = server.resolve(folder);
            if (Files.isDirectory(path)) {
                try (DirectoryStream<Path> found = Files.newDirectoryStream(path, "*.jar")) {
                    for (Path jar : found) {
                        jars.add(jar.toUri().toURL());
                    }
                }
            }
        }
        ClassLoader loader = new URLClassLoader(jars.toArray(new URL[0]), Modules.class.getClassLoader());
        Map<String, Module> modules = new TreeMap<>();
        for (Module module : ServiceLoader.load(Module.class, loader)) {
            modules.put(module.name(), module);
        }
        return modules;
    }

    /** The index of recordings, from the class loader of the modules; null if none has it. */
    static Recordings recordings(Map<String, Module> modules) {
        Module jdbc = modules.get("jdbc");
        if (jdbc == null) {
            return null;
        }
        Iterator<Recordings> found =
                ServiceLoader.load(Recordings.class, jdbc.getClass().getClassLoader()).iterator();
        return found.hasNext() ? found.next() : null;
    }

    /** The version in the manifest of the module's jar. */
    static String version(Module module) {
        String version = module.getClass().getPackage().getImplementationVersion();
        return version == null ? "unknown" : version;
    }
}
