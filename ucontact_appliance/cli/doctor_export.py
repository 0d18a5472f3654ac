"""`ucontact doctor export`: results for monitoring systems."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.cli.console import reader, show_text
from ucontact_appliance.cli.doctor_answer import DeepOption, OnlyOption, end_by
from ucontact_appliance.cli.doctor_run import DoctorRun, calls_of, installed_site, run_here
from ucontact_appliance.cli.options import LangOption, SiteOption
from ucontact_appliance.errors import ApplianceError, UnreachableError, UsageError
from ucontact_appliance.findings.translated import translated
from ucontact_appliance.language.messages import _
from ucontact_appliance.report.nagios import NagiosStatus, status_of, to_line, trouble_line
from ucontact_appliance.report.prometheus import SUFFIX, to_text
from ucontact_appliance.site.files import write_atomic

app = typer.Typer(
    add_completion=False,
    help="""Print results for a monitoring system.

    Examples:

      ucontact doctor export nagios

      ucontact doctor export prometheus --out /var/lib/prometheus/node-exporter/ucontact.prom
    """,
)
OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Replace this .prom file in one step. Default: print the metrics.",
    ),
]


@app.command("nagios")
def nagios(
    site: SiteOption = None,
    *,
    deep: DeepOption = False,
    only: OnlyOption = None,
    lang: LangOption = None,
) -> None:
    """Run the checks, and print one line as a Nagios plugin, with its exit codes (0 to 3).

    Examples:

      ucontact doctor export nagios

      ucontact doctor export nagios --only tls
    """
    translate = reader(lang)
    try:
        run = _run(site, deep=deep, only=only)
    except (ApplianceError, OSError) as error:
        # If the checks can't run, a monitoring system expects UNKNOWN, on stdout.
        told = error if isinstance(error, ApplianceError) else UnreachableError(str(error))
        show_text(trouble_line(told, translate))
        raise typer.Exit(NagiosStatus.UNKNOWN) from None
    findings = translated(run.findings, translate)
    show_text(to_line(findings, run.seconds, translate))
    raise typer.Exit(status_of(findings))


@app.command("prometheus")
def prometheus(
    site: SiteOption = None,
    *,
    deep: DeepOption = False,
    only: OnlyOption = None,
    out_file: OutOption = None,
) -> None:
    """Run the checks, and print metrics for node_exporter's textfile collector.

    Examples:

      ucontact doctor export prometheus

      ucontact doctor export prometheus --out /var/lib/prometheus/node-exporter/ucontact.prom
    """
    if out_file is not None and out_file.suffix != SUFFIX:
        raise UsageError(
            _("node_exporter would not read {file}", file=out_file),
            evidence=_(
                "node_exporter's textfile collector reads files that end in {suffix}",
                suffix=SUFFIX,
            ),
            helps=f"ucontact doctor export prometheus --out {out_file.with_suffix(SUFFIX)}",
        )
    run = _run(site, deep=deep, only=only)
    _show_metrics(run.site.site, run.findings, run.time, run.seconds, out_file)
    end_by(run.findings)


def _run(site: Path | None, *, deep: bool, only: list[str] | None) -> DoctorRun:
    """Run the checks. The run is not saved: frequent polls would displace the other saved runs."""
    return run_here(installed_site(site), calls=calls_of(deep), only=tuple(only or ()))


def _show_metrics(
    site: str, findings: Sequence[Finding], time: datetime, seconds: float, out_file: Path | None
) -> None:
    text = to_text(site, findings, time, seconds)
    if out_file is None:
        show_text(text, newline=False)
        return
    if out_file.exists() and not stat.S_ISREG(out_file.stat().st_mode):
        raise UsageError(_("{file} is not a regular file and can't be replaced", file=out_file))
    write_atomic(out_file, text, 0o644)  # node_exporter is not root
