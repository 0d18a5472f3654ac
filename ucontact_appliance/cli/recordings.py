"""`ucontact recordings`: find recordings, hold them, verify and export them."""

from __future__ import annotations

import os
import pwd
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from ucontact_appliance.cli.console import out, show_error, show_json, show_text, table, translated
from ucontact_appliance.cli.options import (
    JsonOption,
    SiteOption,
    SiteToChange,
    demand_site_to_change,
    require_root,
    site_file,
)
from ucontact_appliance.errors import EXIT_FINDINGS, ApplianceError, UsageError
from ucontact_appliance.facts.indexed_recordings import IndexedRecording, RecordingFilter
from ucontact_appliance.facts.recording_accesses import RecordingAccess
from ucontact_appliance.language.messages import _
from ucontact_appliance.operate import recordings as work
from ucontact_appliance.operate.installed import load_installed

_MOST = 10_000

app = typer.Typer(
    add_completion=False,
    help="""List recordings, put them under legal hold, verify and export them.

    Examples:

      ucontact recordings list --number 24001234

      ucontact recordings hold 1795905244.7 --reason "case 17/2026"

      ucontact recordings export 1795905244.7 --to /root/case-17
    """,
    no_args_is_help=True,
)

LimitOption = Annotated[
    int,
    typer.Option(
        "--limit",
        min=1,
        max=_MOST,
        help="List at most this many. Default: 50.",
        show_default=False,
    ),
]
CallArgument = Annotated[
    str, typer.Argument(help="The call's unique or linked id, such as 1795905244.7.")
]


@app.command("list")
def list_recordings(
    *,
    call: Annotated[str, typer.Option("--call", help="List those of this call.")] = "",
    number: Annotated[
        str, typer.Option("--number", help="List those with this caller, called number or agent.")
    ] = "",
    queue: Annotated[str, typer.Option("--queue", help="List those of this queue.")] = "",
    held: Annotated[bool, typer.Option("--held", help="List those under legal hold.")] = False,
    since: Annotated[
        str, typer.Option("--since", metavar="DAY", help="List those from this day on (UTC).")
    ] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="DAY", help="List those up to this day (UTC).")
    ] = "",
    limit: LimitOption = 50,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """List recordings of the index, newest first, with their parties and legal hold.

    Examples:

      ucontact recordings list --number 24001234 --since 2026-11-01

      ucontact recordings list --held --json
    """
    require_root()
    wanted = RecordingFilter(
        call=call,
        held=held,
        number=number,
        queue=queue,
        since=_day("--since", since),
        until=_day("--until", until),
        limit=limit,
    )
    here = load_installed(site_file(site))
    _show(work.find_recordings(here, wanted), as_json=as_json)


