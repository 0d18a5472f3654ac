"""Checks of the telephony server: that it runs, and that what runs is what was planned."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
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

_telephony = functools.partial(check, role=Role.TELEPHONY, timeout=15.0)


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


@_telephony(
    id="asterisk.service",
    title="Asterisk is running",
    severity=Severity.CRITICAL,
    requirements=("R19", "R02", "R04"),
    remedy="{ssh} systemctl restart asterisk.service",
)
def _service(subject: Subject) -> Judgement:
    try:
        return judge_service(subject.facts.get(service))
    except TimeoutError as error:
        required = "asterisk.service active and enabled, and Asterisk answers"
        return failed("Asterisk hangs: it does not answer its command line", required, str(error))


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


@_telephony(
    id="asterisk.build",
    title="Which Asterisk it is",
    severity=Severity.MEDIUM,
    requirements=("R19",),
    remedy="{ssh} asterisk -rx 'core show version'  # the vendor's comes with its licence",
    needs=("asterisk.service",),
)
def _build(subject: Subject) -> Judgement:
    return judge_build(_snapshot(subject))


def judge_transports(found: Snapshot, wanted: Mapping[str, int]) -> Judgement:
    """R02, R04: every way in that SIP has, on its port."""
    required = ", ".join(f"{protocol} {port}" for protocol, port in wanted.items())
    there = {(transport.protocol, transport.port) for transport in found.transports}
    lost = [f"{p} {port}" for p, port in wanted.items() if (p, port) not in there]
    evidence = found.texts.get("transports", "")
    if lost:
        return failed(f"missing: {', '.join(lost)}", required, evidence)
    return passed(required, required, evidence)


@_telephony(
    id="asterisk.transports",
    title="SIP is reachable by WSS, UDP, TCP and TLS",
    severity=Severity.CRITICAL,
    requirements=("R02", "R04"),
    remedy="{install}",
    needs=("asterisk.service", "asterisk.modules.sip"),
)
def _transports(subject: Subject) -> Judgement:
    ids = {"wss": "wss", "udp": "sip-udp", "tcp": "sip-tcp", "tls": "sip-tls"}
    wanted = {protocol: _port(subject, port_id) for protocol, port_id in ids.items()}
    return judge_transports(_snapshot(subject), wanted)


def judge_endpoints(found: Snapshot, wanted: Sequence[str]) -> Judgement:
    """Every extension and trunk of the site is known to Asterisk."""
    required = f"{len(wanted)} endpoints: extensions and trunks of the site"
    lost = [name for name in wanted if name not in found.endpoints]
    if lost:
        return failed(f"missing: {', '.join(lost)}", required, found.texts.get("endpoints", ""))
    return passed(f"all {len(wanted)} are there", required)


@_telephony(
    id="asterisk.endpoints",
    title="Extensions and trunks are set up",
    severity=Severity.CRITICAL,
    requirements=("R02", "R04"),
    remedy="{install}",
    needs=("asterisk.service", "asterisk.modules.sip"),
)
def _endpoints(subject: Subject) -> Judgement:
    wanted = (*subject.site.telephony.extensions, *_trunk_names(subject))
    return judge_endpoints(_snapshot(subject), wanted)


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


@_telephony(
    id="asterisk.codecs",
    title="Extensions have the product's codecs",
    severity=Severity.HIGH,
    requirements=("R06",),
    remedy="{install}",
    needs=("asterisk.service", "asterisk.endpoints"),
)
def _codecs(subject: Subject) -> Judgement:
    return judge_codecs(_extensions(subject), _CODECS["audio"], _CODECS["video"])


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


@_telephony(
    id="asterisk.media",
    title="Agents' media is encrypted and finds its way",
    severity=Severity.CRITICAL,
    requirements=("R02", "R03"),
    remedy="{install}",
    needs=("asterisk.service", "asterisk.endpoints"),
)
def _media(subject: Subject) -> Judgement:
    return judge_media(_extensions(subject))


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


@_telephony(
    id="asterisk.qos",
    title="Audio and video are marked for QoS",
    severity=Severity.HIGH,
    requirements=("R07",),
    remedy="{install}",
    needs=("asterisk.service", "asterisk.endpoints"),
)
def _qos(subject: Subject) -> Judgement:
    return judge_qos(_all(subject))


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


@_telephony(
    id="asterisk.qos_text",
    title="Text and signalling are marked for QoS",
    severity=Severity.MEDIUM,
    requirements=("R07",),
    remedy="{ssh} systemctl restart ucontact-qos.service",
    needs=("asterisk.service", "asterisk.transports"),
)
def _qos_text(subject: Subject) -> Judgement:
    return judge_qos_text(_snapshot(subject), subject.facts.get(wss_marks))


def judge_anonymous(found: Snapshot) -> Judgement:
    """Nobody gets in without an account or a trunk's address."""
    required = "no anonymous endpoint, and no module that looks for one"
    module = "res_pjsip_endpoint_identifier_anonymous.so"
    open_ones = [name for name in found.endpoints if name.startswith("anonymous")]
    if open_ones or module in found.modules:
        what = ", ".join(open_ones) or module
        return failed(f"{what} is there", required, found.texts.get("endpoints", ""))
    return passed("none", required)


