"""Pure parsers of the recorded outputs of the benchmark's commands."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_CALLS = re.compile(r"^(\d+) (?:of \d+ max )?active calls?\b", re.MULTILINE)
# Asterisk's cost of a translator that it could not measure (main/translate.c: 999999).
_UNMEASURED = 999_999


@dataclass(frozen=True)
class CapacityRun:
    """The processor and disk benchmark: see `installer/probes/capacity.py`.

    `relay_us` and `compute_ms` hold one value per repetition. `mb_per_second` and `fsync_p99_ms`
    are None when the disk was full, or not requested.
    """

    cores: int
    threads: int
    processor: str
    mhz: float | None
    relay_us: tuple[float, ...]
    compute_ms: tuple[float, ...]
    mb_per_second: float | None
    fsync_p99_ms: float | None


def parse_run(text: str) -> CapacityRun:
    """Parse the probe's JSON document. Raises ValueError for anything else."""
    try:
        said: dict[str, Any] = json.loads(text)
        disk = said["disk"]
        full = disk is None or bool(disk.get("full"))
        return CapacityRun(
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
    """Asterisk's translation table: processor microseconds per second of audio, by "from>to".

    Takes `core show translation comp N`, which measures. `core show translation recalc N` prints
    the same form, but its values are constants per kind of translation.
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
    """The codec's name; Asterisk 13 writes `slin` for what later versions call `slin8`."""
    return "slin8" if codec == "slin" else codec


def parse_calls(text: str) -> int | None:
    """Active calls, from `core show channels count`; None when Asterisk did not answer."""
    found = _CALLS.search(text)
    return int(found.group(1)) if found else None
