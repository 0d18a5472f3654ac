"""Checks of the telephony server: that it runs, and that what runs is what was planned."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ucontact_appliance.checks.model import (
    Check,
    Judgement,
    Severity,
    Subject,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.checks.wording import unmasking
from ucontact_appliance.facts.asterisk import (
    JAIL,
    RECORDINGS,
    SECURITY_LOG,
    VENDOR_APPLICATIONS,
    Jail,
    RecordingsFolder,
    RecordsPath,
    Service,
    Settings,
    SipLimits,
    Snapshot,
    endpoint_settings,
    jail,
    recordings_folder,
    records_path,
    service,
    sip_limits,
    snapshot,
    wss_marks,
)
from ucontact_appliance.facts.storage import file_system
from ucontact_appliance.facts.survey import seen_as
from ucontact_appliance.planning.model import Role, TelephonyTuning
from ucontact_appliance.planning.ports import ports_for
from ucontact_appliance.planning.tuning import descriptors_headroom
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.model import Trunk

_CODECS: dict[str, Any] = load_data("network")["codecs"]
_MOST_LOOKED_AT = 5
_DEFAULT_SESSIONS = 100  # what http.conf means where it says nothing
_SESSIONS_NEAR_PERCENT = 80
# The options of a WebRTC endpoint that all versions know, as Asterisk shows them.
_WEBRTC = {
    "media_encryption": "dtls",
    "use_avpf": "true",
    "ice_support": "true",
    "rtcp_mux": "true",
    "media_use_received_transport": "true",
}
_QOS = ("tos_audio", "cos_audio", "tos_video", "cos_video")
_FOREIGN_CONTEXTS = frozenset({"default", "demo", "public", "outbound"})
Endpoints = Mapping[str, Settings]


def judge_service(found: Service) -> Judgement:
    """The unit is active, starts at boot, and Asterisk answers."""
    required = "asterisk.service active and enabled, and Asterisk answers"
    if found.enabled.startswith("masked"):
        told = f"asterisk.service is masked and {found.state}"
        return failed(told, required, found.evidence, unmasking("asterisk.service"))
    if found.state != "active":
        return failed(f"asterisk.service is {found.state}", required, found.evidence)
    if not found.answers:
        return failed("the unit is active, but Asterisk does not answer", required, found.evidence)
    if found.enabled != "enabled":
        return failed(
            f"runs, but would not start at boot ({found.enabled or 'unknown'})",
            required,
            found.evidence,
            "{ssh} systemctl enable asterisk.service",
        )
    return passed(found.uptime.splitlines()[-1], required, found.evidence)


def judge_build(found: Snapshot) -> Judgement:
    """R19: the vendor's build is told from stock Asterisk by its applications."""
    required = "the vendor's Asterisk 13 (R19)"
    there = [name for name in VENDOR_APPLICATIONS if name in found.applications]
    evidence = (
        f"{found.texts.get('version', '')}\n"
        f"vendor's applications: {', '.join(there) or 'none'} of {len(VENDOR_APPLICATIONS)}"
    )
    if len(there) == len(VENDOR_APPLICATIONS):
        return passed(f"the vendor's build, {found.version}", required, evidence)
    if there:
        lost = [name for name in VENDOR_APPLICATIONS if name not in there]
        return failed(f"the vendor's build lacks {', '.join(lost)}", required, evidence)
    return warned(f"stock Asterisk {found.version}", required, evidence)


def judge_transports(found: Snapshot, wanted: Mapping[str, int]) -> Judgement:
    """R02, R04: every way in that SIP has, on its port."""
    required = ", ".join(f"{protocol} {port}" for protocol, port in wanted.items())
    there = {(transport.protocol, transport.port) for transport in found.transports}
    lost = [f"{p} {port}" for p, port in wanted.items() if (p, port) not in there]
    evidence = found.texts.get("transports", "")
    if lost:
        return failed(f"missing: {', '.join(lost)}", required, evidence)
    return passed(required, required, evidence)


