from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import yaml

from ucontact_appliance.checks import call_codecs, call_quality, deep_calls
from ucontact_appliance.checks.call_codecs import judge_codecs, judge_speech, judge_video
from ucontact_appliance.checks.call_ice import judge_reflexive, judge_relay
from ucontact_appliance.checks.call_marks import judge_media_marks, judge_signalling_marks
from ucontact_appliance.checks.call_quality import judge_quality, judge_times
from ucontact_appliance.checks.call_trunks import judge_trunks
from ucontact_appliance.checks.model import Subject, Verdict
from ucontact_appliance.clients.audio import ToneHeard
from ucontact_appliance.clients.calls import ANSWERED, STEPS, CallRecord, Media, VideoSeen
from ucontact_appliance.clients.marks import AUDIO, RELAYED, VIDEO, MarkedPackets
from ucontact_appliance.clients.speech import SpeechHeard
from ucontact_appliance.facts.call import Attempt
from ucontact_appliance.facts.deep_calls import NamedAttempt
from ucontact_appliance.facts.trunk_calls import TrunkCall
from ucontact_appliance.resources import ROLES, load_data
from ucontact_appliance.site.qos import DSCP_NAMES, Qos

_SPEECH = SpeechHeard(delay_ms=500.0, intact=1.0, distance_db=0.1, gain_db=-3.0, seconds=3.0)
_RECORD = CallRecord(
    number="*43",
    local_port=43376,
    steps=tuple((step, 0.01) for step in STEPS),
    offered=("opus",),
    answered=("opus",),
    dtls="connected",
    srtp="SRTP_AES128_CM_SHA1_80",
    fingerprint="SHA-256 AA:BB",
    heard=ToneHeard(seconds=2.0, total_seconds=2.1, level_dbfs=-10.5, share=0.99),
    media=Media(sent=160, received=160, lost=0, jitter=0.001, round_trip=None, lost_there=None),
    during="1.2",
    offered_ways=("relay 192.0.2.7:49200",),
    chosen_way=("relay 192.0.2.7:49200", "host 192.0.2.7:10000"),
    arrived=(MarkedPackets(RELAYED, "192.0.2.7:3478", 46, 110),),
    signalling=((24, 12),),
    speech=_SPEECH,
    video=VideoSeen(sent=31, received=28, width=320, height=240),
)
_DEAD = Attempt(None, ANSWERED, "488 Not Acceptable Here", _RECORD.steps[:3], "")
_LIMITS = load_data("deep")["speech"]


def _call(**changes: object) -> Attempt:
    record = replace(_RECORD, **changes)
    return Attempt(record, "", "", record.steps, "1.2")


def _named(*calls: tuple[str, Attempt]) -> list[NamedAttempt]:
    return [NamedAttempt(name, attempt) for name, attempt in calls]


_GOOD = _named(("opus", _call()), ("alaw", _call(offered=("pcma",), answered=("pcma",))))


def _measured(**changes: object) -> Attempt:
    """A call with the far side's counters."""
    media = Media(sent=160, received=160, lost=0, jitter=0.001, round_trip=0.002, lost_there=0)
    return _call(media=replace(media, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"lost": 2}, Verdict.FAIL),
        ({"lost": 1}, Verdict.PASS),
        ({"lost_there": 2}, Verdict.FAIL),
        ({"jitter": 0.02}, Verdict.FAIL),
        ({"round_trip": 0.1}, Verdict.FAIL),
        ({"round_trip": None, "lost_there": None}, Verdict.SKIP),
        ({"round_trip": None}, Verdict.SKIP),
        ({"lost_there": None}, Verdict.SKIP),
        ({"round_trip": None, "lost_there": None, "jitter": 0.03}, Verdict.FAIL),
        ({"round_trip": None, "lost": 9}, Verdict.FAIL),
        ({"received": 0}, Verdict.FAIL),
        ({"sent": 0}, Verdict.FAIL),
    ],
)
def test_quality_by_r24(changes: dict[str, float], verdict: Verdict) -> None:
    assert judge_quality([_measured(**changes)]).verdict is verdict


def test_quality_shows_what_was_measured() -> None:
    observed = judge_quality([_measured()]).observed
    assert "0 lost (0.0 %)" in observed
    assert "one way about 1.0 ms" in observed


