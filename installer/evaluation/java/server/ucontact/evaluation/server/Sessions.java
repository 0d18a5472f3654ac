package ucontact.evaluation.server;

import java.security.SecureRandom;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/** Tokens of logged-in users; they expire after eight hours or at a restart. */
final class Sessions {

    static final long SECONDS = 8 * 3600;
    private static final int MOST = 10_000;

    private final SecureRandom random = new SecureRandom();
    private final Map<String, Session> open = new LinkedHashMap<>();

    /** The user of a token, and its expiry by {@link System#nanoTime()}. */
    private static final class Session {
        final String user;
        final long end;

        Session(String user, long end) {
            this.user = user;
            this.end = end;
        }
    }

    synchronized String begin(String user) {
        byte[] bytes = new byte[32];
        random.nextBytes(bytes);
        String token = Users.hex(bytes);
        forgetOld();
        open.put(token, new Session(user, System.nanoTime() + SECONDS * 1_000_000_000L));
        return token;
    }

    /** The user of a valid token; null otherwise. */
    synchronized String user(String token) {
        Session session = open.get(token);
        return session == null || session.end - System.nanoTime() < 0 ? null : session.user;
    }

    private void forgetOld() {
        Iterator<Session> oldestFirst = open.values().iterator();
        while (oldestFirst.hasNext()) {
            Session session = oldestFirst.next();
            if (open.size() < MOST && session.end - System.nanoTime() >= 0) {
                return;
            }
            oldestFirst.remove();
        }
    }
}
