"""What changed between two reports: findings, requirements, versions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

# The better, the further left; what was not judged is neither.
_RANKS = {"pass": 0, "partial": 0, "waived": 1, "warn": 1, "fail": 2, "error": 2}


class Turn(str, Enum):
    """How something stands against last time."""

    WORSE = "worse"
    BETTER = "better"
    CHANGED = "changed"
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True)
class Difference:
    """One thing that is not what it was. `before` and `now` are verdicts or versions, or empty."""

    turn: Turn
    kind: str
    id: str
    host: str
    title: str
    before: str
    now: str


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Of two documents of `report.json`: requirements, then versions, then findings."""
    return (
        *_compared("requirement", _requirements(old), _requirements(new)),
        *_versions(old, new),
        *_compared("finding", _findings(old), _findings(new)),
    )


_Rows = Mapping[tuple[str, str], tuple[str, str]]


def _requirements(document: Mapping[str, Any]) -> _Rows:
    return {(row["id"], ""): (row["title"], row["verdict"]) for row in document["requirements"]}


def _findings(document: Mapping[str, Any]) -> _Rows:
    return {(row["id"], row["host"]): (row["title"], _state(row)) for row in document["findings"]}


def _state(row: Mapping[str, Any]) -> str:
    if row.get("waived"):
        return "waived"
    return "blocked" if row["blocked_by"] else str(row["verdict"])


def _compared(kind: str, old: _Rows, new: _Rows) -> Iterable[Difference]:
    for key in dict.fromkeys((*old, *new)):
        before, now = old.get(key), new.get(key)
        if before is None and now is not None:
            yield Difference(Turn.NEW, kind, *key, now[0], "", now[1])
        elif now is None and before is not None:
            yield Difference(Turn.GONE, kind, *key, before[0], before[1], "")
        elif before is not None and now is not None and before[1] != now[1]:
            yield Difference(_turn(before[1], now[1]), kind, *key, now[0], before[1], now[1])


def _turn(before: str, now: str) -> Turn:
    if before not in _RANKS or now not in _RANKS:
        return Turn.CHANGED
    if _RANKS[before] == _RANKS[now]:
        return Turn.CHANGED
    return Turn.WORSE if _RANKS[now] > _RANKS[before] else Turn.BETTER


def _versions(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterable[Difference]:
    """Of the components that the report names with what runs of them."""

    def told(document: Mapping[str, Any]) -> dict[tuple[str, str], str]:
        return {(row["check"], row["host"]): row["observed"] for row in document["versions"]}

    before, now = told(old), told(new)
    for key in before.keys() & now.keys():
        if before[key] != now[key]:
            yield Difference(Turn.CHANGED, "version", *key, "", before[key], now[key])
