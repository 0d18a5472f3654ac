from __future__ import annotations

import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.facts.asterisk import (
    AsteriskState,
    Contact,
    Transport,
    parse_applications,
    parse_backends,
    parse_contacts,
    parse_endpoints,
    parse_folder,
    parse_jail,
    parse_registrations,
    parse_security_log,
    parse_service,
    parse_settings,
    parse_snapshot,
    parse_version,
)
from ucontact_appliance.facts.host import sections

SUITES = ("sid", "bullseye")


def a_snapshot(suite: str) -> AsteriskState:
    return parse_snapshot(sections(recorded(f"asterisk_snapshot-{suite}")))


@pytest.mark.parametrize("suite", SUITES)
def test_service(suite: str) -> None:
    found = parse_service(sections(recorded(f"asterisk_service-{suite}")))
    assert (found.state, found.enabled, found.answers) == ("active", "enabled", True)


def test_a_stopped_service() -> None:
    found = parse_service(
        {
            "unit": "ActiveState=inactive\nUnitFileState=enabled\n",
            "uptime": "Unable to connect to remote asterisk (does /var/run/asterisk.ctl exist?)",
        }
    )
    assert (found.state, found.answers) == ("inactive", False)


@pytest.mark.parametrize(("suite", "version"), [("sid", "22.10.1"), ("bullseye", "16.28.0")])
def test_version(suite: str, version: str) -> None:
    assert a_snapshot(suite).version.startswith(version)


def test_the_vendors_version_may_be_unknown() -> None:
    assert parse_version("Asterisk UNKNOWN__and_probably_unsupported built by root @ x") == (
        "UNKNOWN__and_probably_unsupported"
    )


@pytest.mark.parametrize("suite", SUITES)
def test_transports(suite: str) -> None:
    assert a_snapshot(suite).transports == (
        Transport("transport-tcp", "tcp", 3, 96, "0.0.0.0", 5060),
        Transport("transport-tls", "tls", 3, 96, "0.0.0.0", 5061),
        Transport("transport-udp", "udp", 3, 96, "0.0.0.0", 5060),
        Transport("transport-wss", "wss", 0, 0, "0.0.0.0", 8089),
    )


@pytest.mark.parametrize(("suite", "trunk"), [("sid", "carrier"), ("bullseye", "uplink")])
def test_endpoints_and_contacts(suite: str, trunk: str) -> None:
    found = a_snapshot(suite)
    assert found.endpoints == ("6001", "6002", f"trunk-{trunk}")
    peer = "10.215.0.12" if suite == "sid" else "10.215.0.11"
    assert found.contacts == (Contact(f"trunk-{trunk}", f"sip:{peer}:5060", "Avail"),)


def test_an_endpoint_without_contact() -> None:
    assert parse_endpoints(" Endpoint:  6001/6001      Unavailable   0 of inf\n") == ("6001",)
    assert parse_contacts(
        "  Contact:  6001/sip:x@10.0.0.1:4000;transport=ws  ab12 NonQual  nan"
    ) == (Contact("6001", "sip:x@10.0.0.1:4000;transport=ws", "NonQual"),)


def test_registrations() -> None:
    text = (
        " <Registration/ServerURI..............................>  <Auth....>  <Status.......>\n"
        "==========================================================================================\n"
        " trunk-carrier/sip:198.51.100.7:5060                     trunk-carrier  Registered        "
        "(exp. 545s)\n"
        " trunk-other/sips:sip.example.com:5061                   trunk-other    Rejected\n"
    )
    assert parse_registrations(text) == {"trunk-carrier": "Registered", "trunk-other": "Rejected"}
    assert a_snapshot("sid").registrations == {}


@pytest.mark.parametrize("suite", SUITES)
def test_what_the_server_is_set_to(suite: str) -> None:
    found = a_snapshot(suite)
    assert found.rtp == (10000, 10800)
    assert (found.plain_http, found.https) == ("127.0.0.1:8088", "0.0.0.0:8089")
    assert found.ami == "127.0.0.1:5038"
    assert found.security_log == "/var/log/asterisk/security"
    assert found.cdr_backends == ("odbc", "csv")
    assert found.descriptors == 8192
    assert found.session_limit == 120
    assert found.sessions_used == 0


@pytest.mark.parametrize("suite", SUITES)
def test_modules_applications_and_contexts(suite: str) -> None:
    found = a_snapshot(suite)
    assert "chan_pjsip.so" in found.modules
    assert "chan_sip.so" not in found.modules
    assert {"Echo", "Dial", "MixMonitor"} <= set(found.applications)
    assert {"internal", "from-trunks", "record"} <= set(found.contexts)


def test_a_loaded_module_that_does_not_run_is_none() -> None:
    text = "chan_sip.so   Session Initiation Protocol (SIP)   0          Not Running     extended\n"
    assert parse_snapshot({"modules": text}).modules == ()


def test_applications() -> None:
    assert parse_applications("        VirtualHold: Hold a place in the queue.\n") == (
        "VirtualHold",
    )


def test_suspended_backends_do_not_count() -> None:
    text = "* Registered Backends\n  -----\n    Adaptive ODBC\n    cdr_manager (suspended) \n"
    assert parse_backends(text) == ("adaptive odbc",)


def test_a_disabled_security_log_does_not_count() -> None:
    line = "/var/log/asterisk/security          File     default    Disabled    - SECURITY \n"
    assert parse_security_log(line) == ""


def test_nothing_of_a_server_that_does_not_answer() -> None:
    found = parse_snapshot({"version": "Unable to connect to remote asterisk"})
    assert (found.version, found.transports, found.rtp, found.descriptors) == ("", (), None, None)


@pytest.mark.parametrize(("suite", "trunk"), [("sid", "carrier"), ("bullseye", "uplink")])
def test_settings_of_endpoints(suite: str, trunk: str) -> None:
    parts = sections(recorded(f"asterisk_endpoints-{suite}"))
    extension = parse_settings(parts["6001"])
    assert extension["allow"] == "(opus|alaw|ulaw|vp8|h264)"
    assert extension["media_encryption"] == "dtls"
    assert (extension["tos_audio"], extension["cos_audio"]) == ("184", "5")
    assert "ParameterName" not in extension
    assert parse_settings(parts[f"trunk-{trunk}"])["allow"] == "(alaw|ulaw)"


@pytest.mark.parametrize("suite", SUITES)
def test_jail(suite: str) -> None:
    found = parse_jail(sections(recorded(f"asterisk_jail-{suite}")))
    assert found.active
    assert found.log_file == "/var/log/asterisk/security"


def test_no_jail() -> None:
    said = "ERROR   NOK: ('ucontact-asterisk',)\nSorry but the jail does not exist"
    there = recorded("asterisk_jail-sid").split("---- connections")[0]
    parts = {"jail": there, "connections": there, "datagrams": there, "unit": "enabled\n"}
    assert parse_jail(parts).active
    assert not parse_jail(parts | {"jail": said}).active
    assert not parse_jail(parts | {"connections": said}).active
    assert not parse_jail(parts | {"datagrams": said}).active


def test_recordings_folder() -> None:
    found = parse_folder(sections(recorded("asterisk_folder-sid")))
    assert (found.mode, found.owner, found.writable) == ("750", "asterisk", True)
    gone = parse_folder({"stat": "stat: cannot statx '/var/…': No such file", "write": "no\n"})
    assert (gone.mode, gone.writable) == ("", False)
