package ucontact.evaluation.server;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.jar.JarFile;
import java.util.jar.Manifest;

/** The web archives in {@code web/}. */
final class Wars {

    private Wars() {}

    /** File name to the version in its manifest, or to a note if the file can't be read. */
    static Map<String, String> found(Path web) {
        Map<String, String> versions = new TreeMap<>();
        if (!Files.isDirectory(web)) {
            return versions;
        }
        try (DirectoryStream<Path> wars = Files.newDirectoryStream(web, "*.war")) {
            for (Path war : wars) {
                versions.put(war.getFileName().toString(), version(war));
            }
        } catch (IOException error) {
            Log.error("listing the web archives", error);
        }
        return versions;
    }

    private static String version(Path war) {
        try (JarFile archive = new JarFile(war.toFile())) {
            Manifest manifest = archive.getManifest();
            String version = manifest == null ? null
                    : manifest.getMainAttributes().getValue("Implementation-Version");
            return version == null ? "unknown" : version;
        } catch (IOException error) {
            return "unreadable";
        }
    }
}
