"""Which phases may run now: pure, from what is done, what is at work and where."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Turn:
    """What decides when a phase may start: its servers, and the phases that it builds on.

    `alone`: no other phase may run on its servers meanwhile.
    """

    id: str
    servers: frozenset[str]
    after: tuple[str, ...] = ()
    alone: bool = True

    def waits_for(self, other: Turn) -> bool:
        """Whether it may start only when that earlier phase is done."""
        meet = bool(self.servers & other.servers) and (self.alone or other.alone)
        return meet or other.id in self.after


def startable(
    turns: Collection[Turn], done: Collection[str], running: Collection[str]
) -> tuple[str, ...]:
    """The ids that may start beside those running, in the list's order.

    A phase waits for those before it that it builds on, wherever they are. Where one of two phases
    has to be alone on a server that both share, the later one waits for the earlier one.
    """
    free: list[str] = []
    before: list[Turn] = []
    for turn in turns:
        if turn.id in done:
            continue
        if turn.id not in running and not any(turn.waits_for(other) for other in before):
            free.append(turn.id)
        before.append(turn)
    return tuple(free)
