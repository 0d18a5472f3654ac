"""Find the root causes among findings, so that one cause is reported, not forty symptoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ucontact_appliance.checks.model import Finding, Severity, Verdict

_BROKEN = (Verdict.FAIL, Verdict.ERROR)
_ORDER = tuple(Severity)  # critical first


@dataclass(frozen=True)
class Cause:
    """A failure that is a root cause, and the findings that it blocks (`behind`).

    `more` are the same failure on other hosts, each with its remedy: together they are one problem.
    """

    finding: Finding
    behind: tuple[Finding, ...] = ()
    more: tuple[Finding, ...] = ()

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts on which it was found."""
        return (self.finding.host, *(finding.host for finding in self.more))


def causes(findings: Sequence[Finding]) -> tuple[Cause, ...]:
    """Return the causes, most severe first, then those that block the most findings.

    Waived failures are no causes. A finding that a waived failure blocks is assigned to the same
    check's first failure that is not waived.
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
