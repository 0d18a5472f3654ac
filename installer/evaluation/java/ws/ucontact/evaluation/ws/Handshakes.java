package ucontact.evaluation.ws;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import ucontact.evaluation.module.Module;
import ucontact.evaluation.module.Report;
import ucontact.evaluation.module.Site;

/** The response to a WebSocket opening handshake (RFC 6455, 4.2.2), tested on the RFC's example. */
public final class Handshakes implements Module {

    private static final String GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    @Override
    public String name() {
        return "ws";
    }

    @Override
    public Report report(Site site) {
        String answer = accept("dGhlIHNhbXBsZSBub25jZQ==");
        return new Report().check("ws", answer.equals("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }

    static String accept(String key) {
        try {
            MessageDigest sha1 = MessageDigest.getInstance("SHA-1");
            byte[] digest = sha1.digest((key + GUID).getBytes(StandardCharsets.US_ASCII));
            return Base64.getEncoder().encodeToString(digest);
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }
}
