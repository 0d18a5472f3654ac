package ucontact.evaluation.module;

/**
 * A part of the evaluation backend. Each jar under {@code server/jasper}, {@code jdbc}, {@code mail},
 * {@code others}, {@code ssh} and {@code ws} (R22) brings one, found by {@link java.util.ServiceLoader}.
 */
public interface Module {

    /** The folder's name, such as {@code jdbc}. */
    String name();

    /** Does the part's own work once, on {@code site}, and says how it went; must not throw. */
    Report report(Site site);
}
