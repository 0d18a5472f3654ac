"""Text of others made harmless to the terminal or the log that shows it.

What comes from a host, a release, a report folder or a file may hold control characters: a terminal
obeys them, and an escape sequence rewrites what the operator reads. They are shown, not obeyed.
"""

from __future__ import annotations

import re

# C0 but tab and newline, DEL and C1 (ECMA-48), line separators, those that turn the direction of
# text (Unicode TR 36, "Trojan Source"), and lone surrogates, which no encoding can write.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    """The text with every control character as its escape, such as `\\x1b`; else unchanged."""
    return _UNSAFE.sub(lambda found: _escape(ord(found[0])), text)


def printable_json(text: str) -> str:
    """A JSON document with the same value, in which those characters are escapes of JSON."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def has_control(text: str) -> bool:
    """Whether there is any such character in it."""
    return _UNSAFE.search(text) is not None


def _escape(number: int) -> str:
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
