package ucontact.evaluation.module;

import java.nio.file.Path;
import java.util.Properties;

/** The release's folder, and the site's settings. */
public final class Site {

    private final Path home;
    private final Properties settings;

    public Site(Path home, Properties settings) {
        this.home = home;
        this.settings = settings;
    }

    /** The folder with {@code web}, {@code server} and {@code reports}. */
    public Path home() {
        return home;
    }

    /** The setting of this name, or {@code otherwise} if it is missing or empty. */
    public String setting(String name, String otherwise) {
        String value = settings.getProperty(name, "").trim();
        return value.isEmpty() ? otherwise : value;
    }

    /** The number of this name; throws {@link IllegalArgumentException} if it is no number. */
    public int number(String name, int otherwise) {
        String value = setting(name, Integer.toString(otherwise));
        try {
            return Integer.parseInt(value);
        } catch (NumberFormatException error) {
            throw new IllegalArgumentException("setting " + name + " is no whole number");
        }
    }
}
