"""What is not as it was in an earlier run: new, gone, worse, better. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from ucontact_appliance.checks.model import Finding, Verdict

BLOCKED = "blocked"
WAIVED = "waived"
# From good to bad: what nobody could judge stands between a warning and what is known to be bad.
_ORDER = ("pass", "skip", WAIVED, "warn", BLOCKED, "error", "fail")
QUIET = ("pass", "skip", WAIVED)


class Kind(str, Enum):
    """How a finding differs from the one of the same check and host in the earlier run."""

    WORSE = "worse"
    NEW = "new"
    BETTER = "better"
    GONE = "gone"


@dataclass(frozen=True)
class Seen:
    """What an earlier run remembers of a finding. `state` is as `state_of` gives it."""

    id: str
    host: str
    title: str
    state: str


@dataclass(frozen=True)
class Change:
    """One difference. `before` is None for what is new, `now` for what is gone."""

    kind: Kind
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
    """All differences to the run of `since`, the worse ones first; None: there was no such run."""

    since: datetime | None
    rows: tuple[Change, ...]


class Concluded(Protocol):
    """A finding, or its row in a stored document."""

    @property
    def verdict(self) -> Verdict:
        """What the check concluded."""

    @property
    def blocked_by(self) -> str | None:
        """The check that kept it from being judged."""

    @property
    def waived(self) -> object | None:
        """The exception that covers it."""


def state_of(finding: Concluded) -> str:
    """Its verdict, or 'waived', or 'blocked' where another check's failure hid it."""
    if finding.waived is not None:
        return WAIVED
    return BLOCKED if finding.blocked_by else finding.verdict.value


def compare(
    before: Iterable[Seen], now: Sequence[Finding], since: datetime | None = None
) -> Changes:
    """The differences of state, by check and host; other words for the same state are none."""
    earlier = {(seen.id, seen.host): seen for seen in before}
    rows = [
        change
        for finding in now
        if (change := _changed(earlier.pop((finding.id, finding.host), None), finding))
    ]
    rows += [
        Change(Kind.GONE, seen.id, seen.host, seen.title, seen.state, None)
        for seen in earlier.values()
    ]
    kinds = list(Kind)
    return Changes(since, tuple(sorted(rows, key=lambda row: (kinds.index(row.kind), _bad(row)))))


def _bad(row: Change) -> int:
    """For sorting: the worst state first."""
    return -_ORDER.index(row.now or row.before or "pass")


def _changed(seen: Seen | None, finding: Finding) -> Change | None:
    now = state_of(finding)
    if seen is not None and seen.state == now:
        return None
    if seen is None:
        kind = Kind.NEW
    else:
        kind = Kind.WORSE if _ORDER.index(now) > _ORDER.index(seen.state) else Kind.BETTER
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
