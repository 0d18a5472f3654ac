"""Count findings by state, for the formats that programs read. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.findings.changes import BLOCKED, WAIVED, state_of

STATES = ("pass", "warn", "fail", "error", "skip", BLOCKED, WAIVED)


def counted(findings: Sequence[Finding]) -> dict[str, int]:
    """Return the number of findings in every state, including zeros."""
    counts = Counter(state_of(finding) for finding in findings)
    return {state: counts[state] for state in STATES}