@_telephony(
    id="asterisk.anonymous",
    title="Nobody calls without an account",
    severity=Severity.CRITICAL,
    requirements=("R04", "C05"),
    remedy="{install}",
    needs=("asterisk.service",),
)
def _anonymous(subject: Subject) -> Judgement:
    return judge_anonymous(_snapshot(subject))


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


@_telephony(
    id="asterisk.dialplan",
    title="The dialplan is the appliance's",
    severity=Severity.HIGH,
    requirements=("R04", "R05"),
    remedy="{install}",
    needs=("asterisk.service",),
)
def _dialplan(subject: Subject) -> Judgement:
    return judge_dialplan(_snapshot(subject))


def judge_drivers(found: Snapshot) -> Judgement:
    """chan_sip takes UDP 5060 and the WebSocket subprotocol away from PJSIP."""
    required = "chan_sip not loaded, chan_pjsip loaded"
    if "chan_sip.so" in found.modules:
        return failed("chan_sip is loaded", required)
    if "chan_pjsip.so" not in found.modules:
        return failed("chan_pjsip is not loaded", required)
    return passed("PJSIP alone", required)


@_telephony(
    id="asterisk.drivers",
    title="PJSIP is the only SIP driver",
    severity=Severity.CRITICAL,
    requirements=("R02", "R04"),
    remedy="{install}",
    needs=("asterisk.service", "asterisk.modules.sip", "asterisk.modules.media"),
)
def _drivers(subject: Subject) -> Judgement:
    return judge_drivers(_snapshot(subject))


def judge_sessions(found: Snapshot, tuning: TelephonyTuning) -> Judgement:
    """Every agent's WebSocket counts; beyond the limit nobody can log in."""
    required = f"sessionlimit {tuning.session_limit} in http.conf"
    if found.session_limit is None:
        return failed(f"no sessionlimit: Asterisk stops at {_DEFAULT_SESSIONS}", required)
    judge = passed if found.session_limit >= tuning.session_limit else failed
    return judge(f"sessionlimit {found.session_limit}", required)


@_telephony(
    id="asterisk.sessions",
    title="Asterisk takes as many WebSockets as planned",
    severity=Severity.HIGH,
    requirements=("R02", "R12"),
    remedy="{install}",
    needs=("asterisk.service",),
)
def _sessions(subject: Subject) -> Judgement:
    return judge_sessions(_snapshot(subject), subject.plan.tuning.telephony)


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


@_telephony(
    id="asterisk.sessions-free",
    title="Asterisk has WebSocket sessions left",
    severity=Severity.CRITICAL,
    requirements=("R02", "R12"),
    remedy="{ssh} ss -Htn state established '( sport = :8088 or sport = :8089 )'  # who holds "
    "them? restarting Asterisk ends them all, and every call",
    needs=("asterisk.service",),
)
def _sessions_free(subject: Subject) -> Judgement:
    return judge_sessions_free(_snapshot(subject))


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


