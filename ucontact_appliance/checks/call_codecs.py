"""Checks of codecs: one call per voice and video codec, and how well speech comes back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ucontact_appliance.checks.call import caller, missed
from ucontact_appliance.checks.deep_calls import (
    WANTED,
    calls_by_codec,
    calls_with_video,
    deep_check,
    evidence_of,
    keeping_marks,
)
from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    checks_of,
    failed,
    passed,
    skipped,
)
from ucontact_appliance.checks.wording import INSTALL
from ucontact_appliance.clients import marks
from ucontact_appliance.clients.speech import SpeechHeard
from ucontact_appliance.facts.deep_calls import MIME, NamedAttempt, codec_calls
from ucontact_appliance.language.messages import _, concatenated, joined, with_note


def judge_codecs(calls: Sequence[NamedAttempt]) -> Judgement:
    """Require that a call per voice codec is answered in that codec, and audio returns (R06)."""
    required = _(
        "one call per codec ({calls}), with audio (R06)",
        calls=joined(", ", (one.name for one in calls)),
    )
    wrong, good = [], []
    for one in calls:
        record = one.attempt.record
        if record is None:
            wrong.append(concatenated((one.name, ": ", missed(one.attempt))))
        elif record.answered != (MIME[one.name].lower(),):
            wrong.append(
                _(
                    "{name}: answered with {answered}",
                    name=one.name,
                    answered=joined(", ", record.answered) or _("no codec"),
                )
            )
        elif not record.media.received:
            wrong.append(_("{name}: no packets received", name=one.name))
        else:
            good.append(
                _(
                    "{name}: {received} packets received",
                    name=one.name,
                    received=record.media.received,
                )
            )
    if wrong:
        return failed(joined("; ", wrong), required, evidence_of(calls))
    return passed(joined("; ", good), required, evidence_of(calls))


@deep_check(
    id="call.codecs",
    title=_("Calls work with each voice codec alone"),
    severity=Severity.HIGH,
    requirements=("R06",),
    remedy=with_note(
        "{ssh} asterisk -rx 'core show translation'",
        _("check that codec_opus is loaded, then: {install}", install=INSTALL),
    ),
    needs=("call.tone",),
)
@keeping_marks
def _codecs(subject: Subject) -> Judgement:
    return judge_codecs(calls_by_codec(subject))


def judge_speech(
    takes: Sequence[Sequence[NamedAttempt]], limits: Sequence[Mapping[str, Any]]
) -> Judgement:
    """Require that speech comes back intact, by limits per codec (R05, R06).

    `takes` are the calls per codec. Of several the median counts, so that a momentary disturbance
    at either end is reported, but does not decide.
    """
    limit_of = _by_codec(limits)
    required = joined(
        "; ",
        (
            _(
                "{name}: at least {least_intact:.0%} of the speech intact, frequency "
                "bands within {most_distance_db:g} dB",
                name=name,
                least_intact=limit_of[name]["least_intact"],
                most_distance_db=limit_of[name]["most_distance_db"],
            )
            for name in (calls[0].name for calls in takes)
        ),
    )
    told, wrong, heard_any = [], False, False
    for calls in takes:
        name = calls[0].name
        if all(one.attempt.record is None for one in calls):
            told.append(_("{name}: no call", name=name))
            continue
        heard_any = True
        middle = sorted(calls, key=_clarity)[len(calls) // 2]
        wrong = wrong or _poor(middle, limit_of[name])
        speech = _speech_heard(middle)
        if speech is None:
            told.append(_("{name}: the speech did not come back", name=name))
            continue
        told.append(
            _(
                "{name}: {intact:.0%} intact, frequency bands off by {distance_db:.2f} dB",
                name=name,
                intact=speech.intact,
                distance_db=speech.distance_db,
            )
        )
        if len(calls) > 1:
            shares = ", ".join(f"{_clarity(one)[0]:.0%}" for one in calls)
            told.append(
                _(
                    "{name}: median of {count} calls ({shares})",
                    name=name,
                    count=len(calls),
                    shares=shares,
                )
            )
    every = [one for calls in takes for one in calls]
    evidence = f"{_scores(every)}\n\n{evidence_of(every)}"
    if not heard_any:
        return skipped(_("no call was connected"), required, evidence)
    return (failed if wrong else passed)(joined("; ", told), required, evidence)


@deep_check(
    id="call.speech",
    title=_("Speech comes back intact with each voice codec"),
    severity=Severity.HIGH,
    requirements=("R05", "R06", "R24"),
    remedy=with_note(
        "ping -c 50 -i 0.2 {address}",
        _("if packets are lost, check the network; otherwise: {install}", install=INSTALL),
    ),
    needs=("call.tone",),
)
@keeping_marks
def _speech(subject: Subject) -> Judgement:
    return judge_speech(tuple(_takes(subject)), WANTED["speech"])


def _takes(subject: Subject) -> Iterator[tuple[NamedAttempt, ...]]:
    """Yield the calls of each codec: one, and two more if its speech was poor."""
    limit_of = _by_codec(WANTED["speech"])
    for first in calls_by_codec(subject):
        again: tuple[int, ...] = ()
        if first.attempt.record is not None and _poor(first, limit_of[first.name]):
            again = (2, 3)
        more = (subject.facts.get(codec_calls, caller(subject), (first.name,), n) for n in again)
        yield (first, *(call for calls in more for call in calls))


def _by_codec(limits: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {row["codec"]: row for row in limits}


def _speech_heard(call: NamedAttempt) -> SpeechHeard | None:
    return call.attempt.record.speech if call.attempt.record else None


def _clarity(call: NamedAttempt) -> tuple[float, float]:
    """Return a call's sort key, the worst first: the speech's intact share, then its distance."""
    speech = _speech_heard(call)
    return (speech.intact, -speech.distance_db) if speech else (0.0, -math.inf)


def _poor(call: NamedAttempt, limit: Mapping[str, Any]) -> bool:
    speech = _speech_heard(call)
    return (
        speech is None
        or speech.intact < limit["least_intact"]
        or speech.distance_db > limit["most_distance_db"]
    )


def _scores(calls: Sequence[NamedAttempt]) -> str:
    rows = [_("codec  intact  distance       gain        delay")]
    for one in calls:
        speech = _speech_heard(one)
        if speech is not None:
            rows.append(
                _(
                    "{name:<5}  {intact:>6.1%}  {distance_db:>5.2f} dB  {gain_db:>6.1f} dB  "
                    "{delay_ms:>8.0f} ms",
                    name=one.name,
                    intact=speech.intact,
                    distance_db=speech.distance_db,
                    gain_db=speech.gain_db,
                    delay_ms=speech.delay_ms,
                )
            )
    return "\n".join(
        [*rows, _("The appliance's own measure, not a MOS-LQO of ITU-T P.862 or P.863.")]
    )


def judge_video(calls: Sequence[NamedAttempt], least: int) -> Judgement:
    """Require at least `least` returned video frames per video codec (R06, R23)."""
    required = _(
        "at least {least} video frames received with each of {calls}",
        least=least,
        calls=joined(", ", (c.name for c in calls)),
    )
    wrong, told = False, []
    for one in calls:
        record = one.attempt.record
        if record is None:
            wrong = True
            told.append(concatenated((one.name, ": ", missed(one.attempt))))
            continue
        seen = record.video
        packets = sum(m.packets for m in record.arrived if m.kind == marks.VIDEO)
        pictures = seen.received if seen else 0
        size = (
            _(" at {width}x{height}", width=seen.width, height=seen.height)
            if seen and pictures
            else ""
        )
        sent = seen.sent if seen else 0
        told.append(
            _(
                "{name}: {pictures} of {sent} frames received{size}, {packets} packets",
                name=one.name,
                pictures=pictures,
                size=size,
                sent=sent,
                packets=packets,
            )
        )
        wrong = wrong or pictures < least
    return (failed if wrong else passed)(joined("; ", told), required, evidence_of(calls))


@deep_check(
    id="call.video",
    title=_("Video sent into a call comes back"),
    severity=Severity.MEDIUM,
    requirements=("R06", "R23"),
    remedy=with_note(
        "{ssh} asterisk -rx 'core show codecs video'",
        _("check that vp8 and h264 are listed, then: {install}", install=INSTALL),
    ),
    needs=("call.tone",),
)
@keeping_marks
def _video(subject: Subject) -> Judgement:
    return judge_video(calls_with_video(subject), WANTED["video"]["least_pictures"])


CHECKS = checks_of(globals())
