"""Make untrusted text safe to show in a terminal or a log.

Text from a host, a release, a report folder or a file may contain control characters. A terminal
would obey them, and an escape sequence can rewrite what the operator reads: show them escaped.
"""

from __future__ import annotations

import re

# C0 except tab and newline, DEL and C1 (ECMA-48), line separators, bidirectional controls
# (Unicode TR 36, "Trojan Source"), and lone surrogates, which no encoding can write.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def printable(text: str) -> str:
    """Return the text with every control character replaced by its escape, such as `\\x1b`."""
    return _UNSAFE.sub(lambda found: _escape(ord(found[0])), text)


def printable_json(text: str) -> str:
    """Return the JSON document with those characters as JSON escapes; its value is the same."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def has_control(text: str) -> bool:
    """Return whether the text contains any such character."""
    return _UNSAFE.search(text) is not None


def _escape(number: int) -> str:
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
