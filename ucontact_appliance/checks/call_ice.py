"""Checks of a call's media path: with a STUN candidate alone, and with a TURN relay alone."""

from __future__ import annotations

from ucontact_appliance.checks.call import caller, missed
from ucontact_appliance.checks.deep_calls import calls_by_codec, deep_check, keeping_marks
from ucontact_appliance.checks.model import Judgement, Severity, Subject, checks_of, failed, passed
from ucontact_appliance.clients import marks
from ucontact_appliance.clients.calls import REFLEXIVE, RELAY
from ucontact_appliance.facts.call import HERTZ, Attempt
from ucontact_appliance.facts.deep_calls import WAY_SECONDS, way_calls
from ucontact_appliance.language.messages import _, joined
from ucontact_appliance.planning.ports import ports_for

_LEAST_SHARE = 0.7  # of the tone's time


def _ways(subject: Subject) -> dict[str, Attempt]:
    calls_by_codec(subject)
    rows = ports_for(subject.site, subject.plan, subject.plan.host(subject.host.name))
    port = next(row.first for row in rows if row.id == "stun-udp")
    found = subject.facts.get(way_calls, caller(subject), port, subject.secrets["stun.turn"])
    return {one.name: one.attempt for one in found}


def judge_reflexive(attempt: Attempt) -> Judgement:
    """Require media both ways with only the server-reflexive (STUN) candidate offered (R03)."""
    required = _(
        "media in both directions when only the address reported by the site's STUN "
        "server is offered"
    )
    record = attempt.record
    if record is None:
        return failed(missed(attempt), required, attempt.evidence)
    offered = joined(", ", record.offered_ways)
    evidence = f"{_way(attempt)}\n{attempt.evidence}"
    if record.heard.seconds < WAY_SECONDS * _LEAST_SHARE:
        return failed(
            _("offered {offered}; {tone}", offered=offered, tone=_tone(attempt)), required, evidence
        )
    return passed(
        _("offered {offered}; {tone}", offered=offered, tone=_tone(attempt)), required, evidence
    )


@deep_check(
    id="call.stun",
    title=_("A call connects using STUN only"),
    severity=Severity.HIGH,
    requirements=("R03",),
    remedy="{ssh} journalctl -u coturn.service -n 50 --no-pager",
    needs=("call.tone", "stun.binding"),
)
@keeping_marks
def _stun(subject: Subject) -> Judgement:
    return judge_reflexive(_ways(subject)[REFLEXIVE])


def judge_relay(attempt: Attempt) -> Judgement:
    """Require media both ways through the TURN server, and no packet past it (R03)."""
    required = _("media in both directions when only a relay of the site's TURN server is offered")
    record = attempt.record
    if record is None:
        return failed(missed(attempt), required, attempt.evidence)
    evidence = f"{_way(attempt)}\n{attempt.evidence}"
    relayed = sum(one.packets for one in record.arrived if one.kind == marks.RELAYED)
    beside = sum(one.packets for one in record.arrived if one.kind in (marks.AUDIO, marks.VIDEO))
    if not record.chosen_way[0].startswith(f"{RELAY} ") or beside:
        seen = _(
            "chose {chosen_way}; {beside} packets bypassed the relay",
            chosen_way=record.chosen_way[0] or _("no candidate"),
            beside=beside,
        )
        return failed(seen, required, evidence)
    observed = _(
        "{chosen_way}; {relayed} packets through it; {tone}",
        chosen_way=record.chosen_way[0],
        relayed=relayed,
        tone=_tone(attempt),
    )
    if record.heard.seconds < WAY_SECONDS * _LEAST_SHARE:
        return failed(observed, required, evidence)
    return passed(observed, required, evidence)


@deep_check(
    id="call.relay",
    title=_("A call connects using the TURN relay only"),
    severity=Severity.HIGH,
    requirements=("R03",),
    remedy="{ssh} journalctl -u coturn.service -n 50 --no-pager",
    needs=("call.tone", "stun.relay"),
)
@keeping_marks
def _relay(subject: Subject) -> Judgement:
    return judge_relay(_ways(subject)[RELAY])


def _tone(attempt: Attempt) -> str:
    assert attempt.record is not None
    return _(
        "{hertz:g} Hz received for {seconds:.1f} s",
        hertz=HERTZ,
        seconds=attempt.record.heard.seconds,
    )


def _way(attempt: Attempt) -> str:
    assert attempt.record is not None
    record = attempt.record
    arrived = (
        _(
            "{kind} from {source}: {packets} packets",
            kind=one.kind,
            source=one.source,
            packets=one.packets,
        )
        for one in record.arrived
    )
    return "\n".join(
        [
            _("offered: {offered_ways}", offered_ways=joined(", ", record.offered_ways)),
            _(
                "chosen: {chosen_way} to {chosen_way2}",
                chosen_way=record.chosen_way[0],
                chosen_way2=record.chosen_way[1],
            ),
            *arrived,
        ]
    )


CHECKS = checks_of(globals())
