"""`make bench`, its part about load: what one telephony server carries before something fails.

Calls until the first fails or a packet is lost, logins, and calls to a queue: with the appliance's
configuration and with the distribution's, on the same machine in the same run, beside what
planning/capacity.py predicts. Writes docs/load.md. Alone: `python -m tests.bench load`.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from tests.bench.far_end import FarEnd, far_end
from tests.bench.load_table import KINDS, Found, Kind, Prediction, page
from tests.bench.servers import (
    AGENT,
    AGENTS,
    QUEUE,
    Server,
    appliance,
    distribution,
    keep_distribution,
)
from tests.bench.webrtc_agents import AgentCall, Agents, dial, quiet, talk
from tests.e2e.capacity import Bench, certify, prepared
from tests.e2e.load import OPUS, Load, encoded, run
from tests.e2e.packages import telephony_packages
from tests.e2e.support import apply_role
from ucontact_appliance import __version__
from ucontact_appliance.lab import machines
from ucontact_appliance.lab.records import MachineSpec

_PAGE = Path("docs/load.md")
_RATE = 20  # calls begun per second
_SECONDS = 5.0  # of media whose packets are counted, at each level
_QUEUE_SECONDS = 10.0
_TALK_SECONDS = 1.0


@dataclass(frozen=True)
class Extent:
    """How far a run goes: a share of each kind's greatest level, and of the seconds."""

    share: float = 1.0

    def levels(self, kind: Kind) -> range:
        """Levels one after the other; the last is what the run aims at."""
        most = max(kind.step, int(kind.most * self.share))
        return range(kind.step, most + 1, kind.step)


