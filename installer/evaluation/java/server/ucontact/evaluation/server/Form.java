package ucontact.evaluation.server;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/** The fields of a small {@code application/x-www-form-urlencoded} body. */
final class Form {

    static final int MOST_BYTES = 4096;

    private Form() {}

    /** The fields, or null if the body is too long or no such form. */
    static Map<String, String> read(InputStream body) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        byte[] buffer = new byte[1024];
        for (int count = body.read(buffer); count >= 0; count = body.read(buffer)) {
            bytes.write(buffer, 0, count);
            if (bytes.size() > MOST_BYTES) {
                return null;
            }
        }
        Map<String, String> fields = new HashMap<>();
        for (String pair : new String(bytes.toByteArray(), StandardCharsets.UTF_8).split("&")) {
            int equals = pair.indexOf('=');
            if (equals < 0) {
                continue;
            }
            try {
                fields.put(decode(pair.substring(0, equals)), decode(pair.substring(equals + 1)));
            } catch (IllegalArgumentException error) {
                return null;
            }
        }
        return fields;
    }

    private static String decode(String text) throws IOException {
        return URLDecoder.decode(text, "UTF-8");
    }
}
