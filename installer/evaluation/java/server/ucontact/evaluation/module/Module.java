package ucontact.evaluation.module;

/**
 * A part of the evaluation backend. Each jar under {@code server/jasper}, {@code jdbc}, {@code mail},
 * {@code others}, {@code ssh} and {@code ws} (R22) has one ({@link java.util.ServiceLoader}).
 */
public interface Module {

    /** The folder's name, such as {@code jdbc}. */
    String name();

    /** Tests the part's own function once, on {@code site}, and reports; must not throw. */
    Report report(Site site);
}
