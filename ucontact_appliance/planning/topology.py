"""Make the plan from a site and the known resources of its hosts."""

from __future__ import annotations

from collections.abc import Mapping

from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import _, ngettext
from ucontact_appliance.planning import tuning
from ucontact_appliance.planning.host_resources import UNSEEN, HostResources
from ucontact_appliance.planning.model import Plan, PlannedHost, Role, Size, Tuning
from ucontact_appliance.planning.reasons import SizedSite, explain
from ucontact_appliance.planning.sizing import size_for
from ucontact_appliance.site.model import DatabaseOn, Host, Site


def make_plan(site: Site, resources: Mapping[str, HostResources]) -> Plan:
    """The plan of this site; `resources` by host name, with assumptions for missing hosts."""
    row = size_for(site.agents)
    groups = _groups(row.size, row.groups, site.database_on)
    if len(site.hosts) != len(groups):
        raise UsageError(
            ngettext(
                "{agents} agents make a {size} site, which needs {count} server; "
                "site.yml lists {named}",
                "{agents} agents make a {size} site, which needs {count} servers; "
                "site.yml lists {named}",
                len(groups),
                agents=site.agents,
                size=row.size.value,
                named=len(site.hosts),
            ),
            evidence="; ".join(" + ".join(role.value for role in group) for group in groups),
            helps=_("list that many servers under 'hosts', in that order, or change 'agents'"),
        )
    hosts = tuple(
        PlannedHost(name=host.name, address=host.address, roles=group)
        for host, group in zip(site.hosts, groups, strict=True)
    )
    return _plan(site, row.size, hosts, resources)


def site_for_agents(agents: int) -> Site:
    """A site with this many agents on servers that have no names yet."""
    row = size_for(agents)
    hosts = tuple(
        Host(name=group[0].value, address=f"192.0.2.{number}")  # RFC 5737: no real address
        for number, group in enumerate(row.groups, start=1)
    )
    return Site(site="plan", fqdn="contact.example.com", agents=agents, hosts=hosts)


def _groups(
    size: Size, groups: tuple[tuple[Role, ...], ...], database_on: DatabaseOn
) -> tuple[tuple[Role, ...], ...]:
    if size is Size.MEDIUM and database_on is DatabaseOn.TELEPHONY:
        return ((Role.TELEPHONY, Role.DATABASE), (Role.BACKEND,))
    return groups


def _plan(
    site: Site, size: Size, hosts: tuple[PlannedHost, ...], resources: Mapping[str, HostResources]
) -> Plan:
    base, java = _share(Role.DATABASE, hosts, resources), _share(Role.BACKEND, hosts, resources)
    made = Tuning(
        telephony=tuning.telephony(site.agents),
        database=tuning.database(site.agents, base),
        backend=tuning.backend(java),
        web=tuning.web(site.agents),
        stun=tuning.stun(site.agents),
    )
    return Plan(
        size=size,
        agents=site.agents,
        hosts=hosts,
        tuning=made,
        reasons=explain(
            SizedSite(site, size, made, base, java),
            resources.get(
                next(host.name for host in hosts if Role.TELEPHONY in host.roles), UNSEEN
            ),
        ),
    )


def _share(
    role: Role, hosts: tuple[PlannedHost, ...], resources: Mapping[str, HostResources]
) -> tuning.HostShare:
    host = next(host for host in hosts if role in host.roles)
    return tuning.HostShare(
        host=host.name,
        memory_mb=resources.get(host.name, UNSEEN).planned_memory_mb,
        alone=len(host.roles) == 1,
    )