@_telephony(
    id="asterisk.descriptors",
    title="Asterisk has as many file descriptors as planned",
    severity=Severity.HIGH,
    requirements=("R12",),
    remedy="{install}",
    needs=("asterisk.service",),
)
def _descriptors(subject: Subject) -> Judgement:
    return judge_descriptors(_snapshot(subject), subject.plan.tuning.telephony)


def judge_rtp(found: Snapshot, tuning: TelephonyTuning) -> Judgement:
    """The firewall opens exactly the plan's range."""
    required = f"ports {tuning.rtp_start} to {tuning.rtp_end}"
    evidence = found.texts.get("rtp", "")
    if found.rtp is None:
        return failed("Asterisk shows no RTP settings", required, evidence)
    judge = passed if found.rtp == (tuning.rtp_start, tuning.rtp_end) else failed
    return judge(f"ports {found.rtp[0]} to {found.rtp[1]}", required, evidence)


@_telephony(
    id="asterisk.rtp",
    title="Media uses the planned ports",
    severity=Severity.HIGH,
    requirements=("R03", "R12"),
    remedy="{install}",
    needs=("asterisk.service", "asterisk.modules.media"),
)
def _rtp(subject: Subject) -> Judgement:
    return judge_rtp(_snapshot(subject), subject.plan.tuning.telephony)


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


@_telephony(
    id="asterisk.http",
    title="Asterisk's HTTP server is closed but for TLS",
    severity=Severity.CRITICAL,
    requirements=("R01", "R02"),
    remedy="{install}",
    needs=("asterisk.service",),
)
def _http(subject: Subject) -> Judgement:
    return judge_http(_snapshot(subject), _port(subject, "wss"))


def judge_ami(found: Snapshot) -> Judgement:
    """Whoever reaches the manager interface can listen in and place calls."""
    required = "the manager interface on the loopback only"
    evidence = found.texts.get("ami", "")
    if not found.ami:
        return failed("the manager interface is off", required, evidence)
    judge = passed if _is_loopback(found.ami) else failed
    return judge(f"on {found.ami}", required, evidence)


@_telephony(
    id="asterisk.ami",
    title="The manager interface is on the loopback",
    severity=Severity.CRITICAL,
    requirements=("C05",),
    remedy="{install}",
    needs=("asterisk.service",),
)
def _ami(subject: Subject) -> Judgement:
    return judge_ami(_snapshot(subject))


def judge_security_log(found: Snapshot) -> Judgement:
    """Without the level SECURITY refused logins leave no trace, and nobody is banned."""
    required = f"level SECURITY goes to {SECURITY_LOG}"
    judge = passed if found.security_log == SECURITY_LOG else failed
    observed = f"goes to {found.security_log}" if found.security_log else "goes nowhere"
    return judge(observed, required, found.texts.get("logger", ""))


@_telephony(
    id="asterisk.security_log",
    title="Refused logins are logged",
    severity=Severity.HIGH,
    requirements=("C05",),
    remedy="{ssh} asterisk -rx 'logger reload' && {install}",
    needs=("asterisk.service",),
)
def _security_log(subject: Subject) -> Judgement:
    return judge_security_log(_snapshot(subject))


def judge_jail(found: Jail) -> Judgement:
    """Addresses that guess passwords are banned."""
    required = f"fail2ban's jail {JAIL} reads {SECURITY_LOG}, and starts at boot"
    if not found.active:
        return failed("the jail is not active", required, found.evidence)
    if found.log_file != SECURITY_LOG:
        return failed(f"the jail reads {found.log_file or 'nothing'}", required, found.evidence)
    return passed(f"active, {len(found.banned)} banned now", required, found.evidence)


@_telephony(
    id="asterisk.jail",
    title="Addresses that guess passwords are banned",
    severity=Severity.HIGH,
    requirements=("C05",),
    # A restart: the unit may run while the jail was stopped by itself.
    remedy="{ssh} systemctl enable fail2ban.service && systemctl restart fail2ban.service",
)
def _jail(subject: Subject) -> Judgement:
    return judge_jail(subject.facts.get(jail))


