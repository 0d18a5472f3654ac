"""A host's load as the kernel's pressure stall information (PSI)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import ProbeContext

_KINDS = ("cpu", "io", "memory")
_PRESSURE = script(**{kind: f"cat /proc/pressure/{kind} 2>/dev/null || true" for kind in _KINDS})


@dataclass(frozen=True)
class Pressure:
    """Per cent of the last five minutes in which some task waited, by resource.

    Empty if the kernel does not record it (before 4.20, or disabled).
    """

    waited: Mapping[str, float]
    evidence: str


def pressure(reach: ProbeContext) -> Pressure:
    """Read /proc/pressure."""
    return parse_pressure(reach.runner.run(["sh", "-c", _PRESSURE]).stdout)


def parse_pressure(text: str) -> Pressure:
    """Parse the line `some avg10=0.00 avg60=0.00 avg300=0.00 total=0` of each file."""
    waited = {}
    for kind, part in sections(text).items():
        found = re.search(r"^some .*\bavg300=([\d.]+)", part, re.MULTILINE)
        if found:
            waited[kind] = float(found[1])
    return Pressure(waited, text.strip())
