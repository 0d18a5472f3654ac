"""The database server's own state: how long it took to start, and whether it replicates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import Reach

_UNIT = "mysql.service"


@dataclass(frozen=True)
class Start:
    """Seconds from the start of the unit to its being ready, and systemd's limit for it.

    None where systemd does not tell: the unit has not come up, or has no limit.
    """

    seconds: float | None
    limit: float | None
    evidence: str


def start(reach: Reach) -> Start:
    """How the newest start went."""
    words = [
        *("systemctl", "show", _UNIT),
        *("-p", "InactiveExitTimestampMonotonic", "-p", "ActiveEnterTimestampMonotonic"),
        *("-p", "TimeoutStartUSec"),
    ]
    return parse_start(reach.runner.run(words).stdout)


def parse_start(text: str) -> Start:
    """From the properties of `systemctl show`: microseconds since the boot, and a time span."""
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    began = int(found.get("InactiveExitTimestampMonotonic", "0") or 0)
    ready = int(found.get("ActiveEnterTimestampMonotonic", "0") or 0)
    seconds = (ready - began) / 1e6 if began and ready >= began else None
    return Start(seconds, span(found.get("TimeoutStartUSec", "")), text.strip())


_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86400}


def span(text: str) -> float | None:
    """systemd's time span (`10min`, `1min 30s`) in seconds; None for infinity or nothing."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(us|ms|min|s|h|d)", text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else None


@dataclass(frozen=True)
class Replication:
    """What `SHOW REPLICA STATUS` says, a channel a row: none where it copies from no other."""

    channels: tuple[Mapping[str, str], ...]
    evidence: str


# Older than 8.0.22 it is called by its former name; root asks over the server's own socket. Not by
# "\G": the client of MySQL 9 knows no commands of its own in a batch.
_REPLICATION = script(
    status="mysql --vertical -e 'SHOW REPLICA STATUS' 2>/dev/null || "
    "mysql --vertical -e 'SHOW SLAVE STATUS'",
)


def replication(reach: Reach) -> Replication:
    """Whether the server is another's replica, and how far behind.

    Raises RuntimeError when the server does not say.
    """
    done = reach.runner.run(["sh", "-c", _REPLICATION])
    if done.status:
        raise RuntimeError(done.evidence)
    return parse_replication(sections(done.stdout)["status"])


def parse_replication(text: str) -> Replication:
    """From the vertical form: `Name: value` lines; former names are told by today's."""
    channels: list[dict[str, str]] = []
    for line in text.splitlines():
        name, colon, value = line.strip().partition(":")
        if line.startswith("***"):
            channels.append({})
        elif colon and channels:
            today = name.replace("Slave", "Replica").replace("Master", "Source")
            channels[-1][today.strip()] = value.strip()
    return Replication(tuple(channels), text.strip())