def judge_endpoints(found: Snapshot, wanted: Sequence[str]) -> Judgement:
    """Every extension and trunk of the site is known to Asterisk."""
    required = f"{len(wanted)} endpoints: extensions and trunks of the site"
    lost = [name for name in wanted if name not in found.endpoints]
    if lost:
        return failed(f"missing: {', '.join(lost)}", required, found.texts.get("endpoints", ""))
    return passed(f"all {len(wanted)} are there", required)


def judge_anonymous(found: Snapshot) -> Judgement:
    """Nobody gets in without an account or a trunk's address."""
    required = "no anonymous endpoint, and no module that looks for one"
    module = "res_pjsip_endpoint_identifier_anonymous.so"
    open_ones = [name for name in found.endpoints if name.startswith("anonymous")]
    if open_ones or module in found.modules:
        what = ", ".join(open_ones) or module
        return failed(f"{what} is there", required, found.texts.get("endpoints", ""))
    return passed("none", required)


def judge_dialplan(found: Snapshot) -> Judgement:
    """The echo test is there, and no context of the distribution's examples."""
    required = "context internal with the echo test *43, no example contexts"
    foreign = sorted(_FOREIGN_CONTEXTS & set(found.contexts))
    text = found.texts.get("dialplan", "")
    if foreign:
        return failed(
            f"example contexts: {', '.join(foreign)}", required, ", ".join(found.contexts)
        )
    if "internal" not in found.contexts or "'*43'" not in text:
        return failed("no echo test *43", required, ", ".join(found.contexts))
    return passed(f"{len(found.contexts)} contexts", required, ", ".join(found.contexts))


def judge_drivers(found: Snapshot) -> Judgement:
    """chan_sip takes UDP 5060 and the WebSocket subprotocol away from PJSIP."""
    required = "chan_sip not loaded, chan_pjsip loaded"
    if "chan_sip.so" in found.modules:
        return failed("chan_sip is loaded", required)
    if "chan_pjsip.so" not in found.modules:
        return failed("chan_pjsip is not loaded", required)
    return passed("PJSIP alone", required)


def _wrong(endpoints: Endpoints, expected: Mapping[str, str]) -> list[str]:
    return [
        f"{name}: {option} is {settings.get(option) or 'not set'}"
        for name, settings in endpoints.items()
        for option, value in expected.items()
        if settings.get(option) != value
    ]


def _shown(endpoints: Endpoints, options: Sequence[str]) -> str:
    return "\n".join(
        f"{name}: " + ", ".join(f"{option}={settings.get(option, '-')}" for option in options)
        for name, settings in endpoints.items()
    )


def judge_codecs(endpoints: Endpoints, audio: Sequence[str], video: Sequence[str]) -> Judgement:
    """R06: extensions may use every codec of the product."""
    required = ", ".join([*audio, *video])
    evidence = _shown(endpoints, ["allow"])
    lost = [
        f"{name} lacks {codec}"
        for name, settings in endpoints.items()
        for codec in [*audio, *video]
        if codec not in settings.get("allow", "").strip("()").split("|")
    ]
    if lost:
        return failed("; ".join(lost), required, evidence)
    return passed(f"{required} on {', '.join(endpoints)}", required, evidence)


def judge_media(endpoints: Endpoints) -> Judgement:
    """R02, R03: media of agents goes by ICE and is encrypted by DTLS-SRTP."""
    required = "DTLS-SRTP with a certificate, ICE, RTCP multiplexed"
    evidence = _shown(endpoints, [*_WEBRTC, "dtls_cert_file"])
    wrong = _wrong(endpoints, _WEBRTC)
    wrong += [
        f"{name}: no certificate for DTLS"
        for name, settings in endpoints.items()
        if not settings.get("dtls_cert_file")
    ]
    if wrong:
        return failed("; ".join(wrong), required, evidence)
    return passed(f"set on {', '.join(endpoints)}", required, evidence)


