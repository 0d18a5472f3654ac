package ucontact.evaluation.server;

import java.util.LinkedHashMap;
import java.util.Map;

/** Counts failed logins per source; too many in a window block the source until its end. */
final class Attempts {

    private static final int MOST = 10;
    private static final long WINDOW_SECONDS = 300;
    private static final int MOST_SOURCES = 4096;

    /** Oldest first and bounded, so that a client with many addresses can't exhaust the memory. */
    private final Map<String, long[]> failures =
            new LinkedHashMap<String, long[]>() {
                private static final long serialVersionUID = 1L;

                @Override
                protected boolean removeEldestEntry(Map.Entry<String, long[]> eldest) {
                    return size() > MOST_SOURCES;
                }
            };

    /** Seconds that {@code source} has to wait; 0 if it may try. */
    synchronized long wait(String source) {
        long[] seen = failures.get(source);
        if (seen == null) {
            return 0;
        }
        long left = WINDOW_SECONDS - (System.nanoTime() - seen[0]) / 1_000_000_000L;
        if (left <= 0) {
            failures.remove(source);
            return 0;
        }
        return seen[1] < MOST ? 0 : left;
    }

    synchronized void failed(String source) {
        long[] seen = failures.get(source);
        if (seen == null) {
            failures.put(source, new long[] {System.nanoTime(), 1});
        } else {
            seen[1]++;
        }
    }

    synchronized void succeeded(String source) {
        failures.remove(source);
    }
}
