"""The deep stage's further calls: each codec, STUN and TURN, video, trunks, marks and times.

They follow the call of `checks/call.py`, whose findings say whether a call can be made at all. The
codecs' calls go first and side by side: they are listened to. The others need no quiet.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ucontact_appliance.checks.call import caller
from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Stage,
    Subject,
    Verdict,
    check,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.clients import marks
from ucontact_appliance.clients.calls import (
    ANSWERED,
    CONNECTED_ICE,
    CONNECTED_MEDIA,
    CONNECTED_TLS,
    GATHERED,
    HEARD,
    REFLEXIVE,
    REGISTERED,
    RELAY,
    Media,
)
from ucontact_appliance.clients.speech import SpeechHeard
from ucontact_appliance.facts.asterisk import snapshot
from ucontact_appliance.facts.call import HERTZ, Attempt, echo_call
from ucontact_appliance.facts.deep_calls import (
    MIME,
    WAY_SECONDS,
    Named,
    codec_calls,
    keeps_marks,
    quality_call,
    video_calls,
    way_calls,
)
from ucontact_appliance.facts.trunk_calls import TrunkCall, trunk_call
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.ports import ports_for
from ucontact_appliance.planning.tables import network
from ucontact_appliance.resources import load_data

_CODECS = tuple(load_data("network")["codecs"]["audio"])
_VIDEO_CODECS = tuple(load_data("network")["codecs"]["video"])
_WANTED: Mapping[str, Any] = load_data("deep")
_LEAST_SHARE = 0.7  # of the tone's time
_DSCP_NAMES = {46: "EF", 34: "AF41", 24: "CS3", 0: "none"}
# What each step is called in data/deep.yml.
_SLOW = {
    CONNECTED_TLS: "tls",
    REGISTERED: "register",
    GATHERED: "ways",
    ANSWERED: "answer",
    CONNECTED_ICE: "ice",
    CONNECTED_MEDIA: "dtls",
    HEARD: "audio",
}
_AWAY = "Unavail"  # of a contact that does not answer OPTIONS
_OUTCOMES = {
    "BUSY": "busy",
    "NOANSWER": "not answered",
    "CANCEL": "ended before an answer",
    "CONGESTION": "refused: no line is free, or the number is not in service",
    "CHANUNAVAIL": "the trunk can't be used",
}
_NFT = "{ssh} nft list table inet ucontact_qos && {ssh} asterisk -rx 'pjsip show transports'"

# Each waits for the calls before its own.
_deep = functools.partial(check, role=Role.TELEPHONY, stages=frozenset({Stage.DEEP}), timeout=120)


def _main(subject: Subject) -> Attempt:
    return subject.facts.get(echo_call, *caller(subject))


def _codec_calls(subject: Subject) -> tuple[Named, ...]:
    _main(subject)  # one after the other
    return subject.facts.get(codec_calls, caller(subject), _CODECS)


def _ways(subject: Subject) -> dict[str, Attempt]:
    _codec_calls(subject)
    rows = ports_for(subject.site, subject.plan, subject.plan.host(subject.host.name))
    port = next(row.first for row in rows if row.id == "stun-udp")
    found = subject.facts.get(way_calls, caller(subject), port, subject.secrets["stun.turn"])
    return {one.name: one.attempt for one in found}


def _videos(subject: Subject) -> tuple[Named, ...]:
    _codec_calls(subject)  # beside the ways: neither is listened to
    pictures = int(_WANTED["video"]["least_pictures"])
    return subject.facts.get(video_calls, caller(subject), _VIDEO_CODECS, pictures)


def _marked(judge: Callable[[Subject], Judgement]) -> Callable[[Subject], Judgement]:
    """Make no call whose traces could not be found again."""

    def judged(subject: Subject) -> Judgement:
        if not subject.facts.get(keeps_marks):
            return Judgement(
                Verdict.SKIP,
                "the installed dialplan is of an earlier version, and keeps no mark of such calls",
                remedy="{install}",
            )
        return judge(subject)

    return judged


def _evidence(calls: Sequence[Named]) -> str:
    return "\n\n".join(f"{one.name}\n{one.attempt.evidence}" for one in calls)


def _missed(attempt: Attempt) -> str:
    return f"not {attempt.missed}: {attempt.why}"


def judge_quality(calls: Sequence[Attempt]) -> Judgement:
    """R24 on the way between this machine and the telephony server.

    Of several calls the middle one counts, as for `judge_speech`.
    """
    limit = network()["voip"]
    required = (
        f"round trip below {limit.latency_ms} ms, jitter below {limit.jitter_ms} ms, "
        f"loss below {limit.loss_percent:g} %"
    )
    made = [call.record for call in calls if call.record is not None]
    if not made:
        return skipped("the call did not live long enough to tell", required)
    middle = sorted(made, key=lambda record: _disturbance(record.media))[len(made) // 2]
    media = middle.media
    told = [_in_words(media)]
    if len(made) > 1:
        shares = ", ".join(f"{max(_lost_percent(record.media)):.1f} %" for record in made)
        told.append(f"the middle of {len(made)} calls, which lost {shares}")
    observed = "; ".join(told)
    evidence = "\n\n".join(record.evidence for record in made)
    if _is_disturbed(media):
        return failed(observed, required, evidence)
    if media.round_trip is None or media.lost_there is None:
        # The far side's reports (RTCP) tell both: without them half of the way is unknown.
        return skipped(f"not wholly measured: {observed}", required, evidence)
    return passed(observed, required, evidence)


@_deep(
    id="call.quality",
    title="Loss, jitter and round trip are those of a good call",
    severity=Severity.HIGH,
    requirements=("R24",),
    remedy="ping -c 50 -i 0.2 {address}  # from an agent's desk too",
    needs=("call.tone",),
)
def _quality(subject: Subject) -> Judgement:
    return judge_quality(tuple(_measured(subject)))


def _measured(subject: Subject) -> Iterator[Attempt]:
    """The main call; two more where the network disturbed it."""
    first = _main(subject)
    yield first
    if (
        first.record is not None
        and _is_disturbed(first.record.media)
        and subject.facts.get(keeps_marks)
    ):
        for take in (2, 3):
            yield subject.facts.get(quality_call, caller(subject), take)


def _lost_percent(media: Media) -> tuple[float, float]:
    """Return the share of packets lost on the way back and on the way there, in percent."""
    if not media.received or not media.sent:
        return 100.0, 100.0
    return (
        100.0 * media.lost / (media.received + media.lost),
        100.0 * (media.lost_there or 0) / media.sent,
    )


def _disturbance(media: Media) -> tuple[bool, float, float]:
    """What sorts calls by how much the network disturbed them."""
    return _is_disturbed(media), max(_lost_percent(media)), media.jitter


def _is_disturbed(media: Media) -> bool:
    """Whether a call misses one of R24's limits."""
    limit = network()["voip"]
    return (
        max(_lost_percent(media)) >= limit.loss_percent
        or media.jitter * 1000 >= limit.jitter_ms
        or (media.round_trip or 0.0) * 1000 >= limit.latency_ms
    )


