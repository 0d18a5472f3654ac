"""Texts for people that can be translated after they were built. The sources are in English.

A `Message` is a `str` with its English text that also keeps the template and the values it was
built from. A check builds the text where the values are known; code that compares, stores or
redacts it works on English; code that shows it translates it (`language.catalogue`). A plain `str`
is never translated: names, paths, output of other programs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

_NOTE = "  # "


class Message(str):
    """An English text and its source: a template with values, or concatenated `parts`."""

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
        """Return a message of the same template with these values."""
        return _(self.template, **values)

    def strip(self, chars: str | None = None, /) -> Message:
        """Strip as `str` does; return the message itself if there is nothing to strip."""
        text = super().strip(chars)
        return self if text == self else verbatim(text)


def _(template: str, **values: object) -> Message:
    """Return a message from a template of `str.format`; without values the template is the text."""
    told = {
        name: what_of(value) if isinstance(value, BaseException) else value
        for name, value in values.items()
    }
    message = Message(template.format(**told) if told else template)
    message.template, message.values = template, told
    return message


def what_of(error: BaseException) -> Message:
    """Return the message that an exception was raised with, or else its text."""
    return next((one for one in error.args[:1] if isinstance(one, Message)), verbatim(str(error)))


def ngettext(one: str, many: str, count: int, **values: object) -> Message:
    """Return a message whose template depends on `count`, which both templates may use."""
    message = _(one if count == 1 else many, count=count, **values)
    message.template, message.plural, message.number = one, many, count
    return message


def verbatim(text: str) -> Message:
    """Return a message that is never translated: a name, a figure, output of another program."""
    if isinstance(text, Message):
        return text
    message = Message(text)
    message.parts = (text,)
    return message


def concatenated(parts: Iterable[str]) -> Message:
    """Return the parts as one message; those that are messages are translated."""
    kept = tuple(part for part in parts if part)
    message = Message("".join(kept))
    message.parts = kept
    return message


def joined(separator: str, parts: Iterable[str]) -> Message:
    """Return the parts joined by the separator, as `str.join` does."""
    row: list[str] = []
    for part in parts:
        row += [separator, part] if row else [part]
    return concatenated(row)


def with_note(command: str, note: str) -> Message:
    """Return a remedy: a command, and after `  # ` a note for the reader."""
    return concatenated((command, _NOTE, note))


def split_note(remedy: str) -> tuple[str, str]:
    """Return the command and the note of a remedy; the note is empty if there is none."""
    if isinstance(remedy, Message) and _NOTE in remedy.parts:
        at = remedy.parts.index(_NOTE)
        return concatenated(remedy.parts[:at]), concatenated(remedy.parts[at + 1 :])
    command, _sign, note = remedy.partition(_NOTE)
    return command, note


def mapped(text: str, change: Callable[[str], str]) -> str:
    """Return `change(text)`; still a message if changing only its values has the same result."""
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
