"""Show a run of the doctor to a person or a program, and exit with the code for its findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.cli.console import out, show_json
from ucontact_appliance.cli.doctor_run import DoctorRun
from ucontact_appliance.cli.doctor_view import show_changes, show_findings, summary
from ucontact_appliance.errors import EXIT_FINDINGS, EXIT_UNREACHABLE
from ucontact_appliance.findings.document import to_document, verdict_of
from ucontact_appliance.findings.registry import REACHABLE
from ucontact_appliance.findings.translated import translated, translated_changes
from ucontact_appliance.language.catalogue import Translate

DeepOption = Annotated[bool, typer.Option("--deep", help="Place all real calls too (about 20 s).")]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="CHECK",
        help="Run only this check, or this subject, such as tls. Repeatable.",
    ),
]
AllOption = Annotated[
    bool, typer.Option("--all", help="List passed and skipped checks too. Default: problems only.")
]


def answer(
    run: DoctorRun, translate: Translate, *, as_json: bool, everything: bool = False
) -> None:
    """Show the run, or only its changes if it was compared with another. Exits as `end_by` does."""
    changes = None if run.changes is None else translated_changes(run.changes, translate)
    told = replace(run, findings=translated(run.findings, translate), changes=changes)
    if as_json:
        show_json(to_document(told.site, told.time, told.findings, told.changes))
    elif told.changes is not None:
        show_changes(told.changes, translate)
        out.print(f"\n{summary(told.findings, translate)}", highlight=False)
    else:
        show_findings(told.findings, translate, everything=everything)
    end_by(run.findings)


def end_by(findings: Sequence[Finding]) -> None:
    """Exit with 3 if a host is unreachable, else with 1 if a check fails; return otherwise."""
    if verdict_of(findings) is not Verdict.FAIL:
        return
    lost = any(f.id == REACHABLE and f.verdict is Verdict.FAIL and not f.waived for f in findings)
    raise typer.Exit(EXIT_UNREACHABLE if lost else EXIT_FINDINGS)
