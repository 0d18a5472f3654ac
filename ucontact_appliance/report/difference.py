"""Compare two reports: requirements, controls, findings, versions, files. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from ucontact_appliance.findings.changes import state_of
from ucontact_appliance.report.document import ReportDocument
from ucontact_appliance.report.read import SavedReport

# Lower is better. Verdicts that are not listed were not judged.
_RANKS = {"pass": 0, "partial": 0, "attested": 0, "waived": 1, "warn": 1, "fail": 2, "error": 2}
_LOOKS = 12  # characters of a hash: enough to see that it differs


class ChangeDirection(str, Enum):
    """How an item changed between the two reports."""

    WORSE = "worse"
    BETTER = "better"
    CHANGED = "changed"
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True)
class Difference:
    """One difference. `before` and `now` are verdicts, versions, fingerprints, or empty.

    `kind` is requirement, control, finding, version (as a check observed it), component (a package,
    an archive or a distribution) or file (that an installation writes).
    """

    turn: ChangeDirection
    kind: str
    id: str
    host: str
    title: str
    before: str
    now: str


def differences(old: SavedReport, new: SavedReport) -> tuple[Difference, ...]:
    """Return differences of requirements, controls, findings (worse first), versions and files."""
    before, now = old.document, new.document
    judged = (
        *_compared("requirement", _requirements(before), _requirements(now)),
        *_compared("control", _controls(before), _controls(now)),
        *_compared("finding", _findings(before), _findings(now)),
    )
    turns = list(ChangeDirection)
    return (
        *sorted(judged, key=lambda one: turns.index(one.turn)),
        *_changed("version", _versions(before), _versions(now)),
        *_changed("component", old.components, new.components),
        *_changed("file", _files(before), _files(now)),
    )


_Rows = Mapping[tuple[str, str], tuple[str, str]]


def _requirements(document: ReportDocument) -> _Rows:
    return {(row.id, ""): (row.title, row.verdict) for row in document.requirements}


def _controls(document: ReportDocument) -> _Rows:
    return {
        (f"{one.id}/{row.id}", ""): (row.title, row.verdict)
        for one in document.frameworks
        for row in one.controls
    }


def _findings(document: ReportDocument) -> _Rows:
    return {(row.id, row.host): (row.title, state_of(row)) for row in document.findings}


def _compared(kind: str, old: _Rows, new: _Rows) -> Iterable[Difference]:
    for key in dict.fromkeys((*old, *new)):
        before, now = old.get(key), new.get(key)
        if before is None and now is not None:
            yield Difference(ChangeDirection.NEW, kind, *key, now[0], "", now[1])
        elif now is None and before is not None:
            yield Difference(ChangeDirection.GONE, kind, *key, before[0], before[1], "")
        elif before is not None and now is not None and before[1] != now[1]:
            yield Difference(_turn(before[1], now[1]), kind, *key, now[0], before[1], now[1])


def _turn(before: str, now: str) -> ChangeDirection:
    if before not in _RANKS or now not in _RANKS:
        return ChangeDirection.CHANGED
    if _RANKS[before] == _RANKS[now]:
        return ChangeDirection.CHANGED
    return ChangeDirection.WORSE if _RANKS[now] > _RANKS[before] else ChangeDirection.BETTER


def _changed(
    kind: str, old: Mapping[tuple[str, str], str], new: Mapping[tuple[str, str], str]
) -> Iterable[Difference]:
    """Yield the differences of values by (server, name), which are versions or fingerprints."""
    for host, name in dict.fromkeys((*old, *new)):
        before, now = old.get((host, name), ""), new.get((host, name), "")
        if before == now:
            continue
        turn = (
            ChangeDirection.NEW
            if not before
            else ChangeDirection.GONE
            if not now
            else ChangeDirection.CHANGED
        )
        yield Difference(turn, kind, name, host, "", before, now)


def _versions(document: ReportDocument) -> dict[tuple[str, str], str]:
    """Return the observed versions by (server, check)."""
    return {(row.host, row.check): row.observed for row in document.versions}


def _files(document: ReportDocument) -> dict[tuple[str, str], str]:
    """Return the managed files' fingerprints, their hashes shortened for people to compare."""
    return {
        (host.name, path): f"{told[:_LOOKS]}… {told.partition(' ')[2]}"
        for host in document.hosts
        for path, told in host.files.items()
    }
