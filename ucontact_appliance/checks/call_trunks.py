"""Check of a test call through each trunk."""

from __future__ import annotations

from collections.abc import Sequence

from ucontact_appliance.checks.deep_calls import WANTED, deep_check, keeping_marks
from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    Verdict,
    checks_of,
    skipped,
)
from ucontact_appliance.facts.asterisk import snapshot
from ucontact_appliance.facts.trunk_calls import TrunkCall, trunk_call
from ucontact_appliance.language.messages import _, concatenated, joined

_NO_COMMON_CODEC = 488  # Not Acceptable Here (RFC 3261, 21.4.26)
_AWAY = "Unavail"  # of a contact that does not answer OPTIONS
_OUTCOMES = {
    "BUSY": _("busy"),
    "NOANSWER": _("not answered"),
    "CANCEL": _("ended before it was answered"),
    "CONGESTION": _("refused: no line is free, or the number is not in service"),
    "CHANUNAVAIL": _("the trunk can't be used"),
}


def judge_trunks(
    calls: Sequence[TrunkCall],
    within: float,
    *,
    silent: Sequence[str] = (),
    without: Sequence[str] = (),
) -> Judgement:
    """Require that a call through each trunk with a test number is answered (R04).

    `silent` are trunks that do not answer OPTIONS, which asterisk.trunks reports. `without` are
    those that have no test number.
    """
    required = _("each trunk's test number answers within {within:g} s", within=within)
    beside = []
    if silent:
        beside.append(
            _(
                "not called because the trunk does not respond (asterisk.trunks): {silent}",
                silent=joined(", ", silent),
            )
        )
    if without:
        beside.append(_("no test_number in site.yml: {without}", without=joined(", ", without)))
    if not calls:
        return skipped(joined("; ", beside) or _("the site has no trunks"), required)
    told, worst = [], Verdict.PASS
    for call in calls:
        if call.outcome == "ANSWER" and call.answered_after is not None:
            told.append(
                _(
                    "{trunk}: answered after {answered_after:.1f} s",
                    trunk=call.trunk,
                    answered_after=call.answered_after,
                )
            )
            if call.answered_after > within and worst is Verdict.PASS:
                worst = Verdict.WARN
            continue
        worst = Verdict.FAIL
        sip = f" (SIP {call.status} {call.reason}".rstrip() + ")" if call.status else ""
        why = _OUTCOMES.get(
            call.outcome, call.outcome.lower() or _("the end of the call was not detected")
        )
        told.append(concatenated((f"{call.trunk}: ", why, sip)))
        if call.status == _NO_COMMON_CODEC:
            told.append(_("{trunk}: no codec in common; see 'codecs'", trunk=call.trunk))
    evidence = "\n\n".join(f"{call.number} through {call.trunk}\n{call.evidence}" for call in calls)
    return Judgement(worst, joined("; ", [*told, *beside]), required, evidence)


@deep_check(
    id="call.trunks",
    title=_("Outgoing calls work on each trunk"),
    severity=Severity.HIGH,
    requirements=("R04",),
    remedy="{ssh} asterisk -rx 'pjsip show contacts' && "
    "{ssh} asterisk -rx 'pjsip show registrations'",
    needs=("asterisk.endpoints", "asterisk.dialplan"),
)
@keeping_marks
def _trunks(subject: Subject) -> Judgement:
    trunks = subject.site.telephony.trunks
    contacts = subject.facts.get(snapshot).contacts if trunks else ()
    away = {contact.owner for contact in contacts if contact.status == _AWAY}
    connected = {contact.owner for contact in contacts}
    away |= {t.endpoint for t in trunks if t.connects_to_us and t.endpoint not in connected}
    named = {trunk.name: trunk.test_number for trunk in trunks if trunk.test_number is not None}
    silent = [t.name for t in trunks if t.name in named and t.endpoint in away]
    return judge_trunks(
        [
            subject.facts.get(trunk_call, name, number)
            for name, number in named.items()
            if name not in silent
        ],
        WANTED["trunk_answer_seconds"],
        silent=silent,
        without=[trunk.name for trunk in trunks if trunk.test_number is None],
    )


CHECKS = checks_of(globals())
