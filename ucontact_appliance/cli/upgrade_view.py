"""Print what an upgrade changes, what it came to, and restore points."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from ucontact_appliance.cli.console import err, out, table, translated
from ucontact_appliance.language.messages import Message, _, joined
from ucontact_appliance.upgrading.changes import UpgradeChanges
from ucontact_appliance.upgrading.points import RestorePoint
from ucontact_appliance.upgrading.rollback import Recovered
from ucontact_appliance.upgrading.run import UpgradeResult


def say(text: str) -> None:
    """Print one line on stderr, literally."""
    err.print(escape(translated(text)), highlight=False, soft_wrap=True)


def show_changes(changes: UpgradeChanges, drain_seconds: float) -> None:
    """Print releases, phases with something to do, and what that interrupts."""
    before = changes.before.title if changes.before else "?"
    if not changes.anything:
        say(_("nothing to upgrade: the site has {title}", title=changes.after.title))
        return
    say(_("release   {before} -> {after}", before=before, after=changes.after.title))
    titles = joined(", ", [phase.title for phase in changes.phases])
    say(_("changes   {titles}", titles=titles))
    for one in changes.updates:
        for change in one.changes:
            before, after = change.before or "-", change.after
            say(f"{one.host}: {change.name} {before} -> {after}")
    for step in changes.migrations:
        say(_("schema    {database} {version}", database=step.database, version=step.version))
    say(_("portal    interrupted while the backend restarts, usually under 20 s"))
    say(_calls(changes, drain_seconds))


def _calls(changes: UpgradeChanges, drain_seconds: float) -> Message:
    if not changes.disturbs_calls:
        return _("calls     not interrupted")
    return _(
        "calls     new ones are refused, except emergency calls; those that are up have "
        "{seconds:.0f} s to end, and are cut if their service restarts",
        seconds=drain_seconds,
    )


def show_upgraded(done: UpgradeResult, site_file: Path) -> None:
    """Print the result of an upgrade, with the interruptions that were measured."""
    rows = [
        (_("call"), translated(done.installed.call)),
        (_("portal"), translated(_seconds(done.interruption.portal))),
        (_("signalling"), translated(_seconds(done.interruption.signalling))),
        (
            _("new calls"),
            translated(_("refused for {seconds:.0f} s", seconds=done.refused_seconds)),
        ),
        (_("go back"), f"ucontact rollback {done.point.id} --site {site_file}"),
    ]
    first = _("[bold green]upgraded[/] to {title}", title=escape(done.changes.after.title))
    width = max(len(translated(label)) for label, __ in rows)
    lines = [f"{translated(label):<{width}} {escape(text)}" for label, text in rows]
    out.print("\n".join((translated(first), *lines)), highlight=False, soft_wrap=True)


def _seconds(outage: float | None) -> Message:
    if outage is None:
        return _("not measured: it can't be reached from here")
    return _("interrupted for {seconds:.1f} s", seconds=outage)


def show_recovered(done: Recovered | None) -> None:
    """Print how an interrupted upgrade was ended."""
    if done is None:
        return
    if done.finished:
        say(_("the interrupted upgrade to {title} is finished", title=done.journal.title))
    elif done.point is None:
        say(_("the interrupted upgrade had changed nothing yet"))
    else:
        say(
            _(
                "the interrupted upgrade to {title} was undone: the site is back at {before}, and "
                "healthy",
                title=done.journal.title,
                before=done.point.title,
            )
        )


def points_table(points: Sequence[RestorePoint]) -> Table:
    """Return the restore points as a table, the newest first."""
    shown = table(_("restore point"), _("made (UTC)"), _("release"), _("before the upgrade to"))
    for one in points:
        cells = (one.id, f"{one.created:%Y-%m-%d %H:%M}", one.title, one.goal)
        shown.add_row(*map(escape, cells))
    return shown
