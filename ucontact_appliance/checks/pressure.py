"""Checks of a host's load: tasks that wait for processor, disks or memory; write latency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ucontact_appliance.checks.model import (
    Check,
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.facts.hardware.profile import write_latency
from ucontact_appliance.facts.hardware.records import WriteLatency
from ucontact_appliance.facts.host import hardware
from ucontact_appliance.facts.pressure import Pressure, pressure
from ucontact_appliance.language.messages import _, concatenated, with_note
from ucontact_appliance.resources import load_data

_TABLE: dict[str, Any] = load_data("hardware")["pressure"]
_LOOK = {
    "cpu": "{ssh} ps -eo pcpu,comm --sort=-pcpu | head -10",
    "io": with_note(
        "{ssh} ps -eo state,comm | sort | head -10",
        _("state D waits for a disk; check for a slow disk"),
    ),
    "memory": "{ssh} ps -eo rss,comm --sort=-rss | head -10",
}
_TITLES = {
    "cpu": _("Tasks do not wait for the processor"),
    "io": _("Tasks do not wait for disks"),
    "memory": _("Tasks do not wait for memory"),
}


def judge_pressure(found: Pressure, kind: str, container: bool) -> Judgement:
    """Judge the pressure (PSI) over five minutes: a brief backup or update is no finding."""
    limits = _TABLE[kind]
    required = _("tasks wait less than {warn} % of the time", warn=limits["warn"])
    waited = found.waited.get(kind)
    if waited is None:
        return skipped(_("this kernel does not report pressure (PSI)"), required)
    observed = _("some task waited {waited:.0f} % of the last five minutes", waited=waited)
    if container:
        # The figure is the container's host's, and includes other containers' work.
        return passed(
            _("{observed} (figure of the container's host)", observed=observed),
            required,
            found.evidence,
        )
    if waited >= limits["fail"]:
        return failed(observed, required, found.evidence)
    judge = warned if waited >= limits["warn"] else passed
    return judge(observed, required, found.evidence)


def _pressure(kind: str) -> Check:
    @check(
        id=f"pressure.{kind}",
        title=_TITLES[kind],
        severity=Severity.MEDIUM,
        requirements=("R12",),
        remedy=_LOOK[kind],
    )
    def judge(subject: Subject) -> Judgement:
        container = subject.facts.get(hardware).container
        return judge_pressure(subject.facts.get(pressure), kind, container)

    return judge


PRESSURE = tuple(_pressure(kind) for kind in _TITLES)


def judge_latency(found: Sequence[WriteLatency], slow_ms: float, fail_ms: float) -> Judgement:
    """Require a low median write latency: database commits and recordings wait for the disk."""
    required = _("half of the writes reach the disk within {slow_ms:g} ms", slow_ms=slow_ms)
    evidence = "\n".join(map(_timed, found))
    measured = [(one.p50_ms, one) for one in found if one.p50_ms is not None]
    if not measured:
        return skipped(_("no write could be timed"), required, evidence)
    median, slowest = max(measured, key=lambda pair: pair[0])
    observed = _(
        "half of them within {median:.1f} ms on {mount}", median=median, mount=slowest.mount
    )
    if median > fail_ms:
        return failed(observed, required, evidence)
    return (warned if median > slow_ms else passed)(observed, required, evidence)


@check(
    id="disk.latency",
    title=_("Disk write latency is acceptable"),
    severity=Severity.MEDIUM,
    requirements=("R12",),
    remedy=with_note(
        "{ssh} ps -eo state,comm | sort | head -10",
        _("state D waits for a disk; check for a failing disk, or other load on the same storage"),
    ),
    needs=("disk.space", "disk.inodes"),  # the measurement writes a file
    timeout=30.0,
)
def _latency(subject: Subject) -> Judgement:
    limits = load_data("hardware")["write_latency"]
    found = subject.facts.get(write_latency)
    return judge_latency(found, limits["slow_ms"], limits["doctor"]["fail_ms"])


def _timed(one: WriteLatency) -> str:
    if one.p50_ms is None or one.p99_ms is None:
        return concatenated((one.folder, ": ", one.error or "no write was made"))
    return _(
        "{folder} on {mount}: {samples} writes of 4 KiB, half of them within "
        "{p50_ms:.2f} ms, 99 of 100 within {p99_ms:.2f} ms",
        folder=one.folder,
        mount=one.mount,
        samples=one.samples,
        p50_ms=one.p50_ms,
        p99_ms=one.p99_ms,
    )


CHECKS = checks_of(globals())
