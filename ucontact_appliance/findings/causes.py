"""Which findings are causes, and what stands behind each: one cause is told, not forty symptoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ucontact_appliance.checks.model import Finding, Severity, Verdict

_BROKEN = (Verdict.FAIL, Verdict.ERROR)
_ORDER = tuple(Severity)  # critical first


@dataclass(frozen=True)
class Cause:
    """A failure that nothing else stands behind, and the findings that wait for its mending.

    `more` are the same failure on other hosts: with one remedy each, they are one thing to
    understand.
    """

    finding: Finding
    behind: tuple[Finding, ...] = ()
    more: tuple[Finding, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where it was found."""
        return (self.finding.host, *(finding.host for finding in self.more))


def causes(findings: Sequence[Finding]) -> tuple[Cause, ...]:
    """The causes, the worst first, and of the equally bad the one that keeps most from working.

    Waived failures are none; what is blocked by one that is waived on its host counts as behind the
    first that is not.
    """
    roots: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.verdict in _BROKEN and finding.waived is None:
            roots.setdefault(finding.id, []).append(finding)
    blocked = [finding for finding in findings if finding.blocked_by in roots]
    made = []
    for check_id, failed in roots.items():
        behind = tuple(finding for finding in blocked if finding.blocked_by == check_id)
        if len({finding.observed for finding in failed}) == 1:
            made.append(Cause(failed[0], behind, tuple(failed[1:])))
            continue
        hosts = {finding.host for finding in failed}
        for place, finding in enumerate(failed):
            mine = tuple(
                other
                for other in behind
                if other.blocked_on == finding.host
                or (place == 0 and other.blocked_on not in hosts)
            )
            made.append(Cause(finding, mine))
    return tuple(sorted(made, key=lambda c: (_ORDER.index(c.finding.severity), -len(c.behind))))
