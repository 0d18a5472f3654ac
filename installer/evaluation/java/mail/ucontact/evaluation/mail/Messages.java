package ucontact.evaluation.mail;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import ucontact.evaluation.module.Module;
import ucontact.evaluation.module.Report;
import ucontact.evaluation.module.Site;

/** Writes a notification as an Internet message (RFC 5322, RFC 2047). The evaluation sends none. */
public final class Messages implements Module {

    private static final String SUBJECT = "uContact: evaluación";
    private static final Base64.Encoder LINES = Base64.getMimeEncoder(76, new byte[] {'\r', '\n'});

    @Override
    public String name() {
        return "mail";
    }

    @Override
    public Report report(Site site) {
        String message = compose("portal@localhost", "supervisor@localhost", SUBJECT, "¡Hola!");
        String body = message.substring(message.indexOf("\r\n\r\n") + 4);
        boolean ascii = StandardCharsets.US_ASCII.newEncoder().canEncode(message);
        byte[] decoded = Base64.getMimeDecoder().decode(body);
        boolean kept = new String(decoded, StandardCharsets.UTF_8).equals("¡Hola!");
        return new Report().check("mail", ascii && kept).fact("sends", false);
    }

    static String compose(String from, String to, String subject, String text) {
        String encoded = Base64.getEncoder().encodeToString(subject.getBytes(StandardCharsets.UTF_8));
        return "From: " + from + "\r\n"
                + "To: " + to + "\r\n"
                + "Subject: =?UTF-8?B?" + encoded + "?=\r\n"
                + "MIME-Version: 1.0\r\n"
                + "Content-Type: text/plain; charset=UTF-8\r\n"
                + "Content-Transfer-Encoding: base64\r\n\r\n"
                + LINES.encodeToString(text.getBytes(StandardCharsets.UTF_8)) + "\r\n";
    }
}
