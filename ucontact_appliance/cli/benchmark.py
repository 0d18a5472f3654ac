"""`ucontact profile --benchmark` on screen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from ucontact_appliance.cli.capacity_view import capacity_document, show_carried
from ucontact_appliance.cli.console import err, out, show_json, table
from ucontact_appliance.cli.options import require_root, site_file
from ucontact_appliance.operate.benchmark import EXPECTED_SECONDS, benchmark
from ucontact_appliance.operate.installed import load_installed
from ucontact_appliance.planning.capacity import Measurement, capacity

BenchmarkOption = Annotated[
    bool,
    typer.Option(
        "--benchmark",
        help="Measure what calls cost on the telephony server of the installed site.",
    ),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Measure even while calls are up (with --benchmark).")
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
    show_carried(measured, found, here.plan)


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
