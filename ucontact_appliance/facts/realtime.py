"""Asterisk's realtime: configuration that comes from a database instead of a file."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import ProbeContext

FILE = "/etc/asterisk/extconfig.conf"
_SECONDS = 12.0
_LINE = re.compile(r"^[ \t]*([\w.-]+)[ \t]*=>?[ \t]*([^;\n]+)", re.MULTILINE)


@dataclass(frozen=True)
class RealtimeMapping:
    """A line of extconfig.conf: a family, the engine that provides it, and its database."""

    family: str
    engine: str
    database: str


@dataclass(frozen=True)
class Realtime:
    """Mappings on disk, the loaded engines, and the connections per ODBC class.

    `classes` holds (name, connections); mappings on disk may not be loaded yet.
    """

    mapped: tuple[RealtimeMapping, ...]
    engines: tuple[str, ...]
    classes: tuple[tuple[str, int], ...]
    evidence: str


_ASK = script(
    # Without comments and sections; without the file nothing is mapped.
    file=f"cat {FILE} 2>/dev/null | sed -n '/^[[:space:]]*[^;[:space:]]/p'",
    mappings=f"asterisk -rx {shlex.quote('core show config mappings')} 2>&1 || true",
    odbc=f"asterisk -rx {shlex.quote('odbc show all')} 2>&1 || true",
)


def realtime(reach: ProbeContext) -> Realtime:
    """Read the mappings, the engines and the ODBC classes."""
    return parse_realtime(reach.runner.run(["sh", "-c", _ASK], timeout=_SECONDS).stdout)


def parse_realtime(text: str) -> Realtime:
    """Parse extconfig.conf, `core show config mappings` and `odbc show all`."""
    part = sections(text)
    mapped = []
    for family, rest in _LINE.findall(part.get("file", "")):
        words = [word.strip().strip('"') for word in rest.split(",")]
        mapped.append(RealtimeMapping(family, words[0], words[1] if len(words) > 1 else ""))
    engines = re.findall(r"^Config Engine: (\S+)", part.get("mappings", ""), re.MULTILINE)
    classes = re.findall(
        r"^\s*Name:\s+(\S+)\s*\n(?:(?!\s*Name:).*\n)*?.*active connections: (\d+)",
        part.get("odbc", ""),
        re.MULTILINE,
    )
    return Realtime(
        tuple(mapped),
        tuple(engines),
        tuple((name, int(number)) for name, number in classes),
        text.strip(),
    )
