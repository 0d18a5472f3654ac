"""Measure from here how long portal and signalling of a site do not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ucontact_appliance.clients.http import HttpRequest, fetch
from ucontact_appliance.errors import ApplianceError
from ucontact_appliance.planning.component_tables import registered_port
from ucontact_appliance.planning.model import Plan, Role
from ucontact_appliance.site.model import Site

_PERIOD_SECONDS = 0.5
_ANSWER_SECONDS = 3.0
_SERVER_ERROR = 500


@dataclass(frozen=True)
class Sample:
    """Whether a service answered at a time (seconds, monotonic)."""

    at: float
    answers: bool


@dataclass(frozen=True)
class Interruption:
    """Seconds without the portal and without signalling; None where it can't be seen from here."""

    portal: float | None = None
    signalling: float | None = None


def outage(samples: Sequence[Sample]) -> float | None:
    """Return how long the service did not answer: from each last good sample to the next one.

    None where the first sample is not good: then it may not be reachable from here at all.
    """
    if not samples or not samples[0].answers:
        return None
    lost, good = 0.0, samples[0].at
    down = False
    for sample in samples[1:]:
        if sample.answers:
            lost += sample.at - good if down else 0.0
            good, down = sample.at, False
        else:
            down = True
    return lost + (samples[-1].at - good if down else 0.0)


@contextmanager
def watching(site: Site, plan: Plan, health: str | None) -> Iterator[Callable[[], Interruption]]:
    """Ask both services twice per second within the context; yield a function of the outages.

    `health` is the path of the backend's health resource; without it NGINX alone is asked.
    """
    portal = HttpRequest(_address(plan, Role.BACKEND), site.fqdn, health or "/")
    signalling = HttpRequest(
        _address(plan, Role.TELEPHONY), site.fqdn, "/ws", port=registered_port("wss")
    )
    seen: tuple[list[Sample], list[Sample]] = ([], [])
    ended = threading.Event()

    def ask(request: HttpRequest, samples: list[Sample]) -> None:
        while not ended.is_set():
            at = time.monotonic()
            samples.append(Sample(at, _answers(request)))
            ended.wait(max(0.0, _PERIOD_SECONDS - (time.monotonic() - at)))

    threads = [
        threading.Thread(target=ask, args=(request, samples), daemon=True)
        for request, samples in zip((portal, signalling), seen, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        yield lambda: Interruption(outage(tuple(seen[0])), outage(tuple(seen[1])))
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _address(plan: Plan, role: Role) -> str:
    return plan.carriers(role)[0].address


def _answers(request: HttpRequest) -> bool:
    """Return whether the service answers; it need not like the question."""
    try:
        return fetch(request, seconds=_ANSWER_SECONDS).status < _SERVER_ERROR
    except (ApplianceError, TimeoutError):
        return False