def _in_words(media: Media) -> str:
    """Return what was measured of a call, in words."""
    if not media.received or not media.sent:
        return f"{media.sent} packets sent, {media.received} received"
    there = "an unknown number" if media.lost_there is None else str(media.lost_there)
    trip_ms = None if media.round_trip is None else media.round_trip * 1000
    told = (
        f"{media.received} packets back, {media.lost} lost ({_lost_percent(media)[0]:.1f} %), "
        f"{there} lost on the way there; jitter {media.jitter * 1000:.1f} ms; round trip "
        f"{'not reported' if trip_ms is None else f'{trip_ms:.1f} ms'}"
    )
    if trip_ms is not None:
        told += f" (one way about {trip_ms / 2:.1f} ms)"
    return told


def judge_times(attempt: Attempt, slow: Mapping[str, float]) -> Judgement:
    """How long each step of the first call took."""
    required = ", ".join(f"{step} below {slow[name]:g} s" for step, name in _SLOW.items())
    table = [("step", "took", "slow from")]
    late = []
    for step, seconds in attempt.steps:
        limit = slow.get(_SLOW.get(step, ""))
        table.append((step, f"{seconds * 1000:.0f} ms", "" if limit is None else f"{limit:g} s"))
        if limit is not None and seconds >= limit:
            late.append(f"{step} took {seconds:.1f} s")
    evidence = "\n".join(f"{one:<22}{two:>10}  {three}".rstrip() for one, two, three in table)
    if not attempt.steps:
        return skipped("the call took no step", required)
    if late:
        return warned("; ".join(late), required, evidence)
    timed = ", ".join(
        f"{step} {seconds * 1000:.0f} ms" for step, seconds in attempt.steps if step in _SLOW
    )
    return passed(timed, required, evidence)


