"""A plan as tables and a drawing for a person, and as one document for a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.markup import escape

from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.cli.console import out, show_json, table
from ucontact_appliance.cli.drawing import draw
from ucontact_appliance.planning.capacity import basis, telephony_server
from ucontact_appliance.planning.iron import UNSEEN, Iron
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.planning.ports import ports_for
from ucontact_appliance.planning.shopping import ServerToBuy, shopping_list
from ucontact_appliance.planning.shortfall import Shortfall, Weight, shortfalls
from ucontact_appliance.site.model import Site

_COLOUR = {Weight.REFUSES: "bold red", Weight.WARNS: "yellow"}


def show_plan(site: Site, made: Plan, short: Sequence[Shortfall] = ()) -> None:
    """Size, drawing, figures with their reasons, ports, and what is too little."""
    out.print(f"\n[bold]{made.size.value.capitalize()} site[/] for {made.agents} agents\n")
    out.print(draw(site, made, arrow=">" if out.options.ascii_only else "▶"))
    figures = table("figure", "value", "because")
    for reason in made.reasons:
        figures.add_row(reason.figure, f"[bold]{escape(reason.value)}[/]", escape(reason.because))
    out.print("", figures, "")
    ports = table("server", "port", "open to", "for")
    for host in made.hosts:
        for port in ports_for(site, made, host):
            who = ", ".join(port.sources) or "this server only"
            ports.add_row(host.name, f"{port.port}/{port.protocol}", who, port.purpose)
    out.print(ports, "")
    for found in short:
        _show_shortfall(found)


def _show_shortfall(found: Shortfall) -> None:
    colour = _COLOUR[found.weight]
    out.print(
        f"[{colour}]{found.host}: {escape(found.what)}[/] "
        f"(needed: {escape(found.needed)}; there: {escape(found.there)})",
        highlight=False,
    )
    for number, way in enumerate(found.ways_out, start=1):
        out.print(f"  {number}. {escape(way)}", highlight=False)
    out.print()


def show_shopping_list(servers: Sequence[ServerToBuy]) -> None:
    """What to buy for each server, with the reasons below the table."""
    rows = table("to buy", "carries", "cores", "memory", "disk")
    for one in servers:
        rows.add_row(
            escape(one.host),
            " + ".join(role.value for role in one.roles),
            f"[bold]{one.cores}[/]",
            f"[bold]{one.memory_bytes // 1024**3}[/] GiB",
            f"[bold]{one.disk_bytes // 1000**3}[/] GB",
        )
    out.print(rows, "")
    for one in servers:
        for what, because in zip(("cores", "memory", "disk"), one.because, strict=True):
            out.print(f"{escape(one.host)}, {what}: {escape(because)}", highlight=False)
        if one.note:
            out.print(f"[yellow]note[/] {escape(f'{one.host}: {one.note}')}", highlight=False)
    out.print()


def show_comparison(plans: Sequence[tuple[Site, Plan]], *, as_json: bool) -> None:
    """Several numbers of agents side by side, figure by figure."""
    if as_json:
        judged = [(site, made, shortfalls(site, made, {})) for site, made in plans]
        show_json({"plans": [document(*one, {}) for one in judged]})
        return
    rows = table("figure", *(f"{made.agents} agents" for _, made in plans))
    values = [{reason.figure: reason.value for reason in made.reasons} for _, made in plans]
    for host_number in range(max(len(made.hosts) for _, made in plans)):
        rows.add_row(
            f"server {host_number + 1}",
            *(
                " + ".join(role.value for role in made.hosts[host_number].roles)
                if host_number < len(made.hosts)
                else "-"
                for _, made in plans
            ),
        )
    for figure in dict.fromkeys(name for known in values for name in known):
        rows.add_row(figure, *(known.get(figure, "-") for known in values))
    short = [shortfalls(site, made, {}) for site, made in plans]
    rows.add_row("shortfalls", *("; ".join(one.what for one in found) or "-" for found in short))
    out.print("", rows, "")


def document(
    site: Site, made: Plan, short: Sequence[Shortfall], iron: Mapping[str, Iron]
) -> dict[str, Any]:
    """The plan for programs: its hosts with ports and with what was seen of them.

    `verdict` is "fail" where there is a shortfall, as the exit code is 1 then.
    """
    shown = made.model_dump(mode="json")
    for host, planned in zip(shown["hosts"], made.hosts, strict=True):
        host["ports"] = [port.document() for port in ports_for(site, made, planned)]
        host["seen"] = asdict(iron.get(planned.name, UNSEEN))
    calls, server = made.tuning.telephony.max_calls, telephony_server()
    return shown | {
        "verdict": (Verdict.FAIL if short else Verdict.PASS).value,
        "shortfalls": [found.model_dump(mode="json") for found in short],
        "shopping_list": [one.model_dump(mode="json") for one in shopping_list(site)],
        "telephony_server": {
            "planned_calls": calls,
            "basis": basis(calls).name.lower(),
            "measured_calls": server.measured_calls,
            "ceiling_calls": server.ceiling_calls,
            "not_measured": server.unmeasured,
        },
    }
