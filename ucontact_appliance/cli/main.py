"""The `ucontact` command: turns every error into one clear message."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import typer

from ucontact_appliance import __version__
from ucontact_appliance.cli.console import INTERRUPTED, show_error
from ucontact_appliance.cli.signals import TerminatedBySignal, orderly_end
from ucontact_appliance.cli.subcommands import Group
from ucontact_appliance.cli.usage_errors import usage_message
from ucontact_appliance.errors import (
    EXIT_PHASE_FAILED,
    EXIT_UNREACHABLE,
    EXIT_USAGE,
    ApplianceError,
    UsageError,
)
from ucontact_appliance.install.leftovers import sweep_leftovers
from ucontact_appliance.language.messages import _
from ucontact_appliance.os_errors import TEMPORARY, first_full, refused
from ucontact_appliance.state import etc_root, var_root

# The base class of Typer's usage errors: BadParameter and all its siblings inherit from it, whether
# click is bundled with Typer or separate.
_WrongUsage = typer.BadParameter.__mro__[2]
_AGAIN = _("run the same command again to continue")

app = typer.Typer(
    cls=Group,
    name="ucontact",
    help="""Install, test and audit an on-premise uContact contact centre.

    Examples:

      ucontact init

      ucontact install

      ucontact doctor --deep
    """,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"ucontact {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    sweep_leftovers()  # in every command: what a killed one left must not stay


def main() -> NoReturn:
    """Run the command line and exit with its code; never print a traceback."""
    with orderly_end():
        code = _run()
    sys.exit(code)


def _run() -> int:
    try:
        code = app(standalone_mode=False)
    except BrokenPipeError:
        # The reader of our output is gone, as with `| head`: discard the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_USAGE
    except TerminatedBySignal as ended:
        told = ApplianceError(_("ended by {signal}", signal=ended.name), helps=_AGAIN)
        # The terminal may be gone.
        with suppress(OSError):
            show_error(told)
        return cast("int", ended.code)
    except (Exception, KeyboardInterrupt) as error:
        told, code = _explained(error)
        if told.what:
            show_error(told)
    return code if isinstance(code, int) else 0


def _explained(error: BaseException) -> tuple[ApplianceError, int]:
    """Return the error to show, empty if it was shown already, and the exit code."""
    if isinstance(error, ApplianceError):
        return error, error.exit_code
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return ApplianceError(_("interrupted"), helps=_AGAIN), INTERRUPTED
    if isinstance(error, _WrongUsage):
        # Empty for a command group without a command: Typer has shown its help.
        said = cast("Any", error).format_message().strip()
        return UsageError(usage_message(said), helps="ucontact --help"), EXIT_USAGE
    if isinstance(error, OSError):
        full = first_full((var_root(), etc_root(), Path(), *TEMPORARY))
        what = _("the operating system of this machine refused an operation")
        return refused(what, error, full), EXIT_UNREACHABLE
    where = traceback.extract_tb(error.__traceback__)[-1]
    defect = ApplianceError(
        _("internal error in the appliance; please report it"),
        evidence=_(
            "{error} in {function}, line {line} of {file}",
            error=type(error).__name__,
            function=where.name,
            line=where.lineno,
            file=Path(where.filename).name,
        ),
        helps=_("ucontact --version   (include it in the report)"),
    )
    return defect, EXIT_PHASE_FAILED
