"""`ucontact profile --benchmark` on screen, and the plan's part about measured capacity."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from ucontact_appliance.cli.console import err, out, show_json, table
from ucontact_appliance.cli.options import require_root, site_file
from ucontact_appliance.engine.benchmark import EXPECTED_SECONDS, benchmark, load_measurement
from ucontact_appliance.engine.installed import load_installed
from ucontact_appliance.planning.capacity import Capacity, Measurement, capacity
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.site.model import Site
from ucontact_appliance.state import state_paths

BenchmarkOption = Annotated[
    bool,
    typer.Option("--benchmark", help="Measure what calls cost on the installed telephony server."),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="With --benchmark: measure though calls are up.")
]


def run_benchmark(site: Path | None, force: bool, as_json: bool) -> None:
    """Measure the installed site's telephony server, and show what it carries."""
    require_root()
    here = load_installed(site_file(site))
    err.print(f"measuring the telephony server: about {EXPECTED_SECONDS} s", highlight=False)
    with err.status("asking for calls that are up …") as status:
        measured = benchmark(here, lambda step: _say(status.update, step), force=force)
    found = capacity(measured, here.plan)
    if as_json:
        show_json(capacity_document(measured, found))
        return
    _show_measurement(measured)
    _show(measured, found, here.plan)


def show_capacity(site: Site, made: Plan) -> None:
    """What the telephony server was measured to carry; a hint where nobody measured it."""
    measured = load_measurement(state_paths(site.site))
    if measured is None:
        hint = "measured capacity: none that you may read   (sudo ucontact profile --benchmark)"
        out.print(f"{hint}\n", style="dim", highlight=False)
        return
    _show(measured, capacity(measured, made), made)


def capacity_json(site: Site, made: Plan) -> dict[str, Any] | None:
    """The same as a document; None when nobody has measured."""
    measured = load_measurement(state_paths(site.site))
    return None if measured is None else capacity_document(measured, capacity(measured, made))


def capacity_document(measured: Measurement, found: Capacity) -> dict[str, Any]:
    """The measurement and what follows from it, as JSON has it."""
    return {"measured": measured.model_dump(mode="json"), **asdict(found)}


def _say(update: Any, step: str) -> None:
    update(f"{step} …")
    if not err.is_terminal:
        err.print(step, highlight=False)


def _show_measurement(measured: Measurement) -> None:
    rows = table("measured", "figure")
    clock = f", {measured.mhz:.0f} MHz" if measured.mhz else ""
    rows.add_row(
        "processor",
        f"{escape(measured.processor)}, {measured.cores} cores, {measured.threads} threads{clock}",
    )
    rows.add_row("packet relayed", _figures(measured.relay_us, "µs of processor time"))
    rows.add_row("piece of computing", _figures(measured.compute_ms, "ms of processor time"))
    for pair in _SHOWN:
        if costs := measured.translations_us.get(pair):
            what = f"{pair.replace('>', ' to ')}, a second of audio"
            rows.add_row(what, _figures(costs, "µs of processor time"))
    disk = measured.disk
    rows.add_row(
        "recordings' disk",
        f"{disk.mb_per_second:.0f} MB/s written, fsync p99 {disk.fsync_p99_ms:.1f} ms",
    )
    out.print("", rows)


_SHOWN = ("alaw>slin8", "slin8>alaw", "slin8>gsm", "opus>slin8", "slin8>opus")


def _figures(values: tuple[float, ...], unit: str) -> str:
    return f"{sorted(values)[len(values) // 2]:.3g} {unit} ({min(values):.3g} to {max(values):.3g})"


def _show(measured: Measurement, found: Capacity, made: Plan) -> None:
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