@_deep(
    id="call.times",
    title="Each step of a call takes its time and no more",
    severity=Severity.MEDIUM,
    requirements=("R02", "R03"),
    remedy="{ssh} asterisk -rx 'core show taskprocessors'",
    needs=("call.register",),
)
def _times(subject: Subject) -> Judgement:
    return judge_times(_main(subject), _WANTED["slow_seconds"])


def judge_signalling_marks(seen: Sequence[tuple[int, int]] | None, expected: int) -> Judgement:
    """R07: SIP over WebSockets arrives with its DSCP."""
    required = f"every segment of SIP over WSS arrives marked {_dscp(expected)} (R07)"
    if seen is None:
        return skipped("not to be seen from here: marks of TCP take root, and IPv4", required)
    counts = dict(seen)
    if not counts:
        return skipped("no segment of the call's connection was seen", required)
    observed = _counted(counts)
    return _judged_mark(counts, expected, observed, required, observed)


@_deep(
    id="call.signalling_marks",
    title="Signalling arrives with its priority mark",
    severity=Severity.MEDIUM,
    requirements=("R07",),
    remedy=_NFT,
    needs=("call.answer",),
)
def _signalling_marks(subject: Subject) -> Judgement:
    record = _main(subject).record
    if record is None:
        return skipped("the call did not live long enough to tell")
    return judge_signalling_marks(record.signalling, _WANTED["marks"]["signalling"])


def _judged_mark(
    counts: Mapping[int, int], expected: int, observed: str, required: str, evidence: str
) -> Judgement:
    if set(counts) == {expected}:
        return passed(observed, required, evidence)
    if expected in counts or set(counts) != {0}:
        return failed(observed, required, evidence)
    note = "the server does not mark, or a switch or router on the way takes the marks off"
    return failed(f"{observed}: {note}", required, evidence)


def _dscp(number: int) -> str:
    name = _DSCP_NAMES.get(number)
    return f"{name} ({number})" if name else str(number)


def _counted(counts: Mapping[int, int]) -> str:
    return ", ".join(f"{count} packets {_dscp(dscp)}" for dscp, count in sorted(counts.items()))


def judge_codecs(calls: Sequence[Named]) -> Judgement:
    """R06: a call by each voice codec alone is answered in it, and sound comes back."""
    required = f"a call by each of {', '.join(one.name for one in calls)} alone, with sound (R06)"
    wrong, good = [], []
    for one in calls:
        record = one.attempt.record
        if record is None:
            wrong.append(f"{one.name}: {_missed(one.attempt)}")
        elif record.answered != (MIME[one.name].lower(),):
            wrong.append(f"{one.name}: answered {', '.join(record.answered) or 'no codec'}")
        elif not record.media.received:
            wrong.append(f"{one.name}: no packet came back")
        else:
            good.append(f"{one.name}: {record.media.received} packets back")
    if wrong:
        return failed("; ".join(wrong), required, _evidence(calls))
    return passed("; ".join(good), required, _evidence(calls))


@_deep(
    id="call.codecs",
    title="A call by each voice codec alone is answered",
    severity=Severity.HIGH,
    requirements=("R06",),
    remedy="{ssh} asterisk -rx 'core show translation'  # is codec_opus there? then: {install}",
    needs=("call.tone",),
)
@_marked
def _codecs(subject: Subject) -> Judgement:
    return judge_codecs(_codec_calls(subject))


