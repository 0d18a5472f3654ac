"""One line for Nagios, Icinga and compatible systems, by the Monitoring Plugins guidelines.

https://www.monitoring-plugins.org/doc/guidelines.html: one line of text, a `|`, performance data
`'label'=value[UOM];[warn];[crit];[min];[max]`, and the exit codes 0 to 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.errors import ApplianceError
from ucontact_appliance.findings.changes import state_of
from ucontact_appliance.language.catalogue import Translate, english
from ucontact_appliance.language.messages import _
from ucontact_appliance.report.states import counted

_SERVICE = "UCONTACT"
_NAMED = 5  # causes listed by name: the line is read on a small screen, or by SMS
_LONGEST = 120  # characters of an observation


class NagiosStatus(IntEnum):
    """The guidelines' exit codes."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


def status_of(findings: Sequence[Finding]) -> NagiosStatus:
    """Return CRITICAL if a check failed; UNKNOWN if one could not be carried out, or none ran."""
    counts = counted(findings)
    if counts["fail"]:
        return NagiosStatus.CRITICAL
    if counts["error"] or counts["blocked"] or not findings:
        return NagiosStatus.UNKNOWN
    return NagiosStatus.WARNING if counts["warn"] else NagiosStatus.OK


def to_line(findings: Sequence[Finding], seconds: float, translate: Translate = english) -> str:
    """Return the line without its line feed; `seconds` is how long the run took.

    `findings` are translated already. The status and the performance data are the guidelines' own
    words in every language: programs read them.
    """
    counts = counted(findings)
    parts = []
    for state, what in (
        ("fail", _("failed")),
        ("error", _("not carried out")),
        ("warn", _("warned")),
    ):
        named = [finding for finding in findings if state_of(finding) == state]
        if state == "warn" and counts["blocked"]:
            parts.append(translate(_("{count} blocked by them", count=counts["blocked"])))
        if named:
            parts.append(f"{len(named)} {translate(what)}: {_causes(named, translate)}")
    if counts["waived"]:
        parts.append(f"{counts['waived']} {translate(_('waived'))}")
    if not parts or not (counts["fail"] or counts["error"]):
        parts.append(f"{counts['pass']} {translate(_('passed'))}")
    return f"{_SERVICE} {status_of(findings).name} - {'; '.join(parts)} | {_data(counts, seconds)}"


def trouble_line(error: ApplianceError, translate: Translate = english) -> str:
    """Return the line for an error that kept the checks from running."""
    what = translate(error.what)
    text = f"{what}: {error.evidence}" if error.evidence else what
    return f"{_SERVICE} {NagiosStatus.UNKNOWN.name} - {_plain(text, 2 * _LONGEST)}"


def _causes(findings: Sequence[Finding], translate: Translate) -> str:
    on = translate(_("on"))
    told = [f"{f.id} {on} {f.host} ({_plain(f.observed)})" for f in findings[:_NAMED]]
    more = len(findings) - len(told)
    return ", ".join(told) + (f" {translate(_('and {count} more', count=more))}" if more else "")


def _plain(text: str, longest: int = _LONGEST) -> str:
    """Return the text as one short line without `|`, which begins the performance data."""
    line = " ".join(text.split()).replace("|", "/")
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _data(counts: dict[str, int], seconds: float) -> str:
    whole = sum(counts.values())
    limits = {"warn": "0;", "fail": ";0", "error": ";0"}
    names = {
        "pass": "passed",
        "warn": "warned",
        "fail": "failed",
        "error": "errors",
        "skip": "skipped",
    }
    rows = [
        f"{names.get(state, state)}={count};{limits.get(state, ';')};0;{whole}"
        for state, count in counts.items()
    ]
    return " ".join([*rows, f"time={seconds:.3f}s;;;0"])
