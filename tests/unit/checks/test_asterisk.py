from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.checks import (
    asterisk,
    asterisk_records,
    asterisk_security,
    asterisk_settings,
    sip,
    trunks,
)
from ucontact_appliance.checks.model import Judgement, Verdict
from ucontact_appliance.facts.asterisk import (
    VENDOR_APPLICATIONS,
    AsteriskService,
    AsteriskState,
    Contact,
    Jail,
    RecordingsFolder,
    RecordsPath,
    Settings,
    SipLimits,
    parse_settings,
    parse_snapshot,
    parse_wss_marks,
)
from ucontact_appliance.facts.host import sections
from ucontact_appliance.planning.model import TelephonyTuning
from ucontact_appliance.site.qos import Qos
from ucontact_appliance.site.trunks import Trunk, TrunkModel, TrunkTransport

TUNING = TelephonyTuning(
    max_calls=60,
    session_limit=120,
    connections_per_source=40,
    file_descriptors=8192,
    rtp_start=10000,
    rtp_end=10800,
)
WANTED = {"wss": 8089, "udp": 5060, "tcp": 5060, "tls": 5061}
MARKS = parse_wss_marks(
    "tcp sport 8089 meta priority set 0:3\n"
    "tcp sport 8089 ip dscp set cs3 counter packets 125 bytes 27426\n"
    "tcp sport 8089 ip6 dscp set cs3 counter packets 0 bytes 0\n"
)
QOS = Qos()
CARRIER = Trunk(name="carrier", host="10.215.0.12")


@pytest.fixture(params=["sid", "bullseye"])
def found(request: pytest.FixtureRequest) -> AsteriskState:
    return parse_snapshot(sections(recorded(f"asterisk_snapshot-{request.param}")))


@pytest.fixture(params=["sid", "bullseye"])
def endpoints(request: pytest.FixtureRequest) -> dict[str, Settings]:
    parts = sections(recorded(f"asterisk_endpoints-{request.param}"))
    return {name: parse_settings(text) for name, text in parts.items()}


def fails(judgement: Judgement, word: str) -> None:
    assert judgement.verdict is Verdict.FAIL
    assert word in judgement.observed


JUDGES: dict[str, Callable[[AsteriskState], Judgement]] = {
    "transports": lambda s: sip.judge_transports(s, WANTED),
    "endpoints": lambda s: sip.judge_endpoints(s, ("6001", "6002")),
    "anonymous": sip.judge_anonymous,
    "dialplan": asterisk_settings.judge_dialplan,
    "drivers": asterisk_settings.judge_drivers,
    "qos_text": lambda s: sip.judge_qos_text(s, MARKS, QOS),
    "sessions": lambda s: asterisk_settings.judge_sessions(s, TUNING),
    "descriptors": lambda s: asterisk_settings.judge_descriptors(s, TUNING),
    "sessions_free": asterisk_settings.judge_sessions_free,
    "rtp": lambda s: asterisk_settings.judge_rtp(s, TUNING),
    "http": lambda s: asterisk_security.judge_http(s, 8089),
    "ami": asterisk_security.judge_ami,
    "security_log": asterisk_security.judge_security_log,
    "records": lambda s: asterisk_records.judge_records(s, RecordsPath(True, "")),
}

# A fault, and the one check that it makes fail.
FAULTS: dict[str, tuple[str, Callable[[AsteriskState], AsteriskState]]] = {
    "a transport is lost": ("transports", lambda s: replace(s, transports=s.transports[1:])),
    "an extension is lost": ("endpoints", lambda s: replace(s, endpoints=s.endpoints[1:])),
    "an anonymous endpoint": (
        "anonymous",
        lambda s: replace(s, endpoints=(*s.endpoints, "anonymous")),
    ),
    "the module for anonymous callers": (
        "anonymous",
        lambda s: replace(s, modules=(*s.modules, "res_pjsip_endpoint_identifier_anonymous.so")),
    ),
    "an example context": ("dialplan", lambda s: replace(s, contexts=(*s.contexts, "demo"))),
    "no echo test": (
        "dialplan",
        lambda s: replace(s, texts={**s.texts, "dialplan": ""}),
    ),
    "chan_sip": ("drivers", lambda s: replace(s, modules=(*s.modules, "chan_sip.so"))),
    "no chan_pjsip": ("drivers", lambda s: replace(s, modules=())),
    "unmarked transports": (
        "qos_text",
        lambda s: replace(s, transports=tuple(replace(t, tos=0) for t in s.transports)),
    ),
    "too few sessions": ("sessions", lambda s: replace(s, session_limit=100)),
    "the default of sessions": ("sessions", lambda s: replace(s, session_limit=None)),
    "no session left": ("sessions_free", lambda s: replace(s, sessions_used=120)),
    "too few descriptors": ("descriptors", lambda s: replace(s, descriptors=1024)),
    "other RTP ports": ("rtp", lambda s: replace(s, rtp=(10000, 20000))),
    "HTTPS off": ("http", lambda s: replace(s, https="")),
    "plain HTTP for all": ("http", lambda s: replace(s, plain_http="0.0.0.0:8088")),
    "AMI for all": ("ami", lambda s: replace(s, ami="0.0.0.0:5038")),
    "AMI off": ("ami", lambda s: replace(s, ami="")),
    "no security log": ("security_log", lambda s: replace(s, security_log="")),
    "no ODBC backend": ("records", lambda s: replace(s, cdr_backends=("csv",))),
}


