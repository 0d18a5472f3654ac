package ucontact.evaluation.ssh;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import ucontact.evaluation.module.Module;
import ucontact.evaluation.module.Report;
import ucontact.evaluation.module.Site;

/** Fingerprints of ssh public keys, as {@code ssh-keygen -l} prints them; tested on a known key. */
public final class Fingerprints implements Module {

    /** An Ed25519 key whose 32 bytes count from 0 to 31. */
    private static final String KEY =
            "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    @Override
    public String name() {
        return "ssh";
    }

    @Override
    public Report report(Site site) {
        String known = "SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA";
        return new Report().check("ssh", fingerprint(KEY).equals(known));
    }

    static String fingerprint(String key) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(Base64.getDecoder().decode(key));
            return "SHA256:" + Base64.getEncoder().withoutPadding().encodeToString(digest);
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }
}