@app.command("accesses")
def accesses(
    *,
    call: Annotated[
        str, typer.Argument(help="The call's unique or linked id. Without it: all calls.")
    ] = "",
    limit: LimitOption = 50,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """List who asked the portal for recordings, newest first, and whether they were played.

    Examples:

      ucontact recordings accesses 1795905244.7

      ucontact recordings accesses --limit 500 --json
    """
    require_root()
    rows = work.accesses(load_installed(site_file(site)), call, limit)
    if as_json:
        show_json([_document(row) for row in rows])
        return
    shown = table(
        _("time (UTC)"), _("user"), _("address"), _("outcome"), _("request"), _("recording")
    )
    for row in rows:
        cells = (_time(row.time), row.user, row.source, row.outcome, row.request, row.path or "-")
        shown.add_row(*map(escape, cells))
    if rows:
        out.print(shown)
    else:
        show_text(translated(_("nobody has asked for a recording")))


@app.command("hold")
def hold(
    call: CallArgument,
    reason: Annotated[
        str, typer.Option("--reason", help="Write this reason into the index: a case, a request.")
    ],
    by: Annotated[
        str,
        typer.Option(
            "--by", help="Write this name beside it. Default: who is logged in.", show_default=False
        ),
    ] = "",
    site: SiteToChange = None,
    as_json: JsonOption = False,
) -> None:
    """Put a call's recordings under legal hold: the retention does not delete them.

    Examples:

      ucontact recordings hold 1795905244.7 --reason "case 17/2026"

      ucontact recordings hold 1795905244.7 --reason "complaint" --by "A. Silva"
    """
    require_root()
    here = load_installed(demand_site_to_change(site))
    _show(work.hold(here, call, reason, by or _login()), as_json=as_json)


@app.command("release")
def release(call: CallArgument, site: SiteToChange = None, as_json: JsonOption = False) -> None:
    """Lift the legal hold of a call's recordings: the retention deletes them when they are due.

    Examples:

      ucontact recordings release 1795905244.7

      ucontact recordings release 1795905244.7 --json
    """
    require_root()
    here = load_installed(demand_site_to_change(site))
    _show(work.release(here, call), as_json=as_json)


@app.command("verify")
def verify(
    call: Annotated[
        str | None,
        typer.Argument(help="The call's unique or linked id. Without it: those under legal hold."),
    ] = None,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify that recordings have the SHA-256 of the index; exit 1 when one does not.

    Examples:

      ucontact recordings verify 1795905244.7

      ucontact recordings verify --json
    """
    require_root()
    here = load_installed(site_file(site))
    rows = (
        work.of_call(here, call)
        if call is not None
        else work.find_recordings(here, RecordingFilter(held=True, limit=_MOST))
    )
    found = work.verify(here, rows)
    if as_json:
        show_json(
            [
                _document(one.recording) | {"sha256_now": one.sha256 or None, "intact": one.intact}
                for one in found
            ]
        )
    else:
        shown = table(_("recording"), _("SHA-256 of the file"), _("state"))
        for one in found:
            style = "green" if one.intact else "red"
            state = escape(translated(_state(one)))
            shown.add_row(
                escape(one.recording.path), escape(one.sha256 or "-"), f"[{style}]{state}[/]"
            )
        _print(shown, len(found))
    wrong = [one.recording.path for one in found if not one.intact]
    if wrong:
        show_error(
            ApplianceError(
                _("{count} recordings are not what was indexed", count=len(wrong)),
                evidence="\n".join(wrong[:10]),
            )
        )
        raise typer.Exit(EXIT_FINDINGS)


@app.command("export")
def export(
    call: CallArgument,
    to: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="Write the copies into this folder.")
    ],
    site: SiteOption = None,
) -> None:
    """Copy a call's recordings to this machine, each with its SHA-256 in a file beside it.

    A copy is compared with the index. No file is overwritten.

    Examples:

      ucontact recordings export 1795905244.7 --to /root/case-17

      ucontact recordings export 1795905244.7 --to . --site /root/site.yml
    """
    require_root()
    here = load_installed(site_file(site))
    for one in work.export(here, call, to):
        show_text(f"{one.sha256}  {one.file}")


def _state(one: work.VerifiedRecording) -> str:
    if one.recording.deleted is not None:
        return _("deleted by the retention") if one.intact else _("marked as deleted, and exists")
    if not one.sha256:
        return _("missing")
    return _("unchanged") if one.intact else _("changed")


def _show(rows: Sequence[IndexedRecording], *, as_json: bool) -> None:
    if as_json:
        show_json([_document(row) for row in rows])
        return
    shown = table(
        _("started (UTC)"),
        _("call"),
        _("from"),
        _("to"),
        _("queue"),
        _("agent"),
        _("seconds"),
        _("legal hold"),
        _("deleted (UTC)"),
    )
    for row in rows:
        cells = (
            _time(row.started),
            row.uniqueid or row.path,
            row.src,
            row.dst,
            row.queue,
            row.agent,
            str(row.duration),
            f"{row.hold_reason} ({row.hold_by})" if row.legal_hold else "-",
            _time(row.deleted),
        )
        shown.add_row(*map(escape, cells))
    _print(shown, len(rows))


def _print(shown: Any, count: int) -> None:
    if count:
        out.print(shown)
    else:
        show_text(translated(_("no recording matches")))


def _document(row: IndexedRecording | RecordingAccess) -> dict[str, Any]:
    return {
        name: value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
        for name, value in vars(row).items()
    }


def _time(value: datetime | None) -> str:
    return "-" if value is None else f"{value:%Y-%m-%d %H:%M:%S}"


def _day(option: str, text: str) -> date | None:
    """Return the day. Raises UsageError."""
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(
            _("{option}: {text!r} is no day", option=option, text=text[:20]),
            helps=_("write a day as 2026-11-30"),
        ) from None


def _login() -> str:
    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
