"""`ucontact plan`: the sizing decision with its reasons."""

from __future__ import annotations

from typing import Annotated

import typer

from ucontact_appliance.cli.benchmark import capacity_json, show_capacity
from ucontact_appliance.cli.console import out, show_json, table
from ucontact_appliance.cli.options import JsonOption, SiteOption
from ucontact_appliance.errors import UsageError
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.planning.ports import ports_for
from ucontact_appliance.planning.topology import make_plan, plan_for_agents, site_for_agents
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.model import Site


def plan(
    agents: Annotated[
        int | None, typer.Option(help="Agents at work at the same time.", show_default=False)
    ] = None,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Size a site: topology, roles, bandwidth, recordings, ports and tuned values."""
    if site is not None:
        loaded = load_site(site)
        if agents is not None:
            loaded = loaded.model_copy(update={"agents": agents})
        made = make_plan(loaded, {})
    elif agents is not None:
        loaded, made = site_for_agents(agents), plan_for_agents(agents)
    else:
        raise UsageError("how many agents?", helps="ucontact plan --agents 20")
    if as_json:
        show_json(_document(loaded, made))
    else:
        show_plan(loaded, made)
        if site is not None:
            show_capacity(loaded, made)


def show_plan(site: Site, made: Plan) -> None:
    """The plan as tables for a person."""
    out.print(f"\n[bold]{made.size.value.capitalize()} site[/] for {made.agents} agents\n")
    hosts = table("server", "address", "carries")
    for host in made.hosts:
        hosts.add_row(host.name, host.address, ", ".join(role.value for role in host.roles))
    out.print(hosts)
    figures = table("figure", "value", "because")
    for reason in made.reasons:
        figures.add_row(reason.figure, f"[bold]{reason.value}[/]", reason.because)
    out.print("", figures, "")
    ports = table("server", "port", "open to", "for")
    for host in made.hosts:
        for port in ports_for(site, made, host):
            who = ", ".join(port.sources) or "this server only"
            ports.add_row(host.name, f"{port.port}/{port.protocol}", who, port.purpose)
    out.print(ports, "")


def _document(site: Site, made: Plan) -> dict[str, object]:
    document = made.model_dump(mode="json")
    for host, planned in zip(document["hosts"], made.hosts, strict=True):
        host["ports"] = [port.document() for port in ports_for(site, made, planned)]
    document["capacity"] = capacity_json(site, made)
    return document
