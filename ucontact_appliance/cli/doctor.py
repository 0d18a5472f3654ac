"""`ucontact doctor`: the health checks, each with evidence and remedy."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ucontact_appliance.checks.changes import WAIVED, Changes
from ucontact_appliance.checks.document import schema_text, to_document, verdict_of
from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.checks.offline import judge_snapshot, load_snapshot
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
    moment,
    show_changes,
    show_history,
    show_waived,
    warn,
)
from ucontact_appliance.cli.options import JsonOption, SiteOption, require_root, site_file
from ucontact_appliance.engine.examination import examine, save_facts
from ucontact_appliance.engine.history import changes_since, keep_run, kept_runs
from ucontact_appliance.engine.installed import Installed, load_installed
from ucontact_appliance.errors import (
    EXIT_FINDINGS,
    EXIT_UNREACHABLE,
    UnreachableError,
    UsageError,
)
from ucontact_appliance.facts.source import FactSource
from ucontact_appliance.site.model import Site


@dataclass(frozen=True)
class Run:
    """One run to be told of: whose, when (aware), and what it found; `seconds` is what it took."""

    site: Site
    time: datetime
    findings: tuple[Finding, ...]
    seconds: float
    changes: Changes | None = None


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
    facts_file: Annotated[
        Path | None,
        typer.Option("--save-facts", help="Write all that was read, without secrets, for --from."),
    ] = None,
    from_file: Annotated[
        Path | None,
        typer.Option("--from", help="Judge what --save-facts wrote; asks no server anything."),
    ] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of --json, and end.")
    ] = False,
) -> None:
    """Run the health checks; exit 1 when one fails, 3 when a host is out of reach."""
    if schema:
        typer.echo(schema_text(), nl=False)
        return
    form = chosen_form(form, as_json, out_file)
    _refuse_contradictions(deep=deep, only=only, changed=changed, from_file=from_file)
    with as_plugin(form):
        if from_file is not None:
            run = _judged(from_file, tuple(only or ()))
        else:
            require_root()
            here = load_installed(site_file(site))
            if history:
                runs = kept_runs(here.paths.doctor)
                show_json(history_rows(runs)) if form is Form.JSON else show_history(runs)
                return
            run = _run(here, deep=deep, only=tuple(only or ()), facts_file=facts_file)
            if changed:
                runs = kept_runs(here.paths.doctor)
                run = replace(run, changes=changes_since(runs, run.findings, deep=deep))
            # A monitoring system's polls would push the nights out.
            if not only and form in (Form.TEXT, Form.JSON):
                _keep(here, run, deep=deep)
    _answer(run, form, out_file)
    if verdict_of(run.findings) is Verdict.FAIL:
        lost = any(
            f.id == REACHABLE and f.verdict is Verdict.FAIL and not f.waived for f in run.findings
        )
        raise typer.Exit(EXIT_UNREACHABLE if lost else EXIT_FINDINGS)


def _refuse_contradictions(
    *, deep: bool, only: list[str] | None, changed: bool, from_file: Path | None
) -> None:
    if changed and only:
        raise UsageError(
            "--changes compares whole runs, and --only runs a part",
            helps="ucontact doctor --changes",
        )
    if from_file is not None and (deep or changed):
        raise UsageError(
            "--from judges what was read then: no call can be placed, and nothing compared",
            helps=f"ucontact doctor --from {from_file}",
        )


def _run(here: Installed, *, deep: bool, only: tuple[str, ...], facts_file: Path | None) -> Run:
    now = datetime.now(timezone.utc)
    began = time.monotonic()
    read: dict[str, FactSource] = {}
    with err.status(f"looking at {here.site.site} …") as status:
        findings = examine(
            here,
            deep=deep,
            only=only,
            on_finding=lambda finding: status.update(finding.title),
            on_facts=read.update,
        )
    if facts_file is not None:
        for left_out in save_facts(here, read, now, facts_file, deep=deep):
            warn(f"not stored: {left_out}")
    return Run(here.site, now, findings, time.monotonic() - began)


def _judged(path: Path, only: tuple[str, ...]) -> Run:
    began = time.monotonic()
    snapshot = load_snapshot(path)
    warn(f"judged by what was read of {snapshot.site.site} on {moment(snapshot.time)}")
    findings = judge_snapshot(snapshot, only)
    return Run(snapshot.site, snapshot.time, findings, time.monotonic() - began)


def _keep(here: Installed, run: Run, *, deep: bool) -> None:
    try:
        keep_run(here.paths.doctor, here.site, run.time, run.findings, deep=deep)
    except UnreachableError as error:  # a full disk is the doctor's to tell, not to fall over
        warn(f"this run was not kept: {error.what}: {error.evidence}")


def _answer(run: Run, form: Form, out_file: Path | None) -> None:
    if form is Form.NAGIOS:
        end_as_plugin(run.findings, run.seconds)
    elif form is Form.PROMETHEUS:
        show_metrics(run.site.site, run.findings, run.time, run.seconds, out_file)
    elif form is Form.JSON:
        show_json(to_document(run.site, run.time, run.findings, run.changes))
    elif run.changes is not None:
        show_changes(run.changes)
        out.print(f"\n{_summary(run.findings)}", highlight=False)
    else:
        _show(run.findings)


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
