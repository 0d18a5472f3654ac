"""Checks of the DSCP marks on arriving signalling and media packets of calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ucontact_appliance.checks.deep_calls import (
    calls_by_codec,
    calls_with_video,
    deep_check,
    first_call,
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
from ucontact_appliance.clients import marks
from ucontact_appliance.facts.call import Attempt
from ucontact_appliance.language.messages import Message, _, concatenated, joined, verbatim
from ucontact_appliance.site.qos import DSCP_NAMES

_NAMES = {number: name.upper() for name, number in DSCP_NAMES.items()} | {0: _("unmarked")}
_NFT = "{ssh} nft list table inet ucontact_qos && {ssh} asterisk -rx 'pjsip show transports'"


def judge_signalling_marks(seen: Sequence[tuple[int, int]] | None, expected: int) -> Judgement:
    """Require that every segment of SIP over WebSockets arrives with its DSCP (R07)."""
    required = _("every segment of SIP over WSS arrives marked {dscp} (R07)", dscp=_dscp(expected))
    if seen is None:
        return skipped(
            _("not visible from here: reading DSCP marks of TCP requires root and IPv4"), required
        )
    counts = dict(seen)
    if not counts:
        return skipped(_("no segment of the call's connection was seen"), required)
    observed = _counted(counts)
    return _judged_mark(counts, expected, observed, required, observed)


@deep_check(
    id="call.signalling_marks",
    title=_("Signalling arrives with its DSCP mark"),
    severity=Severity.MEDIUM,
    requirements=("R07",),
    remedy=_NFT,
    needs=("call.answer",),
)
def _signalling_marks(subject: Subject) -> Judgement:
    record = first_call(subject).record
    if record is None:
        return skipped(_("the call ended before this could be measured"))
    return judge_signalling_marks(record.signalling, subject.site.network.qos.signalling.tos)


def _judged_mark(
    counts: Mapping[int, int], expected: int, observed: Message, required: Message, evidence: str
) -> Judgement:
    if set(counts) == {expected}:
        return passed(observed, required, evidence)
    if expected in counts or set(counts) != {0}:
        return failed(observed, required, evidence)
    note = _(
        "the server does not mark packets, or a switch or router on the path removes the marks"
    )
    return failed(
        concatenated((observed, ": ", note)),
        required,
        evidence,
    )


def _dscp(number: int) -> Message:
    name = _NAMES.get(number)
    return concatenated((name, f" ({number})")) if name else verbatim(str(number))


def _counted(counts: Mapping[int, int]) -> Message:
    return joined(
        ", ",
        (
            _("{count} packets {dscp}", count=count, dscp=_dscp(dscp))
            for dscp, count in sorted(counts.items())
        ),
    )


def judge_media_marks(calls: Sequence[Attempt], expected: int) -> Judgement:
    """Require that every audio packet arrives with its DSCP (R07)."""
    required = _("every audio packet arrives marked {dscp} (R07)", dscp=_dscp(expected))
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
        return skipped(_("no audio packet arrived directly"), required, evidence)
    pictures = _by_mark(one for one in arrived if one.kind == marks.VIDEO)
    observed = _("audio: {counted}", counted=_counted(counts))
    if pictures:
        # RFC 8843: with BUNDLE, video shares the transport of audio.
        observed += _("; video in the same stream: {counted}", counted=_counted(pictures))
    return _judged_mark(counts, expected, observed, required, evidence)


@deep_check(
    id="call.marks",
    title=_("Media arrives with its DSCP mark"),
    severity=Severity.MEDIUM,
    requirements=("R07",),
    remedy=_NFT,
    needs=("call.tone",),
)
@keeping_marks
def _media_marks(subject: Subject) -> Judgement:
    others = (*calls_by_codec(subject), *calls_with_video(subject))
    calls = [first_call(subject), *(one.attempt for one in others)]
    return judge_media_marks(calls, subject.site.network.qos.audio.tos)


def _by_mark(arrived: Any) -> dict[int, int]:
    counts: dict[int, int] = {}
    for one in arrived:
        counts[one.dscp] = counts.get(one.dscp, 0) + one.packets
    return counts


CHECKS = checks_of(globals())
