"""One host's facts, each probed at most once per run and shared by all checks that need it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, TypeVar

from ucontact_appliance.facts.exchange import Exchange, RecordingRunner
from ucontact_appliance.facts.runner import Runner
from ucontact_appliance.site.model import Host, Site

T = TypeVar("T")
Question = tuple[Callable[..., Any], tuple[Hashable, ...]]


@dataclass(frozen=True)
class ProbeContext:
    """What a probe works with: the site, the host, and a runner for commands on the host.

    `mark` identifies this run's own calls, so that their traces can be found. `runners` has the
    runners of the site's hosts by name, for facts that are on another host.
    """

    site: Site
    host: Host
    runner: Runner
    mark: str = ""
    runners: Mapping[str, Runner] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """The address at which network probes from this machine reach the host."""
        return "127.0.0.1" if self.host.is_local else self.host.address

    def runner_on(self, name: str) -> Runner:
        """The runner of the site's host of that name, which may be this host."""
        return self.runner if name == self.host.name else self.runners[name]


@dataclass(frozen=True)
class ProbeRun:
    """When a probe ran (aware, UTC), for how many seconds, and its exchanges with the host."""

    began: datetime | None = None
    seconds: float = 0.0
    exchanges: tuple[Exchange, ...] = ()


@dataclass(frozen=True)
class ProbeResult:
    """One question of a run and its result: a value or an exception; neither if not answered."""

    probe: Callable[..., Any]
    args: tuple[Hashable, ...]
    answered: bool
    value: Any = None
    error: BaseException | None = None
    look: ProbeRun = field(default_factory=ProbeRun)

    @property
    def question(self) -> Question:
        """The key that distinguishes it from the host's other questions."""
        return self.probe, self.args


class NotStoredError(Exception):
    """A stored run lacks this answer, so what depends on it can't be judged. Carries the reason."""


class FactSource:
    """Caches each probe's result or exception; thread-safe."""

    def __init__(self, reach: ProbeContext) -> None:
        self.reach = reach
        self._lock = threading.Lock()
        self._known: dict[Question, Future[Any]] = {}
        self._looks: dict[Question, ProbeRun] = {}

    def get(self, probe: Callable[..., T], *args: Hashable) -> T:
        """Return `probe(reach, *args)`, run once for all callers; re-raises its exception."""
        exchanges: list[Exchange] = []
        reach = replace(self.reach, runner=RecordingRunner(self.reach.runner, exchanges))
        return self._once(probe, args, lambda: probe(reach, *args), exchanges)

    def here(self, probe: Callable[..., T], *args: Hashable) -> T:
        """Return `probe(*args)` in the same way, for facts of this machine instead of the host."""
        return self._once(probe, args, lambda: probe(*args), [])

    def asked(self) -> tuple[ProbeResult, ...]:
        """All questions so far, with their results."""
        with self._lock:
            known = [(key, future, self._looks.get(key)) for key, future in self._known.items()]
        return tuple(_asked(*key, future, look or ProbeRun()) for key, future, look in known)

    def witness(self) -> Observation:
        """A view of the same facts that records which questions its reader asks."""
        return Observation(self)

    def _once(
        self,
        probe: Callable[..., T],
        args: tuple[Hashable, ...],
        look: Callable[[], T],
        exchanges: list[Exchange],
    ) -> T:
        key = (probe, args)
        with self._lock:
            future = self._known.get(key)
            mine = future is None
            if future is None:
                future = self._known[key] = Future()
        if mine:
            began, start = datetime.now(timezone.utc), time.monotonic()
            try:
                found = look()
            except BaseException as error:
                self._looked(key, began, start, exchanges)
                future.set_exception(error)
            else:
                self._looked(key, began, start, exchanges)
                future.set_result(found)
        result: T = future.result()
        return result

    def _looked(
        self, key: Question, began: datetime, start: float, exchanges: list[Exchange]
    ) -> None:
        with self._lock:
            self._looks[key] = ProbeRun(began, time.monotonic() - start, tuple(exchanges))


class Observation(FactSource):
    """One reader's view of a host's facts: it records the questions asked through it."""

    def __init__(self, source: FactSource) -> None:
        super().__init__(source.reach)
        self._source = source
        self._keys: dict[Question, None] = {}

    def sources(self) -> tuple[Question, ...]:
        """The questions asked through this view so far, each once, in order."""
        with self._lock:
            return tuple(self._keys)

    def asked(self) -> tuple[ProbeResult, ...]:
        """All questions about the host so far, by any reader."""
        return self._source.asked()

    def _once(
        self,
        probe: Callable[..., T],
        args: tuple[Hashable, ...],
        look: Callable[[], T],
        exchanges: list[Exchange],
    ) -> T:
        with self._lock:
            self._keys[(probe, args)] = None
        return self._source._once(probe, args, look, exchanges)


def _asked(
    probe: Callable[..., Any], args: tuple[Hashable, ...], future: Future[Any], look: ProbeRun
) -> ProbeResult:
    if not future.done():
        return ProbeResult(probe, args, answered=False)
    error = future.exception()
    if error is not None:
        return ProbeResult(probe, args, answered=True, error=error, look=look)
    return ProbeResult(probe, args, answered=True, value=future.result(), look=look)