def judge_qos(endpoints: Endpoints) -> Judgement:
    """R07: audio and video leave marked, towards agents and providers."""
    required = "TOS and COS of audio and video are not zero"
    evidence = _shown(endpoints, _QOS)
    unmarked = [
        f"{name}: {option} is {settings.get(option) or 'not set'}"
        for name, settings in endpoints.items()
        for option in _QOS
        if settings.get(option, "0") in ("", "0")
    ]
    if unmarked:
        return failed("; ".join(unmarked), required, evidence)
    values = {tuple(settings[option] for option in _QOS) for settings in endpoints.values()}
    shown = "; ".join(
        ", ".join(f"{option} {value}" for option, value in zip(_QOS, row, strict=True))
        for row in sorted(values)
    )
    return passed(shown, required, evidence)


def judge_qos_text(found: Snapshot, marks: str) -> Judgement:
    """R07: text, and the signalling that carries it, leaves marked; WSS by nftables."""
    required = "TOS and COS of text and signalling are not zero, for WSS by nftables"
    evidence = f"{found.texts.get('transports', '')}\n{marks.strip()}"
    unmarked = [
        transport.name
        for transport in found.transports
        if transport.protocol not in ("ws", "wss") and not (transport.tos and transport.cos)
    ]
    if "dscp set" not in marks or "priority set" not in marks:
        unmarked.append("WSS")
    if unmarked:
        return failed(f"not marked: {', '.join(unmarked)}", required, evidence)
    return passed("marked", required, evidence)


def judge_sessions(found: Snapshot, tuning: TelephonyTuning) -> Judgement:
    """Every agent's WebSocket counts; beyond the limit nobody can log in."""
    required = f"sessionlimit {tuning.session_limit} in http.conf"
    if found.session_limit is None:
        return failed(f"no sessionlimit: Asterisk stops at {_DEFAULT_SESSIONS}", required)
    judge = passed if found.session_limit >= tuning.session_limit else failed
    return judge(f"sessionlimit {found.session_limit}", required)


def judge_sessions_free(found: Snapshot) -> Judgement:
    """At its limit Asterisk closes each new connection unheard, to 8088 and 8089 alike (R02)."""
    limit = found.session_limit or _DEFAULT_SESSIONS
    near = limit * _SESSIONS_NEAR_PERCENT // 100
    required = f"fewer than {near} of {limit} sessions in use"
    observed = f"{found.sessions_used} of {limit} sessions in use"
    evidence = found.texts.get("used", "")
    if found.sessions_used >= limit:
        return failed(f"{observed}: whoever comes now is turned away", required, evidence)
    judge = warned if found.sessions_used >= near else passed
    return judge(observed, required, evidence)


def judge_descriptors(found: Snapshot, tuning: TelephonyTuning) -> Judgement:
    """The limit of the process that runs now, not of a file."""
    required = f"{tuning.file_descriptors} file descriptors"
    if found.descriptors is None:
        return failed("the process has no readable limits", required, found.texts.get("limits", ""))
    observed = f"{found.descriptors} file descriptors"
    if found.descriptors >= tuning.file_descriptors:
        return passed(observed, required)
    # A container's own ceiling can be below the plan's, and no setting inside raises it.
    if found.descriptors >= tuning.file_descriptors / descriptors_headroom():
        return warned(f"{observed}: enough for the planned calls, without the headroom", required)
    return failed(observed, required)


def judge_rtp(found: Snapshot, tuning: TelephonyTuning) -> Judgement:
    """The firewall opens exactly the plan's range."""
    required = f"ports {tuning.rtp_start} to {tuning.rtp_end}"
    evidence = found.texts.get("rtp", "")
    if found.rtp is None:
        return failed("Asterisk shows no RTP settings", required, evidence)
    judge = passed if found.rtp == (tuning.rtp_start, tuning.rtp_end) else failed
    return judge(f"ports {found.rtp[0]} to {found.rtp[1]}", required, evidence)


