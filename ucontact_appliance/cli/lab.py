"""`ucontact lab`: rehearsal machines."""

from __future__ import annotations

import subprocess
from enum import Enum
from typing import Annotated

import typer
from rich.markup import escape

from ucontact_appliance.cli.console import err, out, show_json, table, translated
from ucontact_appliance.cli.options import JsonOption
from ucontact_appliance.errors import UsageError
from ucontact_appliance.lab import machines
from ucontact_appliance.lab.records import ssh_command
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.model import Size
from ucontact_appliance.planning.rehearsal import machine_names

app = typer.Typer(
    add_completion=False,
    help="""Manage rehearsal machines (systemd-nspawn).

    Examples:

      ucontact lab up acme1

      ucontact lab list

      ucontact lab down acme1
    """,
    no_args_is_help=True,
)


class Ubuntu(str, Enum):
    """The Ubuntu releases that a machine's /etc/os-release can report."""

    XENIAL = "16.04"
    BIONIC = "18.04"
    FOCAL = "20.04"
    JAMMY = "22.04"
    NOBLE = "24.04"


Names = Annotated[
    list[str] | None, typer.Argument(help="Names of the machines. Default: those of --size.")
]
Name = Annotated[str, typer.Argument(help="The machine's name.")]


def _say(text: str) -> None:
    err.print(escape(translated(text)), highlight=False)


@app.command()
def up(
    names: Names = None,
    size: Annotated[
        Size, typer.Option(help="Make one machine per server of a site of this size.")
    ] = (Size.SMALL),
    suite: Annotated[
        str | None,
        typer.Option(
            metavar="SUITE",
            help="Install this Debian: bullseye, bookworm, trixie, sid. Default: sid.",
        ),
    ] = None,
    ubuntu: Annotated[
        Ubuntu | None,
        typer.Option(help="Make /etc/os-release report this Ubuntu; the machine stays Debian."),
    ] = None,
) -> None:
    """Make and boot machines; boot existing ones as they were left.

    Examples:

      ucontact lab up acme1

      ucontact lab up --size medium

      ucontact lab up old --suite bullseye --ubuntu 20.04
    """
    for name in names or machine_names(size):
        spec = machines.spec_for(name, suite, ubuntu.value if ubuntu else None)
        machine = machines.up(spec, _say)
        out.print(f"{machine.name}  {machine.address}  {machine.suite}", highlight=False)


@app.command()
def down(
    names: Annotated[list[str] | None, typer.Argument(help="Names of machines.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Remove every machine, whoever made it.")
    ] = False,
) -> None:
    """Remove machines and their data; with the last one, remove the network too.

    Examples:

      ucontact lab down acme1

      ucontact lab down --all
    """
    if bool(names) == every:
        there = [machine.name for machine in machines.listed()]
        raise UsageError(
            _("give either names or --all, not both")
            if every
            else _("no machine was named; none was removed"),
            evidence=_("existing machines: {names}", names=", ".join(there) or _("none")),
            helps=_(
                "ucontact lab down {name}   "
                "(every machine, whoever made it: ucontact lab down --all)",
                name=there[0] if there else "NAME",
            ),
        )
    gone = machines.down_all(_say) if every else machines.down(names or [], _say)
    _say(
        _("removed {names}", names=", ".join(gone)) if gone else _("there was no machine to remove")
    )


@app.command("list")
def list_machines(as_json: JsonOption = False) -> None:
    """List the machines.

    Examples:

      ucontact lab list

      ucontact lab list --json
    """
    found = machines.listed()
    if as_json:
        keys = ("name", "address", "suite", "state")
        show_json([{key: getattr(machine, key) for key in keys} for machine in found])
        return
    rows = table(_("name"), _("address"), _("suite"), _("state"))
    for machine in found:
        rows.add_row(machine.name, machine.address, machine.suite, machine.state)
    out.print(rows)


# The words after the name, also options, belong to the command in the machine.
@app.command(context_settings={"allow_interspersed_args": False})
def shell(
    name: Name,
    command: Annotated[
        list[str] | None, typer.Argument(help="Command to run there, with its arguments.")
    ] = None,
) -> None:
    """Open a shell in a machine, or run one command there.

    Examples:

      ucontact lab shell acme1

      ucontact lab shell acme1 -- uptime
    """
    machine = machines.find(name)
    if machine.state != "running":
        raise UsageError(
            _("the machine {name} is {state}", name=name, state=machine.state),
            helps=f"ucontact lab up {name}",
        )
    words = [*ssh_command(machine.address), *(command or [])]
    raise typer.Exit(subprocess.run(words, check=False).returncode)


@app.command()
def reset(name: Name) -> None:
    """Replace a machine with a fresh one that has the same name and address.

    Examples:

      ucontact lab reset acme1

      ucontact lab reset acme2
    """
    machine = machines.reset(name, _say)
    out.print(f"{machine.name}  {machine.address}  {machine.suite}", highlight=False)
