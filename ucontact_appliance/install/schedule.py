"""Decide which phases may start, from those done and running; pure functions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class ScheduledPhase:
    """When a phase may start: its servers, and the phases that must be done before it.

    `alone`: no other phase may run on its servers at the same time.
    """

    id: str
    servers: frozenset[str]
    after: tuple[str, ...] = ()
    alone: bool = True

    def waits_for(self, other: ScheduledPhase) -> bool:
        """Return whether it may start only when that earlier phase is done."""
        meet = bool(self.servers & other.servers) and (self.alone or other.alone)
        return meet or other.id in self.after


def startable(
    turns: Collection[ScheduledPhase], done: Collection[str], running: Collection[str]
) -> tuple[str, ...]:
    """Return the ids of phases that may start beside those running, in the list's order.

    A phase waits for the earlier phases in its `after`, on any server. If two phases share a server
    and one of them has to be alone there, the later one waits for the earlier one.
    """
    free: list[str] = []
    before: list[ScheduledPhase] = []
    for turn in turns:
        if turn.id in done:
            continue
        if turn.id not in running and not any(turn.waits_for(other) for other in before):
            free.append(turn.id)
        before.append(turn)
    return tuple(free)
