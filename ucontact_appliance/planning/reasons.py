"""The "because" of each figure of a plan."""

from __future__ import annotations

from typing import Any

from ucontact_appliance.planning.model import Because, Size, Tuning
from ucontact_appliance.planning.sizing import recording_mb
from ucontact_appliance.planning.tables import network, recordings, sizes, tuning
from ucontact_appliance.planning.tuning import Share
from ucontact_appliance.site.model import Site


def explain(site: Site, size: Size, made: Tuning, base: Share, java: Share) -> tuple[Because, ...]:
    """Each figure with its value and reason, sizing first, then the roles' tuned values."""
    factors: dict[str, Any] = tuning()
    return (
        *_sizing(site, size),
        *_recordings(site, factors["usage"]),
        *_telephony(made, factors["telephony"], site.agents),
        Because(
            figure="MySQL buffer pool",
            value=f"{made.database.buffer_pool_mb} MB",
            because=_of_memory(base),
        ),
        Because(
            figure="MySQL connections",
            value=str(made.database.max_connections),
            because=f"{factors['database']['connections_per_agent']} an agent, at least "
            f"{factors['database']['least_connections']}",
        ),
        Because(figure="Java heap", value=f"{made.backend.heap_mb} MB", because=_of_memory(java)),
        Because(
            figure="NGINX connections a worker",
            value=str(made.web.worker_connections),
            because=f"{factors['web']['connections_per_agent']} an agent, both sides of the proxy, "
            f"at least {factors['web']['least_connections']}",
        ),
        Because(
            figure="TURN relay ports",
            value=f"{made.stun.relay_start}-{made.stun.relay_end}",
            because=f"{factors['stun']['relays_per_agent']} an agent, at least "
            f"{factors['stun']['least_relays']}",
        ),
    )


def _sizing(site: Site, size: Size) -> tuple[Because, ...]:
    edges = ", ".join(
        f"{row.size.value} below {row.below}" if row.below else f"{row.size.value} from there on"
        for row in sizes()
    )
    voip = network()["voip"]
    return (
        Because(figure="size", value=size.value, because=f"{site.agents} agents ({edges}; R12)"),
        Because(
            figure="network for voice",
            value=f"{site.agents * voip.bandwidth_kbps / 1000:g} Mbit/s",
            because=f"{site.agents} agents x {voip.bandwidth_kbps} kbit/s a call "
            f"({voip.requirement})",
        ),
    )


def _recordings(site: Site, usage: dict[str, Any]) -> tuple[Because, ...]:
    table, minutes = recordings(), usage["call_minutes"]
    calls = site.agents * usage["talk_minutes_a_day"] / minutes
    audio = recording_mb(minutes, table.audio_mb)
    video = recording_mb(minutes, table.video_mb) * site.recordings.video_share
    day_mb = calls * (audio + video)
    return (
        Because(
            figure="recordings a day",
            value=f"{day_mb / 1000:.2f} GB",
            because=f"{calls:g} calls of {minutes} min at {audio + video:.2f} MB "
            f"({table.requirement}): {usage['talk_minutes_a_day']} min of talk an agent",
        ),
        Because(
            figure="recordings kept",
            value=f"{day_mb * site.recordings.retention_days / 1000:.1f} GB",
            because=f"{site.recordings.retention_days} days of retention",
        ),
    )


def _telephony(made: Tuning, factors: dict[str, Any], agents: int) -> tuple[Because, ...]:
    return (
        Because(
            figure="calls at the same time",
            value=str(made.telephony.max_calls),
            because=f"{agents} agents x {factors['calls_per_agent']}: one talking, one queued or "
            f"ringing; at least {factors['least_calls']}",
        ),
        Because(
            figure="Asterisk sessionlimit",
            value=str(made.telephony.session_limit),
            because=f"{factors['sessions_per_agent']} WebSockets an agent, at least "
            f"{factors['least_sessions']}; each softphone holds one",
        ),
        Because(
            figure="Asterisk file descriptors",
            value=str(made.telephony.file_descriptors),
            because=f"{factors['descriptors_idle']}, {factors['descriptors_per_call']} a bridged "
            f"call (measured), 1 a WebSocket, x {factors['descriptors_headroom']}; at least "
            f"{factors['least_descriptors']}",
        ),
        Because(
            figure="RTP ports",
            value=f"{made.telephony.rtp_start}-{made.telephony.rtp_end}",
            because=f"{factors['ports_per_call']} a call: RTP and RTCP, two legs, audio and video",
        ),
    )


def _of_memory(share: Share) -> str:
    beside = "alone there" if share.alone else "shared with the other roles"
    return f"of {share.memory_mb} MB on {share.host}, {beside}"