@pytest.mark.parametrize("name", JUDGES)
def test_a_good_server_passes(name: str, found: AsteriskState) -> None:
    judgement = JUDGES[name](found)
    assert judgement.verdict is Verdict.PASS, judgement.observed


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_fails_its_own_check_only(fault: str, found: AsteriskState) -> None:
    guilty, spoil = FAULTS[fault]
    spoilt = spoil(found)
    failing = {name for name, judge in JUDGES.items() if judge(spoilt).verdict is Verdict.FAIL}
    assert failing == {guilty}


def test_every_judge_has_a_fault() -> None:
    assert {guilty for guilty, _ in FAULTS.values()} == set(JUDGES)


def test_unmarked_websockets(found: AsteriskState) -> None:
    fails(sip.judge_qos_text(found, parse_wss_marks(""), QOS), "WSS is not marked")


@pytest.mark.parametrize(
    ("signalling", "wrong"),
    [
        ({"tos": "cs4"}, ["transport-udp: DSCP 24, COS 3", "WSS: DSCP 24, COS 3"]),
        ({"cos": 0}, ["transport-tls: DSCP 24, COS 3", "WSS: DSCP 24, COS 3"]),
    ],
)
def test_signalling_is_judged_by_the_sites_marks(
    found: AsteriskState, signalling: dict[str, object], wrong: list[str]
) -> None:
    wanted = Qos.model_validate({"signalling": signalling})
    for text in wrong:
        fails(sip.judge_qos_text(found, MARKS, wanted), text)


def test_websockets_are_judged_apart(found: AsteriskState) -> None:
    one_family = replace(MARKS, dscp=(24, 26))
    fails(sip.judge_qos_text(found, one_family, QOS), "WSS: DSCP 24, 26, COS 3")
    fails(sip.judge_qos_text(found, replace(MARKS, priorities=(4,)), QOS), "WSS: DSCP 24, COS 4")


@pytest.mark.parametrize(
    ("text", "dscp", "priorities"),
    [
        ("ip dscp set cs3\nip6 dscp set cs3\nmeta priority set 0:3", (24, 24), (3,)),
        ("ip dscp set 0x19\nip6 dscp set 0x19\nmeta priority set none", (25, 25), (0,)),
        ("ip dscp set af41", (34,), ()),
        ("", (), ()),
    ],
)
def test_what_nftables_prints_of_marks(
    text: str, dscp: tuple[int, ...], priorities: tuple[int, ...]
) -> None:
    read = parse_wss_marks(text)
    assert (read.dscp, read.priorities) == (dscp, priorities)


def test_stock_asterisk_is_named(found: AsteriskState) -> None:
    judgement = asterisk.judge_build(found, is_wanted=False)
    assert judgement.verdict is Verdict.WARN
    assert found.version in judgement.observed
    assert all(name in judgement.observed for name in VENDOR_APPLICATIONS)


def test_stock_asterisk_fails_where_site_yml_names_the_vendors(found: AsteriskState) -> None:
    judgement = asterisk.judge_build(found, is_wanted=True)
    fails(judgement, "stock Asterisk")
    assert "telephony.source" in judgement.remedy


def test_the_vendors_build_is_known_by_its_applications(found: AsteriskState) -> None:
    vendor = replace(found, applications=(*found.applications, *VENDOR_APPLICATIONS))
    for is_wanted in (True, False):
        assert asterisk.judge_build(vendor, is_wanted=is_wanted).verdict is Verdict.PASS
    broken = replace(vendor, applications=tuple(a for a in vendor.applications if a != "GUID"))
    judgement = asterisk.judge_build(broken, is_wanted=False)
    fails(judgement, "lacks GUID")
    assert judgement.evidence.endswith("missing: GUID")


def test_service() -> None:
    good = AsteriskService("active", "enabled", "System uptime: 3 minutes", "")
    assert asterisk.judge_service(good).verdict is Verdict.PASS
    fails(asterisk.judge_service(replace(good, state="inactive")), "inactive")
    fails(asterisk.judge_service(replace(good, uptime="Unable to connect")), "does not respond")
    fails(asterisk.judge_service(replace(good, enabled="disabled")), "boot")


