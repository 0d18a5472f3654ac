"""The Java backend as systemd, its process and its own health resource show it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from itertools import chain, repeat
from statistics import median
from typing import Any

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.pace import usual
from ucontact_appliance.facts.source import Reach
from ucontact_appliance.planning.component_tables import ports

_UNIT = "integraserver.service"
_HEALTH_SECONDS = 10
_AGAIN_SECONDS = 5  # what was slow once is not waited for that long twice more
_TIMEOUT = 25.0
_MEGABYTES = {"k": 1 / 1024, "m": 1, "g": 1024}


@dataclass(frozen=True)
class BackendService:
    """The unit and its process.

    `active` is systemd's ActiveState, `loaded` its LoadState, `heap_mb` the process's -Xmx and
    `java` the version of its very runtime; None or empty where there is no process.
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
    """The health resource's answer: HTTP status (0: none), curl's words, and the document.

    `seconds` is what it took.
    """

    status: int
    error: str
    document: dict[str, Any] = field(default_factory=dict, hash=False)
    seconds: float = 0.0


def backend_service(reach: Reach) -> BackendService:
    """Ask systemd and the process."""
    pid = f"$(systemctl show -p MainPID {_UNIT} | cut -d= -f2)"
    command = script(
        unit=f"systemctl show {_UNIT} -p LoadState -p ActiveState -p UnitFileState -p Result "
        "-p ActiveEnterTimestamp",
        arguments=f"tr '\\0' '\\n' < /proc/{pid}/cmdline 2>/dev/null",
        # The runtime that is running, whatever `java` means in somebody's PATH.
        java=f"/proc/{pid}/exe -version 2>&1",
    )
    return parse_service(reach.runner.run(["sh", "-c", command], timeout=_TIMEOUT).stdout)


def parse_service(text: str) -> BackendService:
    """The record of that command's output."""
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
    """-Xmx in MB. The last one counts, as Java has it."""
    found = re.findall(r"^-Xmx([0-9]+)([kKmMgG]?)$", arguments, re.MULTILINE)
    if not found:
        return None
    number, unit = found[-1]
    return round(int(number) * _MEGABYTES.get(unit.lower(), 1 / 1024**2))


def backend_health(reach: Reach, path: str, quick: float) -> BackendHealth:
    """Ask the health resource on the host itself: the web server has checks of its own.

    Where the answer took longer than `quick` seconds it is the middle one of three.
    """
    limits = chain((_HEALTH_SECONDS,), repeat(_AGAIN_SECONDS))
    return usual(
        lambda: _asked(reach, path, next(limits)),
        lambda found: found.seconds if found.status else 0.0,
        quick,
    )


def bare_seconds(reach: Reach) -> float:
    """What an answer usually takes that wants no work: its root's, whatever its status is."""
    three = [_url("/")] * 3
    bodies = ["-o", "/dev/null"] * len(three)
    argv = ["curl", "-sS", "-m", str(_AGAIN_SECONDS), *bodies, "-w", "%{time_total}\\n", *three]
    return parse_seconds(reach.runner.run(argv, timeout=_TIMEOUT).stdout)


def parse_seconds(text: str) -> float:
    """The middle one of curl's times, a line each."""
    return median(_seconds(line) for line in text.split())


def _asked(reach: Reach, path: str, seconds: int) -> BackendHealth:
    shape = "\\n%{http_code} %{time_total}\\n"
    argv = ["curl", "-sS", "-m", str(seconds), "-w", shape, _url(path)]
    done = reach.runner.run(argv, timeout=_TIMEOUT)
    return parse_health(done.stdout, done.stderr)


def _url(path: str) -> str:
    port = next(row.port for row in ports() if row.id == "backend")
    return f"http://127.0.0.1:{port}{path}"


def _seconds(text: str) -> float:
    """Curl writes the point as its locale has it."""
    return float(text.replace(",", ".") or 0)


def parse_health(text: str, error: str) -> BackendHealth:
    """The body, and behind it a line with the status and the seconds that it took."""
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
