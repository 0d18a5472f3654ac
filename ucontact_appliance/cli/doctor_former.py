"""Former options of `ucontact doctor` that are commands now. To be removed."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from ucontact_appliance.cli.console import reader, show_text
from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.report.nagios import NagiosStatus, trouble_line

# The first one of this list that was given decides.
_COMMANDS = {
    "--schema": "schema",
    "--install-timer": "timer set",
    "--remove-timer": "timer remove",
    "--history": "history",
    "--changes": "changes",
    "--save-facts": "facts save FILE",
    "--from": "facts judge FILE",
    "--out": "export prometheus --out FILE",
    "--at": "timer set",
    "--mail": "timer set",
    "--webhook": "timer set",
    "--allow-http": "timer set",
}
_FORMAT = "--format"
_FORMS = {"nagios": "export nagios", "prometheus": "export prometheus", "json": "--json"}


def refuse_former(words: Sequence[str]) -> None:
    """Raise UsageError that names the command which replaced a former option.

    For Nagios print UNKNOWN on stdout instead.
    """
    split = [part for word in words for part in word.split("=", 1)]
    given = {word for word in split if word.startswith("--")}
    if _FORMAT in given:
        form = next((word for word in split if word in _FORMS), "json")
        error = _became(_FORMAT, _FORMS[form])
        if form == "nagios":
            show_text(trouble_line(error, reader()))
            raise typer.Exit(NagiosStatus.UNKNOWN)
        raise error
    for option, command in _COMMANDS.items():
        if option in given:
            raise _became(option, command)


def _became(option: str, command: str) -> UsageError:
    return UsageError(
        _("the option {option} of `doctor` is a command now", option=option),
        helps=f"ucontact doctor {command}",
    )
