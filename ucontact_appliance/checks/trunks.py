"""Checks of the provider's trunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
from ucontact_appliance.facts.asterisk import (
    AsteriskState,
    Settings,
    endpoint_settings,
    snapshot,
)
from ucontact_appliance.facts.trunk_answers import TrunkAnswer, trunk_answers
from ucontact_appliance.language.messages import Message, _, joined, with_note
from ucontact_appliance.planning.gateways import trunk_settings
from ucontact_appliance.site.trunks import Trunk, TrunkModel, TrunkTransport

_REFUSED = (401, 403, 407)
_NEXT = _("enter the password that the provider gave; then install again")

# What to look at where a gateway does not answer (R13), by the names in its own pages.
_AT_THE_GATEWAY = {
    TrunkModel.DINSTAR: _("see SIP Server or IP Trunk in the Dinstar gateway"),
    TrunkModel.KHOMP: _("see the NAP of type SIP in the Khomp gateway"),
    TrunkModel.GATEWAY: _("see the SIP server or trunk in the gateway"),
}


def judge_trunks(
    found: AsteriskState, trunks: Sequence[Trunk], answers: Sequence[TrunkAnswer] = ()
) -> Judgement:
    """Require that every trunk answers, and is registered where site.yml says so (R04).

    Asterisk takes any answer to OPTIONS, such as a gateway's 403, 404, 405 or 501.
    What is wrong is explained by what the provider answered, where the log has it.

    A trunk with transport wss has a contact only while its provider is connected. That warns: an
    installation has to end well before any provider can have connected.
    """
    if not trunks:
        return skipped(_("the site has no trunks"))
    required = _(
        "every trunk responds to OPTIONS, with any status, and is registered where site.yml "
        "requires it"
    )
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
        silent = _("{name} is {state}", name=trunk.name, state=state.lower())
        told.append(with_advice(silent, trunk.model))
    if trunk.username and trunk.register_account and registered != "Registered":
        named = registered.lower() or _("not registered")
        told.append(_("{name} is {state}", name=trunk.name, state=named))
    return told


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


def with_advice(observed: Message, model: TrunkModel) -> Message:
    """Add what to look at in a gateway of this model."""
    advice = _AT_THE_GATEWAY.get(model)
    if advice is None:
        return observed
    return _("{observed} ({advice})", observed=observed, advice=advice)


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
    trunks = subject.site.telephony.sip_trunks
    answers = subject.facts.get(trunk_answers) if trunks else ()
    return judge_trunks(subject.facts.get(snapshot), trunks, answers)


def judge_settings(found: Mapping[str, Settings], trunks: Sequence[Trunk]) -> Judgement:
    """Require codecs, DTMF and T.38 of each trunk as site.yml and its model say (R04, R13)."""
    if not trunks:
        return skipped(_("the site has no trunks"))
    required = _("codecs, dtmf_mode and t38_udptl of each trunk as in site.yml, or its model's")
    wrong, shown = [], []
    for trunk in trunks:
        settings = trunk_settings(trunk)
        wanted = {
            "allow": f"({'|'.join(codec.value for codec in trunk.codecs)})",
            "dtmf_mode": settings.dtmf_mode,
            "t38_udptl": str(settings.t38_udptl).lower(),
        }
        has = {key: found.get(trunk.endpoint, {}).get(key, "") for key in wanted}
        shown.append(f"{trunk.name}: {has}")
        wrong += [
            _(
                "{name}: {option} is {value}, not {wanted}",
                name=trunk.name,
                option=key,
                value=has[key] or "-",
                wanted=value,
            )
            for key, value in wanted.items()
            if has[key] != value
        ]
    evidence = "\n".join(shown)
    if wrong:
        return failed(joined("; ", wrong), required, evidence)
    names = joined(", ", (trunk.name for trunk in trunks))
    return passed(_("as required: {trunks}", trunks=names), required, evidence)


@telephony_check(
    id="asterisk.trunk-settings",
    title=_("Trunks have the codecs, DTMF mode and fax setting of site.yml"),
    severity=Severity.HIGH,
    requirements=("R04", "R13"),
    remedy="{install}",
    needs=("asterisk.service", "asterisk.endpoints"),
)
def _settings(subject: Subject) -> Judgement:
    trunks = subject.site.telephony.sip_trunks
    names = tuple(trunk.endpoint for trunk in trunks)
    return judge_settings(subject.facts.get(endpoint_settings, names) if names else {}, trunks)


CHECKS = checks_of(globals())
