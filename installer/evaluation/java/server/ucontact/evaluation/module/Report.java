package ucontact.evaluation.module;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** A module's report: named checks that hold or not, and facts about them for people. */
public final class Report {

    private final Map<String, Boolean> checks = new LinkedHashMap<>();
    private final Map<String, Object> facts = new LinkedHashMap<>();

    /** Adds a check; the module is up if all of them hold. */
    public Report check(String name, boolean holds) {
        checks.put(name, holds);
        return this;
    }

    /** Adds a fact: text, number, truth value, list or map. Never a secret: health is public. */
    public Report fact(String name, Object value) {
        facts.put(name, value);
        return this;
    }

    public boolean up() {
        return !checks.containsValue(Boolean.FALSE);
    }

    public Map<String, Boolean> checks() {
        return Collections.unmodifiableMap(checks);
    }

    public Map<String, Object> facts() {
        return Collections.unmodifiableMap(facts);
    }
}
