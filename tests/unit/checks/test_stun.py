from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.checks.subjects import subjects
from tests.unit.facts.outputs import recorded
from ucontact_appliance.checks import stun
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.clients.stun import Allocation, Binding
from ucontact_appliance.facts.stun import FORBIDDEN_PEERS, Relay, StunResult
from ucontact_appliance.facts.unit import parse_unit

SERVER = "udp:192.0.2.1:3478"
RELAYED = "192.0.2.1"
GOOD = Relay(SERVER, Allocation(0, RELAYED, ((RELAYED, 0),), 49160))
PORTS = (49152, 49200)


def relay(*permissions: tuple[str, int]) -> Relay:
    return Relay(SERVER, Allocation(0, "198.51.100.4", permissions))


@pytest.mark.parametrize(
    ("record", "verdict", "remedy"),
    [
        ("unit_coturn-bullseye", Verdict.PASS, ""),
        ("unit_stopped-sid", Verdict.FAIL, ""),
        ("unit_missing-bullseye", Verdict.FAIL, "{install}"),
    ],
)
def test_service(record: str, verdict: Verdict, remedy: str) -> None:
    found = stun.judge_service(parse_unit("coturn.service", recorded(record)))
    assert found.verdict is verdict
    assert found.remedy == remedy


def test_service_that_would_not_come_back() -> None:
    found = parse_unit("coturn.service", recorded("unit_coturn-bullseye"))
    judged = stun.judge_service(replace(found, enabled="disabled"))
    assert judged.verdict is Verdict.FAIL
    assert judged.remedy == "{ssh} systemctl enable coturn.service"


def test_a_masked_unit_is_unmasked_by_the_remedy() -> None:
    found = parse_unit("coturn.service", recorded("unit_coturn-bullseye"))
    judged = stun.judge_service(replace(found, loaded="masked", active="inactive"))
    assert judged.verdict is Verdict.FAIL
    assert "masked" in judged.observed
    assert judged.remedy.startswith("{ssh} systemctl unmask coturn.service && ")


def test_binding() -> None:
    here = StunResult(SERVER, Binding("192.0.2.9", "192.0.2.9", 0.9))
    assert stun.judge_binding(here).verdict is Verdict.PASS
    behind = StunResult(SERVER, Binding("203.0.113.5", "192.0.2.9", 0.9))
    assert stun.judge_binding(behind).verdict is Verdict.WARN
    silent = stun.judge_binding(StunResult(SERVER, None, "no answer within 4 s"))
    assert silent.verdict is Verdict.FAIL
    assert "4 s" in silent.evidence


def test_tls() -> None:
    good = StunResult(SERVER, Binding("192.0.2.9", "192.0.2.9", 4.0))
    assert stun.judge_tls(good, "a.example").verdict is Verdict.PASS
    bad = stun.judge_tls(StunResult(SERVER, None, "CERTIFICATE_VERIFY_FAILED"), "a.example")
    assert bad.verdict is Verdict.FAIL
    assert "VERIFY_FAILED" in bad.evidence


@pytest.mark.parametrize(
    ("error", "verdict"), [(401, Verdict.PASS), (0, Verdict.FAIL), (508, Verdict.WARN)]
)
def test_those_without_a_right_are_refused(error: int, verdict: Verdict) -> None:
    found = Relay(SERVER, Allocation(error, RELAYED if not error else ""))
    assert stun.judge_refused(found, "a client without a credential").verdict is verdict


def test_silence_is_no_refusal() -> None:
    assert stun.judge_refused(Relay(SERVER, None, "no answer"), "x").verdict is Verdict.FAIL


def test_relay() -> None:
    assert stun.judge_relay(GOOD, *PORTS).verdict is Verdict.PASS
    assert stun.judge_relay(Relay(SERVER, Allocation(401)), *PORTS).observed == "error 401"
    assert stun.judge_relay(Relay(SERVER, None, "no answer"), *PORTS).verdict is Verdict.FAIL
    beside = stun.judge_relay(GOOD, 50000, 50100)
    assert (beside.verdict, "port 49160, which" in beside.observed) == (Verdict.FAIL, True)
    walled = stun.judge_relay(relay(("198.51.100.4", 403)), *PORTS)
    assert walled.verdict is Verdict.FAIL
    assert "403" in walled.observed


def test_each_peer_that_is_not_refused_is_named() -> None:
    refused = [(peer, 403) for peer in FORBIDDEN_PEERS]
    assert stun.judge_peers(relay(*refused)).verdict is Verdict.PASS
    for index, peer in enumerate(FORBIDDEN_PEERS):
        opened = [*refused[:index], (peer, 0), *refused[index + 1 :]]
        found = stun.judge_peers(relay(*opened))
        assert found.verdict is Verdict.FAIL
        assert found.observed == f"relayed to {peer}"


def test_without_a_relay_nothing_is_claimed_of_peers() -> None:
    assert stun.judge_peers(Relay(SERVER, Allocation(401))).verdict is Verdict.SKIP


def test_without_the_secret_the_relay_is_not_judged() -> None:
    judge = {check.id: check.judge for check in stun.CHECKS}["stun.relay"]
    assert judge(subjects()[0]).verdict is Verdict.SKIP
