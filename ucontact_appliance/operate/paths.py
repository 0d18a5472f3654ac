"""Measure network paths: from this machine to a reflector, and between a site's own hosts.

On a host of the site, the reflector runs only during the measurement. Paths are measured one after
another, because parallel measurements would distort each other.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from ucontact_appliance.checks.path import MeasuredPath
from ucontact_appliance.facts.path import Session, measure
from ucontact_appliance.facts.runner import LocalRunner, Runner, SshSettings, runner_for
from ucontact_appliance.facts.survey import came_from
from ucontact_appliance.facts.throughput import throughput
from ucontact_appliance.operate.reflector import reflecting
from ucontact_appliance.planning.tables import probe
from ucontact_appliance.site.model import Host, Site
from ucontact_appliance.state import StatePaths

HERE = "this machine"
_PREPARATION = 30  # seconds that a reflector may wait for its first packet


@dataclass(frozen=True)
class MeasurementRequest:
    """What to measure per path: a session like this one, and the bandwidth of `calls` calls."""

    session: Session
    port: int
    throughput_port: int
    calls: int

    @property
    def seconds(self) -> int:
        """Duration of one path's measurement, in seconds."""
        return self.session.seconds + 2 * probe().throughput_seconds


@dataclass(frozen=True)
class PathSegment:
    """A path to measure; a `source` of None is this machine."""

    source: Host | None
    target: Host

    @property
    def names(self) -> tuple[str, str]:
        """The names of its two ends."""
        return self.source.name if self.source else HERE, self.target.name


def legs(site: Site, target: str | None = None) -> tuple[PathSegment, ...]:
    """Return the paths from here to each host and between hosts; with `target`, only to it."""
    afar = [host for host in site.hosts if not host.is_local]
    if target is not None:
        return tuple(
            PathSegment(None, host) for host in afar if target in (host.name, host.address)
        )
    between = [PathSegment(one, other) for one in site.hosts for other in afar if one != other]
    return (
        *(PathSegment(None, host) for host in afar),
        *(leg for leg in between if not _is_here(leg)),
    )


def _is_here(leg: PathSegment) -> bool:
    return leg.source is not None and leg.source.is_local


def measure_far_end(address: str, wanted: MeasurementRequest) -> tuple[MeasuredPath, float]:
    """Measure the path to a running reflector; return the figures and the duration in seconds."""
    return _measured(LocalRunner(), sys.executable, (HERE, address), address, wanted)


def measure_legs(
    paths: StatePaths,
    chosen: Sequence[PathSegment],
    wanted: MeasurementRequest,
    on_leg: Callable[[PathSegment], None],
) -> Iterator[tuple[MeasuredPath, float]]:
    """Yield each path's figures and its duration in seconds. Raises UnreachableError."""
    ssh = SshSettings(paths.known_hosts)
    for leg in chosen:
        on_leg(leg)
        with ExitStack() as stack:
            there = stack.enter_context(runner_for(leg.target, ssh))
            runner: Runner = LocalRunner()
            python, source = sys.executable, came_from(there)
            if leg.source is not None:
                runner = stack.enter_context(runner_for(leg.source, ssh))
                python, source = "python3", leg.source.address
            seconds = wanted.seconds + _PREPARATION + probe().open_seconds
            ports = (wanted.port, wanted.throughput_port)
            stack.enter_context(reflecting(there, [source], ports, seconds))
            yield _measured(runner, python, leg.names, leg.target.address, wanted)


def _measured(
    runner: Runner, python: str, names: tuple[str, str], address: str, wanted: MeasurementRequest
) -> tuple[MeasuredPath, float]:
    began = time.monotonic()
    # Not in parallel: the throughput test fills the line, which would be measured as delay.
    quality = measure(runner, python, address, wanted.port, wanted.session)
    carried = throughput(runner, address, wanted.throughput_port, probe().throughput_seconds)
    path = MeasuredPath(*names, quality, carried, wanted.calls)
    return path, time.monotonic() - began
