"""The components and their ports as tables, written from data/components."""

from __future__ import annotations

from collections.abc import Iterable

from ucontact_appliance.planning.component import EVERY, Component
from ucontact_appliance.planning.component_tables import PortRow, phases, ports
from ucontact_appliance.planning.components import FOLDER, components
from ucontact_appliance.planning.model import Role

_HEAD = f"""\
# Components

This page is made from the files in `ucontact_appliance/data/{FOLDER}`, one per component.
[How to add one](../CONTRIBUTING.md#add-a-component).

"""
_PHASES = """
## Phases

Phases with a playbook, in their order. Phases that build on the same others run side by side.

"""
_PORTS = """
## Ports

The firewall opens these ports and no others; the doctor checks who listens. Numbers are fixed,
except `ssh` (from `site.yml`) and the ranges `rtp` and `turn-relay` (from the plan). *From* names
the networks of `site.yml` (agents, providers, admins), the site's other servers with a role, or the
loopback: such a port is never opened. `webrtc-providers` and `fax-providers` are the providers if a
trunk has the transport wss, or T.38. *Limit* names the tuned limit of connections per source
address.

"""


def reference() -> str:
    """Return a Markdown page: a table of components, of phases and of ports."""
    return (
        _HEAD
        + _table(
            ("component", "title", "on", "phase", "packages", "units (account)", "serves"),
            map(_component, components()),
        )
        + _PHASES
        + _table(
            ("phase", "title", "after", "components", "then moves"),
            (
                (
                    f"`{row.id}`",
                    row.playbook.title,
                    _code(row.playbook.after),
                    _code(one.name for one in components() if one.phase == row.id),
                    row.data.title if row.data else "",
                )
                for row in phases().values()
            ),
        )
        + _PORTS
        + _table(
            ("port", "id", "for", "on", "from", "held by", "limit", "serves"), map(_port, ports())
        )
    )


def _component(one: Component) -> tuple[str, ...]:
    names = one.packages.names
    listed = (
        names if isinstance(names, tuple) else dict.fromkeys(n for ns in names.values() for n in ns)
    )
    return (
        f"`{one.name}`",
        one.title,
        _on(one.role),
        _code([one.phase] if one.phase else []),
        _code([*listed, *one.packages.if_available, *one.packages.if_needed]),
        ", ".join(f"`{unit}`" + (f" ({name})" if name else "") for unit, name in one.units.items()),
        ", ".join(one.requirements),
    )


def _port(row: PortRow) -> tuple[str, ...]:
    peers = ", ".join(peer.value for peer in row.peers)
    return (
        f"{row.protocol}/{row.port}",
        f"`{row.id}`",
        row.purpose,
        _on(row.role) + (f" without {row.without.value}" if row.without else ""),
        ", ".join(f"{name} ({peers})" if name == "site" else name for name in row.sources),
        " or ".join(row.processes),
        row.limited_by or "",
        ", ".join(row.requirements),
    )


def _on(role: str) -> str:
    return "every server" if role == EVERY else Role(role).value


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (head, ("---",) * len(head), *rows)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
