package ucontact.evaluation.server;

import java.util.LinkedHashMap;
import java.util.Map;
import ucontact.evaluation.module.Module;
import ucontact.evaluation.module.Report;
import ucontact.evaluation.module.Site;

/**
 * {@code GET /Integra/resources/health}: the state of every part, checked anew per request.
 *
 * <p>Requests that arrive during a check share the next one, so that a flood of them costs the
 * database one connection at a time.
 */
final class Health {

    private final Site site;
    private final Map<String, Module> modules;
    private final long begun = System.nanoTime();
    private Reply newest;
    private long newestBegun;

    Health(Site site, Map<String, Module> modules) {
        this.site = site;
        this.modules = modules;
    }

    Reply answer() {
        long asked = System.nanoTime();
        synchronized (this) {
            if (newest == null || newestBegun - asked < 0) {
                newestBegun = System.nanoTime();
                newest = look();
            }
            return newest;
        }
    }

    private Reply look() {
        Map<String, Object> checks = new LinkedHashMap<>();
        Map<String, Object> parts = new LinkedHashMap<>();
        boolean up = true;
        for (String folder : Modules.FOLDERS) {
            Module module = modules.get(folder);
            Map<String, Object> part = new LinkedHashMap<>();
            if (module == null) {
                up = false;
                part.put("status", "MISSING");
            } else {
                Report report = module.report(site);
                up &= report.up();
                part.put("status", state(report.up()));
                part.put("version", Modules.version(module));
                part.putAll(report.facts());
                for (Map.Entry<String, Boolean> check : report.checks().entrySet()) {
                    checks.put(check.getKey(), state(check.getValue()));
                }
            }
            parts.put(folder, part);
        }
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("status", state(up));
        document.put("evaluation", true);
        document.put("version", Main.version());
        document.put("checks", checks);
        document.put("modules", parts);
        document.put("wars", Wars.found(site.home().resolve("web")));
        document.put("java", System.getProperty("java.version"));
        document.put("uptimeSeconds", (System.nanoTime() - begun) / 1_000_000_000L);
        return new Reply(up ? 200 : 503, document);
    }

    private static String state(boolean up) {
        return up ? "UP" : "DOWN";
    }
}
