"""How media finds its way and changes its codec, as Asterisk tells it (R03, R05)."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import Reach

_SECONDS = 12.0
_STUN = re.compile(r"^\s*STUN(?: address:|:.*\n\s*Address:)\s+(\S+)", re.MULTILINE)
_UNSET = re.compile(r"(?:0\.0\.0\.0|\[?::\]?)?(?::0)?")
_PATH = re.compile(r"^\s*(\w+):\d+\s+To (\w+):\d+\s*:.*->\(?(\w+)", re.MULTILINE)


def parse_stun(settings: str) -> str | None:
    """The STUN server of `rtp show settings` as ADDRESS:PORT; empty: none, None: not shown.

    Older releases say `STUN address: A:P`, later ones `STUN: STATE` and below it `Address: A:P`.
    """
    found = _STUN.search(settings)
    if found is None:
        return None
    return "" if _UNSET.fullmatch(found[1]) else found[1]


@dataclass(frozen=True)
class Transcoding:
    """From which codec to which there is a way, and what Asterisk answered."""

    ways: frozenset[tuple[str, str]]
    evidence: str


def transcoding(reach: Reach, codecs: tuple[str, ...]) -> Transcoding:
    """Ask Asterisk for the ways from each of these codecs."""
    asked = {
        name: f"asterisk -rx {shlex.quote(f'core show translation paths {name}')} 2>&1 || true"
        for name in codecs
    }
    done = reach.runner.run(["sh", "-c", script(**asked)], timeout=_SECONDS)
    return parse_transcoding(sections(done.stdout), codecs)


def parse_transcoding(parts: Mapping[str, str], codecs: Iterable[str]) -> Transcoding:
    """From the answers to `core show translation paths CODEC` of Asterisk 13 to 22, by codec."""
    ways = {
        (source, target)
        for text in parts.values()
        for source, target, last in _PATH.findall(text)
        if target == last  # a way that breaks off leads elsewhere
    }
    wanted = set(codecs)
    text = "\n".join(parts.values())
    lines = [
        line.strip()
        for line in text.splitlines()
        if (found := re.match(r"\s*(\w+):\d+\s+To (\w+):", line)) is None or found[2] in wanted
    ]
    return Transcoding(frozenset(ways), "\n".join(lines))
