"""Comparing versions by the numbers that they begin with; Debian's own order is another thing."""

from __future__ import annotations

import re

# [epoch:]upstream[-revision] (deb-version(7)): the numbers that the upstream version begins with.
_UPSTREAM = re.compile(r"(?:\d+:)?(\d+(?:\.\d+)*)")

Numbers = tuple[int, ...]


def numbers(version: str) -> Numbers:
    """What the upstream part of a package's version begins with; nothing when it has no number.

    `1:13.18.3~dfsg-1ubuntu4` is (13, 18, 3), `8u504-ga-1` is (8,).
    """
    found = _UPSTREAM.match(version)
    return tuple(int(word) for word in found[1].split(".")) if found else ()


def reaches(version: str, least: str | None) -> bool:
    """Whether a package's version is at least `least`; any version is when that is None."""
    have, need = numbers(version), numbers(least or "0")
    width = max(len(have), len(need))
    return bool(have) and _padded(have, width) >= _padded(need, width)


def _padded(have: Numbers, width: int) -> Numbers:
    return have + (0,) * (width - len(have))
