"""Remove secrets from text before it is shown or stored."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote, quote_plus

HIDDEN = "[secret]"
_LEAST = 6  # shorter values would hide ordinary words and numbers


def redactor(secrets: Iterable[str], hidden: str = HIDDEN) -> Callable[[str], str]:
    """Return a function that replaces each of the values in a text with `hidden`, longest first.

    It finds a value literally, percent-encoded, and in base64 (RFC 4648, both alphabets), also as
    a part of the encoded text, such as `user:password` of RFC 7617.
    """
    forms = {form for value in secrets if len(value) >= _LEAST for form in _forms(value)}
    ordered = sorted(forms, key=len, reverse=True)

    def redacted(text: str) -> str:
        for form in ordered:
            text = text.replace(form, hidden)
        return text

    return redacted


def _forms(value: str) -> Iterator[str]:
    yield value
    yield quote(value)
    yield quote(value, safe="")
    yield quote_plus(value)
    raw = value.encode()
    for offset in range(3):
        # At this offset in a longer text, only whole groups of 6 bits depend on the value alone.
        first = -(-offset * 8 // 6)
        last = (offset + len(raw)) * 8 // 6
        encoded = base64.b64encode(bytes(offset) + raw).decode()[first:last]
        yield encoded
        yield encoded.replace("+", "-").replace("/", "_")
