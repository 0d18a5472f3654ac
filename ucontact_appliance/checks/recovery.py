"""Check that a lost installing machine can be replaced, from state sealed on the servers."""

from __future__ import annotations

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.facts.recovery import RecoveryState, recovery_state, sealed_sum
from ucontact_appliance.language.messages import _, concatenated, with_note


def judge_sealed(there: str, here: RecoveryState) -> Judgement:
    """Require the server's sealed state to be the newest one, with today's secrets and keys."""
    required = _("the server keeps the site's state sealed, as of the last installation")
    record = here.record
    if record is None:
        return skipped(_("no state was sealed yet; the next installation does it"))
    if not there:
        return failed(_("the server keeps no sealed state"), required)
    if there != record.sha256:
        return failed(
            _("the server's sealed state is not the one of the last installation"),
            required,
            f"recorded {record.sha256}\nfound    {there}",
        )
    if here.own != record.own:
        return warned(
            _("secrets or keys were changed since the state was sealed"),
            required,
        )
    told = _("sealed on {created:%Y-%m-%d %H:%M} UTC", created=record.created)
    if not here.shown:
        unknown = _("the recovery key was never shown: ucontact recovery show")
        return passed(concatenated((told, "; ", unknown)), required)
    return passed(told, required)


@check(
    id="site.recovery",
    title=_("Servers keep the site's state for a lost installing machine"),
    severity=Severity.MEDIUM,
    requirements=("C01",),
    remedy=with_note("{install}", _("seals the state again and stores it on each server")),
)
def _sealed(subject: Subject) -> Judgement:
    state = subject.state
    paths = (str(state.etc), str(state.sealed), str(state.recovery_shown))
    return judge_sealed(subject.facts.get(sealed_sum), subject.facts.here(recovery_state, *paths))


CHECKS = checks_of(globals())
