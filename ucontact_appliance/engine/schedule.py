"""Which phases may run now: pure, from what is done, what is at work and where."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Turn:
    """What decides when a phase may start: its servers, and the phases that it builds on."""

    id: str
    servers: frozenset[str]
    after: tuple[str, ...] = ()


def startable(
    turns: Collection[Turn], done: Collection[str], running: Collection[str]
) -> tuple[str, ...]:
    """The ids that may start beside those running, in the list's order.

    A phase waits for those before it that share a server with it, because packages and services of
    one server are changed by one hand at a time, and for those that it builds on wherever they are.
    """
    free: list[str] = []
    before: list[Turn] = []
    for turn in turns:
        if turn.id in done:
            continue
        waits = any(other.servers & turn.servers or other.id in turn.after for other in before)
        if not waits and turn.id not in running:
            free.append(turn.id)
        before.append(turn)
    return tuple(free)
