package ucontact.evaluation.server;

/** Lines for the journal, which adds the time. Callers pass no header, body or password. */
final class Log {

    private Log() {}

    static void info(String line) {
        write("info", line);
    }

    static void error(String line, Throwable cause) {
        write("error", line + ": " + cause.getClass().getSimpleName() + ": " + cause.getMessage());
    }

    private static void write(String level, String line) {
        // One event, one line: text from outside can't forge another.
        System.out.println(level + " " + line.replaceAll("\\p{Cntrl}", " "));
    }
}
