"""`ucontact plan`: the sizing decision with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ucontact_appliance.cli.capacity_view import capacity_json, show_capacity
from ucontact_appliance.cli.console import err, show_json, translated
from ucontact_appliance.cli.options import JsonOption
from ucontact_appliance.cli.plan_view import (
    document,
    show_comparison,
    show_plan,
    show_shopping_list,
)
from ucontact_appliance.errors import EXIT_FINDINGS, UnreachableError, UsageError
from ucontact_appliance.findings.ids import CHECK_IDS
from ucontact_appliance.install.surveying import iron_of, look_at_hosts
from ucontact_appliance.language.messages import _, ngettext
from ucontact_appliance.planning.host_resources import HostResources
from ucontact_appliance.planning.shopping import shopping_list
from ucontact_appliance.planning.shortfall import Shortfall, shortfalls
from ucontact_appliance.planning.topology import make_plan, site_for_agents
from ucontact_appliance.report.controls import control_ids
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.model import Site
from ucontact_appliance.state import state_paths


def plan(
    agents: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Plan for this many simultaneous agents.", show_default=False
        ),
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option(
            "--site",
            metavar="FILE",
            help="Plan for the servers of this site file. Default: plan from --agents only.",
            show_default=False,
        ),
    ] = None,
    what_if: Annotated[
        str | None,
        typer.Option(
            metavar="N,N", help="Compare with other numbers of agents, such as 25,60,600."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Size a site: topology, roles, bandwidth, recordings, ports, tuned values, what to buy.

    Exit code 1 when the plan has a shortfall.

    Examples:

      ucontact plan --agents 200

      ucontact plan --agents 200 --what-if 300,500

      ucontact plan --site site.yml
    """
    if site is not None:
        loaded = load_site(site, CHECK_IDS, control_ids())
        resources = _host_resources(loaded)
        if agents is not None:
            loaded = loaded.model_copy(update={"agents": agents})
    elif agents is not None:
        loaded, resources = site_for_agents(agents), {}
    else:
        raise UsageError(_("give --agents or --site"), helps="ucontact plan --agents 20")
    others = [site_for_agents(number) for number in _numbers(what_if)]
    if what_if is not None:
        # Compare sites without hosts: other numbers may need other servers than site.yml's.
        sites = [site_for_agents(loaded.agents), *others]
        plans = [(other, make_plan(other, {})) for other in sites]
        show_comparison(plans, as_json=as_json)
        _end(shortfalls(*plans[0], {}))
        return
    made = make_plan(loaded, resources)
    short = shortfalls(loaded, made, resources)
    if as_json:
        show_json(
            document(loaded, made, short, resources) | {"capacity": capacity_json(loaded, made)}
        )
    else:
        show_plan(loaded, made, short)
        show_shopping_list(shopping_list(loaded))
        if site is not None:
            show_capacity(loaded, made)
    _end(short)


def _end(short: Sequence[Shortfall]) -> None:
    """Exit with 1 if the requested plan has a shortfall."""
    if short:
        told = ngettext(
            "the plan has {count} shortfall", "the plan has {count} shortfalls", len(short)
        )
        err.print(f"[yellow]{translated(told)}[/]", highlight=False)
        raise typer.Exit(EXIT_FINDINGS)


def _numbers(what_if: str | None) -> list[int]:
    try:
        return [int(word) for word in (what_if or "").split(",") if word.strip()]
    except ValueError:
        raise UsageError(
            _("--what-if {words}: not a list of agent counts", words=what_if),
            helps="ucontact plan --agents 20 --what-if 25,60,600",
        ) from None


def _host_resources(site: Site) -> dict[str, HostResources]:
    """Return the resources of the hosts that can be read; report hosts planned on assumptions."""
    found = look_at_hosts(site, state_paths(site.site))
    for name, seen in found.items():
        if isinstance(seen, UnreachableError):
            told = _(
                "[yellow]{host} is planned on assumptions[/]: {what}", host=name, what=seen.what
            )
            err.print(translated(told), highlight=False)
    return iron_of({n: s for n, s in found.items() if not isinstance(s, UnreachableError)})
