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
    """What a probe works with: the host, a way to run commands on it, and its site."""

    site: Site
    host: Host
    runner: Runner

    @property
    def address(self) -> str:
        """Where network probes from this machine find the host."""
        return "127.0.0.1" if self.host.is_local else self.host.address


class FactSource:
    """Remembers each probe's result or its exception; safe to ask from many threads."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        self._lock = threading.Lock()
        self._known: dict[Hashable, Future[Any]] = {}

    def get(self, probe: Callable[..., T], *args: Hashable) -> T:
        """`probe(reach, *args)`, probed once however many ask; re-raises what it raised."""
        key = (probe, args)
        with self._lock:
            future = self._known.get(key)
            mine = future is None
            if future is None:
                future = self._known[key] = Future()
        if mine:
            try:
                future.set_result(probe(self.reach, *args))
            except BaseException as error:
                future.set_exception(error)
        result: T = future.result()
        return result