def _is_loopback(bound: str) -> bool:
    try:
        return ipaddress.ip_address(bound.rpartition(":")[0].strip("[]")).is_loopback
    except ValueError:
        return False


def judge_http(found: Snapshot, port: int) -> Judgement:
    """R02: HTTPS for WebSockets; plain HTTP for the host itself at the most."""
    required = f"HTTPS on port {port}, plain HTTP on the loopback only"
    evidence = found.texts.get("http", "")
    if not found.https.endswith(f":{port}"):
        return failed("HTTPS is not enabled", required, evidence)
    if found.plain_http and not _is_loopback(found.plain_http):
        return failed(f"plain HTTP on {found.plain_http}", required, evidence)
    observed = f"HTTPS on {found.https}, plain HTTP on {found.plain_http or 'nothing'}"
    return passed(observed, required, evidence)


def judge_ami(found: Snapshot) -> Judgement:
    """Whoever reaches the manager interface can listen in and place calls."""
    required = "the manager interface on the loopback only"
    evidence = found.texts.get("ami", "")
    if not found.ami:
        return failed("the manager interface is off", required, evidence)
    judge = passed if _is_loopback(found.ami) else failed
    return judge(f"on {found.ami}", required, evidence)


def judge_security_log(found: Snapshot) -> Judgement:
    """Without the level SECURITY refused logins leave no trace, and nobody is banned."""
    required = f"level SECURITY goes to {SECURITY_LOG}"
    judge = passed if found.security_log == SECURITY_LOG else failed
    observed = f"goes to {found.security_log}" if found.security_log else "goes nowhere"
    return judge(observed, required, found.texts.get("logger", ""))


def judge_jail(found: Jail) -> Judgement:
    """Addresses that guess passwords are banned."""
    required = f"fail2ban's jail {JAIL} reads {SECURITY_LOG}, and starts at boot"
    if not found.active:
        return failed("the jail is not active", required, found.evidence)
    if found.log_file != SECURITY_LOG:
        return failed(f"the jail reads {found.log_file or 'nothing'}", required, found.evidence)
    return passed(f"active, {len(found.banned)} banned now", required, found.evidence)


def judge_limits(found: SipLimits) -> Judgement:
    """A flood of logins or connections is stopped in front of Asterisk."""
    required = "nftables table inet ucontact_sip limits connections and what each of them sends"
    if not found.loaded:
        return failed("the table is not loaded", required, found.evidence)
    if not found.limiting:
        told = "the kernel can't limit connections by source (Linux 4.18, nftables 0.9)"
        return warned(told, required, found.evidence)
    return passed("the table is loaded", required)


def judge_banned(found: Jail, ours: Mapping[str, str]) -> Judgement:
    """To whom is banned the server is silent; `ours` are addresses of the site, with their names.

    The jail never bans these by itself: somebody did, or they were given to the site afterwards.
    """
    required = f"{JAIL} bans none of the site's own machines"
    caught = [address for address in ours if address in found.banned]
    if not caught:
        return passed(f"none of {len(found.banned)} that are banned", required, found.evidence)
    lift = " && ".join(f"ucontact bans lift {address} --site {{site}}" for address in caught)
    told = ", ".join(f"{address} ({ours[address]})" for address in caught)
    return failed(told, required, found.evidence, lift)


def judge_records(found: Snapshot, path: RecordsPath) -> Judgement:
    """R16: call records reach the table by Asterisk's own account, DSN and TLS."""
    required = "backend ODBC, and its account reaches ccdata.cdr"
    if "odbc" not in found.cdr_backends:
        return failed("Asterisk has no ODBC backend for call records", required, found.texts["cdr"])
    if not path.reached:
        return failed("the table can't be reached", required, path.evidence)
    return passed(f"reached; backends {', '.join(found.cdr_backends)}", required, path.evidence)