def judge_speech(
    takes: Sequence[Sequence[Named]], limits: Sequence[Mapping[str, Any]]
) -> Judgement:
    """R05, R06: speech comes back as it was, by each codec's own limits.

    `takes` are each codec's calls. Of several the middle one counts, so that one moment's
    disturbance, here or there, is told but is not taken for how the site sounds.
    """
    limit_of = _by_codec(limits)
    required = "; ".join(
        f"{name}: {limit_of[name]['least_intact']:.0%} of the speech intact, "
        f"bands within {limit_of[name]['most_distance_db']:g} dB"
        for name in (calls[0].name for calls in takes)
    )
    told, wrong, heard_any = [], False, False
    for calls in takes:
        name = calls[0].name
        if all(one.attempt.record is None for one in calls):
            told.append(f"{name}: no call")
            continue
        heard_any = True
        middle = sorted(calls, key=_clarity)[len(calls) // 2]
        wrong = wrong or _poor(middle, limit_of[name])
        speech = _speech_heard(middle)
        if speech is None:
            told.append(f"{name}: the speech did not come back")
            continue
        told.append(f"{name}: {speech.intact:.0%} intact, bands {speech.distance_db:.2f} dB off")
        if len(calls) > 1:
            shares = ", ".join(f"{_clarity(one)[0]:.0%}" for one in calls)
            told.append(f"{name}, the middle of {len(calls)} calls: {shares}")
    every = [one for calls in takes for one in calls]
    evidence = f"{_scores(every)}\n\n{_evidence(every)}"
    if not heard_any:
        return skipped("no call was there to listen to", required, evidence)
    return (failed if wrong else passed)("; ".join(told), required, evidence)


@_deep(
    id="call.speech",
    title="Speech comes back as it was, by each voice codec",
    severity=Severity.HIGH,
    requirements=("R05", "R06", "R24"),
    remedy="ping -c 50 -i 0.2 {address}  # lost packets? then the network; if none: {install}",
    needs=("call.tone",),
)
@_marked
def _speech(subject: Subject) -> Judgement:
    return judge_speech(tuple(_takes(subject)), _WANTED["speech"])


def _takes(subject: Subject) -> Iterator[tuple[Named, ...]]:
    """Each codec's call; two more where the first one sounded poor."""
    limit_of = _by_codec(_WANTED["speech"])
    for first in _codec_calls(subject):
        again: tuple[int, ...] = ()
        if first.attempt.record is not None and _poor(first, limit_of[first.name]):
            again = (2, 3)
        more = (subject.facts.get(codec_calls, caller(subject), (first.name,), n) for n in again)
        yield (first, *(call for calls in more for call in calls))


def _by_codec(limits: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {row["codec"]: row for row in limits}


def _speech_heard(call: Named) -> SpeechHeard | None:
    return call.attempt.record.speech if call.attempt.record else None


def _clarity(call: Named) -> tuple[float, float]:
    """What sorts calls by how well the speech came back: its intact share, then its distance."""
    speech = _speech_heard(call)
    return (speech.intact, -speech.distance_db) if speech else (0.0, -math.inf)


def _poor(call: Named, limit: Mapping[str, Any]) -> bool:
    speech = _speech_heard(call)
    return (
        speech is None
        or speech.intact < limit["least_intact"]
        or speech.distance_db > limit["most_distance_db"]
    )


def _scores(calls: Sequence[Named]) -> str:
    rows = ["codec  intact  distance  louder by  begins after"]
    for one in calls:
        speech = _speech_heard(one)
        if speech is not None:
            rows.append(
                f"{one.name:<5}  {speech.intact:>6.1%}  {speech.distance_db:>5.2f} dB  "
                f"{speech.gain_db:>6.1f} dB  {speech.delay_ms:>8.0f} ms"
            )
    return "\n".join([*rows, "Our own measure, no MOS-LQO of ITU-T P.862 or P.863."])


def judge_reflexive(attempt: Attempt) -> Judgement:
    """R03: media finds its way by nothing but what the STUN server told."""
    required = "media both ways when only the address that the site's STUN server told is offered"
    record = attempt.record
    if record is None:
        return failed(_missed(attempt), required, attempt.evidence)
    offered = ", ".join(record.offered_ways)
    evidence = f"{_way(attempt)}\n{attempt.evidence}"
    if record.heard.seconds < WAY_SECONDS * _LEAST_SHARE:
        return failed(f"offered {offered}; {_tone(attempt)}", required, evidence)
    return passed(f"offered {offered}; {_tone(attempt)}", required, evidence)


@_deep(
    id="call.stun",
    title="A call finds its way by the STUN server alone",
    severity=Severity.HIGH,
    requirements=("R03",),
    remedy="{ssh} journalctl -u coturn.service -n 50 --no-pager",
    needs=("call.tone", "stun.binding"),
)
@_marked
def _stun(subject: Subject) -> Judgement:
    return judge_reflexive(_ways(subject)[REFLEXIVE])


def judge_relay(attempt: Attempt) -> Judgement:
    """R03: media runs through the TURN server, and only there."""
    required = "media both ways when only a relay of the site's TURN server is offered"
    record = attempt.record
    if record is None:
        return failed(_missed(attempt), required, attempt.evidence)
    evidence = f"{_way(attempt)}\n{attempt.evidence}"
    relayed = sum(one.packets for one in record.arrived if one.kind == marks.RELAYED)
    beside = sum(one.packets for one in record.arrived if one.kind in (marks.AUDIO, marks.VIDEO))
    if not record.chosen_way[0].startswith(f"{RELAY} ") or beside:
        seen = f"chose {record.chosen_way[0] or 'no way'}; {beside} packets went past the relay"
        return failed(seen, required, evidence)
    observed = f"{record.chosen_way[0]}; {relayed} packets through it; {_tone(attempt)}"
    if record.heard.seconds < WAY_SECONDS * _LEAST_SHARE:
        return failed(observed, required, evidence)
    return passed(observed, required, evidence)


@_deep(
    id="call.relay",
    title="A call runs through the TURN relay alone",
    severity=Severity.HIGH,
    requirements=("R03",),
    remedy="{ssh} journalctl -u coturn.service -n 50 --no-pager",
    needs=("call.tone", "stun.relay"),
)
@_marked
def _relay(subject: Subject) -> Judgement:
    return judge_relay(_ways(subject)[RELAY])


def _tone(attempt: Attempt) -> str:
    assert attempt.record is not None
    return f"{HERTZ:g} Hz came back for {attempt.record.heard.seconds:.1f} s"


def _way(attempt: Attempt) -> str:
    assert attempt.record is not None
    record = attempt.record
    arrived = (f"{one.kind} from {one.source}: {one.packets} packets" for one in record.arrived)
    return "\n".join(
        [
            f"offered: {', '.join(record.offered_ways)}",
            f"chosen: {record.chosen_way[0]} to {record.chosen_way[1]}",
            *arrived,
        ]
    )


def judge_video(calls: Sequence[Named], least: int) -> Judgement:
    """R06, R23: pictures come back, by each video codec."""
    required = f"at least {least} pictures back by each of {', '.join(c.name for c in calls)}"
    wrong, told = False, []
    for one in calls:
        record = one.attempt.record
        if record is None:
            wrong = True
            told.append(f"{one.name}: {_missed(one.attempt)}")
            continue
        seen = record.video
        packets = sum(m.packets for m in record.arrived if m.kind == marks.VIDEO)
        pictures = seen.received if seen else 0
        size = f" of {seen.width}x{seen.height}" if seen and pictures else ""
        sent = seen.sent if seen else 0
        told.append(f"{one.name}: {pictures} pictures{size} back of {sent}, {packets} packets")
        wrong = wrong or pictures < least
    return (failed if wrong else passed)("; ".join(told), required, _evidence(calls))


@_deep(
    id="call.video",
    title="Pictures sent into a call come back",
    severity=Severity.MEDIUM,
    requirements=("R06", "R23"),
    remedy="{ssh} asterisk -rx 'core show codecs video'  # vp8 and h264? then: {install}",
    needs=("call.tone",),
)
@_marked
def _video(subject: Subject) -> Judgement:
    return judge_video(_videos(subject), _WANTED["video"]["least_pictures"])


def judge_media_marks(calls: Sequence[Attempt], expected: int) -> Judgement:
    """R07: sound arrives with its DSCP."""
    required = f"every audio packet arrives marked {_dscp(expected)} (R07)"
    arrived = [
        one
        for attempt in calls
        if attempt.record is not None
        for one in attempt.record.arrived
        if one.kind in (marks.AUDIO, marks.VIDEO)
    ]
    evidence = "\n".join(
        f"{one.kind} from {one.source}: {one.packets} packets marked {_dscp(one.dscp)}"
        for one in arrived
    )
    counts = _by_mark(one for one in arrived if one.kind == marks.AUDIO)
    if not counts:
        return skipped("no audio packet came directly", required, evidence)
    pictures = _by_mark(one for one in arrived if one.kind == marks.VIDEO)
    observed = f"audio: {_counted(counts)}"
    if pictures:
        # RFC 8843: with BUNDLE pictures travel in the sound's own stream.
        observed += f"; pictures in the same stream: {_counted(pictures)}"
    return _judged_mark(counts, expected, observed, required, evidence)


@_deep(
    id="call.marks",
    title="Media arrives with its priority mark",
    severity=Severity.MEDIUM,
    requirements=("R07",),
    remedy=_NFT,
    needs=("call.tone",),
)
@_marked
def _media_marks(subject: Subject) -> Judgement:
    others = (*_codec_calls(subject), *_videos(subject))
    calls = [_main(subject), *(one.attempt for one in others)]
    return judge_media_marks(calls, _WANTED["marks"]["audio"])


def _by_mark(arrived: Any) -> dict[int, int]:
    counts: dict[int, int] = {}
    for one in arrived:
        counts[one.dscp] = counts.get(one.dscp, 0) + one.packets
    return counts


def judge_trunks(
    calls: Sequence[TrunkCall],
    within: float,
    *,
    silent: Sequence[str] = (),
    without: Sequence[str] = (),
) -> Judgement:
    """R04: a call through each trunk that names a test number is answered.

    `silent` are trunks that answer no OPTIONS: that is another check's finding. `without` are those
    that name no number.
    """
    required = f"each trunk's test number answers within {within:g} s"
    beside = []
    if silent:
        beside.append(f"not called, as it does not answer (asterisk.trunks): {', '.join(silent)}")
    if without:
        beside.append(f"no test_number in site.yml: {', '.join(without)}")
    if not calls:
        return skipped("; ".join(beside) or "the site has no trunks", required)
    told, worst = [], Verdict.PASS
    for call in calls:
        if call.outcome == "ANSWER" and call.answered_after is not None:
            told.append(f"{call.trunk}: answered after {call.answered_after:.1f} s")
            if call.answered_after > within and worst is Verdict.PASS:
                worst = Verdict.WARN
            continue
        worst = Verdict.FAIL
        sip = f" (SIP {call.status} {call.reason})".replace(" )", ")") if call.status else ""
        why = _OUTCOMES.get(call.outcome, call.outcome.lower() or "it was not seen to end")
        told.append(f"{call.trunk}: {why}{sip}")
    evidence = "\n\n".join(f"{call.number} through {call.trunk}\n{call.evidence}" for call in calls)
    return Judgement(worst, "; ".join([*told, *beside]), required, evidence)


@_deep(
    id="call.trunks",
    title="A call goes out through each trunk",
    severity=Severity.HIGH,
    requirements=("R04",),
    remedy="{ssh} asterisk -rx 'pjsip show contacts' && "
    "{ssh} asterisk -rx 'pjsip show registrations'",
    needs=("asterisk.endpoints", "asterisk.dialplan"),
)
@_marked
def _trunks(subject: Subject) -> Judgement:
    trunks = subject.site.telephony.trunks
    contacts = subject.facts.get(snapshot).contacts if trunks else ()
    away = {contact.owner for contact in contacts if contact.status == _AWAY}
    named = {trunk.name: trunk.test_number for trunk in trunks if trunk.test_number is not None}
    silent = [name for name in named if f"trunk-{name}" in away]
    return judge_trunks(
        [
            subject.facts.get(trunk_call, name, number)
            for name, number in named.items()
            if name not in silent
        ],
        _WANTED["trunk_answer_seconds"],
        silent=silent,
        without=[trunk.name for trunk in trunks if trunk.test_number is None],
    )


CHECKS = checks_of(globals())
