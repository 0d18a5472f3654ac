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
from ucontact_appliance.language.messages import _, joined, with_note
from ucontact_appliance.site.trunks import Trunk


def judge_trunks(found: AsteriskState, trunks: Sequence[Trunk]) -> Judgement:
    """Require that every trunk answers, and is registered where site.yml says so (R04).

    A trunk with transport wss has a contact only while its provider is connected. That warns: an
    installation has to end well before any provider can have connected.
    """
    if not trunks:
        return skipped(_("the site has no trunks"))
    required = _("every trunk responds to OPTIONS, and is registered where site.yml requires it")
    states = {contact.owner: contact.status for contact in found.contacts}
    evidence = f"{found.texts.get('contacts', '')}\n{found.texts.get('registrations', '')}".strip()
    wrong, unasked, unconnected = [], [], []
    for trunk in trunks:
        name = trunk.endpoint
        state = states.get(name, "Unknown")
        if trunk.connects_to_us and name not in states:
            unconnected.append(_("{name} is not connected", name=trunk.name))
        elif state == "NonQual":
            unasked.append(trunk.name)
        elif not state.startswith("Avail"):
            wrong.append(_("{name} is {state}", name=trunk.name, state=state.lower()))
        registered = found.registrations.get(name, "")
        if trunk.username and trunk.register_account and registered != "Registered":
            wrong.append(
                _(
                    "{name} is {state}",
                    name=trunk.name,
                    state=registered.lower() or _("not registered"),
                )
            )
    if wrong:
        return failed(joined("; ", [*wrong, *unconnected]), required, evidence)
    if unasked:
        unconnected.append(_("not queried yet: {unasked}", unasked=joined(", ", unasked)))
    if unconnected:
        return warned(joined("; ", unconnected), required, evidence)
    return passed(
        _("responding: {trunks}", trunks=joined(", ", (trunk.name for trunk in trunks))),
        required,
        evidence,
    )


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
    return judge_trunks(subject.facts.get(snapshot), subject.site.telephony.trunks)


CHECKS = checks_of(globals())
