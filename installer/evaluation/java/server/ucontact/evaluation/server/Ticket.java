package ucontact.evaluation.server;

import java.nio.charset.StandardCharsets;
import java.security.InvalidKeyException;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * A request to the telephony server, signed: base64url(FIELDS).HMAC, where FIELDS are the operation,
 * until when it is valid (seconds since 1970) and what it needs, one per line.
 */
final class Ticket {

    /** NGINX uses it at once. */
    private static final long SECONDS = 30;

    private Ticket() {}

    static String of(String secret, String operation, String... fields) {
        long until = System.currentTimeMillis() / 1000 + SECONDS;
        String lines = operation + "\n" + until + "\n" + String.join("\n", fields);
        String packed = Base64.getUrlEncoder().encodeToString(lines.getBytes(StandardCharsets.UTF_8));
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret.getBytes(StandardCharsets.US_ASCII), "HmacSHA256"));
            return packed + "." + Users.hex(mac.doFinal(packed.getBytes(StandardCharsets.US_ASCII)));
        } catch (NoSuchAlgorithmException | InvalidKeyException error) {
            throw new IllegalStateException(error);
        }
    }
}