def test_a_masked_unit_is_unmasked_by_the_remedy() -> None:
    masked = asterisk.judge_service(AsteriskService("inactive", "masked", "", ""))
    fails(masked, "masked")
    assert masked.remedy.startswith("{ssh} systemctl unmask asterisk.service && ")


def test_settings_of_endpoints(endpoints: dict[str, Settings]) -> None:
    extension = {"6001": endpoints["6001"]}
    assert sip.judge_codecs(extension, ["opus", "alaw"], ["vp8"]).verdict is Verdict.PASS
    assert sip.judge_media(extension).verdict is Verdict.PASS
    assert sip.judge_qos(endpoints, QOS).verdict is Verdict.PASS
    fails(sip.judge_codecs(extension, ["g722"], []), "6001 lacks g722")


@pytest.mark.parametrize("option", ["tos_audio", "cos_audio", "tos_video", "cos_video"])
def test_an_unmarked_trunk(option: str, endpoints: dict[str, Settings]) -> None:
    trunk = next(name for name in endpoints if name.startswith("trunk-"))
    spoilt = {**endpoints, trunk: {**endpoints[trunk], option: "0"}}
    fails(sip.judge_qos(spoilt, QOS), f"{trunk}: {option} is 0")


def test_media_is_judged_by_the_sites_marks(endpoints: dict[str, Settings]) -> None:
    other = Qos.model_validate({"audio": {"tos": "cs5"}, "video": {"cos": 2}})
    judgement = sip.judge_qos(endpoints, other)
    fails(judgement, "6001: tos_audio is 184")
    fails(judgement, "6001: cos_video is 4")
    marked = {
        name: {**settings, "tos_audio": "160", "cos_video": "2"}
        for name, settings in endpoints.items()
    }
    assert sip.judge_qos(marked, other).verdict is Verdict.PASS
    unmarked = Qos.model_validate({"audio": {"tos": 0, "cos": 0}})
    none = {name: {**s, "tos_audio": "0", "cos_audio": "0"} for name, s in endpoints.items()}
    assert sip.judge_qos(none, unmarked).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("media_encryption", "no"),
        ("ice_support", "false"),
        ("rtcp_mux", "false"),
        ("dtls_cert_file", ""),
    ],
)
def test_unprotected_media(option: str, value: str, endpoints: dict[str, Settings]) -> None:
    fails(sip.judge_media({"6001": {**endpoints["6001"], option: value}}), "6001")


def test_an_unknown_endpoint_has_no_codecs() -> None:
    fails(sip.judge_codecs({"6001": {}}, ["opus"], []), "6001 lacks opus")


def test_jail() -> None:
    good = Jail(True, "/var/log/asterisk/security", ("192.0.2.7",), "")
    assert asterisk_security.judge_jail(good).verdict is Verdict.PASS
    fails(asterisk_security.judge_jail(replace(good, active=False)), "not active")
    fails(
        asterisk_security.judge_jail(replace(good, log_file="/var/log/messages")),
        "/var/log/messages",
    )


def test_records_out_of_reach(found: AsteriskState) -> None:
    fails(asterisk_records.judge_records(found, RecordsPath(False, "no server")), "not accessible")


def test_recordings() -> None:
    good = RecordingsFolder("750", "asterisk", True, "")
    assert asterisk_records.judge_recordings(good).verdict is Verdict.PASS
    fails(asterisk_records.judge_recordings(replace(good, writable=False)), "write")
    fails(asterisk_records.judge_recordings(replace(good, mode="755")), "755")


def test_trunks() -> None:
    found = parse_snapshot(sections(recorded("asterisk_snapshot-sid")))
    assert trunks.judge_trunks(found, ()).verdict is Verdict.SKIP
    assert trunks.judge_trunks(found, (CARRIER,)).verdict is Verdict.PASS
    gone = replace(found, contacts=(Contact("trunk-carrier", "sip:10.215.0.12:5060", "Unavail"),))
    fails(trunks.judge_trunks(gone, (CARRIER,)), "carrier is unavail")
    new = replace(found, contacts=(Contact("trunk-carrier", "sip:10.215.0.12:5060", "NonQual"),))
    assert trunks.judge_trunks(new, (CARRIER,)).verdict is Verdict.WARN
    account = CARRIER.model_copy(update={"username": "100", "register_account": True})
    fails(trunks.judge_trunks(found, (account,)), "not registered")
    registered = replace(found, registrations={"trunk-carrier": "Registered"})
    assert trunks.judge_trunks(registered, (account,)).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("model", "advice"), [("dinstar", "IP Trunk"), ("khomp", "NAP"), ("gateway", "SIP server")]
)
def test_a_silent_gateway_is_told_with_the_names_of_its_pages(model: str, advice: str) -> None:
    found = parse_snapshot(sections(recorded("asterisk_snapshot-sid")))
    gateway = CARRIER.model_copy(update={"model": TrunkModel(model)})
    assert trunks.judge_trunks(found, (gateway,)).verdict is Verdict.PASS
    gone = replace(found, contacts=(Contact("trunk-carrier", "sip:10.215.0.12:5060", "Unavail"),))
    fails(trunks.judge_trunks(gone, (gateway,)), advice)