@pytest.mark.parametrize(
    ("lost", "verdict"),
    [((9, 0, 0), Verdict.PASS), ((9, 0, 9), Verdict.FAIL), ((0, 0, 9), Verdict.PASS)],
)
def test_the_middle_of_three_qualities_counts(lost: tuple[int, ...], verdict: Verdict) -> None:
    found = judge_quality([_measured(lost=one) for one in lost])
    assert found.verdict is verdict
    assert "median of 3 calls" in found.observed


def test_a_disturbed_call_is_repeated_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    takes: list[int] = []

    class Facts:
        def get(self, fact: object, *of: Any) -> Any:
            if fact is deep_calls.echo_call:
                return _measured(lost=9)
            if fact is call_quality.quality_call:
                takes.append(of[1])
                return _measured()
            return True

    for module in (deep_calls, call_quality):
        monkeypatch.setattr(module, "caller", lambda subject: ("100", "", ""))
    quality = next(check for check in call_quality.CHECKS if check.id == "call.quality")
    assert quality.judge(cast(Subject, SimpleNamespace(facts=Facts()))).verdict is Verdict.PASS
    assert takes == [2, 3]


def test_quality_is_not_judged_without_a_call() -> None:
    assert judge_quality([_DEAD]).verdict is Verdict.SKIP


def test_every_codec_that_was_answered_with_sound_passes() -> None:
    found = judge_codecs(_GOOD)
    assert found.verdict is Verdict.PASS
    assert found.observed == "opus: 160 packets received; alaw: 160 packets received"


@pytest.mark.parametrize(
    ("alaw", "words"),
    [
        (_DEAD, "alaw: not answered: 488 Not Acceptable Here"),
        (_call(answered=("opus",)), "alaw: answered with opus"),
        (_call(answered=()), "alaw: answered with no codec"),
        (
            _call(answered=("pcma",), media=replace(_RECORD.media, received=0)),
            "alaw: no packets received",
        ),
    ],
)
def test_the_one_codec_that_fails_is_named(alaw: Attempt, words: str) -> None:
    found = judge_codecs(_named(("opus", _call()), ("alaw", alaw)))
    assert found.verdict is Verdict.FAIL
    assert found.observed == words


def test_speech_is_judged_by_each_codecs_own_limits() -> None:
    found = judge_speech([[call] for call in _GOOD], _LIMITS)
    assert found.verdict is Verdict.PASS
    assert "not a MOS-LQO" in found.evidence


@pytest.mark.parametrize(
    ("codec", "speech", "verdict"),
    [
        ("opus", replace(_SPEECH, intact=0.95), Verdict.PASS),
        ("opus", replace(_SPEECH, intact=0.949), Verdict.FAIL),
        ("opus", replace(_SPEECH, distance_db=2.5), Verdict.PASS),
        ("alaw", replace(_SPEECH, distance_db=2.5), Verdict.FAIL),
        ("alaw", None, Verdict.FAIL),
    ],
)
def test_speech_limits(codec: str, speech: SpeechHeard | None, verdict: Verdict) -> None:
    found = judge_speech([_named((codec, _call(speech=speech)))], _LIMITS)
    assert found.verdict is verdict
    assert found.observed.startswith(f"{codec}: ")


@pytest.mark.parametrize(
    ("shares", "verdict", "words"),
    [
        ((0.91, 1.0, 0.99), Verdict.PASS, "opus: 99% intact"),
        ((0.91, 1.0, 0.92), Verdict.FAIL, "opus: 92% intact"),
        ((0.91, None, None), Verdict.FAIL, "opus: the speech did not come back"),
    ],
)
def test_of_three_calls_the_middle_one_counts(
    shares: tuple[float | None, ...], verdict: Verdict, words: str
) -> None:
    calls = [
        _call(speech=None if share is None else replace(_SPEECH, intact=share)) for share in shares
    ]
    found = judge_speech([_named(*(("opus", call) for call in calls))], _LIMITS)
    assert found.verdict is verdict
    assert found.observed.startswith(words)
    assert found.evidence.count("\n\nopus\n") == 3


