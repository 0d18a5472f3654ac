"""Which checks a run should begin with: those that the longest chains wait for."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

K = TypeVar("K", bound=Hashable)


def urgency(needs: Mapping[K, Iterable[K]]) -> dict[K, int]:
    """Of each task, how many others follow it one after the other in the longest chain.

    `needs` names for each task those it waits for. Begun in this order (Hu's level algorithm of
    list scheduling), a run that is short of hands ends soonest where all take as long. Raises
    ValueError when they wait for each other in a circle.
    """
    try:
        order = tuple(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise ValueError(f"checks need each other in a circle: {error.args[1]}") from error
    levels = dict.fromkeys(order, 0)
    for task in reversed(order):
        for need in needs.get(task, ()):
            levels[need] = max(levels[need], levels[task] + 1)
    return levels
