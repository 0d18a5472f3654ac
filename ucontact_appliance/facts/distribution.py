"""The contents of this distribution, and the versions of the packages that it runs with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any, cast

import typer.main

from ucontact_appliance.resources import ROOT


def installed_versions(names: Sequence[str]) -> dict[str, str]:
    """The version of each Python distribution; empty if it is not installed."""
    found = {}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = ""
    return found


_COMMAND_LINE = "ucontact_appliance.cli.main"
_COMMANDS = (
    f"import sys, {_COMMAND_LINE}; from {__name__} import known_commands; "
    "print(*known_commands(tuple(sys.argv[1:])))"
)
_SECONDS = 20


def known_commands(wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Those commands of `ucontact` that can be loaded; none when it can't even start.

    Inspects the running command line. If there is none (callers in `checks` must not import it),
    starts one, which takes a second.
    """
    line = sys.modules.get(_COMMAND_LINE)
    if line is not None:
        commands = cast("Any", typer.main.get_command(line.app)).commands
        return tuple(name for name in wanted if _loads(commands, name))
    done = subprocess.run(
        [sys.executable, "-c", _COMMANDS, *wanted],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return () if done.returncode else tuple(done.stdout.split())


def _loads(commands: Mapping[str, object], name: str) -> bool:
    # A command's module may import a package that is missing.
    try:
        return commands[name] is not None
    except (ImportError, KeyError):
        return False


def missing_parts(parts: Sequence[str]) -> tuple[str, ...]:
    """Those of the files and folders that do not exist."""
    return tuple(part for part in parts if not (ROOT / part).exists())
