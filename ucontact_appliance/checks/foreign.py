"""Checks that an installation would destroy nothing that somebody else put on a server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

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
from ucontact_appliance.facts import host
from ucontact_appliance.facts.packages import Lists, Wanted, removals
from ucontact_appliance.planning import tables
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.systems import components_of, packages_of, system_row
from ucontact_appliance.planning.tables import ForeignRow, SystemRow

PREFIX = "foreign."
_MOST_NAMED = 8
_JAVA = "java"
_BASE: Literal["packages"] = "packages"


def _ways_out(row: ForeignRow) -> str:
    return (
        f"{{install}} --take-over {row.id}  # stops it, keeps a copy in {facts.KEPT} on the server "
        "and goes on; or use another server, or move it to one"
    )


def judge_component(
    row: ForeignRow, found: facts.Foreign, removed: Sequence[str], lists: Lists
) -> Judgement:
    """Whether the role would write over, or apt remove, what somebody else has of it."""
    required = f"no {row.title} of somebody else's on the server"
    parts = [
        *_named("changed: {0}", found.changed),
        *_named("added: {0}", found.added),
        *_named("databases: {0}", found.databases),
        *found.data,
    ]
    if found.claim is not facts.Claim.TAKEN_OVER:
        parts += _named("apt would remove {0}", removed)
    if parts:
        evidence = "\n".join(
            (*found.changed, *found.added, *found.databases, *found.data, *removed)
        )
        return failed("; ".join(parts), required, evidence, _ways_out(row))
    match found.claim:
        case facts.Claim.OURS:
            return passed(f"{row.title} was set up by the appliance", required)
        case facts.Claim.TAKEN_OVER:
            return passed(f"it was taken over; its copy is in {facts.KEPT}", required)
        case _ if lists == "none":
            return skipped("apt has no package lists: what it would remove is not known", required)
        case _:
            return passed("nothing of somebody else's", required)


def _component(row: ForeignRow) -> Check:
    @check(
        id=f"{PREFIX}{row.id}",
        title=f"No {row.title} of somebody else's would be overwritten",
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
        asked = _removed(subject, row.id)
        removed, lists = asked or ((), "none")
        return judge_component(row, found, removed, lists)

    return judge


COMPONENTS = tuple(_component(row) for row in tables.foreign())


def judge_base(removed: Sequence[str], lists: Lists) -> Judgement:
    """Whether apt would remove packages for those that every server gets."""
    required = "apt removes no package"
    kept = [one for one in removed if one.split(" ")[0] not in tables.replaced_packages()]
    if kept:
        return failed("; ".join(_named("apt would remove {0}", kept)), required, "\n".join(kept))
    if lists == "none":
        return skipped("apt has no package lists: what it would remove is not known", required)
    return passed("apt would remove none", required)


@check(
    id="foreign.packages",
    title="No package of somebody else's would be removed",
    severity=Severity.CRITICAL,
    requirements=("C05",),
    remedy="{ssh} apt-get -s install chrony nftables  # what stands in their way, and why; or "
    "use another server",
    stages=frozenset({Stage.PREFLIGHT}),
    needs=("host.system", "host.archive"),
    timeout=120,
)
def _base(subject: Subject) -> Judgement:
    asked = _removed(subject, _BASE)
    if asked is None:
        return skipped("unknown for a system that is not supported")
    return judge_base(*asked)


def _named(sentence: str, names: Sequence[str]) -> list[str]:
    """The sentence about those names, the first of them and how many more; nothing without any."""
    if not names:
        return []
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return [sentence.replace("{0}", ", ".join(names[:_MOST_NAMED]) + more)]


def _sets(system: SystemRow, roles: Sequence[Role]) -> Mapping[str, tuple[Wanted, ...]]:
    """What the roles ask apt for, by the name of the check that judges it."""
    base = [Wanted(row.packages, row.unless) for row in tables.base_packages()]
    base += [Wanted(packages_of(row, system)) for row in components_of(roles) if row.id == _JAVA]
    return {_BASE: tuple(base)} | {
        row.id: (Wanted(row.packages or system.mysql_packages),)
        for row in tables.foreign()
        if row.role in roles
    }


def _removed(subject: Subject, name: str) -> tuple[tuple[str, ...], Lists] | None:
    """What apt would remove for that check, each once; None for an unsupported system."""
    system = subject.facts.get(host.system)
    row = system_row(system.os_id, system.os_version)
    if row is None:
        return None
    sets = _sets(row, subject.plan.host(subject.host.name).roles)
    found = subject.facts.get(removals, tuple(one for group in sets.values() for one in group))
    owners = [owner for owner, group in sets.items() for _ in group]
    removed = (
        package
        for owner, packages in zip(owners, found.removed, strict=True)
        if owner == name
        for package in packages
    )
    return tuple(dict.fromkeys(removed)), found.lists


CHECKS = checks_of(globals())
