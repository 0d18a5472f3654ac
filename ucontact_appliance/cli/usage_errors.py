"""The errors of Click, Typer and pydantic about what a person typed, as messages.

These libraries write English sentences. A sentence that matches a template here becomes a message
like the appliance's own, which can be translated; any other stays in English.
"""

from __future__ import annotations

import re
from functools import cache

from ucontact_appliance.language.messages import Message, _, verbatim

# In the order in which they are tried; a placeholder matches any text. A placeholder named `rest`
# is a sentence by itself.
TEMPLATES = (
    _("Invalid value for {parameter}: {rest}"),
    _("Invalid value: {rest}"),
    _("Value error, {rest}"),
    _("Missing argument {name}. {rest}"),
    _("Missing argument {name}."),
    _("Missing option {name}."),
    _("Missing command."),
    _("No such command {name}. Did you mean {suggestions}?"),
    _("No such command {name}."),
    _("No such option: {name} (Possible options: {possibilities})"),
    _("No such option: {name}"),
    _("Option {name} does not take a value."),
    _("Option {name} requires an argument."),
    _("Got unexpected extra argument(s) ({words})"),
    _("{value} is not one of {choices}."),
    _("Choose from:{choices}"),
    _("file {path} does not exist."),
    _("file {path} is a directory."),
    _("file {path} is not readable."),
    _("path {path} does not exist."),
    # pydantic's, which Typer and the questions of `ucontact init` use
    _("Input should be greater than or equal to {least}"),
    _("Input should be less than or equal to {most}"),
    _("Input should be a valid integer, unable to parse string as an integer"),
    _("Input should be {choices} or {last}"),
    _("Input should be {choices}"),
    _("value is not a valid IPv4 or IPv6 address"),
    _("Path does not point to a file"),
    _("String should have at least {count} character"),
    _("String should have at most {count} characters"),
    _("String should match pattern {pattern}"),
)
_PLACE = re.compile(r"\{(\w+)\}")


def usage_message(text: str) -> Message:
    """Return the sentence as a message; an unknown sentence stays in English."""
    if isinstance(text, Message):
        return text
    for template in TEMPLATES:
        found = _pattern(template).fullmatch(text)
        if found:
            values = {
                name: usage_message(value) if name == "rest" else value
                for name, value in found.groupdict().items()
            }
            return _(template, **values)
    return verbatim(text)


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """Return the pattern that matches the texts of a template."""
    parts = _PLACE.split(template)
    made = (
        f"(?P<{part}>.+?)" if index % 2 else re.escape(part) for index, part in enumerate(parts)
    )
    return re.compile("".join(made), re.DOTALL)
