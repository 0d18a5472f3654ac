"""One host's facts, each probed at most once a run, shared by all the checks that ask."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from ucontact_appliance.facts.runner import Runner
from ucontact_appliance.site.model import Host, Site

T = TypeVar("T")


@dataclass(frozen=True)
class Reach:
    """What a probe works with: the host, a way to run commands on it, and its site.

    `mark` is what this run's own calls bear, so that their traces are found again.
    """

    site: Site
    host: Host
    runner: Runner
    mark: str = ""

    @property
    def address(self) -> str:
        """Where network probes from this machine find the host."""
        return "127.0.0.1" if self.host.is_local else self.host.address


@dataclass(frozen=True)
class Asked:
    """One question of a run, and what came of it: a value, or the exception; neither: no answer."""

    probe: Callable[..., Any]
    args: tuple[Hashable, ...]
    answered: bool
    value: Any = None
    error: BaseException | None = None


class NotStoredError(Exception):
    """A stored run has no answer to this: what builds on it can't be judged. Says why."""


class FactSource:
    """Remembers each probe's result or its exception; safe to ask from many threads."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        self._lock = threading.Lock()
        self._known: dict[tuple[Callable[..., Any], tuple[Hashable, ...]], Future[Any]] = {}

    def get(self, probe: Callable[..., T], *args: Hashable) -> T:
        """`probe(reach, *args)`, probed once however many ask; re-raises what it raised."""
        return self._once(probe, args, lambda: probe(self.reach, *args))

    def here(self, probe: Callable[..., T], *args: Hashable) -> T:
        """`probe(*args)`, in the same way: what this machine itself knows, not the host."""
        return self._once(probe, args, lambda: probe(*args))

    def asked(self) -> tuple[Asked, ...]:
        """All that was asked so far."""
        with self._lock:
            known = list(self._known.items())
        return tuple(_asked(*key, future) for key, future in known)

    def _once(
        self, probe: Callable[..., T], args: tuple[Hashable, ...], look: Callable[[], T]
    ) -> T:
        key = (probe, args)
        with self._lock:
            future = self._known.get(key)
            mine = future is None
            if future is None:
                future = self._known[key] = Future()
        if mine:
            try:
                future.set_result(look())
            except BaseException as error:
                future.set_exception(error)
        result: T = future.result()
        return result


def _asked(probe: Callable[..., Any], args: tuple[Hashable, ...], future: Future[Any]) -> Asked:
    if not future.done():
        return Asked(probe, args, answered=False)
    error = future.exception()
    if error is not None:
        return Asked(probe, args, answered=True, error=error)
    return Asked(probe, args, answered=True, value=future.result())
