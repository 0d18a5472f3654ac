"""A plan as tables and a drawing for a person, and as one document for a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.markup import escape

from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.cli.console import out, show_json, table, translated
from ucontact_appliance.cli.drawing import draw
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.capacity_model import basis, telephony_server
from ucontact_appliance.planning.host_resources import UNSEEN, HostResources
from ucontact_appliance.planning.model import Plan, Size
from ucontact_appliance.planning.ports import ports_for
from ucontact_appliance.planning.shopping import ServerToBuy, shopping_list
from ucontact_appliance.planning.shortfall import Shortfall, ShortfallSeverity, shortfalls
from ucontact_appliance.site.model import Site

_TITLES = {
    Size.SMALL: _("[bold]Small site[/] for {agents} agents"),
    Size.MEDIUM: _("[bold]Medium site[/] for {agents} agents"),
    Size.BIG: _("[bold]Big site[/] for {agents} agents"),
}
_PARTS = (_("cores"), _("memory"), _("disk"))
_COLOUR = {ShortfallSeverity.REFUSES: "bold red", ShortfallSeverity.WARNS: "yellow"}


def show_plan(site: Site, made: Plan, short: Sequence[Shortfall] = ()) -> None:
    """Print size, drawing, figures with their reasons, ports, and shortfalls."""
    told = _TITLES[made.size].filled(agents=made.agents)
    out.print(f"\n{translated(told)}\n")
    out.print(draw(site, made, arrow=">" if out.options.ascii_only else "▶"))
    figures = table(_("figure"), _("value"), _("reason"))
    for reason in made.reasons:
        figure, value, because = map(translated, (reason.figure, reason.value, reason.because))
        figures.add_row(figure, f"[bold]{escape(value)}[/]", escape(because))
    out.print("", figures, "")
    ports = table(_("server"), _("port"), _("open to"), _("for"))
    for host in made.hosts:
        for port in ports_for(site, made, host):
            who = ", ".join(map(translated, port.sources)) or translated(_("this server only"))
            ports.add_row(
                host.name, f"{port.port}/{port.protocol}", who, translated(_(port.purpose))
            )
    out.print(ports, "")
    for found in short:
        _show_shortfall(found)


def _show_shortfall(found: Shortfall) -> None:
    colour = _COLOUR[found.weight]
    amounts = _("required: {needed}; available: {there}", needed=found.needed, there=found.there)
    out.print(
        f"[{colour}]{found.host}: {escape(translated(found.what))}[/] "
        f"({escape(translated(amounts))})",
        highlight=False,
    )
    for number, way in enumerate(found.ways_out, start=1):
        out.print(f"  {number}. {escape(translated(way))}", highlight=False)
    out.print()


def show_shopping_list(servers: Sequence[ServerToBuy]) -> None:
    """Print what to buy for each server, with the reasons below the table."""
    rows = table(_("to buy"), _("roles"), *_PARTS)
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
        for what, because in zip(_PARTS, one.because, strict=True):
            told = f"{one.host}, {translated(what)}: {translated(because)}"
            out.print(escape(told), highlight=False)
        if one.note:
            told = f"{one.host}: {translated(one.note)}"
            out.print(f"[yellow]{translated(_('note'))}[/] {escape(told)}", highlight=False)
    out.print()


def show_comparison(plans: Sequence[tuple[Site, Plan]], *, as_json: bool) -> None:
    """Print the plans for several numbers of agents side by side, one row per figure."""
    if as_json:
        judged = [(site, made, shortfalls(site, made, {})) for site, made in plans]
        show_json({"plans": [document(*one, {}) for one in judged]})
        return
    rows = table(_("figure"), *(_("{agents} agents", agents=made.agents) for __, made in plans))
    values = [{reason.figure: reason.value for reason in made.reasons} for __, made in plans]
    for host_number in range(max(len(made.hosts) for __, made in plans)):
        rows.add_row(
            translated(_("server {number}", number=host_number + 1)),
            *(
                " + ".join(role.value for role in made.hosts[host_number].roles)
                if host_number < len(made.hosts)
                else "-"
                for __, made in plans
            ),
        )
    for figure in dict.fromkeys(name for known in values for name in known):
        rows.add_row(translated(figure), *(translated(known.get(figure, "-")) for known in values))
    short = [shortfalls(site, made, {}) for site, made in plans]
    rows.add_row(
        translated(_("shortfalls")),
        *("; ".join(translated(one.what) for one in found) or "-" for found in short),
    )
    out.print("", rows, "")


def document(
    site: Site, made: Plan, short: Sequence[Shortfall], resources: Mapping[str, HostResources]
) -> dict[str, Any]:
    """Return the plan for programs; its hosts have their ports and the resources seen.

    `verdict` is "fail" if there is a shortfall, as the exit code is 1 then.
    """
    shown = made.model_dump(mode="json")
    for host, planned in zip(shown["hosts"], made.hosts, strict=True):
        host["ports"] = [port.document() for port in ports_for(site, made, planned)]
        host["seen"] = asdict(resources.get(planned.name, UNSEEN))
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
