"""Checks of a call's quality: loss, jitter, round trip, and how long each step takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ucontact_appliance.checks.call import caller
from ucontact_appliance.checks.deep_calls import WANTED, deep_check, first_call
from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.clients.calls import (
    ANSWERED,
    CONNECTED_ICE,
    CONNECTED_MEDIA,
    CONNECTED_TLS,
    GATHERED,
    HEARD,
    REGISTERED,
    Media,
)
from ucontact_appliance.facts.call import Attempt
from ucontact_appliance.facts.deep_calls import keeps_marks, quality_call
from ucontact_appliance.planning.tables import network

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


@deep_check(
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
    first = first_call(subject)
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


@deep_check(
    id="call.times",
    title="Each step of a call takes its time and no more",
    severity=Severity.MEDIUM,
    requirements=("R02", "R03"),
    remedy="{ssh} asterisk -rx 'core show taskprocessors'",
    needs=("call.register",),
)
def _times(subject: Subject) -> Judgement:
    return judge_times(first_call(subject), WANTED["slow_seconds"])


CHECKS = checks_of(globals())
