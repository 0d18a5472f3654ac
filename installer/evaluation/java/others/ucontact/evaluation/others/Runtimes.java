package ucontact.evaluation.others;

import ucontact.evaluation.module.Module;
import ucontact.evaluation.module.Report;
import ucontact.evaluation.module.Site;

/** The Java virtual machine: its heap and processors. */
public final class Runtimes implements Module {

    private static final double FULL = 0.95;
    private static final long MEGABYTE = 1024L * 1024;

    @Override
    public String name() {
        return "others";
    }

    @Override
    public Report report(Site site) {
        Runtime runtime = Runtime.getRuntime();
        long used = runtime.totalMemory() - runtime.freeMemory();
        return new Report()
                .check("memory", used < FULL * runtime.maxMemory())
                .fact("heapMaxMb", runtime.maxMemory() / MEGABYTE)
                .fact("heapUsedMb", used / MEGABYTE)
                .fact("processors", runtime.availableProcessors());
    }
}
