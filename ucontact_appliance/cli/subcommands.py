"""The subcommands of `ucontact`, each of whose modules is loaded when it is asked for.

Loading all of them takes longer than many of them run: the doctor needs neither the paper report's
typesetting nor the lab.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import typer.core
import typer.main

# In the order in which `ucontact --help` lists them; each is a module beside this one, with a
# Typer named `app` where it has commands of its own, else a function of its name.
NAMES = (
    "profile",
    "plan",
    "init",
    "install",
    "doctor",
    "report",
    "shell",
    "lab",
    "release",
    "secrets",
    "bans",
)


class Subcommands(Mapping[str, Any]):
    """Name to click's command, made of its module when looked up."""

    def __getitem__(self, name: str) -> Any:
        """The command. Raises KeyError for a name that is none."""
        if name not in NAMES:
            raise KeyError(name)
        module = import_module(_module(name))
        made = getattr(module, "app", None)
        if made is None:
            made = typer.Typer(add_completion=False)
            made.command(name)(getattr(module, name))
        command = typer.main.get_command(made)
        command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        """The names whose module is there; none is loaded."""
        return (name for name in NAMES if find_spec(_module(name)))

    def __len__(self) -> int:
        """How many there are."""
        return sum(1 for _ in self)


def _module(name: str) -> str:
    return f"ucontact_appliance.cli.{name}"


class Group(typer.core.TyperGroup):
    """`ucontact` itself."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # Typer hands the commands over that were added to it: none were.
        self.commands: Any = Subcommands()

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """What may follow here. Commands by name alone: to load them all takes a second a TAB."""
        commands = self.commands
        self.commands = {name: typer.core.TyperCommand(name) for name in commands}
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self.commands = commands