def judge_recordings(found: RecordingsFolder, read_only: bool = False) -> Judgement:
    """R05: Asterisk can write recordings, and others can't read them.

    `read_only`: the file system is mounted so, which no installation changes.
    """
    required = f"{RECORDINGS} belongs to asterisk, who may write there; nobody else may read it"
    if read_only:
        return failed(
            "its file system is mounted read-only",
            required,
            found.evidence,
            f"{{ssh}} findmnt -T {RECORDINGS}  # a failing disk? else mount it read-write again",
        )
    if not found.writable:
        return failed("Asterisk can't write there", required, found.evidence)
    if not found.mode.endswith("0"):
        return failed(f"anybody may look into it (mode {found.mode})", required, found.evidence)
    return passed(f"mode {found.mode}, owner {found.owner}", required, found.evidence)


def judge_trunks(found: Snapshot, trunks: Sequence[Trunk]) -> Judgement:
    """R04: every trunk answers, and is registered where it must be."""
    if not trunks:
        return skipped("the site has no trunks")
    required = "every trunk answers OPTIONS, and is registered where site.yml says so"
    states = {contact.owner: contact.status for contact in found.contacts}
    evidence = f"{found.texts.get('contacts', '')}\n{found.texts.get('registrations', '')}".strip()
    wrong, unasked = [], []
    for trunk in trunks:
        name = f"trunk-{trunk.name}"
        state = states.get(name, "Unknown")
        if state == "NonQual":
            unasked.append(trunk.name)
        elif not state.startswith("Avail"):
            wrong.append(f"{trunk.name} is {state.lower()}")
        registered = found.registrations.get(name, "not registered")
        if trunk.username and trunk.register_account and registered != "Registered":
            wrong.append(f"{trunk.name} is {registered.lower()}")
    if wrong:
        return failed("; ".join(wrong), required, evidence)
    if unasked:
        return warned(f"not asked yet: {', '.join(unasked)}", required, evidence)
    return passed(f"{', '.join(trunk.name for trunk in trunks)} answer", required, evidence)


def spread(names: Sequence[str], most: int = _MOST_LOOKED_AT) -> tuple[str, ...]:
    """At most so many of the names, the first and the last among them, evenly between."""
    if len(names) <= most:
        return tuple(names)
    step = (len(names) - 1) / (most - 1)
    return tuple(names[round(index * step)] for index in range(most))


def _port(subject: Subject, port_id: str) -> int:
    rows = ports_for(subject.site, subject.plan, subject.plan.host(subject.host.name))
    return next(row.first for row in rows if row.id == port_id)


def _transports(subject: Subject) -> dict[str, int]:
    ids = {"wss": "wss", "udp": "sip-udp", "tcp": "sip-tcp", "tls": "sip-tls"}
    return {protocol: _port(subject, port_id) for protocol, port_id in ids.items()}


def _trunk_names(subject: Subject) -> tuple[str, ...]:
    return tuple(f"trunk-{trunk.name}" for trunk in subject.site.telephony.trunks)


def _extensions(subject: Subject) -> Endpoints:
    looked_at = spread(subject.site.telephony.extensions)
    return {name: settings for name, settings in _all(subject).items() if name in looked_at}


def _all(subject: Subject) -> Endpoints:
    names = (*spread(subject.site.telephony.extensions), *_trunk_names(subject))
    return subject.facts.get(endpoint_settings, names)


def _service(subject: Subject) -> Judgement:
    try:
        return judge_service(subject.facts.get(service))
    except TimeoutError as error:
        required = "asterisk.service active and enabled, and Asterisk answers"
        return failed("Asterisk hangs: it does not answer its command line", required, str(error))


