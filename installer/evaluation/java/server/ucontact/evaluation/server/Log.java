package ucontact.evaluation.server;

/** Writes lines to the journal, which adds the time. Callers pass no header, body or password. */
final class Log {

    private Log() {}

    static void info(String line) {
        write("info", line);
    }

    static void error(String line, Throwable cause) {
        write("error", line + ": " + cause.getClass().getSimpleName() + ": " + cause.getMessage());
    }

    private static void write(String level, String line) {
        // One line per event, so that untrusted text can't forge another one.
        System.out.println(level + " " + line.replaceAll("\\p{Cntrl}", " "));
    }
}
