"""`ucontact doctor`: the health checks, each with evidence and remedy."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ucontact_appliance.checks.model import Calls, Verdict
from ucontact_appliance.cli.console import out, show_json
from ucontact_appliance.cli.doctor_form import (
    Form,
    FormOption,
    OutOption,
    as_plugin,
    chosen_form,
    end_as_plugin,
    show_metrics,
)
from ucontact_appliance.cli.doctor_night import (
    AllowHttpOption,
    AtOption,
    InstallTimerOption,
    MailOption,
    NotifyOption,
    RemoveTimerOption,
    WebhookOption,
    Wishes,
    clear_timer,
    night,
    set_timer,
)
from ucontact_appliance.cli.doctor_run import Run, keep, run_here, run_stored
from ucontact_appliance.cli.doctor_view import (
    history_rows,
    show_changes,
    show_findings,
    show_history,
    summary,
)
from ucontact_appliance.cli.network import network
from ucontact_appliance.cli.options import (
    JsonOption,
    LangOption,
    SiteOption,
    require_root,
    site_file,
)
from ucontact_appliance.errors import EXIT_FINDINGS, EXIT_UNREACHABLE, UsageError
from ucontact_appliance.findings.document import schema_text, to_document, verdict_of
from ucontact_appliance.findings.registry import REACHABLE
from ucontact_appliance.findings.translated import said, said_changes
from ucontact_appliance.language.catalogue import Language
from ucontact_appliance.language.choice import language, tongue_of
from ucontact_appliance.operate.history import changes_since, kept_runs
from ucontact_appliance.operate.installed import Installed, load_installed

app = typer.Typer(
    add_completion=False, help="The health checks, and the network.", invoke_without_command=True
)
app.command("network")(network)


@app.callback()
def doctor(
    context: typer.Context,
    site: SiteOption = None,
    *,
    deep: Annotated[bool, typer.Option("--deep", help="Place a real call too.")] = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="A check's id, or its beginning.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="List what is well and what was not judged too.")
    ] = False,
    lang: LangOption = None,
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
    install_timer: InstallTimerOption = False,
    at: AtOption = None,
    mail: MailOption = None,
    webhook: WebhookOption = None,
    allow_http: AllowHttpOption = False,
    remove_timer: RemoveTimerOption = False,
    notify: NotifyOption = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of --json, and end.")
    ] = False,
) -> None:
    """Run the health checks; exit 1 when one fails, 3 when a host is out of reach."""
    if context.invoked_subcommand:
        return
    if schema:
        typer.echo(schema_text(), nl=False)
        return
    form = chosen_form(form, as_json, out_file)
    _refuse_contradictions(deep=deep, only=only, changed=changed, from_file=from_file)
    if notify is not None and (only or from_file or form is not Form.TEXT):
        raise UsageError(
            "--notify tells of whole runs, to those that its file names",
            helps=f"ucontact doctor --notify {notify}",
        )
    wishes = Wishes(at, mail, webhook, allow_http, lang, deep)
    if wishes.any and not install_timer:
        raise UsageError(
            "--at, --mail, --webhook and --allow-http go with --install-timer",
            helps="ucontact doctor --install-timer --mail noc@example.com",
        )
    speak = language(lang or tongue_of(os.environ))
    with as_plugin(form, speak):
        if from_file is None:
            require_root()
        if install_timer:
            set_timer(site_file(site), wishes)
            return
        if remove_timer:
            clear_timer(site_file(site))
            return
        if history:
            _show_history(load_installed(site_file(site)), form, speak)
            return
        if from_file is not None:
            run = run_stored(from_file, tuple(only or ()))
        elif notify is not None:
            run = night(notify, site_file(site), calls=Calls.DEEP if deep else Calls.ECHO)
        else:
            run = _run(
                load_installed(site_file(site)),
                calls=Calls.DEEP if deep else Calls.NONE,
                only=tuple(only or ()),
                facts_file=facts_file,
                changed=changed,
                kept=form in (Form.TEXT, Form.JSON),
            )
    _answer(run, form, out_file, speak, everything=everything)
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


def _run(
    here: Installed,
    *,
    calls: Calls,
    only: tuple[str, ...],
    facts_file: Path | None,
    changed: bool,
    kept: bool,
) -> Run:
    run = run_here(here, calls=calls, only=only, facts_file=facts_file)
    if changed:
        runs = kept_runs(here.paths.doctor)
        run = replace(run, changes=changes_since(runs, run.findings, calls=calls))
    # Parts can't be compared, and a monitoring system's polls would push other runs out.
    if kept and not only:
        keep(here, run, calls=calls)
    return run


def _show_history(here: Installed, form: Form, speak: Language) -> None:
    runs = kept_runs(here.paths.doctor)
    if form is Form.JSON:
        show_json(history_rows(runs))
    else:
        show_history(runs, speak)


def _answer(
    run: Run, form: Form, out_file: Path | None, speak: Language, *, everything: bool
) -> None:
    changes = None if run.changes is None else said_changes(run.changes, speak)
    run = replace(run, findings=said(run.findings, speak), changes=changes)
    if form is Form.NAGIOS:
        end_as_plugin(run.findings, run.seconds, speak)
    elif form is Form.PROMETHEUS:
        show_metrics(run.site.site, run.findings, run.time, run.seconds, out_file)
    elif form is Form.JSON:
        show_json(to_document(run.site, run.time, run.findings, run.changes))
    elif run.changes is not None:
        show_changes(run.changes, speak)
        out.print(f"\n{summary(run.findings, speak)}", highlight=False)
    else:
        show_findings(run.findings, speak, everything=everything)
