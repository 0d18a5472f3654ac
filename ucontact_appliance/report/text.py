"""Make text from any source fit for formats that restrict characters. Pure."""

from __future__ import annotations

import re

# Characters that XML 1.0 forbids (2.2); the output of a program may contain them.
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """Return the text with `?` for characters that XML 1.0 forbids; the rest encodes as UTF-8."""
    return _FORBIDDEN.sub("?", text)


def one_line(text: str) -> str:
    """Return the cleaned text with one blank for any run of white space, and none at its ends."""
    return " ".join(clean(text).split())
