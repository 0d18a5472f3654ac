"""The measured capacity of a telephony server on screen, and as a document."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.markup import escape

from ucontact_appliance.cli.console import out, table, translated
from ucontact_appliance.language.messages import _, ngettext
from ucontact_appliance.operate.measurement import load_measurement
from ucontact_appliance.planning.capacity import Capacity, capacity
from ucontact_appliance.planning.capacity_model import Measurement
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.site.model import Site
from ucontact_appliance.state import state_paths


def show_capacity(site: Site, made: Plan) -> None:
    """Print the measured capacity of the telephony server, or a hint if it was not measured."""
    measured = load_measurement(state_paths(site.site))
    if measured is None:
        hint = _(
            "measured capacity: none, or not readable by this user   (sudo ucontact "
            "profile --benchmark)"
        )
        out.print(f"{translated(hint)}\n", style="dim", highlight=False)
        return
    show_carried(measured, capacity(measured, made), made)


def capacity_json(site: Site, made: Plan) -> dict[str, Any] | None:
    """Return the measured capacity as a document; None if it was not measured."""
    measured = load_measurement(state_paths(site.site))
    return None if measured is None else capacity_document(measured, capacity(measured, made))


def capacity_document(measured: Measurement, found: Capacity) -> dict[str, Any]:
    """Return the measurement and the capacity computed from it, for JSON."""
    return {"measured": measured.model_dump(mode="json"), **asdict(found)}


def show_carried(measured: Measurement, found: Capacity, made: Plan) -> None:
    """Print how many calls of each kind the server carries, and what limits them."""
    title = _(
        "[bold]Measured capacity[/] of {host}: {taken}, Asterisk {version}, {free:.0%} of the "
        "processor kept free, figures ± {uncertainty:.0%}",
        host=escape(found.host),
        taken=measured.taken,
        version=escape(measured.asterisk),
        free=found.kept_free,
        uncertainty=found.uncertainty,
    )
    out.print(f"\n{translated(title)}\n", highlight=False)
    rows = table(
        _("simultaneous calls"),
        _("low"),
        _("likely"),
        _("high"),
        _("limited by"),
        _("reason"),
    )
    for row in found.carried:
        calls = row.calls
        rows.add_row(
            translated(row.title),
            str(calls.low),
            f"[bold]{calls.likely}[/]",
            str(calls.high),
            translated(row.binding),
            translated(row.because),
        )
    out.print(rows, "")
    for note in _notes(measured, found, made):
        told = f"[yellow]{translated(_('note'))}[/] {escape(translated(note))}"
        out.print(told, highlight=False, soft_wrap=True)


def _notes(measured: Measurement, found: Capacity, made: Plan) -> tuple[str, ...]:
    notes = [
        _(
            "{title}: not possible, this Asterisk lacks a codec (ucontact doctor --only asterisk)",
            title=title,
        )
        for title in found.missing
    ]
    if measured.host not in {host.name for host in made.hosts}:
        told = _(
            "the plan has no host {host}: measure again after the installation", host=measured.host
        )
        notes.append(told)
    if measured.untimed:
        notes.append(
            _(
                "this Asterisk does not report the cost of its codecs: estimated from "
                "another machine"
            )
        )
    if measured.calls_up:
        told = ngettext(
            "{count} calls were active during the measurement: the figures are distorted",
            "{count} calls were active during the measurement: the figures are distorted",
            measured.calls_up,
        )
        notes.append(told)
    notes.append(
        _(
            "these figures exclude encryption of agents' media (DTLS-SRTP) and video; "
            "the share kept free must cover both"
        )
    )
    return tuple(notes)
