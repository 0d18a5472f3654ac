"""Checks of the provider's trunks."""

from __future__ import annotations

from collections.abc import Sequence

from ucontact_appliance.checks.asterisk import telephony_check
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
from ucontact_appliance.facts.asterisk import AsteriskState, snapshot
from ucontact_appliance.facts.trunk_answers import TrunkAnswer, trunk_answers
from ucontact_appliance.language.messages import Message, _, joined, with_note
from ucontact_appliance.site.trunks import Trunk, TrunkTransport

_REFUSED = (401, 403, 407)
_NEXT = _("enter the password that the provider gave; then install again")


def judge_trunks(
    found: AsteriskState, trunks: Sequence[Trunk], answers: Sequence[TrunkAnswer] = ()
) -> Judgement:
    """Require that every trunk answers, and is registered where site.yml says so (R04).

    What is wrong is explained by what the provider answered, where the log has it.

    A trunk with transport wss has a contact only while its provider is connected. That warns: an
    installation has to end well before any provider can have connected.
    """
    if not trunks:
        return skipped(_("the site has no trunks"))
    required = _("every trunk responds to OPTIONS, and is registered where site.yml requires it")
    states = {contact.owner: contact.status for contact in found.contacts}
    evidence = f"{found.texts.get('contacts', '')}\n{found.texts.get('registrations', '')}".strip()
    wrong: list[Message] = []
    unasked, unconnected, remedy = [], [], ""
    for trunk in trunks:
        state = states.get(trunk.endpoint, "Unknown")
        if trunk.connects_to_us and trunk.endpoint not in states:
            unconnected.append(_("{name} is not connected", name=trunk.name))
            continue
        if state == "NonQual":
            unasked.append(trunk.name)
        faults = _faults(trunk, state, found.registrations.get(trunk.endpoint, ""))
        answer = _answer_of(trunk, answers) if faults else None
        if answer is not None:
            faults = [_explained(trunk, answer)]
            evidence = f"{evidence}\n{answer.line}".strip()
            if answer.status in _REFUSED:
                remedy = f"ucontact secrets set telephony.trunks.{trunk.name} --site {{site}}"
        wrong.extend(faults)
    if wrong:
        told = joined("; ", [*wrong, *unconnected])
        return failed(told, required, evidence, remedy and with_note(remedy, _NEXT))
    if unasked:
        unconnected.append(_("not queried yet: {unasked}", unasked=joined(", ", unasked)))
    if unconnected:
        return warned(joined("; ", unconnected), required, evidence)
    return passed(
        _("responding: {trunks}", trunks=joined(", ", (trunk.name for trunk in trunks))),
        required,
        evidence,
    )


def _faults(trunk: Trunk, state: str, registered: str) -> list[Message]:
    """What is wrong with its contact and its registration, as Asterisk names their states."""
    told = []
    if state != "NonQual" and not state.startswith("Avail"):
        told.append(state.lower())
    if trunk.username and trunk.register_account and registered != "Registered":
        told.append(registered.lower())
    return [
        _("{name} is {state}", name=trunk.name, state=one or _("not registered")) for one in told
    ]


def _answer_of(trunk: Trunk, answers: Sequence[TrunkAnswer]) -> TrunkAnswer | None:
    """What its provider answered: by address and port, or by the address in a line about TLS."""
    port = trunk.port or (5061 if trunk.transport is TrunkTransport.TLS else 5060)
    told = {(answer.peer, answer.account): answer for answer in answers}
    host = f"[{trunk.host}]" if ":" in (trunk.host or "") else trunk.host
    by_tls = told.get((f"{host}:{port}", "")) or told.get((trunk.host or "", ""))
    account = trunk.username if trunk.register_account else None
    return by_tls or (told.get((f"{host}:{port}", account)) if account else None)


def _explained(trunk: Trunk, answer: TrunkAnswer) -> Message:
    if answer.reasons:
        return _(
            "{name}: the provider's certificate is refused: {reason}",
            name=trunk.name,
            reason=", ".join(answer.reasons),
        )
    if answer.status in _REFUSED:
        return _(
            "{name}: the provider refuses the account with SIP {status}",
            name=trunk.name,
            status=answer.status,
        )
    if answer.status:
        return _(
            "{name}: the provider answers REGISTER with SIP {status}",
            name=trunk.name,
            status=answer.status,
        )
    return _("{name}: the provider does not answer REGISTER", name=trunk.name)


@telephony_check(
    id="asterisk.trunks",
    title=_("The provider's trunks respond"),
    severity=Severity.CRITICAL,
    requirements=("R04",),
    remedy=with_note(
        "{ssh} asterisk -rx 'pjsip show contacts'", _("check whether the provider is reachable")
    ),
    needs=("asterisk.service", "asterisk.endpoints"),
)
def _trunks(subject: Subject) -> Judgement:
    trunks = subject.site.telephony.trunks
    answers = subject.facts.get(trunk_answers) if trunks else ()
    return judge_trunks(subject.facts.get(snapshot), trunks, answers)


CHECKS = checks_of(globals())