def _banned(subject: Subject) -> Judgement:
    ours = {
        planned.peer_address: planned.name
        for planned in subject.plan.hosts
        if planned.name != subject.host.name
    }
    installer = subject.facts.get(seen_as)
    if installer:
        ours[installer] = "the installing machine"
    return judge_banned(subject.facts.get(jail), ours)


def _recordings(subject: Subject) -> Judgement:
    found = subject.facts.get(file_system, RECORDINGS)
    read_only = found is not None and found.read_only
    return judge_recordings(subject.facts.get(recordings_folder), read_only)


def _snapshot(subject: Subject) -> Snapshot:
    return subject.facts.get(snapshot)


_SERVICE = "asterisk.service"
_ENDPOINTS = "asterisk.endpoints"
_SIP = "asterisk.modules.sip"
_MEDIA = "asterisk.modules.media"


def _check(
    name: str,
    title: str,
    judge: Callable[[Subject], Judgement],
    requirements: tuple[str, ...],
    *,
    severity: Severity = Severity.HIGH,
    remedy: str = "{install}",
    needs: tuple[str, ...] = (_SERVICE,),
) -> Check:
    return Check(
        id=f"asterisk.{name}",
        title=title,
        severity=severity,
        requirements=requirements,
        remedy=remedy,
        judge=judge,
        role=Role.TELEPHONY,
        needs=needs,
        timeout=15.0,
    )


