"""Options that several commands share, and finding the site that a command is about."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.choice import Tongue
from ucontact_appliance.site.current import find_site_file

SiteOption = Annotated[
    Path | None,
    typer.Option(
        "--site",
        help="The site file. Left out: ./site.yml, else the site installed last; profile then "
        "shows this machine, and plan sizes by --agents alone.",
        show_default=False,
    ),
]
LangOption = Annotated[
    Tongue | None,
    typer.Option(
        "--lang", help="Language of findings; by LC_ALL, LC_MESSAGES or LANG if left out."
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def site_file(chosen: Path | None) -> Path:
    """The site file that the command is about. Raises UnreachableError when there is none."""
    found = chosen or find_site_file()
    if found is None:
        raise UnreachableError(
            "there is no site.yml here, and no site was installed from this machine",
            helps="ucontact init",
        )
    return found.absolute()


def require_root() -> None:
    """Refuse to go on as anybody but root; a state folder of one's own (UCONTACT_ETC) will do."""
    if os.geteuid() != 0 and "UCONTACT_ETC" not in os.environ:
        raise UsageError(
            "this command needs root: the site's secrets and keys are root's",
            helps="sudo ucontact …   (the same command)",
        )
