"""Texts for people that can be translated after they were made. The sources are in English.

A `Message` is its English text, a `str` like any other, and remembers the template and the values
that it was made from. So whoever judges writes the text where it knows the values, everything that
compares, stores or redacts it works on English, and whoever shows it translates it
(`language.catalogue`). A plain `str` is never translated: names, paths, another program's words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

_NOTE = "  # "


class Message(str):
    """An English text with what it was made from: a template with values, or `parts` in a row."""

    template: str = ""
    plural: str = ""
    number: int = 1
    values: Mapping[str, Any] = {}
    parts: tuple[str, ...] = ()

    def __add__(self, other: str) -> Message:
        return concatenated((self, other))

    def __radd__(self, other: str) -> Message:
        return concatenated((other, self))

    def filled(self, **values: object) -> Message:
        """The message of the same template with these values."""
        return _(self.template, **values)

    def strip(self, chars: str | None = None, /) -> Message:
        """The text itself where there is nothing to strip."""
        text = super().strip(chars)
        return self if text == self else verbatim(text)


def _(template: str, **values: object) -> Message:
    """A message from a template in the notation of `str.format`; without values it is the text."""
    told = {
        name: what_of(value) if isinstance(value, BaseException) else value
        for name, value in values.items()
    }
    message = Message(template.format(**told) if told else template)
    message.template, message.values = template, told
    return message


def what_of(error: BaseException) -> Message:
    """What an exception says: the message that it was raised with, or its text."""
    return next((one for one in error.args[:1] if isinstance(one, Message)), verbatim(str(error)))


def ngettext(one: str, many: str, count: int, **values: object) -> Message:
    """A message whose template depends on `count`, which both templates may name."""
    message = _(one if count == 1 else many, count=count, **values)
    message.template, message.plural, message.number = one, many, count
    return message


def verbatim(text: str) -> Message:
    """A text that is the same in every language: a name, a figure, another program's words."""
    if isinstance(text, Message):
        return text
    message = Message(text)
    message.parts = (text,)
    return message


def concatenated(parts: Iterable[str]) -> Message:
    """The parts as one text; those that are messages are translated."""
    kept = tuple(part for part in parts if part)
    message = Message("".join(kept))
    message.parts = kept
    return message


def joined(separator: str, parts: Iterable[str]) -> Message:
    """The parts with the separator between them, as `str.join` does it."""
    row: list[str] = []
    for part in parts:
        row += [separator, part] if row else [part]
    return concatenated(row)


def with_note(command: str, note: str) -> Message:
    """A remedy: a command, and behind ` # ` what a person has to know."""
    return concatenated((command, _NOTE, note))


def split_note(remedy: str) -> tuple[str, str]:
    """The command and the note of a remedy; without a note the second is empty."""
    if isinstance(remedy, Message) and _NOTE in remedy.parts:
        at = remedy.parts.index(_NOTE)
        return concatenated(remedy.parts[:at]), concatenated(remedy.parts[at + 1 :])
    command, _sign, note = remedy.partition(_NOTE)
    return command, note


def mapped(text: str, change: Callable[[str], str]) -> str:
    """The text after `change`, a message still if `change` does the same to its values alone."""
    changed = change(text)
    if changed == text:
        return text
    if not isinstance(text, Message):
        return changed
    message = _rebuilt(text, change)
    return message if message == changed else changed


def _rebuilt(text: Message, change: Callable[[str], str]) -> Message:
    if text.parts:
        return concatenated(mapped(part, change) for part in text.parts)
    values = {
        name: mapped(value, change) if isinstance(value, str) else value
        for name, value in text.values.items()
    }
    if text.plural:
        values.pop("count")
        return ngettext(text.template, text.plural, text.number, **values)
    return _(text.template, **values)
