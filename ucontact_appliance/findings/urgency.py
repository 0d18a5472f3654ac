"""Which checks a run should begin with: those at the head of the chains that take longest."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

from ucontact_appliance.language.messages import _

K = TypeVar("K", bound=Hashable)


def urgency(needs: Mapping[K, Iterable[K]], takes: Mapping[K, float]) -> dict[K, float]:
    """Of each task, how many seconds the longest chain takes that begins with it.

    `needs` names for each task those it waits for, `takes` its own seconds. Beginning with the most
    urgent is what list scheduling calls highest level first: it keeps the end from waiting for one
    long chain that was begun late. Raises ValueError when tasks wait for each other in a circle.
    """
    try:
        order = tuple(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise ValueError(
            _("checks need each other in a circle: {args}", args=error.args[1])
        ) from error
    behind = dict.fromkeys(order, 0.0)
    for task in reversed(order):
        for need in needs[task]:
            behind[need] = max(behind[need], behind[task] + takes[task])
    return {task: takes[task] + behind[task] for task in order}
