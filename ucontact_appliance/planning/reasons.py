"""The rationale of each figure of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ucontact_appliance.language.messages import _, joined
from ucontact_appliance.planning.capacity_model import (
    EstimateBasis,
    basis,
    on_reference,
    telephony_server,
)
from ucontact_appliance.planning.host_resources import HostResources
from ucontact_appliance.planning.model import Rationale, Size, Tuning
from ucontact_appliance.planning.sizing import codec_mb, recording_mb
from ucontact_appliance.planning.tables import network, recordings, sizes, tuning
from ucontact_appliance.planning.tuning import HostShare
from ucontact_appliance.site.model import Site

_UNITS = {"days": _("days"), "s of one core": _("s of one core")}


@dataclass(frozen=True)
class SizedSite:
    """A site with its size, tuned values, and the memory shares of MySQL and Java."""

    site: Site
    size: Size
    made: Tuning
    base: HostShare
    java: HostShare


def explain(sized: SizedSite, telephony: HostResources) -> tuple[Rationale, ...]:
    """Each figure with its value and reason, sizing first, then the roles' tuned values.

    `telephony` is the server that keeps the recordings.
    """
    return (
        _size(sized),
        *_network(sized.site),
        *_recordings(sized.site, telephony),
        *_telephony(sized),
        *_database(sized),
        _figure(_("Java heap"), sized.made.backend.heap_mb, "MB", _of_memory(sized.java)),
        *_web(sized),
        *_turn(sized),
    )


def _figure(figure: str, number: float, unit: str, because: str) -> Rationale:
    shown = f"{number:g}" if isinstance(number, int) else f"{number:.2f}"
    # Programs get the untranslated unit, as `unit`.
    value = joined(" ", (shown, _UNITS.get(unit, unit))) if unit else shown
    return Rationale(figure=figure, value=value, because=because, number=number, unit=unit)


def _range(figure: str, first: int, last: int, because: str) -> Rationale:
    ports = last - first + 1
    return Rationale(
        figure=figure, value=f"{first}-{last}", because=because, number=ports, unit="ports"
    )


def _size(sized: SizedSite) -> Rationale:
    edges = joined(
        ", ",
        (
            _("{size} below {agents}", size=row.size.value, agents=row.below)
            if row.below
            else _("{size} from there on", size=row.size.value)
            for row in sizes()
        ),
    )
    return Rationale(
        figure=_("size"),
        value=sized.size.value,
        because=_("{agents} agents ({edges}; R12)", agents=sized.site.agents, edges=edges),
        number=sized.site.agents,
        unit="agents",
    )


def _network(site: Site) -> tuple[Rationale, ...]:
    voip, video = network()["voip"], network()["video"]
    seeing = site.agents * site.recordings.video_share
    voice = (site.agents - seeing) * voip.bandwidth_kbps / 1000
    rows = [
        _figure(
            _("network for voice"),
            voice,
            "Mbit/s",
            _(
                "{agents:g} agents x {bandwidth} kbit/s per call ({requirement}), each way",
                agents=site.agents - seeing,
                bandwidth=voip.bandwidth_kbps,
                requirement=voip.requirement,
            ),
        )
    ]
    if seeing:
        rows += [
            _figure(
                _("network for video"),
                seeing * video.bandwidth_kbps / 1000,
                "Mbit/s",
                _(
                    "{agents:g} agents in video calls x {bandwidth} kbit/s ({requirement}), "
                    "each way",
                    agents=seeing,
                    bandwidth=video.bandwidth_kbps,
                    requirement=video.requirement,
                ),
            )
        ]
    return tuple(rows)


def recorded_mb_a_day(site: Site) -> float:
    """Megabytes of recordings per day by R25's table."""
    usage = tuning()["usage"]
    minutes, table = usage["call_minutes"], recordings()
    calls = site.agents * usage["talk_minutes_a_day"] / minutes
    audio = recording_mb(minutes, table.audio_mb)
    return float(
        calls * (audio + recording_mb(minutes, table.video_mb) * site.recordings.video_share)
    )


def recordings_kept_gb(site: Site) -> float:
    """Gigabytes (1000 MB) of recordings that the retention keeps."""
    return recorded_mb_a_day(site) * site.recordings.retention_days / 1000


def _recordings(site: Site, telephony: HostResources) -> tuple[Rationale, ...]:
    usage, days = tuning()["usage"], site.recordings.retention_days
    minutes = usage["call_minutes"]
    calls = site.agents * usage["talk_minutes_a_day"] / minutes
    day_mb = recorded_mb_a_day(site)
    audio = calls * codec_mb(minutes)
    rows = [
        _figure(
            _("recordings per day"),
            day_mb / 1000,
            "GB",
            _(
                "{calls:g} calls of {minutes} min at {size:.2f} MB (R25): {talk} min "
                "of talk time per agent; GSM 06.10 alone writes {audio:.2f} GB of audio",
                calls=calls,
                minutes=minutes,
                size=day_mb / calls,
                talk=usage["talk_minutes_a_day"],
                audio=audio / 1000,
            ),
        ),
        _figure(
            _("recordings kept"),
            recordings_kept_gb(site),
            "GB",
            _("{days} days of retention", days=days),
        ),
    ]
    if telephony.free_mb is None:
        return tuple(rows)
    # df's megabytes have 1024 x 1024 bytes, R25's 1000 x 1000.
    last = telephony.free_mb * 1.048576 / day_mb
    free = f"{telephony.free_mb / 1024:.0f}"
    kept = (
        _("{free} GiB free on /var; the oldest recordings are deleted before that", free=free)
        if last >= days
        else _(
            "{free} GiB free on /var; recordings must be kept for {days} days", free=free, days=days
        )
    )
    return (
        *rows,
        _figure(
            _("days until the disk is full"),
            int(last),
            "days",
            kept,
        ),
    )