def main(scale: float = 1.0) -> None:
    """Measure both configurations, and write the page."""
    extent = Extent(scale)
    names = (f"b-load-{os.getpid()}", f"b-far-{os.getpid()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            telephony, source = (machines.up(MachineSpec(one), _quiet) for one in names)
            load = Load(telephony, source)
            site = prepared(telephony, source.address, folder, AGENTS, (source.address,))
            certify(telephony)
            roots = folder / "roots.pem"
            roots.write_text(run(telephony, "cat /etc/ssl/ucontact/portal.pem"), encoding="utf-8")
            apply_role(telephony, "packages", telephony_packages(), folder)
            keep_distribution(telephony)
            with far_end(source, telephony) as far:
                found = {"distribution": _measure(distribution(load, roots), far, extent)}
                ours = appliance(load, roots, site, folder)
                ours.restart(far)
                document = Bench(load, site.site_file, site.environment).benchmark()
                found["appliance"] = _measure(ours, far, extent)
        finally:
            here = {machine.name for machine in machines.listed()}
            machines.down([one for one in names if one in here], _quiet)
    text = page(
        Prediction(document),
        found,
        version=__version__,
        day=str(datetime.now(timezone.utc).date()),
        cores=os.cpu_count() or 0,
    )
    if scale < 1:
        print(f"scale {scale:g}: {_PAGE} is left as it is")
    else:
        _PAGE.write_text(text, encoding="utf-8")
    print(text)


def _measure(server: Server, far: FarEnd, extent: Extent) -> dict[str, Found]:
    """Everything with one configuration; each kind begins with a fresh Asterisk."""
    found = {}
    for kind in KINDS:
        server.restart(far)
        found[kind.id] = _WAYS[kind.way](server, far, kind, extent)
        print(f"{server.name} configuration, {kind.title}: {found[kind.id]}", flush=True)
    return found


def _calls(server: Server, far: FarEnd, kind: Kind, extent: Extent) -> Found:
    """Levels of calls on a trunk, each on top of the one before."""
    good, percent, up = 0, 0.0, 0
    for level in extent.levels(kind):
        placed = far.do(
            "place",
            number=f"{kind.number}100",
            calls=level - up,
            rate=_RATE,
            codec=kind.codec,
            callee=kind.callee,
        )
        up = level
        if placed["failed"]:
            return Found(good, percent, _failed(placed["failed"]))
        begin = server.load.busy().processor
        told = far.do("talk", seconds=_SECONDS, both_ways=kind.both_ways)
        taken = server.load.busy().processor - begin
        if told["failed"]:
            return Found(good, percent, _failed(told["failed"]))
        if lost := told["sent"] - told["received"]:
            return Found(good, percent, f"{lost} of {told['sent']} packets lost at {level} calls")
        good, percent = level, taken / told["seconds"] / level * 100
    return Found(good, percent)


def _agents(server: Server, far: FarEnd, kind: Kind, extent: Extent) -> Found:
    """Calls of registered agents in opus by DTLS-SRTP."""
    packets = encoded(OPUS)[:150]
    far.do("answer_with", codec="opus")

    async def measured() -> Found:
        good, percent, up = 0, 0.0, list[AgentCall]()
        async with Agents(server.sip_server(), server.accounts) as agents:
            try:
                logins = await agents.log_in(extent.levels(kind)[-1])
                if logins.reasons:
                    return Found(0, 0.0, f"{len(logins.reasons)} agents could not log in")
                for level in extent.levels(kind):
                    try:
                        for line in agents.lines[len(up) : level]:
                            up.append(await dial(line, f"{AGENT}100", packets))
                    except Exception as error:  # whatever it is, it is the finding
                        return Found(good, percent, f"a call failed at {level}: {error}")
                    await quiet(up)
                    begin = server.load.busy().processor
                    sent, back = await talk(up, _SECONDS)
                    taken = (server.load.busy().processor - begin) / _SECONDS * 100
                    if lost := sent - back:
                        return Found(good, percent, f"{lost} of {sent} packets lost at {level}")
                    good, percent = level, taken / level
            finally:
                for call in up:
                    with suppress(Exception):
                        await call.peer.close()
        return Found(good, percent)

    return asyncio.run(measured())


def _logins(server: Server, _far: FarEnd, kind: Kind, extent: Extent) -> Found:
    """Agents that are registered at the same time."""
    count = extent.levels(kind)[-1]

    async def measured() -> Found:
        async with Agents(server.sip_server(), server.accounts) as agents:
            before = server.load.busy()
            logins = await agents.log_in(count)
            after = server.load.busy()
            contacts = server.load.ask("pjsip show contacts").count("Contact:  7")
        took = (after.processor - before.processor) * 1000 / max(1, logins.registered)
        done = min(logins.registered, contacts)
        reason = "" if done == count else f"{count - done} refused: {', '.join(logins.reasons)}"
        return Found(done, took, reason)

    return asyncio.run(measured())


def _queue(_server: Server, far: FarEnd, kind: Kind, extent: Extent) -> Found:
    """Calls per second to a queue, each taken by an agent within seconds."""
    good, slowest = 0, 0.0
    for rate in extent.levels(kind):
        told = far.do(
            "queue",
            number=f"{QUEUE}100",
            rate=rate,
            seconds=_QUEUE_SECONDS,
            talk=_TALK_SECONDS,
        )
        if missing := told["calls"] - told["connected"]:
            return Found(good, slowest, f"{missing} of {told['calls']} calls failed at {rate}/s")
        good, slowest = rate, told["slowest"]
    return Found(good, slowest)


_WAYS: dict[str, Callable[[Server, FarEnd, Kind, Extent], Found]] = {
    "calls": _calls,
    "agents": _agents,
    "logins": _logins,
    "queue": _queue,
}


def _failed(statuses: dict[str, int]) -> str:
    """Such as "3 calls failed: 503 (3)"; 0 has no final answer, 200 was up and ended too early."""
    words = {"0": "no answer", "200": "cut off"}
    several = ", ".join(
        f"{words.get(status, status)} ({count})" for status, count in sorted(statuses.items())
    )
    return f"{sum(statuses.values())} calls failed: {several}"


def _quiet(_text: str) -> None:
    """Nobody watches the lab."""
