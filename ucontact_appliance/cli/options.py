"""Options that several commands share, and the choice of the site file."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from ucontact_appliance.cli.console import (
    INTERRUPTED,
    confirmed,
    end_unchanged,
    show_text,
    translated,
)
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.choice import Language
from ucontact_appliance.language.messages import _
from ucontact_appliance.site.current import SITE_FILE, find_site_file, installed_site_file
from ucontact_appliance.site.loader import load_site

SiteOption = Annotated[
    Path | None,
    typer.Option(
        "--site",
        metavar="FILE",
        help="Use this site file. Default: ./site.yml, else the site installed last.",
        show_default=False,
    ),
]
# For commands that change something: see `site_to_change`.
SiteToChange = Annotated[
    Path | None,
    typer.Option(
        "--site",
        metavar="FILE",
        help="Change the site of this file. Default: ./site.yml, else the site installed last, "
        "after you type its name.",
        show_default=False,
    ),
]
LangOption = Annotated[
    Language | None,
    typer.Option(
        "--lang", help="Show findings in this language. Default: by LC_ALL, LC_MESSAGES or LANG."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def site_file(chosen: Path | None) -> Path:
    """Return the site file to use. Raises UnreachableError if there is none."""
    found = chosen or find_site_file()
    if found is None:
        raise UnreachableError(
            _("there is no site.yml here, and no site was installed from this machine"),
            helps="ucontact init",
        )
    return found.absolute()


def site_to_change(chosen: Path | None, *, yes: bool = False) -> Path | None:
    """Return the site file for a command that changes servers or secrets; None if there is no site.

    `--site` and `./site.yml` need no confirmation. The site installed last is used only if its name
    is typed at a terminal: in the wrong folder, an installer with many customers would otherwise
    change another customer's servers. Otherwise raises UsageError with the command that names the
    site; always with `yes`, because nothing may be asked then.
    """
    here, last = Path(SITE_FILE), installed_site_file()
    if chosen is not None or here.exists():
        return (chosen or here).absolute()
    if not last.exists():
        return None
    path = last.resolve()
    name = load_site(path).site
    what = _(
        "there is no ./{file} here; the site installed last is {name} ({path})",
        file=SITE_FILE,
        name=name,
        path=path,
    )
    named = again("--site", str(path))
    if yes or not sys.stdin.isatty():
        raise UsageError(
            _("no site was named, and this command changes things"), evidence=what, helps=named
        )
    show_text(translated(what), stderr=True)
    try:
        typed = typer.prompt(translated(_("Type the name of the site to continue")), err=True)
    except typer.Abort:
        end_unchanged(INTERRUPTED)
    if typed.strip() != name:
        raise UsageError(
            _("that is not the name of the site; nothing was changed"),
            evidence=what,
            helps=named,
        )
    return path


def demand_site_to_change(chosen: Path | None) -> Path:
    """Return the file of `site_to_change`. Raises UnreachableError if there is no site at all."""
    return site_to_change(chosen) or site_file(None)


def again(*more: str) -> str:
    """Return the running command line with these words added, to copy and paste."""
    return shlex.join(["ucontact", *sys.argv[1:], *more])


def demand_yes(question: str, refusal: str) -> None:
    """Ask on the terminal; end the command, with nothing changed, unless the answer is yes.

    Raises UsageError with that refusal when stdin is no terminal.
    """
    if not sys.stdin.isatty():
        raise UsageError(refusal, helps=_("{command}   (no questions)", command=again("--yes")))
    try:
        agreed = confirmed(question)
    except typer.Abort:
        end_unchanged(INTERRUPTED)
    if not agreed:
        end_unchanged()


def require_root() -> None:
    """Raise UsageError unless run by root, or with a state folder of one's own (UCONTACT_ETC)."""
    if os.geteuid() != 0 and "UCONTACT_ETC" not in os.environ:
        raise UsageError(
            _("this command needs root: only root can read the site's secrets and keys"),
            helps=_("sudo ucontact …   (the same command)"),
        )