def _telephony(sized: SizedSite) -> tuple[Rationale, ...]:
    factors, made = _factors("telephony"), sized.made.telephony
    agents, ports = sized.site.agents, factors["ports_per_call"]
    return (
        _figure(
            _("simultaneous calls"),
            made.max_calls,
            "",
            _(
                "{agents} agents x {calls}: one talking, one queued or ringing; at least {least}",
                agents=agents,
                calls=factors["calls_per_agent"],
                least=factors["least_calls"],
            ),
        ),
        _one_asterisk(made.max_calls),
        _logins(agents),
        _figure(
            _("Asterisk sessionlimit"),
            made.session_limit,
            "",
            _(
                "{shares} x {connections} connections per source address: {per_agent} per agent, "
                "at least {least}, as all agents may share one address",
                shares=factors["session_shares"],
                connections=made.connections_per_source,
                per_agent=factors["connections_per_agent"],
                least=factors["least_connections_per_source"],
            ),
        ),
        _figure(
            _("Asterisk file descriptors"),
            made.file_descriptors,
            "",
            _(
                "{idle} when idle, {per_call} per bridged call (measured), 1 per "
                "WebSocket, x {headroom}; at least {least}",
                idle=factors["descriptors_idle"],
                per_call=factors["descriptors_per_call"],
                headroom=factors["descriptors_headroom"],
                least=factors["least_descriptors"],
            ),
        ),
        _range(
            _("RTP ports"),
            made.rtp_start,
            made.rtp_end,
            _("{ports} per call: RTP and RTCP, two legs, audio and video", ports=ports)
            if made.rtp_end < factors["rtp_last"]
            else _(
                "all ports below TURN's range; {calls} video calls would need {ports}",
                calls=made.max_calls,
                ports=made.max_calls * ports,
            ),
        ),
    )


def _one_asterisk(calls: int) -> Rationale:
    """How the number of calls compares with what was measured; a site has one telephony server."""
    server, known = telephony_server(), basis(calls)
    told = {
        EstimateBasis.MEASURED: _("{calls} calls are within that load", calls=calls),
        EstimateBasis.EXTRAPOLATED: _("{calls} calls are extrapolated from that load", calls=calls),
        EstimateBasis.BEYOND: _(
            "{calls} calls are beyond what one Asterisk is known to carry", calls=calls
        ),
    }
    return _figure(
        _("maximum calls planned for one Asterisk"),
        server.ceiling_calls,
        "",
        _(
            "{measured} plain calls were measured, {basis}; a recorded call takes "
            "{recorded:.2f} % of a core, a plain call {plain:.2f} %, a call with Opus "
            "on one side {opus:.2f} % (measured). Not measured: {unmeasured}",
            measured=server.measured_calls,
            basis=told[known],
            recorded=on_reference("recorded"),
            plain=on_reference("plain"),
            opus=on_reference("opus"),
            unmeasured=server.unmeasured,
        ),
    )


def _logins(agents: int) -> Rationale:
    server, sessions = telephony_server(), _factors("telephony")["sessions_per_agent"]
    return _figure(
        _("all agents log in again"),
        agents * server.login_ms / 1000,
        "s of one core",
        _(
            "{login} ms per login, and {sessions} x {memory:g} kB of memory per agent; "
            "measured with Kamailio in front, an assumption for Asterisk alone",
            login=server.login_ms,
            sessions=sessions,
            memory=server.session_kb,
        ),
    )


def _database(sized: SizedSite) -> tuple[Rationale, ...]:
    factors = _factors("database")
    return (
        _figure(
            _("MySQL buffer pool"), sized.made.database.buffer_pool_mb, "MB", _of_memory(sized.base)
        ),
        _figure(
            _("MySQL connections"),
            sized.made.database.max_connections,
            "",
            _(
                "{number} per agent, at least {least}",
                number=factors["connections_per_agent"],
                least=factors["least_connections"],
            ),
        ),
    )


def _web(sized: SizedSite) -> tuple[Rationale, ...]:
    factors = _factors("web")
    return (
        _figure(
            _("NGINX connections per worker"),
            sized.made.web.worker_connections,
            "",
            _(
                "{shares} x {connections} connections per source address, both sides of the proxy; "
                "one worker per processor",
                shares=factors["connection_shares"],
                connections=sized.made.web.connections_per_source,
            ),
        ),
        _figure(
            _("NGINX file descriptors"),
            sized.made.web.file_descriptors,
            "",
            _("{number} per connection", number=factors["descriptors_per_connection"]),
        ),
    )


def _turn(sized: SizedSite) -> tuple[Rationale, ...]:
    factors, made = _factors("stun"), sized.made.stun
    return (
        _range(
            _("TURN relay ports"),
            made.relay_start,
            made.relay_end,
            _(
                "{number} per agent, at least {least}",
                number=factors["relays_per_agent"],
                least=factors["least_relays"],
            ),
        ),
    )


def _factors(role: str) -> dict[str, Any]:
    factors: dict[str, Any] = tuning()[role]
    return factors


def _of_memory(share: HostShare) -> str:
    values = {"memory": share.memory_mb, "host": share.host}
    if share.alone:
        return _("of {memory} MB on {host}, with no other role", **values)
    return _("of {memory} MB on {host}, shared with the other roles", **values)
