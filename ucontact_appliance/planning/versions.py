"""Compare versions by their leading numbers; this is not Debian's version order."""

from __future__ import annotations

import re

# [epoch:]upstream[-revision] (deb-version(7)): the numbers that the upstream version starts with.
_UPSTREAM = re.compile(r"(?:\d+:)?(\d+(?:\.\d+)*)")

Numbers = tuple[int, ...]


def numbers(version: str) -> Numbers:
    """The leading numbers of a package's upstream version; empty if it has none.

    `1:13.18.3~dfsg-1ubuntu4` is (13, 18, 3), `8u504-ga-1` is (8,).
    """
    found = _UPSTREAM.match(version)
    return tuple(int(word) for word in found[1].split(".")) if found else ()


def reaches(version: str, least: str | None) -> bool:
    """Whether a package's version is at least `least`; always true if that is None."""
    have, need = numbers(version), numbers(least or "0")
    width = max(len(have), len(need))
    return bool(have) and _padded(have, width) >= _padded(need, width)


def _padded(have: Numbers, width: int) -> Numbers:
    return have + (0,) * (width - len(have))
