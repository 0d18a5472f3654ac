package ucontact.evaluation.module;

import java.io.IOException;
import java.util.List;
import java.util.Map;

/**
 * The index of recordings and the list of accesses to them. The module {@code jdbc} has it
 * ({@link java.util.ServiceLoader}). Methods throw {@link IOException} while the database is away.
 */
public interface Recordings {

    /** The recording with this id that exists, or null. */
    Recording find(Site site, long id) throws IOException;

    /** The existing recordings of a call, by unique or linked id, oldest first; 100 at most. */
    List<Map<String, Object>> ofCall(Site site, String call) throws IOException;

    /** Adds a row to the list of accesses. */
    void log(Site site, Access access) throws IOException;

    /** A recording: path below the spool, bytes and SHA-256, as indexed. */
    final class Recording {
        public final String path;
        public final long bytes;
        public final String sha256;

        public Recording(String path, long bytes, String sha256) {
            this.path = path;
            this.bytes = bytes;
            this.sha256 = sha256;
        }
    }

    /** Who asked for which recording, from which address, with which words, and the outcome. */
    final class Access {
        public final String user;
        public final String source;
        public final long recording;
        public final String path;
        public final String outcome;
        public final String request;

        public Access(
                String user, String source, long recording, String path, String outcome, String request) {
            this.user = user;
            this.source = source;
            this.recording = recording;
            this.path = path;
            this.outcome = outcome;
            this.request = request;
        }
    }
}
