"""Text that came from anywhere, made fit for formats that are strict about characters. Pure."""

from __future__ import annotations

import re

# What XML 1.0 has no character for (2.2): it may stand in what a program printed.
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """The text with `?` for what XML 1.0 has no character for; the rest encodes as UTF-8."""
    return _FORBIDDEN.sub("?", text)


def one_line(text: str) -> str:
    """The text, cleaned, with one blank for any run of white space and none at its ends."""
    return " ".join(clean(text).split())
