"""The "because" of each figure of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ucontact_appliance.planning.capacity import Basis, basis, on_reference, telephony_server
from ucontact_appliance.planning.iron import Iron
from ucontact_appliance.planning.model import Because, Size, Tuning
from ucontact_appliance.planning.sizing import codec_mb, recording_mb
from ucontact_appliance.planning.tables import network, recordings, sizes, tuning
from ucontact_appliance.planning.tuning import Share
from ucontact_appliance.site.model import Site


@dataclass(frozen=True)
class Sized:
    """A site with all that was decided: size, tuned values, and whose memory MySQL and Java get."""

    site: Site
    size: Size
    made: Tuning
    base: Share
    java: Share


def explain(sized: Sized, telephony: Iron) -> tuple[Because, ...]:
    """Each figure with its value and reason, sizing first, then the roles' tuned values.

    `telephony` is the server that keeps the recordings.
    """
    return (
        _size(sized),
        *_network(sized.site),
        *_recordings(sized.site, telephony),
        *_telephony(sized),
        *_database(sized),
        _figure("Java heap", sized.made.backend.heap_mb, "MB", _of_memory(sized.java)),
        *_web(sized),
        *_turn(sized),
    )


def _figure(figure: str, number: float, unit: str, because: str) -> Because:
    shown = f"{number:g}" if isinstance(number, int) else f"{number:.2f}"
    value = f"{shown} {unit}".strip()
    return Because(figure=figure, value=value, because=because, number=number, unit=unit)


def _range(figure: str, first: int, last: int, because: str) -> Because:
    ports = last - first + 1
    return Because(
        figure=figure, value=f"{first}-{last}", because=because, number=ports, unit="ports"
    )


def _size(sized: Sized) -> Because:
    edges = ", ".join(
        f"{row.size.value} below {row.below}" if row.below else f"{row.size.value} from there on"
        for row in sizes()
    )
    return Because(
        figure="size",
        value=sized.size.value,
        because=f"{sized.site.agents} agents ({edges}; R12)",
        number=sized.site.agents,
        unit="agents",
    )


def _network(site: Site) -> tuple[Because, ...]:
    voip, video = network()["voip"], network()["video"]
    seeing = site.agents * site.recordings.video_share
    voice = (site.agents - seeing) * voip.bandwidth_kbps / 1000
    rows = [
        _figure(
            "network for voice",
            voice,
            "Mbit/s",
            f"{site.agents - seeing:g} agents x {voip.bandwidth_kbps} kbit/s a call "
            f"({voip.requirement}), each way",
        )
    ]
    if seeing:
        rows += [
            _figure(
                "network for video",
                seeing * video.bandwidth_kbps / 1000,
                "Mbit/s",
                f"{seeing:g} agents in video calls x {video.bandwidth_kbps} kbit/s "
                f"({video.requirement}), each way",
            )
        ]
    return tuple(rows)


def recorded_mb_a_day(site: Site) -> float:
    """Megabytes of recordings that a day brings by R25's table."""
    usage = tuning()["usage"]
    minutes, table = usage["call_minutes"], recordings()
    calls = site.agents * usage["talk_minutes_a_day"] / minutes
    audio = recording_mb(minutes, table.audio_mb)
    return float(
        calls * (audio + recording_mb(minutes, table.video_mb) * site.recordings.video_share)
    )


def recordings_kept_gb(site: Site) -> float:
    """Gigabytes (of 1000 MB) of the recordings that the retention keeps."""
    return recorded_mb_a_day(site) * site.recordings.retention_days / 1000


def _recordings(site: Site, telephony: Iron) -> tuple[Because, ...]:
    usage, days = tuning()["usage"], site.recordings.retention_days
    minutes = usage["call_minutes"]
    calls = site.agents * usage["talk_minutes_a_day"] / minutes
    day_mb = recorded_mb_a_day(site)
    audio = calls * codec_mb(minutes)
    rows = [
        _figure(
            "recordings a day",
            day_mb / 1000,
            "GB",
            f"{calls:g} calls of {minutes} min at {day_mb / calls:.2f} MB (R25): "
            f"{usage['talk_minutes_a_day']} min of talk an agent; GSM 06.10 itself writes "
            f"{audio / 1000:.2f} GB of audio",
        ),
        _figure("recordings kept", recordings_kept_gb(site), "GB", f"{days} days of retention"),
    ]
    if telephony.free_mb is None:
        return tuple(rows)
    # df's megabytes are of 1024 x 1024 bytes, R25's of 1000 x 1000.
    last = telephony.free_mb * 1.048576 / day_mb
    kept = "before the oldest are deleted" if last >= days else f"and {days} are to be kept"
    return (
        *rows,
        _figure(
            "days until the disk is full",
            int(last),
            "days",
            f"{telephony.free_mb / 1024:.0f} GiB are free on /var, {kept}",
        ),
    )


