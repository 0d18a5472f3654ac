from dataclasses import replace
from datetime import date

import pytest

from tests.unit.findings.test_changes import finding
from ucontact_appliance.checks.call import (
    call_result,
    judge_answer,
    judge_codec,
    judge_dtls,
    judge_register,
    judge_tone,
    least_used,
)
from ucontact_appliance.checks.call_traces import (
    CHECKS,
    judge_recording,
    judge_row,
    still_registered,
)
from ucontact_appliance.checks.model import AppliedWaiver, Judgement, Verdict
from ucontact_appliance.clients.audio import ToneHeard
from ucontact_appliance.clients.calls import (
    ANSWERED,
    CONNECTED_MEDIA,
    CONNECTED_TLS,
    HEARD,
    REGISTERED,
    STEPS,
    CallRecord,
    Media,
)
from ucontact_appliance.facts.asterisk import Contact
from ucontact_appliance.facts.call import Attempt, CallRow, Recording

_HEARD = ToneHeard(seconds=3.0, total_seconds=3.1, level_dbfs=-10.5, share=0.99)
_MEDIA = Media(sent=160, received=160, lost=0, jitter=0.001, round_trip=0.002, lost_there=0)
_RECORD = CallRecord(
    number="*43",
    local_port=43376,
    steps=tuple((step, 0.01) for step in STEPS),
    offered=("opus", "pcmu", "pcma"),
    answered=("opus", "pcmu"),
    dtls="connected",
    srtp="SRTP_AES128_CM_SHA1_80",
    fingerprint="SHA-256 AA:BB",
    heard=_HEARD,
    media=_MEDIA,
    during="1.2",
)
_GOOD = Attempt(_RECORD, "", "", _RECORD.steps, "1.2")


def _missed(step: str) -> Attempt:
    return Attempt(None, step, "it said no", _RECORD.steps[: STEPS.index(step)], "")


def _verdicts(attempt: Attempt) -> list[str]:
    judges = (judge_register, judge_answer, judge_dtls, judge_codec, judge_tone)
    return [judge(attempt).verdict.value for judge in judges]


def test_a_good_call_passes_all_of_it() -> None:
    assert _verdicts(_GOOD) == ["pass"] * 5
    assert "10 ms" in judge_register(_GOOD).observed


@pytest.mark.parametrize(
    ("step", "first"),
    [
        (CONNECTED_TLS, "call.register"),
        (REGISTERED, "call.register"),
        (ANSWERED, "call.answer"),
        (CONNECTED_MEDIA, "call.dtls"),
        (HEARD, "call.tone"),
    ],
)
def test_a_missed_step_fails_the_check_of_that_step_and_none_before_it(
    step: str, first: str
) -> None:
    judges = {
        "call.register": judge_register,
        "call.answer": judge_answer,
        "call.dtls": judge_dtls,
        "call.tone": judge_tone,
    }
    judged: dict[str, Judgement] = {}
    for name, judge in judges.items():
        judged[name] = judge(_missed(step))
        if judged[name].verdict is Verdict.FAIL:
            break
    assert list(judged)[-1] == first
    assert "it said no" in judged[first].observed
    assert f"not {step}" in judged[first].evidence


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"seconds": 2.0}, Verdict.FAIL),
        ({"seconds": 0.0}, Verdict.FAIL),
        ({"level_dbfs": -40.0}, Verdict.WARN),
    ],
)
def test_tone(changes: dict[str, float], verdict: Verdict) -> None:
    heard = replace(_HEARD, **changes)
    assert judge_tone(replace(_GOOD, record=replace(_RECORD, heard=heard))).verdict is verdict


@pytest.mark.parametrize("answered", [("g722",), (), ("opus", "g729")])
def test_a_codec_that_is_not_of_r06_fails(answered: tuple[str, ...]) -> None:
    record = replace(_RECORD, answered=answered)
    assert judge_codec(replace(_GOOD, record=record)).verdict is Verdict.FAIL


def test_codecs_are_told_by_the_names_of_r06() -> None:
    assert judge_codec(_GOOD).observed == "opus (answered with opus, ulaw)"


@pytest.mark.parametrize("changes", [{"srtp": ""}, {"dtls": "closed"}])
def test_media_without_dtls_srtp_fails(changes: dict[str, str]) -> None:
    record = replace(_RECORD, **changes)  # type: ignore[arg-type]
    assert judge_dtls(replace(_GOOD, record=record)).verdict is Verdict.FAIL


