"""Checks of the lines of telephony cards (R13): channels, alarms, signalling and clock."""

from __future__ import annotations

from ucontact_appliance.checks.asterisk import telephony_check
from ucontact_appliance.checks.cards import NO_CARDS
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
from ucontact_appliance.facts.cards import LineState, line_state
from ucontact_appliance.language.messages import Message, _, joined, with_note
from ucontact_appliance.planning.cards import CardLines, ExpectedSpan, card_lines, ranges

_PRI, _R2 = "pri", "mfcr2"
# What the far end sends on a line that takes calls, or has one (OpenR2's names).
_OUT_OF_SERVICE = ("BLOCK", "BLOCKED")


def judge_channels(found: LineState, wanted: CardLines | None) -> Judgement:
    """Require each channel of site.yml in Asterisk."""
    if wanted is None:
        return skipped(NO_CARDS)
    numbers = [*(one for span in wanted.expected for one in span.voice), *wanted.analogue]
    required = _("Asterisk has the channels {channels}", channels=ranges(sorted(numbers)))
    missing = sorted(set(numbers) - found.channels)
    evidence = f"{found.texts.get('status', '')}\n{found.texts.get('proc', '')}".strip()
    if missing:
        told = _(
            "{count} of {total} channels are missing: {missing}",
            count=len(missing),
            total=len(numbers),
            missing=ranges(missing),
        )
        return failed(told, required, evidence)
    return passed(_("{count} channels", count=len(numbers)), required, evidence)


@telephony_check(
    id="cards.channels",
    title=_("Asterisk has the channels of the telephony cards"),
    severity=Severity.CRITICAL,
    requirements=("R13",),
    remedy=with_note(
        "{ssh} journalctl --no-pager -u ucontact-dahdi.service",
        _("the order of 'cards' in site.yml is that in which DAHDI numbers them"),
    ),
    needs=("asterisk.service", "cards.module"),
)
def _channels(subject: Subject) -> Judgement:
    return judge_channels(*_asked(subject))


def judge_alarms(found: LineState, wanted: CardLines | None) -> Judgement:
    """Require no alarm on the spans of site.yml."""
    if wanted is None:
        return skipped(NO_CARDS)
    if not wanted.expected:
        return skipped(_("no card has a span of E1 or T1"))
    required = _("no alarm on any span")
    evidence = f"{found.texts.get('status', '')}\n{found.texts.get('proc', '')}".strip()
    spans = {span.number: span for span in found.spans}
    wrong: list[Message] = []
    for one in wanted.expected:
        span = spans.get(one.number)
        if span is None:
            wrong.append(_("span {number} is missing", number=one.number))
        elif span.alarms:
            wrong.append(
                _(
                    "span {number}: {alarms}, {meaning}",
                    number=one.number,
                    alarms=" ".join(span.alarms),
                    meaning=_MEANINGS.get(span.alarms[0], _("not in service")),
                )
            )
    if wrong:
        return failed(joined("; ", wrong), required, evidence)
    return passed(_("{count} spans without alarm", count=len(wanted.expected)), required, evidence)


# ITU-T G.732 and G.775, by the colours that DAHDI uses.
_MEANINGS = {
    "RED": _("no signal or no frames arrive: cable, or the far end is off"),
    "YELLOW": _("the far end gets no frames from here: cable, framing or CRC4"),
    "BLUE": _("the far end sends no frames, but all ones: its own line is out"),
    "LOOP": _("the line is looped back"),
    "RECOVERING": _("an alarm has just ended"),
}


@telephony_check(
    id="cards.alarms",
    title=_("The lines of the telephony cards have no alarm"),
    severity=Severity.CRITICAL,
    requirements=("R13",),
    remedy=with_note(
        "{ssh} asterisk -rx 'dahdi show status'",
        _("check the cable, then framing, coding and CRC4 with the provider"),
    ),
    needs=("cards.channels",),
)
def _alarms(subject: Subject) -> Judgement:
    return judge_alarms(*_asked(subject))


