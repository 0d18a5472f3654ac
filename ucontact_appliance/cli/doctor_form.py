"""The forms in which `ucontact doctor` answers programs, each with its own exit codes."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.cli.console import show_text
from ucontact_appliance.errors import ApplianceError, UnreachableError, UsageError
from ucontact_appliance.language.catalogue import Language
from ucontact_appliance.report.nagios import Status, status_of, to_line, trouble_line
from ucontact_appliance.report.prometheus import SUFFIX, to_text
from ucontact_appliance.site.files import write_atomic


class Form(str, Enum):
    """Who reads the answer."""

    TEXT = "text"
    JSON = "json"
    NAGIOS = "nagios"
    PROMETHEUS = "prometheus"


FormOption = Annotated[
    Form,
    typer.Option(
        "--format",
        help="nagios: one line and its exit codes, 0 to 3; prometheus: metrics, with --out for "
        "node_exporter's textfile collector.",
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="With --format prometheus: the .prom file, replaced in one step."),
]


def chosen_form(form: Form, as_json: bool, out_file: Path | None) -> Form:
    """The one form that was asked for. Raises UsageError when words contradict one another."""
    if as_json and form not in (Form.TEXT, Form.JSON):
        raise UsageError(
            "--json is a format of its own", helps=f"ucontact doctor --format {form.value}"
        )
    if out_file is not None and form is not Form.PROMETHEUS:
        raise UsageError(
            "--out goes with --format prometheus",
            helps=f"ucontact doctor --format prometheus --out {out_file}",
        )
    if out_file is not None and out_file.suffix != SUFFIX:
        raise UsageError(
            f"{out_file} would never be read",
            evidence=f"node_exporter's textfile collector reads files that end in {SUFFIX}",
            helps=f"ucontact doctor --format prometheus --out {out_file.with_suffix(SUFFIX)}",
        )
    return Form.JSON if as_json else form


@contextmanager
def as_plugin(form: Form, speak: Language) -> Iterator[None]:
    """For a monitoring system, what keeps the checks from being run is its UNKNOWN, on stdout."""
    try:
        yield
    except (ApplianceError, OSError) as error:
        if form is not Form.NAGIOS:
            raise
        told = error if isinstance(error, ApplianceError) else UnreachableError(str(error))
        show_text(trouble_line(told, speak))
        raise typer.Exit(Status.UNKNOWN) from None


def end_as_plugin(findings: Sequence[Finding], seconds: float, speak: Language) -> NoReturn:
    """Print the line of a monitoring plugin, and end with its exit code."""
    show_text(to_line(findings, seconds, speak))
    raise typer.Exit(status_of(findings))


def show_metrics(
    site: str, findings: Sequence[Finding], time: datetime, seconds: float, out_file: Path | None
) -> None:
    """Print the metrics, or replace the file that holds them."""
    text = to_text(site, findings, time, seconds)
    if out_file is None:
        show_text(text, newline=False)
        return
    if out_file.exists() and not stat.S_ISREG(out_file.stat().st_mode):
        raise UsageError(f"{out_file} is no file that could be replaced")
    write_atomic(out_file, text, 0o644)  # node_exporter is not root
