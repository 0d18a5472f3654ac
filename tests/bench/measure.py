"""Commands with what they took: wall time, processor time, memory; and their table."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic


@dataclass(frozen=True)
class Sample:
    """One run: wall seconds; processor seconds of the process and its children here, and of all
    processes of this machine, rehearsal machines included; peak memory of the largest, in MB."""

    seconds: float
    processor: float
    everywhere: float
    memory_mb: int


@dataclass(frozen=True)
class Row:
    """What was measured, beside the floor or rival that it is compared with."""

    what: str
    samples: Sequence[Sample]
    beside: str = ""
    other: Sequence[Sample] = ()

    @property
    def ratio(self) -> float | None:
        """Of the medians of wall time; None without anything beside it."""
        return typical(self.samples) / typical(self.other) if self.other else None


def typical(samples: Sequence[Sample]) -> float:
    """The median of wall time in seconds."""
    return median(sample.seconds for sample in samples)


def command(words: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Sample:
    """Run it and wait. Raises RuntimeError with what it said when it fails."""
    before = _busy()
    start = monotonic()
    process = subprocess.Popen(
        [str(word) for word in words],
        env=dict(environment or os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = monotonic() - start
    process.stdout.close()
    if process.returncode:
        raise RuntimeError(f"{words} ended with {process.returncode}: {said[-2000:]}")
    return Sample(
        seconds, used.ru_utime + used.ru_stime, _busy() - before, int(used.ru_maxrss) // 1024
    )


def elsewhere(act: Callable[[], object]) -> Sample:
    """Something that is done on a rehearsal machine, such as a command by ssh."""
    before, start = _busy(), monotonic()
    act()
    return Sample(monotonic() - start, 0.0, _busy() - before, 0)


def _busy() -> float:
    """Processor seconds that all processes of this machine took since it booted (proc(5), stat)."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _idle, _wait, interrupts, soft = (int(field) for field in fields[:7])
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = [
        "| what | runs | seconds, median | from | to | processor s here | processor s in all | MB "
        "| beside | ratio |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|---:|",
    ]
    for row in rows:
        walls = [sample.seconds for sample in row.samples]
        cells = (
            row.what,
            str(len(walls)),
            f"{median(walls):.1f}",
            f"{min(walls):.1f}",
            f"{max(walls):.1f}",
            f"{median(sample.processor for sample in row.samples):.1f}",
            f"{median(sample.everywhere for sample in row.samples):.1f}",
            str(max(sample.memory_mb for sample in row.samples) or "-"),
            row.beside or "-",
            "-" if row.ratio is None else f"{row.ratio:.2f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
