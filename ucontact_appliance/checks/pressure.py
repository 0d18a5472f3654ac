"""Whether a host keeps up with its work: disks, processor and memory that make tasks wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ucontact_appliance.checks.model import (
    Check,
    Judgement,
    Severity,
    Subject,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.facts.host import hardware
from ucontact_appliance.facts.pressure import Pressure, pressure
from ucontact_appliance.resources import load_data

_TABLE: dict[str, Any] = load_data("hardware")["pressure"]


def judge_pressure(found: Pressure, kind: str, container: bool) -> Judgement:
    """Five minutes, so that a backup's or an update's moment is no finding."""
    limits = _TABLE[kind]
    required = f"tasks wait less than {limits['warn']} % of the time"
    waited = found.waited.get(kind)
    if waited is None:
        return skipped("this kernel does not tell", required)
    observed = f"some task waited {waited:.0f} % of the last five minutes"
    if container:
        # It is the container's host that waits, and other containers' work that is waited for.
        return passed(f"{observed}, the container's host's figure", required, found.evidence)
    if waited >= limits["fail"]:
        return failed(observed, required, found.evidence)
    judge = warned if waited >= limits["warn"] else passed
    return judge(observed, required, found.evidence)


def _judging(kind: str) -> Callable[[Subject], Judgement]:
    def judge(subject: Subject) -> Judgement:
        container = subject.facts.get(hardware).container
        return judge_pressure(subject.facts.get(pressure), kind, container)

    return judge


_LOOK = {
    "cpu": "{ssh} ps -eo pcpu,comm --sort=-pcpu | head -10",
    "io": "{ssh} ps -eo state,comm | sort | head -10  # D: waits for a disk; a slow one?",
    "memory": "{ssh} ps -eo rss,comm --sort=-rss | head -10",
}
_TITLES = {
    "cpu": "Tasks do not wait for the processor",
    "io": "Tasks do not wait for disks",
    "memory": "Tasks do not wait for memory",
}

CHECKS: tuple[Check, ...] = tuple(
    Check(
        id=f"pressure.{kind}",
        title=_TITLES[kind],
        severity=Severity.MEDIUM,
        requirements=("R12",),
        remedy=_LOOK[kind],
        judge=_judging(kind),
    )
    for kind in _TITLES
)