def test_settings_of_trunks() -> None:
    has = {"allow": "(alaw|ulaw)", "dtmf_mode": "auto", "t38_udptl": "true"}
    gateway = CARRIER.model_copy(update={"model": TrunkModel.GATEWAY})
    assert trunks.judge_settings({}, ()).verdict is Verdict.SKIP
    assert trunks.judge_settings({"trunk-carrier": has}, (gateway,)).verdict is Verdict.PASS
    for key, value in (("allow", "(ulaw)"), ("dtmf_mode", "rfc4733"), ("t38_udptl", "false")):
        other = {"trunk-carrier": {**has, key: value}}
        fails(
            trunks.judge_settings(other, (gateway,)), f"carrier: {key} is {value}, not {has[key]}"
        )
    fails(trunks.judge_settings({}, (gateway,)), "carrier: allow is -")
    provider = {"trunk-carrier": {**has, "dtmf_mode": "rfc4733", "t38_udptl": "false"}}
    assert trunks.judge_settings(provider, (CARRIER,)).verdict is Verdict.PASS


def test_a_trunk_whose_provider_connects() -> None:
    found = parse_snapshot(sections(recorded("asterisk_snapshot-sid")))
    webrtc = Trunk(name="webrtc", transport=TrunkTransport.WSS, username="sbc")
    absent = trunks.judge_trunks(found, (CARRIER, webrtc))
    assert (absent.verdict, absent.observed) == (Verdict.WARN, "webrtc is not connected")
    contact = Contact("sbc", "sip:sbc@192.0.2.7:50123;transport=ws", "Avail")
    connected = replace(found, contacts=(*found.contacts, contact))
    assert trunks.judge_trunks(connected, (CARRIER, webrtc)).verdict is Verdict.PASS
    silent = replace(found, contacts=(*found.contacts, replace(contact, status="Unavail")))
    fails(trunks.judge_trunks(silent, (CARRIER, webrtc)), "webrtc is unavail")
    both = replace(found, contacts=(Contact("trunk-carrier", "sip:10.215.0.12", "Unavail"),))
    fails(trunks.judge_trunks(both, (CARRIER, webrtc)), "carrier is unavail; webrtc is not conn")


def test_limits_in_front_of_sip() -> None:
    good = SipLimits(loaded=True, limiting=True, evidence="")
    assert asterisk_security.judge_limits(good).verdict is Verdict.PASS
    assert asterisk_security.judge_limits(replace(good, limiting=False)).verdict is Verdict.WARN
    fails(asterisk_security.judge_limits(replace(good, loaded=False)), "not loaded")


def test_many_extensions_are_sampled() -> None:
    names = [str(number) for number in range(6001, 6501)]
    looked_at = sip.spread(names)
    assert len(looked_at) == 5
    assert (looked_at[0], looked_at[-1]) == ("6001", "6500")
    assert sip.spread(names[:3]) == ("6001", "6002", "6003")


def test_a_stopped_asterisk_blocks_all_that_ask_it() -> None:
    alone = {"asterisk.service", "asterisk.jail", "asterisk.limits", "asterisk.recordings"}
    modules = (asterisk, sip, asterisk_settings, asterisk_security, asterisk_records, trunks)
    for check in (one for module in modules for one in module.CHECKS):
        assert ("asterisk.service" in check.needs) == (check.id not in alone), check.id


def test_a_ceiling_below_the_plan_warns_while_the_calls_fit(found: AsteriskState) -> None:
    ceiling = replace(found, descriptors=5000)
    assert asterisk_settings.judge_descriptors(ceiling, TUNING).verdict is Verdict.WARN


@pytest.mark.parametrize(
    ("used", "limit", "verdict"),
    [
        (95, 120, Verdict.PASS),
        (96, 120, Verdict.WARN),
        (119, 120, Verdict.WARN),
        (120, 120, Verdict.FAIL),
        (100, None, Verdict.FAIL),
    ],
)
def test_sessions_run_out(
    found: AsteriskState, used: int, limit: int | None, verdict: Verdict
) -> None:
    judgement = asterisk_settings.judge_sessions_free(
        replace(found, sessions_used=used, session_limit=limit)
    )
    assert judgement.verdict is verdict
