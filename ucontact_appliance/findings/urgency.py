"""Rank checks, so that a run starts with those at the head of the longest chains of needs."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

from ucontact_appliance.language.messages import _

K = TypeVar("K", bound=Hashable)


def urgency(needs: Mapping[K, Iterable[K]], takes: Mapping[K, float]) -> dict[K, float]:
    """Return, per task, the duration in seconds of the longest chain that begins with it.

    `needs` has the tasks that each task waits for, `takes` its own seconds. To start the most
    urgent first is list scheduling by highest level first: the end does not wait for one long
    chain that started late. Raises ValueError when tasks wait for each other in a circle.
    """
    try:
        order = tuple(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise ValueError(
            _("checks depend on each other in a cycle: {args}", args=error.args[1])
        ) from error
    behind = dict.fromkeys(order, 0.0)
    for task in reversed(order):
        for need in needs[task]:
            behind[need] = max(behind[need], behind[task] + takes[task])
    return {task: takes[task] + behind[task] for task in order}
