"""The nightly deletion of old rows on the database server: its timer, command and last run."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import ProbeContext

ROW_SERVICE = "ucontact-row-retention.service"
ROW_TIMER = "ucontact-row-retention.timer"
_SETTINGS = "/etc/ucontact-row-retention.json"
_DAYS = re.compile(r'"(calls|events|accesses)": (\d{1,6})\b')
# `LastTriggerUSec` survives a reboot, by the file of Persistent=.
_LOOK = script(
    timer=f"systemctl is-active {ROW_TIMER}",
    result=f"systemctl show -p Result --value {ROW_SERVICE}",
    settings=f"cat {_SETTINGS} 2>&1 || true",
    last=f"stat -c %Y /var/lib/systemd/timers/stamp-{ROW_TIMER} 2>/dev/null || true",
    now="date +%s",
    log=f"journalctl -u {ROW_SERVICE} -n 8 --no-pager -o cat 2>&1 || true",
)


@dataclass(frozen=True)
class RowRetention:
    """The state of the timer, the days of its settings, and how the last run ended.

    `days` are those of calls, events and accesses (0: kept for ever), `result` systemd's word for
    the last run, and `age` the seconds since the timer last started it; None if it never did.
    """

    timer: str
    days: tuple[int, int, int]
    result: str
    age: float | None
    evidence: str


def row_retention(reach: ProbeContext) -> RowRetention:
    """Read the timer and its service."""
    return parse_row_retention(reach.runner.run(["sh", "-c", _LOOK]).stdout)


def parse_row_retention(text: str) -> RowRetention:
    """Parse the probe's output."""
    part = {name: value.strip() for name, value in sections(text).items()}
    days = {kind: int(count) for kind, count in _DAYS.findall(part.get("settings", ""))}
    last, now = part.get("last", ""), part.get("now", "")
    return RowRetention(
        timer=part.get("timer", ""),
        days=(days.get("calls", 0), days.get("events", 0), days.get("accesses", 0)),
        result=part.get("result", ""),
        age=float(now) - float(last) if last.isdigit() and now.isdigit() else None,
        evidence="\n".join(filter(None, (part.get("settings"), part.get("log")))),
    )
