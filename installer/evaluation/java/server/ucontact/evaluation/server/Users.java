package ucontact.evaluation.server;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import ucontact.evaluation.module.Site;

/**
 * The portal's users: settings {@code user.NAME = sha256$SALT$HEX}, where HEX is the SHA-256 of salt
 * and password. One round is enough only because the passwords are generated with 190 bits.
 */
final class Users {

    /** Compared with for an unknown user, so that both cases take the same time. */
    private static final String NOBODY = "sha256$none$"
            + "0000000000000000000000000000000000000000000000000000000000000000";

    private final Site site;

    Users(Site site) {
        this.site = site;
    }

    boolean accepts(String user, String password) {
        boolean named = user.matches("[A-Za-z0-9._-]{1,64}");
        String known = named ? site.setting("user." + user, NOBODY) : NOBODY;
        String[] parts = known.split("\\$", 3);
        if (parts.length != 3 || !parts[0].equals("sha256")) {
            throw new IllegalStateException("setting user." + user + " is not sha256$SALT$HEX");
        }
        byte[] wanted = parts[2].getBytes(StandardCharsets.US_ASCII);
        byte[] given = hex(sha256(parts[1] + password)).getBytes(StandardCharsets.US_ASCII);
        return MessageDigest.isEqual(wanted, given);
    }

    private static byte[] sha256(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }

    static String hex(byte[] bytes) {
        StringBuilder text = new StringBuilder(bytes.length * 2);
        for (byte value : bytes) {
            text.append(Character.forDigit((value >> 4) & 0xf, 16)).append(Character.forDigit(value & 0xf, 16));
        }
        return text.toString();
    }
}
