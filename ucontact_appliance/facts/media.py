"""Asterisk's STUN server and transcoding paths, as its command line reports them (R03, R05)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import ProbeContext

_SECONDS = 12.0
_STUN = re.compile(r"^\s*STUN(?: address:|:.*\n\s*Address:)\s+(\S+)", re.MULTILINE)
_UNSET = re.compile(r"(?:0\.0\.0\.0|\[?::\]?)?(?::0)?")
_PATH = re.compile(r"^\s*(\w+):\d+\s+To (\w+):\d+\s*:.*->\(?(\w+)", re.MULTILINE)


def parse_stun(settings: str) -> str | None:
    """The STUN server in `rtp show settings` as ADDRESS:PORT; empty: none, None: not shown.

    Older releases print `STUN address: A:P`, later ones `STUN: STATE` and then `Address: A:P`.
    """
    found = _STUN.search(settings)
    if found is None:
        return None
    return "" if _UNSET.fullmatch(found[1]) else found[1]


@dataclass(frozen=True)
class Transcoding:
    """The pairs of codecs that have a translation path, and Asterisk's answer."""

    ways: frozenset[tuple[str, str]]
    evidence: str


def transcoding(reach: ProbeContext, codecs: tuple[str, ...]) -> Transcoding:
    """Query Asterisk's translation paths from each of these codecs."""
    asked = {
        name: f"asterisk -rx {shlex.quote(f'core show translation paths {name}')} 2>&1 || true"
        for name in codecs
    }
    done = reach.runner.run(["sh", "-c", script(**asked)], timeout=_SECONDS)
    return parse_transcoding(sections(done.stdout), codecs)


def parse_transcoding(parts: Mapping[str, str], codecs: Iterable[str]) -> Transcoding:
    """Parse `core show translation paths CODEC` of Asterisk 13 to 22, by codec."""
    ways = {
        (source, target)
        for text in parts.values()
        for source, target, last in _PATH.findall(text)
        if target == last  # an incomplete path ends at another codec
    }
    wanted = set(codecs)
    text = "\n".join(parts.values())
    lines = [
        line.strip()
        for line in text.splitlines()
        if (found := re.match(r"\s*(\w+):\d+\s+To (\w+):", line)) is None or found[2] in wanted
    ]
    return Transcoding(frozenset(ways), "\n".join(lines))