def _telephony(sized: Sized) -> tuple[Because, ...]:
    factors, made = _factors("telephony"), sized.made.telephony
    agents, ports = sized.site.agents, factors["ports_per_call"]
    return (
        _figure(
            "calls at the same time",
            made.max_calls,
            "",
            f"{agents} agents x {factors['calls_per_agent']}: one talking, one queued or "
            f"ringing; at least {factors['least_calls']}",
        ),
        _one_asterisk(made.max_calls),
        _logins(agents),
        _figure(
            "Asterisk sessionlimit",
            made.session_limit,
            "",
            f"{factors['session_shares']} x {made.connections_per_source} connections per source "
            f"address: {factors['connections_per_agent']} per agent, at least "
            f"{factors['least_connections_per_source']}, as all agents may share one address",
        ),
        _figure(
            "Asterisk file descriptors",
            made.file_descriptors,
            "",
            f"{factors['descriptors_idle']}, {factors['descriptors_per_call']} a bridged "
            f"call (measured), 1 a WebSocket, x {factors['descriptors_headroom']}; at least "
            f"{factors['least_descriptors']}",
        ),
        _range(
            "RTP ports",
            made.rtp_start,
            made.rtp_end,
            f"{ports} a call: RTP and RTCP, two legs, audio and video"
            if made.rtp_end < factors["rtp_last"]
            else f"all below TURN's; {made.max_calls} calls with video would take "
            f"{made.max_calls * ports}",
        ),
    )


def _one_asterisk(calls: int) -> Because:
    """How far the number of calls is from what was measured; there is one telephony server."""
    server, known = telephony_server(), basis(calls)
    told = {
        Basis.MEASURED: f"{calls} are within them",
        Basis.EXTRAPOLATED: f"{calls} are extrapolated from them",
        Basis.BEYOND: f"{calls} are beyond what one Asterisk is known to carry",
    }
    return _figure(
        "calls that one Asterisk is planned for at most",
        server.ceiling_calls,
        "",
        f"{server.measured_calls} plain ones were measured, {told[known]}; a recorded call takes "
        f"{on_reference('recorded'):.2f} % of a core, a plain one {on_reference('plain'):.2f} %, "
        f"with opus at one side {on_reference('opus'):.2f} % (measured). Not measured: "
        f"{server.unmeasured}",
    )


def _logins(agents: int) -> Because:
    server, sessions = telephony_server(), _factors("telephony")["sessions_per_agent"]
    return _figure(
        "all agents log in again",
        agents * server.login_ms / 1000,
        "s of one core",
        f"{server.login_ms} ms a login, and {sessions} x {server.session_kb:g} kB of memory an "
        "agent; measured with Kamailio in front, for Asterisk alone an assumption",
    )


def _database(sized: Sized) -> tuple[Because, ...]:
    factors = _factors("database")
    return (
        _figure(
            "MySQL buffer pool", sized.made.database.buffer_pool_mb, "MB", _of_memory(sized.base)
        ),
        _figure(
            "MySQL connections",
            sized.made.database.max_connections,
            "",
            f"{factors['connections_per_agent']} an agent, at least {factors['least_connections']}",
        ),
    )


def _web(sized: Sized) -> tuple[Because, ...]:
    factors = _factors("web")
    return (
        _figure(
            "NGINX connections a worker",
            sized.made.web.worker_connections,
            "",
            f"{factors['connection_shares']} x {sized.made.web.connections_per_source} connections "
            "per source address, both sides of the proxy; one worker per processor",
        ),
        _figure(
            "NGINX file descriptors",
            sized.made.web.file_descriptors,
            "",
            f"{factors['descriptors_per_connection']} a connection",
        ),
    )


def _turn(sized: Sized) -> tuple[Because, ...]:
    factors, made = _factors("stun"), sized.made.stun
    return (
        _range(
            "TURN relay ports",
            made.relay_start,
            made.relay_end,
            f"{factors['relays_per_agent']} an agent, at least {factors['least_relays']}",
        ),
    )


def _factors(role: str) -> dict[str, Any]:
    factors: dict[str, Any] = tuning()[role]
    return factors


def _of_memory(share: Share) -> str:
    beside = "alone there" if share.alone else "shared with the other roles"
    return f"of {share.memory_mb} MB on {share.host}, {beside}"
