"""Check that the telephony server bans none of the site's own machines."""

from __future__ import annotations

from collections.abc import Mapping

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
)
from ucontact_appliance.facts.asterisk import JAIL, Jail, jail
from ucontact_appliance.facts.survey import seen_as
from ucontact_appliance.language.messages import _, joined
from ucontact_appliance.planning.model import Role


def judge_banned(found: Jail, ours: Mapping[str, str]) -> Judgement:
    """Fail if the jail bans an address of `ours` (address to name): a banned client gets no reply.

    The jail exempts these: the ban was set by hand, or before the address belonged to the site.
    """
    required = _("{jail} bans none of the site's own machines", jail=JAIL)
    caught = [address for address in ours if address in found.banned]
    if not caught:
        return passed(
            _("none of the {count} banned addresses", count=len(found.banned)),
            required,
            found.evidence,
        )
    lift = " && ".join(f"ucontact bans lift {address} --site {{site}}" for address in caught)
    told = joined(", ", (f"{address} ({ours[address]})" for address in caught))
    return failed(told, required, found.evidence, lift)


# A banned machine sees no service: the registry lists this check before those that ask from here.
@check(
    id="asterisk.banned",
    title=_("None of the site's own machines is banned"),
    severity=Severity.HIGH,
    requirements=("C05", "R02"),
    remedy="{install}",
    role=Role.TELEPHONY,
    timeout=15.0,
)
def _banned(subject: Subject) -> Judgement:
    ours = {
        planned.peer_address: planned.name
        for planned in subject.plan.hosts
        if planned.name != subject.host.name
    }
    installer = subject.facts.get(seen_as)
    if installer:
        ours[installer] = _("the installing machine")
    return judge_banned(subject.facts.get(jail), ours)


CHECKS = checks_of(globals())
