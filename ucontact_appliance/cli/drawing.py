"""The topology of a plan as a drawing: who connects to which server, on which ports."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from ucontact_appliance.cli.console import translated
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.component_tables import PortRow, ports
from ucontact_appliance.planning.gateways import some_t38
from ucontact_appliance.planning.model import Plan, PlannedHost
from ucontact_appliance.planning.ports import ports_for
from ucontact_appliance.site.model import Site

_WIDTH = 100
_SIDES = {"agents": _("agents' browsers"), "providers": _("provider")}


def draw(site: Site, plan: Plan, *, arrow: str = "▶") -> RenderableType:
    """Draw agents on the left, servers with their roles, and the provider on the right.

    Ports come from the port registry. Screens without Unicode need another `arrow`.
    """
    servers = [_server(site, plan, host, arrow) for host in plan.hosts]
    drawn = Table.grid(padding=(0, 1))
    drawn.add_column(vertical="middle")
    drawn.add_column(min_width=52)
    drawn.add_column(vertical="middle")
    agents = translated(_("{agents} agents", agents=plan.agents))
    provider = translated(_("telephony\nprovider"))
    drawn.add_row(
        Panel(Text(f"{agents}\nChrome", justify="center"), box=box.ROUNDED),
        Group(*servers),
        Panel(Text(provider, justify="center"), box=box.ROUNDED),
    )
    return drawn


def _server(site: Site, plan: Plan, host: PlannedHost, arrow: str) -> Panel:
    numbers = {port.id: port.port for port in ports_for(site, plan, host)}
    here = [row for row in ports() if row.id in numbers]
    lines = Table.grid(padding=(0, 1))
    lines.add_column(justify="right", style="bold")
    lines.add_column()
    trunks = site.telephony.trunks
    by_webrtc = any(trunk.connects_to_us for trunk in trunks)
    providers = (
        *(("webrtc-providers",) if by_webrtc else ()),
        *(("fax-providers",) if some_t38(trunks) else ()),
    )
    for source, name in _SIDES.items():
        further = providers if source == "providers" else ()
        if opened := _named(here, (source, *further), numbers):
            lines.add_row(f"{translated(name)} {arrow}", opened)
    for other in plan.hosts:
        peers = [row for row in here if set(row.peers) & set(other.roles)]
        if other.name != host.name and peers:
            lines.add_row(f"{other.name} {arrow}", _named(peers, ("site",), numbers))
    roles = " + ".join(role.value for role in host.roles)
    return Panel(
        lines,
        title=f"[bold]{host.name}[/]  {roles}",
        title_align="left",
        subtitle=host.peer_address,
        subtitle_align="right",
        box=box.HEAVY,
        width=_WIDTH - 40,
    )


def _named(rows: Iterable[PortRow], sources: tuple[str, ...], numbers: dict[str, str]) -> str:
    """Return the ports that are open to one of them; UDP and TCP of one number are merged."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if set(sources) & set(row.sources):
            found.setdefault(numbers[row.id], []).append(row.protocol)
    return ", ".join(f"{number}/{'+'.join(kinds)}" for number, kinds in found.items())
