"""`ucontact profile --benchmark`: measure the telephony server, and show the result."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from ucontact_appliance.cli.capacity_view import capacity_document, show_carried
from ucontact_appliance.cli.console import err, out, show_json, table, translated
from ucontact_appliance.cli.options import require_root, site_file
from ucontact_appliance.language.messages import _
from ucontact_appliance.operate.benchmark import EXPECTED_SECONDS, benchmark
from ucontact_appliance.operate.installed import load_installed
from ucontact_appliance.planning.capacity import capacity
from ucontact_appliance.planning.capacity_model import Measurement

BenchmarkOption = Annotated[
    bool,
    typer.Option(
        "--benchmark",
        help="Measure what calls cost on the telephony server of the installed site.",
    ),
]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Measure even while calls are active (with --benchmark).")
]


def run_benchmark(site: Path | None, force: bool, as_json: bool) -> None:
    """Measure the installed site's telephony server, and show how many calls it carries."""
    require_root()
    here = load_installed(site_file(site))
    told = _("measuring the telephony server: about {seconds} s", seconds=EXPECTED_SECONDS)
    err.print(translated(told), highlight=False)
    with err.status(translated(_("checking for active calls …"))) as status:
        measured = benchmark(here, lambda step: _say(status.update, step), force=force)
    found = capacity(measured, here.plan)
    if as_json:
        show_json(capacity_document(measured, found))
        return
    _show_measurement(measured)
    show_carried(measured, found, here.plan)


def _say(update: Any, step: str) -> None:
    step = translated(step)
    update(f"{step} …")
    if not err.is_terminal:
        err.print(step, highlight=False)


def _show_measurement(measured: Measurement) -> None:
    rows = table(_("measured"), _("figure"))
    processor = _(
        "{processor}, {cores} cores, {threads} threads{clock}",
        processor=measured.processor,
        cores=measured.cores,
        threads=measured.threads,
        clock=f", {measured.mhz:.0f} MHz" if measured.mhz else "",
    )
    microseconds, milliseconds = _("µs of processor time"), _("ms of processor time")
    rows.add_row(translated(_("processor")), escape(translated(processor)))
    rows.add_row(translated(_("packet relayed")), _figures(measured.relay_us, microseconds))
    rows.add_row(translated(_("compute benchmark")), _figures(measured.compute_ms, milliseconds))
    for pair in _SHOWN:
        if costs := measured.translations_us.get(pair):
            source, __, target = pair.partition(">")
            what = _("{source} to {target}, per second of audio", source=source, target=target)
            rows.add_row(translated(what), _figures(costs, microseconds))
    disk = measured.disk
    written = _(
        "{speed:.0f} MB/s written, fsync p99 {latency:.1f} ms",
        speed=disk.mb_per_second,
        latency=disk.fsync_p99_ms,
    )
    rows.add_row(translated(_("recordings' disk")), translated(written))
    out.print("", rows)


_SHOWN = ("alaw>slin8", "slin8>alaw", "slin8>gsm", "opus>slin8", "slin8>opus")


def _figures(values: tuple[float, ...], unit: str) -> str:
    told = _(
        "{median:.3g} {unit} ({least:.3g} to {most:.3g})",
        median=sorted(values)[len(values) // 2],
        unit=unit,
        least=min(values),
        most=max(values),
    )
    return translated(told)
