"""Resources that a plan's servers lack: how much, and three ways to resolve each shortfall.

A shortfall that keeps services from starting stops the installation; one that shows only at the
peak, or at a later date, is a warning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum

from pydantic import BaseModel, ConfigDict

from ucontact_appliance.language.fields import Text
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.capacity_model import EstimateBasis, basis, telephony_server
from ucontact_appliance.planning.demand import (
    calls_carried,
    cores_needed,
    memory_needed_mb,
)
from ucontact_appliance.planning.host_resources import UNSEEN, HostResources
from ucontact_appliance.planning.model import Plan, PlannedHost, Role
from ucontact_appliance.planning.reasons import recorded_mb_a_day
from ucontact_appliance.planning.tables import hardware, sizes, tuning
from ucontact_appliance.site.model import Site

_DECIMAL = 1.048576  # df's megabytes have 1024 x 1024 bytes, R25's 1000 x 1000


class ShortfallSeverity(str, Enum):
    """Effect of a shortfall on an installation."""

    REFUSES = "refuses"
    WARNS = "warns"


class Shortfall(BaseModel):
    """A resource that a server has too little of; `ways_out` are three sentences."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    host: str
    weight: ShortfallSeverity
    what: Text
    needed: Text
    there: Text
    ways_out: tuple[Text, Text, Text]


def shortfalls(
    site: Site, plan: Plan, resources: Mapping[str, HostResources]
) -> tuple[Shortfall, ...]:
    """All shortfalls, host by host.

    A server that was not surveyed has only those that no hardware could resolve.
    """
    return tuple(
        found
        for host in plan.hosts
        for judge in (_asterisk, _memory, _processor, _disk, _rtp, _relays)
        if (found := judge(site, plan, host, resources.get(host.name, UNSEEN))) is not None
    )


def _asterisk(
    site: Site, plan: Plan, host: PlannedHost, resources: HostResources
) -> Shortfall | None:
    """More calls than one Asterisk is known to carry, on any hardware."""
    calls, server = plan.tuning.telephony.max_calls, telephony_server()
    if Role.TELEPHONY not in host.roles or basis(calls) is not EstimateBasis.BEYOND:
        return None
    sites = math.ceil(calls / server.ceiling_calls)
    return Shortfall(
        id="asterisk",
        host=host.name,
        weight=ShortfallSeverity.WARNS,
        what=_(
            "one Asterisk is planned for at most {ceiling_calls} simultaneous calls, not {calls}",
            ceiling_calls=server.ceiling_calls,
            calls=calls,
        ),
        needed=_("{calls} calls", calls=calls),
        there=_(
            "{ceiling_calls} calls ({measured_calls} were measured)",
            ceiling_calls=server.ceiling_calls,
            measured_calls=server.measured_calls,
        ),
        ways_out=(
            _("plan for {agents_for} agents", agents_for=_agents_for(server.ceiling_calls)),
            _("split it into {sites} sites, each with its own telephony server", sites=sites),
            _(
                "wait for a version that supports several telephony servers in one site: "
                "this one does not"
            ),
        ),
    )


def _memory(
    site: Site, plan: Plan, host: PlannedHost, resources: HostResources
) -> Shortfall | None:
    if resources.memory_mb is None:
        return None
    needed = memory_needed_mb(plan.tuning, host.roles)
    if resources.memory_mb >= needed:
        return None
    return Shortfall(
        id="memory",
        host=host.name,
        weight=ShortfallSeverity.REFUSES,
        what=_("too little memory for its roles"),
        needed=_("{needed} MB", needed=needed),
        there=_("{memory_mb} MB", memory_mb=resources.memory_mb),
        ways_out=(
            _("give {name} {needed} MB more", name=host.name, needed=needed - resources.memory_mb),
            _apart(plan, host),
            _(
                "let fewer agents work at the same time: each takes {memory_of_an_agent:.1f} "
                "MB on the telephony server",
                memory_of_an_agent=_memory_of_an_agent(),
            ),
        ),
    )


def _apart(plan: Plan, host: PlannedHost) -> str:
    """Suggest another server for one of its roles if it has several; the next size has one more."""
    if len(host.roles) == 1:
        return _("put {value} on a larger server", value=host.roles[0].value)
    larger = next((row for row in sizes() if len(row.groups) > len(plan.hosts)), None)
    if larger is None:
        return _("put {value} on a server of its own", value=host.roles[-1].value)
    least = min(row.below for row in sizes() if row.below and row.below > plan.agents)
    return _(
        "use {count} servers, as in a {value} site: plan for {least} agents",
        count=len(larger.groups),
        value=larger.size.value,
        least=least,
    )


