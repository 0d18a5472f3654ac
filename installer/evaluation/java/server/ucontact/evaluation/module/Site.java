package ucontact.evaluation.module;

import java.nio.file.Path;
import java.util.Properties;

/** Where the release lies, and the site's settings. */
public final class Site {

    private final Path home;
    private final Properties settings;

    public Site(Path home, Properties settings) {
        this.home = home;
        this.settings = settings;
    }

    /** The folder that holds {@code web}, {@code server} and {@code reports}. */
    public Path home() {
        return home;
    }

    /** The setting of that name, or {@code otherwise} where it is missing or empty. */
    public String setting(String name, String otherwise) {
        String value = settings.getProperty(name, "").trim();
        return value.isEmpty() ? otherwise : value;
    }

    /** The number of that name; an {@link IllegalArgumentException} names a setting that is none. */
    public int number(String name, int otherwise) {
        String value = setting(name, Integer.toString(otherwise));
        try {
            return Integer.parseInt(value);
        } catch (NumberFormatException error) {
            throw new IllegalArgumentException("setting " + name + " is no whole number");
        }
    }
}