def judge_limits(found: SipLimits) -> Judgement:
    """A flood of logins or connections is stopped in front of Asterisk."""
    required = "nftables table inet ucontact_sip limits connections and what each of them sends"
    if not found.loaded:
        return failed("the table is not loaded", required, found.evidence)
    if not found.limiting:
        told = "the kernel can't limit connections by source (Linux 4.18, nftables 0.9)"
        return warned(told, required, found.evidence)
    return passed("the table is loaded", required)


@_telephony(
    id="asterisk.limits",
    title="SIP connections are limited",
    severity=Severity.HIGH,
    requirements=("C05",),
    remedy="{ssh} systemctl restart ucontact-sip.service fail2ban.service",
)
def _limits(subject: Subject) -> Judgement:
    return judge_limits(subject.facts.get(sip_limits))


def judge_records(found: Snapshot, path: RecordsPath) -> Judgement:
    """R16: call records reach the table by Asterisk's own account, DSN and TLS."""
    required = "backend ODBC, and its account reaches ccdata.cdr"
    if "odbc" not in found.cdr_backends:
        return failed("Asterisk has no ODBC backend for call records", required, found.texts["cdr"])
    if not path.reached:
        return failed("the table can't be reached", required, path.evidence)
    return passed(f"reached; backends {', '.join(found.cdr_backends)}", required, path.evidence)


@_telephony(
    id="asterisk.records",
    title="Call records reach the database",
    severity=Severity.HIGH,
    requirements=("R16", "R19"),
    remedy="{ssh} runuser -u asterisk -- isql -b -v ucontact-ccdata </dev/null  # then: {install}",
    # It verifies MySQL's certificate by the root that lies there.
    needs=("asterisk.service", "mysql.answers", "certificates.internal"),
)
def _records(subject: Subject) -> Judgement:
    return judge_records(_snapshot(subject), subject.facts.get(records_path))


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


@_telephony(
    id="asterisk.recordings",
    title="Asterisk can write recordings",
    severity=Severity.CRITICAL,
    requirements=("R05", "R25"),
    remedy="{install}",
)
def _recordings(subject: Subject) -> Judgement:
    found = subject.facts.get(file_system, RECORDINGS)
    read_only = found is not None and found.read_only
    return judge_recordings(subject.facts.get(recordings_folder), read_only)


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


@_telephony(
    id="asterisk.trunks",
    title="The provider's trunks answer",
    severity=Severity.CRITICAL,
    requirements=("R04",),
    remedy="{ssh} asterisk -rx 'pjsip show contacts'  # is the provider reachable?",
    needs=("asterisk.service", "asterisk.endpoints"),
)
def _trunks(subject: Subject) -> Judgement:
    return judge_trunks(_snapshot(subject), subject.site.telephony.trunks)


def spread(names: Sequence[str], most: int = _MOST_LOOKED_AT) -> tuple[str, ...]:
    """At most so many of the names, the first and the last among them, evenly between."""
    if len(names) <= most:
        return tuple(names)
    step = (len(names) - 1) / (most - 1)
    return tuple(names[round(index * step)] for index in range(most))


def _port(subject: Subject, port_id: str) -> int:
    rows = ports_for(subject.site, subject.plan, subject.plan.host(subject.host.name))
    return next(row.first for row in rows if row.id == port_id)


def _trunk_names(subject: Subject) -> tuple[str, ...]:
    return tuple(f"trunk-{trunk.name}" for trunk in subject.site.telephony.trunks)


def _extensions(subject: Subject) -> Endpoints:
    looked_at = spread(subject.site.telephony.extensions)
    return {name: settings for name, settings in _all(subject).items() if name in looked_at}


def _all(subject: Subject) -> Endpoints:
    names = (*spread(subject.site.telephony.extensions), *_trunk_names(subject))
    return subject.facts.get(endpoint_settings, names)


def _snapshot(subject: Subject) -> Snapshot:
    return subject.facts.get(snapshot)


CHECKS = checks_of(globals())