def _memory_of_an_agent() -> float:
    factors = tuning()["telephony"]
    calls = factors["calls_per_agent"] * hardware()["memory"]["telephony_mb_per_call"]
    return float(calls + factors["connections_per_agent"] * telephony_server().session_kb / 1000)


def _processor(
    site: Site, plan: Plan, host: PlannedHost, resources: HostResources
) -> Shortfall | None:
    needed = cores_needed(plan, host)
    if resources.threads is None or resources.threads >= needed:
        return None
    calls = calls_carried(resources.threads)
    return Shortfall(
        id="processor",
        host=host.name,
        weight=ShortfallSeverity.WARNS,
        what=_(
            "the processor carries {calls} recorded calls at the same time, not {max_calls}",
            calls=calls,
            max_calls=plan.tuning.telephony.max_calls,
        ),
        needed=_("{needed:.1f} cores", needed=needed),
        there=_("{threads} cores", threads=resources.threads),
        ways_out=(
            _("give {name} {ceil} cores", name=host.name, ceil=math.ceil(needed)),
            _("plan for {agents_for} agents", agents_for=_agents_for(calls)),
            _("split it into two sites, each with its own telephony server"),
        ),
    )


def _disk(site: Site, plan: Plan, host: PlannedHost, resources: HostResources) -> Shortfall | None:
    if resources.free_mb is None or Role.TELEPHONY not in host.roles:
        return None
    a_day = recorded_mb_a_day(site)
    needed = a_day * site.recordings.retention_days
    free = resources.free_mb * _DECIMAL
    if free >= needed:
        return None
    return Shortfall(
        id="disk",
        host=host.name,
        weight=ShortfallSeverity.WARNS,
        what=_(
            "the disk is full after {free} days of recordings; {retention_days} days must be kept",
            free=int(free / a_day),
            retention_days=site.recordings.retention_days,
        ),
        needed=_("{needed:.1f} GB free on /var", needed=needed / 1000),
        there=_("{free:.1f} GB", free=free / 1000),
        ways_out=(
            _(
                "give /var on {name} {needed:.1f} GB more",
                name=host.name,
                needed=(needed - free) / 1000,
            ),
            _(
                "keep recordings for {value} days (recordings.retention_days)",
                value=max(1, int(free / a_day)),
            ),
            _("plan for {value} agents", value=max(1, int(site.agents * free / needed))),
        ),
    )


def _rtp(site: Site, plan: Plan, host: PlannedHost, resources: HostResources) -> Shortfall | None:
    if Role.TELEPHONY not in host.roles:
        return None
    made, factors = plan.tuning.telephony, tuning()["telephony"]
    calls = (made.rtp_end - made.rtp_start + 1) // factors["least_ports_per_call"]
    if calls >= made.max_calls:
        return None
    return Shortfall(
        id="rtp",
        host=host.name,
        weight=ShortfallSeverity.WARNS,
        what=_(
            "the RTP ports suffice for {calls} bridged calls, not {max_calls}",
            calls=calls,
            max_calls=made.max_calls,
        ),
        needed=_("{max_calls} ports", max_calls=made.max_calls * factors["least_ports_per_call"]),
        there=_("{rtp_end} ports", rtp_end=made.rtp_end - made.rtp_start + 1),
        ways_out=(
            _("plan for {agents_for} agents", agents_for=_agents_for(calls)),
            _("split it into two sites, each with its own telephony server"),
            _(
                "place agents on the servers' network (network.profile: lan), so that "
                "relays take no ports, and accept that the last calls of a peak are "
                "rejected"
            ),
        ),
    )


def _relays(
    site: Site, plan: Plan, host: PlannedHost, resources: HostResources
) -> Shortfall | None:
    if Role.TELEPHONY not in host.roles:
        return None
    made, factors = plan.tuning.stun, tuning()["stun"]
    there, needed = made.relay_end - made.relay_start + 1, site.agents * factors["relays_per_agent"]
    if there >= needed:
        return None
    agents = there // factors["relays_per_agent"]
    return Shortfall(
        id="relays",
        host=host.name,
        weight=ShortfallSeverity.WARNS,
        what=_(
            "TURN can relay for {agents} agents at the same time, not {agents2}",
            agents=agents,
            agents2=site.agents,
        ),
        needed=_("{needed} ports", needed=needed),
        there=_("{there} ports", there=there),
        ways_out=(
            _("do nothing, if no more agents than that need a relay"),
            _("plan for {agents} agents", agents=agents),
            _("split it into two sites, each with its own telephony server"),
        ),
    )


def _agents_for(calls: int) -> int:
    return max(1, int(calls // tuning()["telephony"]["calls_per_agent"]))