def test_a_call_that_sounded_poor_is_made_twice_more(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {
        1: _named(("opus", _call(speech=replace(_SPEECH, intact=0.5))), ("alaw", _call())),
        2: _named(("opus", _call())),
        3: _named(("opus", _call())),
    }
    asked: list[tuple[tuple[str, ...], int]] = []

    class Facts:
        def get(self, fact: object, *of: Any) -> Any:
            if fact is deep_calls.codec_calls:
                codecs, take = of[1], of[2] if len(of) > 2 else 1
                asked.append((codecs, take))
                return calls[take]
            return True

    for module in (deep_calls, call_codecs):
        monkeypatch.setattr(module, "caller", lambda subject: ("100", "", ""))
    speech = next(check for check in call_codecs.CHECKS if check.id == "call.speech")
    found = speech.judge(cast(Subject, SimpleNamespace(facts=Facts())))
    assert found.verdict is Verdict.PASS
    assert "opus: median of 3 calls (50%, 100%, 100%)" in found.observed
    assert asked[1:] == [(("opus",), 2), (("opus",), 3)]


def test_without_any_call_speech_is_not_judged() -> None:
    assert judge_speech([_named(("opus", _DEAD))], _LIMITS).verdict is Verdict.SKIP


def test_every_codec_of_the_product_has_limits_for_its_speech() -> None:
    assert {row["codec"] for row in _LIMITS} == set(load_data("network")["codecs"]["audio"])


def test_media_through_the_relay_alone_passes() -> None:
    found = judge_relay(_call())
    assert found.verdict is Verdict.PASS
    assert "relay 192.0.2.7:49200; 110 packets through it" in found.observed


@pytest.mark.parametrize(
    "attempt",
    [
        _DEAD,
        _call(chosen_way=("host 192.0.2.1:4000", "host 192.0.2.7:10000")),
        _call(arrived=(*_RECORD.arrived, MarkedPackets(AUDIO, "192.0.2.7:10000", 46, 3))),
        _call(heard=replace(_RECORD.heard, seconds=1.0)),
    ],
)
def test_a_relay_that_was_not_used_or_not_enough_fails(attempt: Attempt) -> None:
    assert judge_relay(attempt).verdict is Verdict.FAIL


def test_the_reflexive_way() -> None:
    good = _call(offered_ways=("srflx 198.51.100.9:4000",))
    assert judge_reflexive(good).verdict is Verdict.PASS
    assert "srflx 198.51.100.9:4000" in judge_reflexive(good).observed
    assert judge_reflexive(_call(heard=replace(_RECORD.heard, seconds=0))).verdict is Verdict.FAIL
    assert judge_reflexive(_DEAD).verdict is Verdict.FAIL


def test_pictures() -> None:
    found = judge_video(_named(("vp8", _call()), ("h264", _call())), 5)
    assert found.verdict is Verdict.PASS
    assert "vp8: 28 of 31 frames received at 320x240" in found.observed
    few = _call(video=VideoSeen(31, 4, 320, 240))
    assert judge_video(_named(("vp8", few), ("h264", _call())), 5).verdict is Verdict.FAIL
    assert judge_video(_named(("vp8", _DEAD)), 5).observed.startswith("vp8: not answered")


def _marked(*arrived: MarkedPackets) -> list[Attempt]:
    return [_call(arrived=arrived)]


_PLACE = "192.0.2.7:10000"


def test_marked_sound_passes_and_pictures_in_its_stream_are_told() -> None:
    calls = _marked(MarkedPackets(AUDIO, _PLACE, 46, 90), MarkedPackets(VIDEO, _PLACE, 46, 30))
    found = judge_media_marks([*calls, _DEAD], 46)
    assert found.verdict is Verdict.PASS
    assert "audio: 90 packets EF (46)" in found.observed
    assert "video in the same stream: 30 packets EF (46)" in found.observed


def test_unmarked_sound_fails_and_says_where_to_look() -> None:
    found = judge_media_marks(_marked(MarkedPackets(AUDIO, _PLACE, 0, 90)), 46)
    assert found.verdict is Verdict.FAIL
    assert "a switch or router on the path" in found.observed


@pytest.mark.parametrize("dscp", [34, 0])
def test_one_packet_in_many_with_another_mark_fails(dscp: int) -> None:
    calls = _marked(MarkedPackets(AUDIO, _PLACE, 46, 90), MarkedPackets(AUDIO, _PLACE, dscp, 1))
    assert judge_media_marks(calls, 46).verdict is Verdict.FAIL


def test_what_came_through_a_relay_tells_no_mark_of_the_server() -> None:
    assert judge_media_marks([_call()], 46).verdict is Verdict.SKIP


def test_signalling() -> None:
    assert judge_signalling_marks(((24, 15),), 24).verdict is Verdict.PASS
    assert judge_signalling_marks(((0, 15),), 24).verdict is Verdict.FAIL
    assert judge_signalling_marks(None, 24).verdict is Verdict.SKIP
    assert "root" in judge_signalling_marks(None, 24).observed
    assert judge_signalling_marks((), 24).verdict is Verdict.SKIP


def test_marks_other_than_the_defaults_have_their_names() -> None:
    judgement = judge_signalling_marks(((32, 15),), 32)
    assert judgement.verdict is Verdict.PASS
    assert "15 packets CS4 (32)" in judgement.observed
    assert "45" in judge_signalling_marks(((45, 15),), 24).observed


def test_the_defaults_of_site_yml_are_those_of_the_role() -> None:
    text = (ROLES / "telephony" / "defaults" / "main.yml").read_text(encoding="utf-8")
    defaults = yaml.safe_load(text)
    marks = Qos()
    for kind in ("audio", "video", "signalling"):
        section = getattr(marks, kind)
        assert DSCP_NAMES[defaults[f"telephony_tos_{kind}"]] == section.tos
        assert defaults[f"telephony_cos_{kind}"] == section.cos


def test_times_are_a_table_and_slow_steps_are_warned_of() -> None:
    slow = load_data("deep")["slow_seconds"]
    found = judge_times(_call(), slow)
    assert found.verdict is Verdict.PASS
    assert "registered 10 ms" in found.observed
    assert len(found.evidence.splitlines()) == 1 + len(STEPS)
    late = tuple((step, 2.5 if step == ANSWERED else 0.01) for step in STEPS)
    found = judge_times(_call(steps=late), slow)
    assert (found.verdict, found.observed) == (Verdict.WARN, "answered took 2.5 s")
    assert judge_times(replace(_DEAD, steps=()), slow).verdict is Verdict.SKIP


_TRUNK = TrunkCall("carrier", "5550100", "ANSWER", 200, "OK", 1.2, 3.0, "asked")


def test_an_answered_trunk_passes_and_the_others_are_told() -> None:
    found = judge_trunks([_TRUNK], 10, silent=["spare"], without=["third"])
    assert found.verdict is Verdict.PASS
    assert found.observed == (
        "carrier: answered after 1.2 s; "
        "not called because the trunk does not respond (asterisk.trunks): spare; "
        "no test_number in site.yml: third"
    )


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({"answered_after": 12.0}, Verdict.WARN, "answered after 12.0 s"),
        ({"outcome": "BUSY", "status": 486, "reason": "Busy Here"}, Verdict.FAIL, "busy (SIP 486 Busy Here)"),  # noqa: E501
        (
            {"outcome": "CONGESTION", "status": 488, "reason": "Not Acceptable Here"},
            Verdict.FAIL,
            "refused: no line is free, or the number is not in service "
            "(SIP 488 Not Acceptable Here); carrier: no codec in common; see 'codecs'",
        ),
        ({"outcome": "CHANUNAVAIL", "status": 0}, Verdict.FAIL, "the trunk can't be used"),
        ({"outcome": "", "status": 0}, Verdict.FAIL, "the end of the call was not detected"),
    ],
)  # fmt: skip
def test_trunks(changes: dict[str, object], verdict: Verdict, words: str) -> None:
    found = judge_trunks([replace(_TRUNK, **changes)], 10)  # type: ignore[arg-type]
    assert (found.verdict, found.observed) == (verdict, f"carrier: {words}")


def test_one_bad_trunk_among_good_ones_fails() -> None:
    bad = replace(_TRUNK, trunk="spare", outcome="CONGESTION", answered_after=None)
    assert judge_trunks([bad, _TRUNK], 10).verdict is Verdict.FAIL


def test_without_trunks_or_numbers_nothing_is_judged() -> None:
    assert judge_trunks([], 10).observed == "the site has no trunks"
    found = judge_trunks([], 10, without=["carrier"])
    assert (found.verdict, found.observed) == (
        Verdict.SKIP,
        "no test_number in site.yml: carrier",
    )
