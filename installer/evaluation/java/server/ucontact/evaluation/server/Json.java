package ucontact.evaluation.server;

import java.util.Iterator;
import java.util.Map;

/** Values as JSON text (RFC 8259). */
final class Json {

    private Json() {}

    /** Writes a map, an iterable, a number, a truth value, null, or anything else as a string. */
    static String of(Object value) {
        StringBuilder text = new StringBuilder();
        write(text, value);
        return text.toString();
    }

    private static void write(StringBuilder text, Object value) {
        if (value == null || value instanceof Number || value instanceof Boolean) {
            text.append(value);
        } else if (value instanceof Map) {
            writeMap(text, (Map<?, ?>) value);
        } else if (value instanceof Iterable) {
            writeList(text, (Iterable<?>) value);
        } else {
            writeString(text, value.toString());
        }
    }

    private static void writeMap(StringBuilder text, Map<?, ?> map) {
        String separator = "";
        text.append('{');
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            text.append(separator);
            writeString(text, entry.getKey().toString());
            text.append(':');
            write(text, entry.getValue());
            separator = ",";
        }
        text.append('}');
    }

    private static void writeList(StringBuilder text, Iterable<?> list) {
        text.append('[');
        for (Iterator<?> items = list.iterator(); items.hasNext(); ) {
            write(text, items.next());
            if (items.hasNext()) {
                text.append(',');
            }
        }
        text.append(']');
    }

    private static void writeString(StringBuilder text, String string) {
        text.append('"');
        for (int index = 0; index < string.length(); index++) {
            char character = string.charAt(index);
            if (character == '"' || character == '\\') {
                text.append('\\').append(character);
            } else if (character < 0x20 || character > 0x7e) {
                text.append(String.format("\\u%04x", (int) character));
            } else {
                text.append(character);
            }
        }
        text.append('"');
    }
}
