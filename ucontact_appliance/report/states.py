"""How many findings are in each state, for the forms that are read by programs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.findings.changes import BLOCKED, WAIVED, state_of

STATES = ("pass", "warn", "fail", "error", "skip", BLOCKED, WAIVED)


def counted(findings: Sequence[Finding]) -> dict[str, int]:
    """The number of findings in every state, zeros too."""
    counts = Counter(state_of(finding) for finding in findings)
    return {state: counts[state] for state in STATES}