_FILE = Recording("/r/x_1.2.gsm", 8000, _HEARD, "")


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (_FILE, Verdict.PASS),
        (None, Verdict.FAIL),
        (replace(_FILE, heard=None, problem="no GSM"), Verdict.FAIL),
        (replace(_FILE, heard=replace(_HEARD, seconds=0.0)), Verdict.FAIL),
    ],
)
def test_recording(found: Recording | None, verdict: Verdict) -> None:
    assert judge_recording(found).verdict is verdict


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (CallRow({"disposition": "ANSWERED", "billsec": "4"}, ""), Verdict.PASS),
        (CallRow({"disposition": "ANSWERED", "billsec": "0"}, ""), Verdict.FAIL),
        (CallRow({"disposition": "NO ANSWER", "billsec": "4"}, ""), Verdict.FAIL),
        (CallRow({}, ""), Verdict.FAIL),
        (CallRow({}, "no client", missing=True), Verdict.SKIP),
    ],
)
def test_row(found: CallRow, verdict: Verdict) -> None:
    assert judge_row(found).verdict is verdict


def test_only_our_own_registration_counts_as_left() -> None:
    agent, ours, late = "6001/sip:6001@a:1", "6001/sip:6001@b:43376;", "6001/sip:6001@c:433761"
    attempt = replace(_GOOD, contacts_before=(agent,), contacts_after=(agent, late))
    assert still_registered(attempt) == ""
    assert still_registered(replace(attempt, contacts_after=(agent, ours))) == ours


def test_traces_are_taken_away_only_after_an_answered_call() -> None:
    (cleanup,) = [check for check in CHECKS if check.id == "call.cleanup"]
    assert cleanup.needs == ("call.answer",)


def test_the_extension_with_the_fewest_phones_calls() -> None:
    def phones(*owners: str) -> list[Contact]:
        return [Contact(owner, f"sip:{owner}@192.0.2.7", "Avail") for owner in owners]

    assert least_used(("6001", "6002"), phones()) == "6001"
    assert least_used(("6001", "6002"), phones("6001", "trunk-a")) == "6002"
    assert least_used(("6001", "6002"), phones("6001", "6002", "6002")) == "6001"


def test_a_short_call_is_judged_by_its_own_length() -> None:
    heard = replace(_HEARD, seconds=1.9, total_seconds=2.0)
    record = replace(_RECORD, heard=heard)
    assert judge_tone(replace(_GOOD, record=record)).verdict is Verdict.FAIL
    assert judge_tone(replace(_GOOD, record=record, seconds=2.0)).verdict is Verdict.PASS
    found = Recording("/a/b_1.2.gsm", 3300, heard, "")
    assert judge_recording(found).verdict is Verdict.FAIL
    assert judge_recording(found, 2.0).verdict is Verdict.PASS


def test_the_result_of_a_call_never_claims_one_that_was_not_heard() -> None:
    heard = replace(finding("call.tone"), observed="440 Hz for 1.9 s at -10.5 dBFS")
    assert call_result([heard]) == "a real call carried audio: 440 Hz for 1.9 s at -10.5 dBFS"
    assert call_result([]) == "no call was made: not requested"
    silent = replace(heard, verdict=Verdict.FAIL, observed="no audio")
    assert call_result([silent]) == "the call failed: no audio"
    waived = replace(silent, waived=AppliedWaiver("lab", date(2026, 12, 31)))
    assert call_result([waived]) == "the call failed: no audio (waived: lab)"


def test_the_result_of_a_blocked_call_names_what_blocked_it() -> None:
    port = replace(finding("ports.wss", Verdict.FAIL), observed="nothing listens")
    way = replace(finding("call.dtls", Verdict.FAIL), title="Media", observed="media not connected")
    tone = replace(
        finding("call.tone", Verdict.SKIP),
        observed="not judged, blocked by ports.wss",
        blocked_by="ports.wss",
    )
    told = "no call was made: not judged, blocked by ports.wss: nothing listens"
    assert call_result([port, tone]) == told
    assert call_result([way, replace(tone, blocked_by="call.dtls")]) == (
        "the call failed: Media: media not connected"
    )
