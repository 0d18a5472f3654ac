"""What a benchmark's commands said: pure parsers of their recorded outputs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_CALLS = re.compile(r"^(\d+) (?:of \d+ max )?active calls?\b", re.MULTILINE)
# Asterisk's cost of a translator that can't be measured (main/translate.c: 999999).
_UNMEASURED = 999_999


@dataclass(frozen=True)
class Run:
    """The processor and disk run: see `installer/probes/capacity.py`.

    `relay_us` and `compute_ms` hold a figure a repetition. `mb_per_second` and `fsync_p99_ms` are
    None when the disk was full, or not asked for.
    """

    cores: int
    threads: int
    processor: str
    mhz: float | None
    relay_us: tuple[float, ...]
    compute_ms: tuple[float, ...]
    mb_per_second: float | None
    fsync_p99_ms: float | None


def parse_run(text: str) -> Run:
    """From the JSON document of the probe. Raises ValueError when it is no such document."""
    try:
        said: dict[str, Any] = json.loads(text)
        disk = said["disk"]
        full = disk is None or bool(disk.get("full"))
        return Run(
            cores=said["cores"],
            threads=said["threads"],
            processor=said["processor"],
            mhz=said["mhz"],
            relay_us=tuple(said["relay_us"]),
            compute_ms=tuple(said["compute_ms"]),
            mb_per_second=None if full else disk["bytes"] / 1e6 / max(disk["seconds"], 1e-6),
            fsync_p99_ms=None if full else _p99(disk["fsync_ms"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the document of the run: {error!r}") from error


def _p99(milliseconds: list[float]) -> float:
    ordered = sorted(milliseconds)
    return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]


def parse_translations(text: str) -> dict[str, int]:
    """Asterisk's table of translations: microseconds for a second of audio by "from>to".

    Takes `core show translation comp N`: processor time that was measured. What `core show
    translation recalc N` prints in the same form are constants of the kinds of translation.
    """
    costs: dict[str, int] = {}
    columns: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if not columns:
            if {"alaw", "ulaw"} <= set(words):
                columns = words
            continue
        if len(words) != len(columns) + 1:
            continue
        for column, word in zip(columns, words[1:], strict=True):
            if word.isdigit() and int(word) < _UNMEASURED:
                costs[f"{_name(words[0])}>{_name(column)}"] = int(word)
    return costs


def _name(codec: str) -> str:
    """Asterisk 13 writes `slin` for what later ones call `slin8`."""
    return "slin8" if codec == "slin" else codec


def parse_calls(text: str) -> int | None:
    """Calls that are up, from `core show channels count`; None when Asterisk did not answer."""
    found = _CALLS.search(text)
    return int(found.group(1)) if found else None
