"""Taking secrets out of text before a person or a file gets it."""

from __future__ import annotations

from collections.abc import Iterable

_HIDDEN = "[secret]"
_LEAST = 6  # shorter values would hide ordinary words and numbers


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with each of the values replaced, the longest first."""
    for value in sorted(
        {value for value in secrets if len(value) >= _LEAST}, key=len, reverse=True
    ):
        text = text.replace(value, _HIDDEN)
    return text
