"""Which calls are placed, and that they are told apart and take nothing back but their traces."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Sequence

import pytest

from tests.unit.checks.subjects import FakeRunner
from tests.unit.sites import small_site
from ucontact_appliance.clients.calls import REFLEXIVE, RELAY, CallRequest
from ucontact_appliance.facts import deep_calls
from ucontact_appliance.facts.call import Attempt
from ucontact_appliance.facts.deep_calls import (
    codec_calls,
    keeps_marks,
    video_calls,
    way_calls,
)
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.facts.source import ProbeContext

_CALLER = ("6001", "hunter2hunter2", "/ca.pem")
_MARK = "0123456789ab"


def _reach(text: str = "") -> ProbeContext:
    def answer(argv: Sequence[str]) -> Completed:
        return Completed(tuple(argv), 0, text, "", 0.0)

    site = small_site()
    return ProbeContext(site, site.hosts[0], FakeRunner(answer), _MARK)


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> list[CallRequest]:
    requests: list[CallRequest] = []

    def attempted(reach: ProbeContext, request: CallRequest) -> Attempt:
        requests.append(request)
        return Attempt(None, "answered", "nobody is there", (), "")

    monkeypatch.setattr(deep_calls, "attempted", attempted)
    return requests


def test_each_codec_is_offered_alone_and_carries_speech(placed: list[CallRequest]) -> None:
    found = codec_calls(_reach(), _CALLER, ("opus", "alaw", "ulaw"))
    assert [one.name for one in found] == ["opus", "alaw", "ulaw"]
    assert [request.codecs for request in placed] == [("opus",), ("PCMA",), ("PCMU",)]
    assert all(request.speech for request in placed)


def test_stun_and_turn_are_asked_at_the_sites_own_server(placed: list[CallRequest]) -> None:
    found = way_calls(_reach(), _CALLER, 3478, "turn-secret")
    assert [one.name for one in found] == [REFLEXIVE, RELAY]
    ways = {request.route.kind: request.route for request in placed}
    assert ways[REFLEXIVE].server == ways[RELAY].server == f"{_reach().address}:3478"
    assert ways[REFLEXIVE].credential is None
    credential = ways[RELAY].credential
    assert credential is not None
    made = hmac.new(b"turn-secret", credential.user.encode(), hashlib.sha1).digest()
    assert credential.password == b64encode(made).decode()


def test_pictures_are_sent_by_each_video_codec(placed: list[CallRequest]) -> None:
    video_calls(_reach(), _CALLER, ("vp8", "h264"), 5)
    assert {request.video for request in placed} == {"VP8", "H264"}


def test_every_call_has_a_mark_of_its_own_that_an_account_code_holds(
    placed: list[CallRequest],
) -> None:
    codec_calls(_reach(), _CALLER, ("opus", "alaw", "ulaw"))
    way_calls(_reach(), _CALLER, 3478, "turn-secret")
    video_calls(_reach(), _CALLER, ("vp8", "h264"), 5)
    marks = [request.mark for request in placed]
    assert len(set(marks)) == len(marks) == 7
    assert all(mark.startswith(_MARK) and mark.isalnum() and len(mark) <= 20 for mark in marks)
    assert not any(request.registers for request in placed)


def test_an_earlier_versions_dialplan_keeps_no_mark() -> None:
    line = "1. Set(LOCAL(mark)=${FILTER(0-9a-z,${PJSIP_HEADER(read,X-uContact-Doctor)})})"
    assert keeps_marks(_reach(line))
    assert not keeps_marks(_reach("There is no existence of 'mark' context"))
