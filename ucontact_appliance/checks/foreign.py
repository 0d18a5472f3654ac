"""Checks that an installation would destroy nothing that somebody else installed on a server."""

from __future__ import annotations

from collections.abc import Sequence

from ucontact_appliance.checks.apt import BASE, ask_apt
from ucontact_appliance.checks.model import (
    Check,
    Judgement,
    Severity,
    Stage,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
)
from ucontact_appliance.facts import foreign as facts
from ucontact_appliance.facts.packages import Lists
from ucontact_appliance.language.messages import Message, _, concatenated, joined, with_note
from ucontact_appliance.planning import component_tables as tables
from ucontact_appliance.planning.component_tables import ForeignRow

PREFIX = "foreign."
_MOST_NAMED = 8


def _ways_out(row: ForeignRow) -> str:
    return with_note(
        f"{{install}} --take-over {row.id}",
        _(
            "stops it, saves a copy in {kept} on the server and continues; or use "
            "another server, or move it to one",
            kept=facts.KEPT,
        ),
    )


def judge_component(
    row: ForeignRow, found: facts.ForeignInstallation, removed: Sequence[str], lists: Lists
) -> Judgement:
    """Fail if the role would overwrite, or apt remove, what somebody else has of the component."""
    required = _("no other {title} installation on the server", title=row.title)
    parts = [
        *_named(_("changed: {names}"), found.changed),
        *_named(_("added: {names}"), found.added),
        *_named(_("databases: {names}"), found.databases),
        *found.data,
    ]
    if found.claim is not facts.Claim.TAKEN_OVER:
        parts += _named(_("apt would remove {names}"), removed)
    if parts:
        evidence = "\n".join(
            (*found.changed, *found.added, *found.databases, *found.data, *removed)
        )
        return failed(joined("; ", parts), required, evidence, _ways_out(row))
    match found.claim:
        case facts.Claim.OURS:
            return passed(_("{title} was set up by the appliance", title=row.title), required)
        case facts.Claim.TAKEN_OVER:
            return passed(_("it was taken over; a copy is in {kept}", kept=facts.KEPT), required)
        case _ if lists == "none":
            return skipped(
                _("apt has no package lists: what it would remove is not known"), required
            )
        case _:
            return passed(_("no other installation found"), required)


def _component(row: ForeignRow) -> Check:
    @check(
        id=f"{PREFIX}{row.id}",
        title=_("No other {title} installation would be overwritten", title=row.title),
        severity=Severity.CRITICAL,
        requirements=("C05",),
        remedy=_ways_out(row),
        role=row.role,
        stages=frozenset({Stage.PREFLIGHT}),
        needs=("host.system", "host.archive"),
        timeout=120,
    )
    def judge(subject: Subject) -> Judgement:
        found = subject.facts.get(facts.foreign, row)
        asked = ask_apt(subject)
        if asked is None:
            return judge_component(row, found, (), "none")
        return judge_component(row, found, asked.removed(row.id), asked.answer.removals.lists)

    return judge


COMPONENTS = tuple(_component(row) for row in tables.foreign())


def judge_base(removed: Sequence[str], lists: Lists) -> Judgement:
    """Fail if apt would remove packages to install those that every server gets."""
    required = _("apt removes no package")
    kept = [one for one in removed if one.split(" ")[0] not in tables.replaced_packages()]
    if kept:
        return failed(
            joined("; ", _named(_("apt would remove {names}"), kept)), required, "\n".join(kept)
        )
    if lists == "none":
        return skipped(_("apt has no package lists: what it would remove is not known"), required)
    return passed(_("apt would remove none"), required)


@check(
    id="foreign.packages",
    title=_("The installation would remove no other package"),
    severity=Severity.CRITICAL,
    requirements=("C05",),
    remedy=with_note(
        "{ssh} apt-get -s install chrony nftables",
        _("shows which packages conflict, and why; or use another server"),
    ),
    stages=frozenset({Stage.PREFLIGHT}),
    needs=("host.system", "host.archive"),
    timeout=120,
)
def _base(subject: Subject) -> Judgement:
    asked = ask_apt(subject)
    if asked is None:
        return skipped(_("unknown, because the system is not supported"))
    return judge_base(asked.removed(BASE), asked.answer.removals.lists)


def _named(sentence: Message, names: Sequence[str]) -> list[Message]:
    """Return the sentence with the first names and the number of others; empty without names."""
    if not names:
        return []
    more = (
        _(" and {count} more", count=len(names) - _MOST_NAMED) if len(names) > _MOST_NAMED else ""
    )
    return [sentence.filled(names=concatenated((", ".join(names[:_MOST_NAMED]), more)))]


CHECKS = checks_of(globals())