def judge_signalling(found: LineState, wanted: CardLines | None) -> Judgement:
    """Require an active D channel on each PRI, and unblocked lines with MFC-R2."""
    if wanted is None:
        return skipped(NO_CARDS)
    if not wanted.expected:
        return skipped(_("no card has a span of E1 or T1"))
    required = _("each D channel is up; no far end blocks its lines")
    evidence = f"{found.texts.get('pri', '')}\n{found.texts.get('r2', '')}".strip()
    wrong = [told for one in wanted.expected if (told := _silent(found, one))]
    if wrong:
        return failed(joined("; ", wrong), required, evidence)
    blocked = [
        _(
            "span {number}: {channels} blocked",
            number=one.number,
            channels=ranges(_blocked(found, one)),
        )
        for one in wanted.expected
        if one.signalling == _R2 and _blocked(found, one)
    ]
    if blocked:
        return warned(joined("; ", blocked), required, evidence)
    return passed(_("{count} spans signal", count=len(wanted.expected)), required, evidence)


def _silent(found: LineState, one: ExpectedSpan) -> Message | None:
    if one.signalling == _PRI:
        said = found.pri.get(one.number, "")
        if "Up" not in said.split(", "):
            state = said or _("unknown to Asterisk")
            return _("span {number}: {state}", number=one.number, state=state)
        return None
    if len(_blocked(found, one)) == len(one.voice):
        return _("span {number}: the far end blocks all lines", number=one.number)
    return None


def _blocked(found: LineState, one: ExpectedSpan) -> list[int]:
    return [channel for channel in one.voice if found.r2.get(channel, "BLOCKED") in _OUT_OF_SERVICE]


@telephony_check(
    id="cards.signalling",
    title=_("The signalling of the telephony cards' lines is up"),
    severity=Severity.CRITICAL,
    requirements=("R13",),
    remedy=with_note(
        "{ssh} asterisk -rx 'pri show spans' && {ssh} asterisk -rx 'mfcr2 show channels'",
        _("compare switch type, side and D channel, or the MFC-R2 variant, with the provider"),
    ),
    needs=("cards.alarms",),
)
def _signalling(subject: Subject) -> Judgement:
    return judge_signalling(*_asked(subject))


def judge_timing(found: LineState, wanted: CardLines | None) -> Judgement:
    """Require that the clock comes from a span with a place in `timing`: else frames slip."""
    if wanted is None:
        return skipped(NO_CARDS)
    sources = [one.number for one in wanted.expected if one.timing]
    if not sources:
        return skipped(_("site.yml takes the clock from no span"))
    required = _("the clock comes from span {spans}", spans=ranges(sorted(sources)))
    evidence = found.texts.get("proc", "")
    masters = [span.number for span in found.spans if span.master]
    if not masters:
        return warned(_("no span gives the clock"), required, evidence)
    if masters[0] not in sources:
        told = _("the clock comes from span {spans}", spans=masters[0])
        return warned(told, required, evidence)
    return passed(_("span {number}", number=masters[0]), required, evidence)


@telephony_check(
    id="cards.timing",
    title=_("The telephony cards take their clock from the provider"),
    severity=Severity.MEDIUM,
    requirements=("R13",),
    remedy=with_note(
        "{ssh} asterisk -rx 'dahdi show status'",
        _("without it frames slip: clicks, and faxes that fail"),
    ),
    needs=("cards.alarms",),
)
def _timing(subject: Subject) -> Judgement:
    return judge_timing(*_asked(subject))


_NOTHING = LineState((), frozenset(), {}, {}, {})


def _asked(subject: Subject) -> tuple[LineState, CardLines | None]:
    wanted = card_lines(subject.site.telephony)
    return (_NOTHING if wanted is None else subject.facts.get(line_state)), wanted


CHECKS = checks_of(globals())