# Whoever is banned sees nothing else: the registry has it ahead of what asks from here.
BANNED = _check(
    "banned",
    "None of the site's own machines is banned",
    _banned,
    ("C05", "R02"),
    needs=(),
)
CHECKS: tuple[Check, ...] = (
    _check(
        "service",
        "Asterisk is running",
        _service,
        ("R19", "R02", "R04"),
        severity=Severity.CRITICAL,
        remedy="{ssh} systemctl restart asterisk.service",
        needs=(),
    ),
    _check(
        "build",
        "Which Asterisk it is",
        lambda s: judge_build(_snapshot(s)),
        ("R19",),
        severity=Severity.MEDIUM,
        remedy="{ssh} asterisk -rx 'core show version'  # the vendor's comes with its licence",
    ),
    _check(
        "transports",
        "SIP is reachable by WSS, UDP, TCP and TLS",
        lambda s: judge_transports(_snapshot(s), _transports(s)),
        ("R02", "R04"),
        severity=Severity.CRITICAL,
        needs=(_SERVICE, _SIP),
    ),
    _check(
        "endpoints",
        "Extensions and trunks are set up",
        lambda s: judge_endpoints(_snapshot(s), (*s.site.telephony.extensions, *_trunk_names(s))),
        ("R02", "R04"),
        severity=Severity.CRITICAL,
        needs=(_SERVICE, _SIP),
    ),
    _check(
        "codecs",
        "Extensions have the product's codecs",
        lambda s: judge_codecs(_extensions(s), _CODECS["audio"], _CODECS["video"]),
        ("R06",),
        needs=(_SERVICE, _ENDPOINTS),
    ),
    _check(
        "media",
        "Agents' media is encrypted and finds its way",
        lambda s: judge_media(_extensions(s)),
        ("R02", "R03"),
        severity=Severity.CRITICAL,
        needs=(_SERVICE, _ENDPOINTS),
    ),
    _check(
        "qos",
        "Audio and video are marked for QoS",
        lambda s: judge_qos(_all(s)),
        ("R07",),
        needs=(_SERVICE, _ENDPOINTS),
    ),
    _check(
        "qos_text",
        "Text and signalling are marked for QoS",
        lambda s: judge_qos_text(_snapshot(s), s.facts.get(wss_marks)),
        ("R07",),
        severity=Severity.MEDIUM,
        remedy="{ssh} systemctl restart ucontact-qos.service",
        needs=(_SERVICE, "asterisk.transports"),
    ),
    _check(
        "anonymous",
        "Nobody calls without an account",
        lambda s: judge_anonymous(_snapshot(s)),
        ("R04", "C05"),
        severity=Severity.CRITICAL,
    ),
    _check(
        "dialplan",
        "The dialplan is the appliance's",
        lambda s: judge_dialplan(_snapshot(s)),
        ("R04", "R05"),
    ),
    _check(
        "drivers",
        "PJSIP is the only SIP driver",
        lambda s: judge_drivers(_snapshot(s)),
        ("R02", "R04"),
        severity=Severity.CRITICAL,
        needs=(_SERVICE, _SIP, _MEDIA),
    ),
    _check(
        "sessions",
        "Asterisk takes as many WebSockets as planned",
        lambda s: judge_sessions(_snapshot(s), s.plan.tuning.telephony),
        ("R02", "R12"),
    ),
    _check(
        "sessions-free",
        "Asterisk has WebSocket sessions left",
        lambda s: judge_sessions_free(_snapshot(s)),
        ("R02", "R12"),
        severity=Severity.CRITICAL,
        remedy="{ssh} ss -Htn state established '( sport = :8088 or sport = :8089 )'  # who holds "
        "them? restarting Asterisk ends them all, and every call",
    ),
    _check(
        "descriptors",
        "Asterisk has as many file descriptors as planned",
        lambda s: judge_descriptors(_snapshot(s), s.plan.tuning.telephony),
        ("R12",),
    ),
    _check(
        "rtp",
        "Media uses the planned ports",
        lambda s: judge_rtp(_snapshot(s), s.plan.tuning.telephony),
        ("R03", "R12"),
        needs=(_SERVICE, _MEDIA),
    ),
    _check(
        "http",
        "Asterisk's HTTP server is closed but for TLS",
        lambda s: judge_http(_snapshot(s), _port(s, "wss")),
        ("R01", "R02"),
        severity=Severity.CRITICAL,
    ),
    _check(
        "ami",
        "The manager interface is on the loopback",
        lambda s: judge_ami(_snapshot(s)),
        ("C05",),
        severity=Severity.CRITICAL,
    ),
    _check(
        "security_log",
        "Refused logins are logged",
        lambda s: judge_security_log(_snapshot(s)),
        ("C05",),
        remedy="{ssh} asterisk -rx 'logger reload' && {install}",
    ),
    _check(
        "jail",
        "Addresses that guess passwords are banned",
        lambda s: judge_jail(s.facts.get(jail)),
        ("C05",),
        # A restart: the unit may run while the jail was stopped by itself.
        remedy="{ssh} systemctl enable fail2ban.service && systemctl restart fail2ban.service",
        needs=(),
    ),
    _check(
        "limits",
        "SIP connections are limited",
        lambda s: judge_limits(s.facts.get(sip_limits)),
        ("C05",),
        remedy="{ssh} systemctl restart ucontact-sip.service fail2ban.service",
        needs=(),
    ),
    _check(
        "records",
        "Call records reach the database",
        lambda s: judge_records(_snapshot(s), s.facts.get(records_path)),
        ("R16", "R19"),
        remedy="{ssh} runuser -u asterisk -- isql -b -v ucontact-ccdata </dev/null"
        "  # then: {install}",
        # It verifies MySQL's certificate by the root that lies there.
        needs=(_SERVICE, "mysql.answers", "certificates.internal"),
    ),
    _check(
        "recordings",
        "Asterisk can write recordings",
        _recordings,
        ("R05", "R25"),
        severity=Severity.CRITICAL,
        needs=(),
    ),
    _check(
        "trunks",
        "The provider's trunks answer",
        lambda s: judge_trunks(_snapshot(s), s.site.telephony.trunks),
        ("R04",),
        severity=Severity.CRITICAL,
        remedy="{ssh} asterisk -rx 'pjsip show contacts'  # is the provider reachable?",
        needs=(_SERVICE, _ENDPOINTS),
    ),
)
