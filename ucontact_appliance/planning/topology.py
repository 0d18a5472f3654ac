"""From a site and what is known of its hosts to the one plan."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ucontact_appliance.errors import UsageError
from ucontact_appliance.planning.model import (
    BackendTuning,
    Because,
    DatabaseTuning,
    Plan,
    PlannedHost,
    Role,
    Size,
    StunTuning,
    TelephonyTuning,
    Tuning,
    WebTuning,
)
from ucontact_appliance.planning.sizing import recording_mb, size_for
from ucontact_appliance.planning.tables import network, recordings, tuning
from ucontact_appliance.site.model import DatabaseOn, Host, Site

_ROUND_MB = 64
# What a call and a shift are like when nobody has said otherwise; shown in each "because".
_CALL_MINUTES = 5
_TALK_MINUTES_A_DAY = 300


def make_plan(site: Site, memory_mb: Mapping[str, int]) -> Plan:
    """The plan of that site; `memory_mb` by host name, a nominal value where one is missing."""
    row = size_for(site.agents)
    groups = _groups(row.size, row.groups, site.database_on)
    if len(site.hosts) != len(groups):
        raise UsageError(
            f"{site.agents} agents make a {row.size.value} site: it takes {len(groups)} "
            f"server{'s' if len(groups) > 1 else ''}, and site.yml names {len(site.hosts)}",
            evidence="; ".join(" + ".join(role.value for role in group) for group in groups),
            helps="give 'hosts' as many entries, in that order, or change 'agents'",
        )
    hosts = tuple(
        PlannedHost(name=host.name, address=host.address, roles=group)
        for host, group in zip(site.hosts, groups, strict=True)
    )
    return _plan(site, row.size, hosts, memory_mb)


def plan_for_agents(agents: int) -> Plan:
    """A plan for so many agents on servers that nobody has named yet."""
    row = size_for(agents)
    hosts = tuple(
        Host(name=group[0].value, address=f"192.0.2.{number}")  # RFC 5737: no real address
        for number, group in enumerate(row.groups, start=1)
    )
    return make_plan(Site(site="plan", fqdn="contact.example.com", agents=agents, hosts=hosts), {})


def _groups(
    size: Size, groups: tuple[tuple[Role, ...], ...], database_on: DatabaseOn
) -> tuple[tuple[Role, ...], ...]:
    if size is Size.MEDIUM and database_on is DatabaseOn.TELEPHONY:
        return ((Role.TELEPHONY, Role.DATABASE), (Role.BACKEND,))
    return groups


def _clamp(value: float, least: int, most: int) -> int:
    return int(min(max(value, least), most))


def _share_mb(memory: int, alone: bool, factors: Mapping[str, float]) -> int:
    share = factors["share_alone"] if alone else factors["share_beside"]
    size = _clamp(memory * share, int(factors["least_mb"]), int(factors["most_mb"]))
    return size // _ROUND_MB * _ROUND_MB


def _plan(
    site: Site, size: Size, hosts: tuple[PlannedHost, ...], memory_mb: Mapping[str, int]
) -> Plan:
    factors = tuning()
    agents = site.agents

    def host_of(role: Role) -> PlannedHost:
        return next(host for host in hosts if role in host.roles)

    def memory_of(role: Role) -> int:
        return memory_mb.get(host_of(role).name, int(factors["memory_unknown_mb"]))

    def alone(role: Role) -> bool:
        return len(host_of(role).roles) == 1

    tel = factors["telephony"]
    calls = max(tel["least_calls"], agents * tel["calls_per_agent"])
    sessions = max(tel["least_sessions"], agents * tel["sessions_per_agent"])
    descriptors = max(
        tel["least_descriptors"],
        (tel["descriptors_idle"] + calls * tel["descriptors_per_call"] + sessions)
        * tel["descriptors_headroom"],
    )
    rtp_end = min(tel["rtp_last"], tel["rtp_first"] + calls * tel["ports_per_call"] - 1)

    base = factors["database"]
    connections = max(base["least_connections"], agents * base["connections_per_agent"])
    buffer_pool = _share_mb(memory_of(Role.DATABASE), alone(Role.DATABASE), base)
    heap = _share_mb(memory_of(Role.BACKEND), alone(Role.BACKEND), factors["backend"])

    web = factors["web"]
    workers = max(web["least_connections"], agents * web["connections_per_agent"])

    stun = factors["stun"]
    relays = max(stun["least_relays"], agents * stun["relays_per_agent"])
    relay_end = min(stun["relay_last"], stun["relay_first"] + relays - 1)

    voip = network()["voip"]
    need_kbps = agents * voip.bandwidth_kbps
    day_mb = agents * _TALK_MINUTES_A_DAY / _CALL_MINUTES * _recording(site)
    reasons = (
        Because(
            figure="size",
            value=size.value,
            because=f"{agents} agents (R12: small below 30, medium below 500, big from 500)",
        ),
        Because(
            figure="calls at the same time",
            value=str(calls),
            because=f"{agents} agents x {tel['calls_per_agent']}: one talking, one queued or "
            f"ringing; at least {tel['least_calls']}",
        ),
        Because(
            figure="network for voice",
            value=f"{need_kbps / 1000:g} Mbit/s",
            because=f"{agents} agents x {voip.bandwidth_kbps} kbit/s a call (R24)",
        ),
        Because(
            figure="recordings a day",
            value=f"{day_mb / 1000:.1f} GB",
            because=f"{agents} agents x {_TALK_MINUTES_A_DAY} min of talk in calls of "
            f"{_CALL_MINUTES} min, by the table of R25",
        ),
        Because(
            figure="recordings kept",
            value=f"{day_mb * site.recordings.retention_days / 1000:.0f} GB",
            because=f"{site.recordings.retention_days} days of retention",
        ),
        Because(
            figure="Asterisk sessionlimit",
            value=str(sessions),
            because=f"{tel['sessions_per_agent']} WebSockets an agent; Asterisk's own default, "
            "100, stops the 101st",
        ),
        Because(
            figure="Asterisk file descriptors",
            value=str(descriptors),
            because=f"{tel['descriptors_idle']} and {tel['descriptors_per_call']} a bridged call "
            f"(measured), doubled; at least {tel['least_descriptors']}",
        ),
        Because(
            figure="RTP ports",
            value=f"{tel['rtp_first']}-{rtp_end}",
            because=f"{tel['ports_per_call']} a call: RTP and RTCP, two legs, audio and video",
        ),
        Because(
            figure="MySQL buffer pool",
            value=f"{buffer_pool} MB",
            because=_memory_reason(host_of(Role.DATABASE), memory_of(Role.DATABASE)),
        ),
        Because(
            figure="MySQL connections",
            value=str(connections),
            because=f"{base['connections_per_agent']} an agent, at least "
            f"{base['least_connections']}",
        ),
        Because(
            figure="Java heap",
            value=f"{heap} MB",
            because=_memory_reason(host_of(Role.BACKEND), memory_of(Role.BACKEND)),
        ),
        Because(
            figure="NGINX connections a worker",
            value=str(workers),
            because=f"{web['connections_per_agent']} an agent, both sides of the proxy",
        ),
        Because(
            figure="TURN relay ports",
            value=f"{stun['relay_first']}-{relay_end}",
            because=f"{stun['relays_per_agent']} an agent, at least {stun['least_relays']}",
        ),
    )
    return Plan(
        size=size,
        agents=agents,
        hosts=hosts,
        tuning=Tuning(
            telephony=TelephonyTuning(
                max_calls=calls,
                session_limit=sessions,
                file_descriptors=descriptors,
                rtp_start=tel["rtp_first"],
                rtp_end=rtp_end,
            ),
            database=DatabaseTuning(buffer_pool_mb=buffer_pool, max_connections=connections),
            backend=BackendTuning(heap_mb=heap),
            web=WebTuning(worker_connections=workers, file_descriptors=workers * 2 + 64),
            stun=StunTuning(relay_start=stun["relay_first"], relay_end=relay_end),
        ),
        reasons=reasons,
    )


def _recording(site: Site) -> float:
    """Megabytes of the usual call, video calls by their share."""
    table = recordings()
    video = site.recordings.video_share
    audio_mb = recording_mb(_CALL_MINUTES, table.audio_mb)
    return (1 - video) * audio_mb + video * math.fsum(
        (audio_mb, recording_mb(_CALL_MINUTES, table.video_mb))
    )


def _memory_reason(host: PlannedHost, memory: int) -> str:
    beside = "alone there" if len(host.roles) == 1 else "shared with the other roles"
    return f"of {memory} MB on {host.name}, {beside}"
