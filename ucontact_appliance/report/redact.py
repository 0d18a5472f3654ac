"""Taking secrets out of text before a person or a file gets it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

HIDDEN = "[secret]"
_LEAST = 6  # shorter values would hide ordinary words and numbers


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` with each of the values replaced, the longest first.

    A value is found as it is, percent-encoded, and within base64 (RFC 4648, both alphabets; also
    as a part of what was encoded, such as `user:password` of RFC 7617).
    """
    forms = {form for value in secrets if len(value) >= _LEAST for form in _forms(value)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, HIDDEN)
    return text


def _forms(value: str) -> Iterator[str]:
    yield value
    yield quote(value)
    yield quote(value, safe="")
    yield quote_plus(value)
    raw = value.encode()
    for offset in range(3):
        # Of a value at this offset in a longer text, only whole groups of 6 bits are its own.
        first = -(-offset * 8 // 6)
        last = (offset + len(raw)) * 8 // 6
        encoded = base64.b64encode(bytes(offset) + raw).decode()[first:last]
        yield encoded
        yield encoded.replace("+", "-").replace("/", "_")
