"""The measured capacity of a telephony server on screen, and as a document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.markup import escape

from ucontact_appliance.cli.console import out, table
from ucontact_appliance.operate.measurement import load_measurement
from ucontact_appliance.planning.capacity import Capacity, Measurement, capacity
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.site.model import Site
from ucontact_appliance.state import state_paths


def show_capacity(site: Site, made: Plan) -> None:
    """What the telephony server was measured to carry; a hint where nobody measured it."""
    measured = load_measurement(state_paths(site.site))
    if measured is None:
        hint = "measured capacity: none that you may read   (sudo ucontact profile --benchmark)"
        out.print(f"{hint}\n", style="dim", highlight=False)
        return
    show_carried(measured, capacity(measured, made), made)


def capacity_json(site: Site, made: Plan) -> dict[str, Any] | None:
    """The same as a document; None when nobody has measured."""
    measured = load_measurement(state_paths(site.site))
    return None if measured is None else capacity_document(measured, capacity(measured, made))


def capacity_document(measured: Measurement, found: Capacity) -> dict[str, Any]:
    """The measurement and what follows from it, as JSON has it."""
    return {"measured": measured.model_dump(mode="json"), **asdict(found)}


def show_carried(measured: Measurement, found: Capacity, made: Plan) -> None:
    """How many calls of each sort the server carries, and why not more."""
    out.print(
        f"\n[bold]Measured capacity[/] of {escape(found.host)}: {measured.taken}, Asterisk "
        f"{escape(measured.asterisk)}, {found.kept_free:.0%} of the processor kept free, figures "
        f"± {found.uncertainty:.0%}\n",
        highlight=False,
    )
    rows = table("calls at the same time", "low", "likely", "high", "limited by", "because")
    for row in found.carried:
        calls = row.calls
        rows.add_row(
            row.title,
            str(calls.low),
            f"[bold]{calls.likely}[/]",
            str(calls.high),
            row.binding,
            row.because,
        )
    out.print(rows, "")
    for note in _notes(measured, found, made):
        out.print(f"[yellow]note[/] {escape(note)}", highlight=False, soft_wrap=True)


def _notes(measured: Measurement, found: Capacity, made: Plan) -> tuple[str, ...]:
    notes = [
        f"{title}: not possible, this Asterisk lacks a codec (ucontact doctor --only asterisk)"
        for title in found.missing
    ]
    if measured.host not in {host.name for host in made.hosts}:
        notes.append(f"the plan has no host {measured.host}: measure again after the install")
    if measured.untimed:
        notes.append(
            "this Asterisk can't be asked what its codecs cost: estimated from another machine"
        )
    if measured.calls_up:
        notes.append(f"{measured.calls_up} calls were up during the measurement: it is disturbed")
    notes.append(
        "encryption of agents' media (DTLS-SRTP) and video are not in these figures; the share "
        "kept free has to carry them"
    )
    return tuple(notes)
