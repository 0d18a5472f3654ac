"""Translate the help: the texts of the commands, and the words of Typer and Click around them.

The sources have the help texts in English, as Typer requires. Typer and Click have no message
catalogue; their words are listed here.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ucontact_appliance.language.catalogue import Translate
from ucontact_appliance.language.messages import Message, _

# The words of typer.rich_utils around the texts, by the names of its constants.
PANELS = {
    "ARGUMENTS_PANEL_TITLE": _("Arguments"),
    "OPTIONS_PANEL_TITLE": _("Options"),
    "COMMANDS_PANEL_TITLE": _("Commands"),
    "DEFAULT_STRING": _("[default: {}]"),
    "REQUIRED_LONG_STRING": _("[required]"),
}
USAGE = _("Usage:")
# The placeholders for options, commands and arguments in the usage line.
PIECES = (_("[OPTIONS]"), _("COMMAND [ARGS]..."), _("[COMMAND] [ARGS]..."))


def paragraphs(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; examples start with a space."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        yield paragraph if paragraph.startswith(" ") else " ".join(paragraph.split())


def translated_help(text: str, translate: Translate) -> str:
    """Return the help text with its paragraphs translated; examples stay unchanged."""
    return "\n\n".join(
        one if one.startswith(" ") else translate(_(one)) for one in paragraphs(text)
    )


def translate_help(command: Any, translate: Translate) -> Any:
    """Make a click command and its subcommands show translated help; return the command."""
    command.help = translated_help(command.help or "", translate)
    command.options_metavar = translate(_(command.options_metavar or ""))
    for parameter in command.params:
        _translate_parameter(parameter, translate)
    _translate_words(command, translate)
    if hasattr(command, "subcommand_metavar"):
        command.subcommand_metavar = translate(_(command.subcommand_metavar))
    below: Mapping[str, Any] = getattr(command, "commands", {})
    if isinstance(below, dict):  # other mappings load commands on demand
        for child in below.values():
            translate_help(child, translate)
    return command


def _translate_parameter(parameter: Any, translate: Translate) -> None:
    parameter.help = translated_help(parameter.help or "", translate) or None


def _translate_words(command: Any, translate: Translate) -> None:
    """Replace the methods of this command that print Click's and Typer's own words."""
    get_help_option, get_usage = command.get_help_option, command.get_usage
    format_help = command.format_help

    def translated_help_option(context: Any) -> Any:
        option = get_help_option(context)
        if option is not None:
            _translate_parameter(option, translate)
        return option

    def translated_usage(context: Any) -> str:
        return str(get_usage(context)).replace(USAGE, translate(USAGE), 1)

    def translated_format(context: Any, formatter: Any) -> None:
        with _panels(translate):
            format_help(context, formatter)

    command.get_help_option = translated_help_option
    command.get_usage = translated_usage
    command.format_help = translated_format


@contextmanager
def _panels(translate: Translate) -> Iterator[None]:
    """Translate Typer's own words within the block."""
    from typer import rich_utils  # noqa: PLC0415 - loads Rich's Markdown: only help needs it

    words: dict[str, Message] = PANELS
    before = {name: getattr(rich_utils, name) for name in words}
    highlights = rich_utils.OptionHighlighter.highlights
    for name, text in words.items():
        setattr(rich_utils, name, translate(text))
    usage = rf"(?P<usage>{re.escape(translate(USAGE))} )"  # coloured like the English one
    rich_utils.OptionHighlighter.highlights = [*highlights, usage]
    try:
        yield
    finally:
        for name, text in before.items():
            setattr(rich_utils, name, text)
        rich_utils.OptionHighlighter.highlights = highlights
