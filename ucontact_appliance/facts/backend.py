"""The Java backend, as seen by systemd, its process and its own health resource."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from itertools import chain, repeat
from statistics import median
from typing import Any

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.pace import usual
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.planning.component_tables import ports

_UNIT = "integraserver.service"
_HEALTH_SECONDS = 10
_AGAIN_SECONDS = 5  # after one slow answer, the two repeats wait less
_TIMEOUT = 25.0
_MEGABYTES = {"k": 1 / 1024, "m": 1, "g": 1024}


@dataclass(frozen=True)
class BackendService:
    """The unit and its process.

    `active` is systemd's ActiveState, `loaded` its LoadState, `heap_mb` the process's -Xmx in MB
    and `java` the version of the running runtime; None or empty when there is no process.
    """

    loaded: str
    active: str
    enabled: str
    result: str
    since: str
    java: str
    heap_mb: int | None


@dataclass(frozen=True)
class BackendHealth:
    """The health resource's answer: HTTP status (0: none), curl's error text, the JSON document.

    `seconds` is the response time.
    """

    status: int
    error: str
    document: dict[str, Any] = field(default_factory=dict, hash=False)
    seconds: float = 0.0


def backend_service(reach: ProbeContext) -> BackendService:
    """Read the unit's and the process's state."""
    pid = f"$(systemctl show -p MainPID {_UNIT} | cut -d= -f2)"
    command = script(
        unit=f"systemctl show {_UNIT} -p LoadState -p ActiveState -p UnitFileState -p Result "
        "-p ActiveEnterTimestamp",
        arguments=f"tr '\\0' '\\n' < /proc/{pid}/cmdline 2>/dev/null",
        # The runtime of the process, whatever `java` is in PATH.
        java=f"/proc/{pid}/exe -version 2>&1",
    )
    return parse_service(reach.runner.run(["sh", "-c", command], timeout=_TIMEOUT).stdout)


def parse_service(text: str) -> BackendService:
    """Parse that command's output."""
    parts = sections(text)
    unit = dict(line.partition("=")[::2] for line in parts.get("unit", "").splitlines())
    version = re.search(r'version "([^"]+)"', parts.get("java", ""))
    return BackendService(
        loaded=unit.get("LoadState", ""),
        active=unit.get("ActiveState", ""),
        enabled=unit.get("UnitFileState", ""),
        result=unit.get("Result", ""),
        since=unit.get("ActiveEnterTimestamp", ""),
        java=version[1] if version else "",
        heap_mb=_heap(parts.get("arguments", "")),
    )


def _heap(arguments: str) -> int | None:
    """-Xmx in MB. The last one wins, as in Java."""
    found = re.findall(r"^-Xmx([0-9]+)([kKmMgG]?)$", arguments, re.MULTILINE)
    if not found:
        return None
    number, unit = found[-1]
    return round(int(number) * _MEGABYTES.get(unit.lower(), 1 / 1024**2))


def backend_health(reach: ProbeContext, path: str, quick: float) -> BackendHealth:
    """Query the health resource on the host itself; the web server has its own checks.

    If the first answer took longer than `quick` seconds, return the median of three.
    """
    limits = chain((_HEALTH_SECONDS,), repeat(_AGAIN_SECONDS))
    return usual(
        lambda: _asked(reach, path, next(limits)),
        lambda found: found.seconds if found.status else 0.0,
        quick,
    )


def bare_seconds(reach: ProbeContext) -> float:
    """The usual time in seconds of a request that needs no work: the root's, with any status."""
    three = [_url("/")] * 3
    bodies = ["-o", "/dev/null"] * len(three)
    argv = ["curl", "-sS", "-m", str(_AGAIN_SECONDS), *bodies, "-w", "%{time_total}\\n", *three]
    return parse_seconds(reach.runner.run(argv, timeout=_TIMEOUT).stdout)


def parse_seconds(text: str) -> float:
    """The median of curl's times, one per line."""
    return median(_seconds(line) for line in text.split())


def _asked(reach: ProbeContext, path: str, seconds: int) -> BackendHealth:
    shape = "\\n%{http_code} %{time_total}\\n"
    argv = ["curl", "-sS", "-m", str(seconds), "-w", shape, _url(path)]
    done = reach.runner.run(argv, timeout=_TIMEOUT)
    return parse_health(done.stdout, done.stderr)


def _url(path: str) -> str:
    port = next(row.port for row in ports() if row.id == "backend")
    return f"http://127.0.0.1:{port}{path}"


def _seconds(text: str) -> float:
    """Parse a number of curl's, whose decimal separator depends on the locale."""
    return float(text.replace(",", ".") or 0)


def parse_health(text: str, error: str) -> BackendHealth:
    """Parse the body, and the last line: the status and the response time in seconds."""
    body, _, line = text.strip().rpartition("\n")
    status, _, seconds = line.partition(" ")
    try:
        document = json.loads(body) if body else {}
    except ValueError:
        document = {}
    return BackendHealth(
        status=int(status) if status.isdigit() else 0,
        error=error.strip(),
        document=document if isinstance(document, dict) else {},
        seconds=_seconds(seconds),
    )
