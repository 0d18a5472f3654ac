"""Change site.yml by a command: show the lines that differ, then apply them or say how."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ucontact_appliance.cli.console import err, out, show_text, translated
from ucontact_appliance.findings.registry import IDS
from ucontact_appliance.language.messages import _
from ucontact_appliance.report.controls import control_ids
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.rewriting import Rewritten, rewrite_site

ApplyOption = Annotated[
    bool,
    typer.Option("--apply", help="Apply the change to the servers at once, without a question."),
]

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def show_diff(diff: str, *, stderr: bool = False) -> None:
    """Print a unified diff, coloured on a terminal."""
    screen = err if stderr else out
    for line in diff.splitlines():
        screen.print(Text(line, _STYLES.get(line[:1], "")), soft_wrap=True, highlight=False)


def change_site(path: Path, change: Callable[[str], str], *, apply: bool) -> Rewritten:
    """Change the file and show the difference; with `apply`, bring it to the servers."""
    if not apply:
        return _changed(path, change)
    # Imported here: without --apply, the installer is not needed.
    from ucontact_appliance.cli import apply as applying  # noqa: PLC0415

    applying.installed_journal(load_site(path).site, path)  # before anything is changed
    done = _changed(path, change)
    applying.apply(done.path, yes=True)
    return done


def _changed(path: Path, change: Callable[[str], str]) -> Rewritten:
    done = rewrite_site(path, change, IDS, control_ids())
    show_diff(done.diff)
    show_text(translated(_("{file} is changed", file=done.path)))
    return done


def show_next(*words: str | Path) -> None:
    """Print the command to run next."""
    show_text(translated(_("next: {command}", command=shlex.join(["ucontact", *map(str, words)]))))
