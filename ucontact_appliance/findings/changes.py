"""Compare a run with an earlier one: new, gone, worse and better findings. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from ucontact_appliance.checks.model import Finding, Verdict

BLOCKED = "blocked"
WAIVED = "waived"
# From good to bad: a blocked check ranks between a warning and an error.
_ORDER = ("pass", "skip", WAIVED, "warn", BLOCKED, "error", "fail")
QUIET = ("pass", "skip", WAIVED)


class ChangeKind(str, Enum):
    """How a finding differs from the one of the same check and host in the earlier run."""

    WORSE = "worse"
    NEW = "new"
    BETTER = "better"
    GONE = "gone"


@dataclass(frozen=True)
class EarlierFinding:
    """A finding of an earlier run; `state` is the result of `state_of`."""

    id: str
    host: str
    title: str
    state: str


@dataclass(frozen=True)
class Change:
    """One difference. `before` is None if it is new, `now` if it is gone."""

    kind: ChangeKind
    id: str
    host: str
    title: str
    before: str | None
    now: str | None
    observed: str = ""
    blocked_by: str | None = None
    remedy: str = ""


@dataclass(frozen=True)
class Changes:
    """All differences from the run at `since` (None: no such run), worse ones first."""

    since: datetime | None
    rows: tuple[Change, ...]


class AnyFinding(Protocol):
    """A finding, or its row in a stored document."""

    @property
    def verdict(self) -> Verdict:
        """The check's verdict."""

    @property
    def blocked_by(self) -> str | None:
        """The id of the check whose failure blocked this one."""

    @property
    def waived(self) -> object | None:
        """The waiver that covers it."""


def state_of(finding: AnyFinding) -> str:
    """Return the verdict, or 'waived', or 'blocked' if another check's failure blocked it."""
    if finding.waived is not None:
        return WAIVED
    return BLOCKED if finding.blocked_by else finding.verdict.value


def compare(
    before: Iterable[EarlierFinding], now: Sequence[Finding], since: datetime | None = None
) -> Changes:
    """Return the differences in state, by check and host; different wording is no difference."""
    earlier = {(seen.id, seen.host): seen for seen in before}
    rows = [
        change
        for finding in now
        if (change := _changed(earlier.pop((finding.id, finding.host), None), finding))
    ]
    rows += [
        Change(ChangeKind.GONE, seen.id, seen.host, seen.title, seen.state, None)
        for seen in earlier.values()
    ]
    kinds = list(ChangeKind)
    return Changes(since, tuple(sorted(rows, key=lambda row: (kinds.index(row.kind), _bad(row)))))


def _bad(row: Change) -> int:
    """Return a sort key that puts the worst state first."""
    return -_ORDER.index(row.now or row.before or "pass")


def _changed(seen: EarlierFinding | None, finding: Finding) -> Change | None:
    now = state_of(finding)
    if seen is not None and seen.state == now:
        return None
    if seen is None:
        kind = ChangeKind.NEW
    else:
        kind = (
            ChangeKind.WORSE if _ORDER.index(now) > _ORDER.index(seen.state) else ChangeKind.BETTER
        )
    return Change(
        kind,
        finding.id,
        finding.host,
        finding.title,
        None if seen is None else seen.state,
        now,
        finding.observed,
        finding.blocked_by,
        finding.remedy,
    )
