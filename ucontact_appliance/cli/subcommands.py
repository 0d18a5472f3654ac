"""The subcommands of `ucontact`, whose modules are loaded on demand.

Loading all of them takes longer than many of them run: the doctor needs neither the PDF report's
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

# In the order of `ucontact --help`, with the first paragraph of each command's own help. Each is a
# module beside this one, with a Typer named `app` or else a function named like the command.
HELP = {
    "profile": "Show the hardware of this machine, or of each server of a site.",
    "plan": (
        "Size a site: topology, roles, bandwidth, recordings, ports, tuned values, what to buy."
    ),
    "init": "Ask a few questions, show the plan, and write site.yml.",
    "install": "Install the site, continue an interrupted installation, or correct what differs.",
    "apply": (
        "Show what changed in site.yml since the last installation, and apply it to the servers."
    ),
    "upgrade": "Upgrade the site to another release; go back by itself when a check fails.",
    "rollback": "Go back to the restore point of an upgrade.",
    "uninstall": "Stop and remove what the appliance installed on the site's servers.",
    "extension": "Add, remove and list agents' extensions.",
    "trunk": "Add, remove and list trunks to telephony providers.",
    "doctor": "Run the health checks; exit 1 when one fails, 3 when a server cannot be reached.",
    "report": "Run all checks, and write the compliance report as a signed folder.",
    "shell": "Run a command as root on a server of the site, and exit with its status.",
    "lab": "Manage rehearsal machines (systemd-nspawn).",
    "release": "Manage release archives.",
    "secrets": "Show, set and rotate the site's secrets (root only).",
    "recovery": "Show the recovery key, with which another machine can continue the site.",
    "backup": "Make, list, verify and remove backups of the site, and restore them in drills.",
    "restore": (
        "Restore a site from its backup: install it, load its data, and prove it by a real call."
    ),
    "adopt": "Continue a site on this machine: its installing machine is lost, or is replaced.",
    "phones": "List hardphones, with what to enter so that they find their configuration.",
    "bans": "List and lift bans on the telephony servers.",
    "recordings": "List recordings, put them under legal hold, verify and export them.",
}


class Subcommands(Mapping[str, Any]):
    """Maps names to click commands with translated help; a command's module is loaded on lookup."""

    def __init__(self, translate: Translate = english) -> None:
        self._translate = translate

    def __getitem__(self, name: str) -> Any:
        """Return the command. Raises KeyError for an unknown name."""
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
        """Iterate over the names whose module exists, without loading any."""
        return (name for name in HELP if find_spec(_module(name)))

    def __len__(self) -> int:
        """Return the number of commands."""
        return sum(1 for __ in self)


def _module(name: str) -> str:
    return f"ucontact_appliance.cli.{name}"


class Group(typer.core.TyperGroup):
    """The command group `ucontact` itself."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        # Typer passes the commands that were added to it: none were.
        self.commands: Any = Subcommands()
        self._translate: Translate = english

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Return the context of a run; from then on the help is in the reader's language."""
        translate = reader()
        if translate is not english:
            self._translate, self.commands = translate, Subcommands(translate)
            translate_help(self, translate)
        return super().make_context(info_name, args, parent, **extra)

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Return completions by names alone: loading all commands takes one second per TAB."""
        with self._named():
            return super().shell_complete(ctx, incomplete)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help with the texts of HELP, without loading a command."""
        with self._named():
            super().format_help(ctx, formatter)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Within the block, use commands that have only a name and a help text."""
        commands = self.commands
        self.commands = {
            name: typer.core.TyperCommand(name, help=self._translate(_(HELP[name])))
            for name in commands
        }
        try:
            yield
        finally:
            self.commands = commands
