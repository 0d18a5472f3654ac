"""Checks of a call's quality: loss, jitter, round trip, and how long each step takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ucontact_appliance.checks.call import STEPS, caller
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
from ucontact_appliance.language.messages import _, joined, with_note
from ucontact_appliance.planning.tables import network

# The name of each step in data/deep.yml.
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
    """Judge loss, jitter and round trip from here to the telephony server by R24's limits.

    Of several calls the median counts, as for `judge_speech`.
    """
    limit = network()["voip"]
    required = _(
        "round trip below {latency_ms} ms, jitter below {jitter_ms} ms, loss below "
        "{loss_percent:g} %",
        latency_ms=limit.latency_ms,
        jitter_ms=limit.jitter_ms,
        loss_percent=limit.loss_percent,
    )
    made = [call.record for call in calls if call.record is not None]
    if not made:
        return skipped(_("the call ended before this could be measured"), required)
    middle = sorted(made, key=lambda record: _disturbance(record.media))[len(made) // 2]
    media = middle.media
    told = [_in_words(media)]
    if len(made) > 1:
        shares = ", ".join(f"{max(_lost_percent(record.media)):.1f} %" for record in made)
        told.append(
            _("median of {count} calls, with losses of {shares}", count=len(made), shares=shares)
        )
    observed = joined("; ", told)
    evidence = "\n\n".join(record.evidence for record in made)
    if _is_disturbed(media):
        return failed(observed, required, evidence)
    if media.round_trip is None or media.lost_there is None:
        # Both come from the far side's RTCP reports: without them one direction is unknown.
        return skipped(_("only partly measured: {observed}", observed=observed), required, evidence)
    return passed(observed, required, evidence)


@deep_check(
    id="call.quality",
    title=_("Loss, jitter and round trip are acceptable"),
    severity=Severity.HIGH,
    requirements=("R24",),
    remedy=with_note("ping -c 50 -i 0.2 {address}", _("also run it from an agent's desk")),
    needs=("call.tone",),
)
def _quality(subject: Subject) -> Judgement:
    return judge_quality(tuple(_measured(subject)))


def _measured(subject: Subject) -> Iterator[Attempt]:
    """Yield the main call, and two more if the network disturbed it."""
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
    """Return a call's sort key, the least disturbed first: over a limit, loss, jitter."""
    return _is_disturbed(media), max(_lost_percent(media)), media.jitter


def _is_disturbed(media: Media) -> bool:
    """Whether a call exceeds one of R24's limits."""
    limit = network()["voip"]
    return (
        max(_lost_percent(media)) >= limit.loss_percent
        or media.jitter * 1000 >= limit.jitter_ms
        or (media.round_trip or 0.0) * 1000 >= limit.latency_ms
    )


def _in_words(media: Media) -> str:
    """Return a call's measured values as text."""
    if not media.received or not media.sent:
        return _(
            "{sent} packets sent, {received} received", sent=media.sent, received=media.received
        )
    there = _("an unknown number") if media.lost_there is None else str(media.lost_there)
    trip_ms = None if media.round_trip is None else media.round_trip * 1000
    told = _(
        "{received} packets received, {lost} lost ({lost_percent:.1f} %), {there} lost "
        "outbound; jitter {jitter:.1f} ms; round trip {value}",
        received=media.received,
        lost=media.lost,
        lost_percent=_lost_percent(media)[0],
        there=there,
        jitter=media.jitter * 1000,
        value=_("not reported") if trip_ms is None else _("{trip_ms:.1f} ms", trip_ms=trip_ms),
    )
    if trip_ms is not None:
        told += _(" (one way about {trip_ms:.1f} ms)", trip_ms=trip_ms / 2)
    return told


def judge_times(attempt: Attempt, slow: Mapping[str, float]) -> Judgement:
    """Warn if a step of the first call reached its limit in `slow` (seconds)."""
    required = joined(
        ", ",
        (
            _("{step} below {slow:g} s", step=STEPS[step], slow=slow[name])
            for step, name in _SLOW.items()
        ),
    )
    table = [("step", "took", "slow from")]
    late = []
    for step, seconds in attempt.steps:
        limit = slow.get(_SLOW.get(step, ""))
        table.append(
            (
                step,
                f"{seconds * 1000:.0f} ms",
                "" if limit is None else f"{limit:g} s",
            )
        )
        if limit is not None and seconds >= limit:
            late.append(_("{step} took {seconds:.1f} s", step=STEPS[step], seconds=seconds))
    evidence = "\n".join(f"{one:<22}{two:>10}  {three}".rstrip() for one, two, three in table)
    if not attempt.steps:
        return skipped(_("the call completed no step"), required)
    if late:
        return warned(joined("; ", late), required, evidence)
    timed = joined(
        ", ",
        (
            _("{step} {seconds:.0f} ms", step=STEPS[step], seconds=seconds * 1000)
            for step, seconds in attempt.steps
            if step in _SLOW
        ),
    )
    return passed(timed, required, evidence)


@deep_check(
    id="call.times",
    title=_("Each step of a call is fast enough"),
    severity=Severity.MEDIUM,
    requirements=("R02", "R03"),
    remedy="{ssh} asterisk -rx 'core show taskprocessors'",
    needs=("call.register",),
)
def _times(subject: Subject) -> Judgement:
    return judge_times(first_call(subject), WANTED["slow_seconds"])


CHECKS = checks_of(globals())
