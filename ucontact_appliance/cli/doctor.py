"""`ucontact doctor`: the health checks, each with evidence and remedy."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timezone
from typing import Annotated

import typer
from rich.markup import escape

from ucontact_appliance.checks.changes import WAIVED
from ucontact_appliance.checks.document import schema_text, to_document, verdict_of
from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.checks.registry import REACHABLE
from ucontact_appliance.cli.console import VERDICT_STYLE, err, out, show_json, table
from ucontact_appliance.cli.doctor_form import (
    Form,
    FormOption,
    OutOption,
    as_plugin,
    chosen_form,
    end_as_plugin,
    show_metrics,
)
from ucontact_appliance.cli.doctor_view import (
    STATE_STYLE,
    history_rows,
    show_changes,
    show_history,
    show_waived,
)
from ucontact_appliance.cli.options import JsonOption, SiteOption, require_root, site_file
from ucontact_appliance.engine.examination import examine
from ucontact_appliance.engine.history import changes_since, keep_run, kept_runs
from ucontact_appliance.engine.installed import load_installed
from ucontact_appliance.errors import EXIT_FINDINGS, EXIT_UNREACHABLE, UsageError

_PROBLEMS = (Verdict.FAIL, Verdict.ERROR, Verdict.WARN)


def doctor(
    site: SiteOption = None,
    *,
    deep: Annotated[bool, typer.Option("--deep", help="Place a real call too.")] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="A check's id, or its beginning.")
    ] = None,
    as_json: JsonOption = False,
    form: FormOption = Form.TEXT,
    out_file: OutOption = None,
    changed: Annotated[
        bool, typer.Option("--changes", help="Tell only what changed since the last kept run.")
    ] = False,
    history: Annotated[
        bool, typer.Option("--history", help="List the kept runs; look at nothing.")
    ] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of --json, and end.")
    ] = False,
) -> None:
    """Run the health checks; exit 1 when one fails, 3 when a host is out of reach."""
    if schema:
        typer.echo(schema_text(), nl=False)
        return
    form = chosen_form(form, as_json, out_file)
    if changed and only:
        raise UsageError(
            "--changes compares whole runs, and --only runs a part",
            helps="ucontact doctor --changes",
        )
    with as_plugin(form):
        require_root()
        here = load_installed(site_file(site))
        runs = kept_runs(here.paths.doctor) if changed or history else ()
        if history:
            show_json(history_rows(runs)) if form is Form.JSON else show_history(runs)
            return
        began = time.monotonic()
        with err.status(f"looking at {here.site.site} …") as status:
            findings = examine(
                here,
                deep=deep,
                only=tuple(only or ()),
                on_finding=lambda finding: status.update(finding.title),
            )
        seconds = time.monotonic() - began
    now = datetime.now(timezone.utc)
    changes = changes_since(runs, findings, deep=deep) if changed else None
    if not only:
        keep_run(here.paths.doctor, here.site, now, findings, deep=deep)
    if form is Form.NAGIOS:
        end_as_plugin(findings, seconds)
    elif form is Form.PROMETHEUS:
        show_metrics(here.site.site, findings, now, seconds, out_file)
    elif form is Form.JSON:
        show_json(to_document(here.site, now, findings, changes))
    elif changes is not None:
        show_changes(changes)
        out.print(f"\n{_summary(findings)}", highlight=False)
    else:
        _show(findings)
    if verdict_of(findings) is Verdict.FAIL:
        lost = any(
            f.id == REACHABLE and f.verdict is Verdict.FAIL and not f.waived for f in findings
        )
        raise typer.Exit(EXIT_UNREACHABLE if lost else EXIT_FINDINGS)


def _show(findings: tuple[Finding, ...]) -> None:
    rows = table("", "check", "host", "observed", "s")
    for finding in findings:
        state = WAIVED if finding.waived else finding.verdict.value
        mark = f"[{STATE_STYLE[state]}]{state}[/]"
        observed = f"blocked by {finding.blocked_by}" if finding.blocked_by else finding.observed
        first_line = observed.splitlines()[0] if observed else ""
        rows.add_row(
            mark, finding.title, finding.host, escape(first_line), f"{finding.seconds:.1f}"
        )
    out.print(rows)
    for finding in findings:
        if finding.waived is None and finding.verdict in _PROBLEMS:
            _show_problem(finding)
    for finding in findings:
        if finding.waived is not None and finding.blocked_by is None:
            show_waived(finding)
    out.print(f"\n{_summary(findings)}", highlight=False)


def _show_problem(finding: Finding) -> None:
    style = VERDICT_STYLE[finding.verdict]
    out.print(
        f"\n[{style}]{finding.verdict.value}[/] [bold]{finding.id}[/] on {finding.host}: "
        f"{escape(finding.title)}",
        highlight=False,
    )
    for label, text in (
        ("observed", finding.observed),
        ("required", finding.required),
        ("remedy", finding.remedy),
    ):
        if text:
            out.print(f"  {label:<9} {escape(text)}", highlight=False, soft_wrap=True)


def _summary(findings: tuple[Finding, ...]) -> str:
    counts = Counter(WAIVED if f.waived else f.verdict.value for f in findings)
    return ", ".join(
        f"[{style}]{counts[state]} {state}[/]"
        for state, style in STATE_STYLE.items()
        if counts[state]
    )
