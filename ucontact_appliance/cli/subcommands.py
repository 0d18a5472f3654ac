"""The subcommands of `ucontact`, each of whose modules is loaded when it is asked for.

Loading all of them takes longer than many of them run: the doctor needs neither the paper report's
typesetting nor the lab.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import typer.core
import typer.main

from ucontact_appliance.cli.console import reader
from ucontact_appliance.cli.help_texts import translate_help
from ucontact_appliance.language.catalogue import Translate, english
from ucontact_appliance.language.messages import _

# In the order in which `ucontact --help` lists them, with what it says of each: the first paragraph
# of the command's own help. Each is a module beside this one, with a Typer named `app` where it has
# commands of its own, else a function of its name.
HELP = {
    "profile": "Show the hardware of this machine, or of each server of a site.",
    "plan": (
        "Size a site: topology, roles, bandwidth, recordings, ports, tuned values, what to buy."
    ),
    "init": "Ask a few questions, show the plan, and write site.yml.",
    "install": "Install the site, continue an interrupted installation, or correct what differs.",
    "doctor": "Run the health checks; exit 1 when one fails, 3 when a server cannot be reached.",
    "report": "Run all checks, and write the compliance report as a signed folder.",
    "shell": "Run a command as root on a server of the site, and exit with its status.",
    "lab": "Manage rehearsal machines (systemd-nspawn).",
    "release": "Manage release archives.",
    "secrets": "Show, set and rotate the site's secrets (root only).",
    "bans": "List and lift bans on the telephony servers.",
}


class Subcommands(Mapping[str, Any]):
    """Name to click's command, made of its module when looked up, with its help translated."""

    def __init__(self, translate: Translate = english) -> None:
        self._translate = translate

    def __getitem__(self, name: str) -> Any:
        """The command. Raises KeyError for a name that is none."""
        if name not in HELP:
            raise KeyError(name)
        module = import_module(_module(name))
        made = getattr(module, "app", None)
        if made is None:
            made = typer.Typer(add_completion=False)
            made.command(name)(getattr(module, name))
        command = typer.main.get_command(made)
        command.name = name
        return command if self._translate is english else translate_help(command, self._translate)

    def __iter__(self) -> Iterator[str]:
        """The names whose module is there; none is loaded."""
        return (name for name in HELP if find_spec(_module(name)))

    def __len__(self) -> int:
        """How many there are."""
        return sum(1 for __ in self)


def _module(name: str) -> str:
    return f"ucontact_appliance.cli.{name}"


class Group(typer.core.TyperGroup):
    """`ucontact` itself."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # Typer hands the commands over that were added to it: none were.
        self.commands: Any = Subcommands()
        self._translate: Translate = english

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """The context of a run; from then on the help is in the reader's language."""
        translate = reader()
        if translate is not english:
            self._translate, self.commands = translate, Subcommands(translate)
            translate_help(self, translate)
        return super().make_context(info_name, args, parent, **extra)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """What may follow here, by names alone: to load all commands takes a second a TAB."""
        with self._named():
            return super().shell_complete(ctx, incomplete)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The commands with what HELP says of each; none is loaded."""
        with self._named():
            super().format_help(ctx, formatter)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """With commands that have a name and a help, and nothing else."""
        commands = self.commands
        self.commands = {
            name: typer.core.TyperCommand(name, help=self._translate(_(HELP[name])))
            for name in commands
        }
        try:
            yield
        finally:
            self.commands = commands
