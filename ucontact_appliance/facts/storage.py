"""File systems and memory pressure of a host."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import ProbeContext

TAKEN_SECONDS = 90.0
_DAY = 86400


@dataclass(frozen=True)
class FileSystem:
    """The file system that contains a path. Sizes are in kB (1024 bytes), as df(1) counts.

    `inodes` is 0 if the file system has no fixed number of them (btrfs).
    """

    path: str
    mount: str
    kind: str
    size_kb: int
    free_kb: int
    inodes: int
    inodes_free: int
    read_only: bool
    evidence: str

    @property
    def free_percent(self) -> float:
        """Space free to unprivileged processes, as a percentage of `size_kb`."""
        return 100.0 * self.free_kb / self.size_kb if self.size_kb else 0.0

    @property
    def inodes_free_percent(self) -> float:
        """Percentage of free inodes; 100 if there is no limit."""
        return 100.0 * self.inodes_free / self.inodes if self.inodes else 100.0


def file_system(reach: ProbeContext, path: str) -> FileSystem | None:
    """The file system of `path`, or None when the path does not exist."""
    return parse_file_system(_df(reach, (path,)), path)


def file_systems(reach: ProbeContext, paths: tuple[str, ...]) -> tuple[FileSystem, ...]:
    """The file systems that contain the paths, each once; a path that does not exist is skipped."""
    return parse_file_systems(_df(reach, paths))


def _df(reach: ProbeContext, paths: tuple[str, ...]) -> str:
    where = shlex.join(paths)
    command = script(space=f"df -PkT {where}", inodes=f"df -Pi {where}", mounts="cat /proc/mounts")
    return reach.runner.run(["sh", "-c", command]).stdout


def taken_kb(reach: ProbeContext, path: str) -> int | None:
    """Disk usage of everything below `path`, in kB of 1024 bytes; None if it can't be determined.

    Runs with low priority: reading years of recordings takes long.
    """
    done = reach.runner.run(["nice", "-n", "19", "du", "-skx", "--", path], timeout=TAKEN_SECONDS)
    return parse_taken(done.stdout)


def parse_taken(text: str) -> int | None:
    """Parse the line that du(1) prints; files that vanish meanwhile do not matter."""
    number = text.partition("\t")[0].strip()
    return int(number) if number.isdigit() else None


@dataclass(frozen=True)
class FolderGrowth:
    """Bytes written below a folder in the last days and still there.

    `days` is the age of the oldest of these files: at least one, at most the number requested.
    """

    files: int
    octets: int
    days: float
    evidence: str

    @property
    def gb_a_day(self) -> float:
        """Decimal gigabytes per day."""
        return self.octets / 1e9 / self.days


def growth(reach: ProbeContext, path: str, days: int) -> FolderGrowth:
    """Measure how much was written below `path` in the last `days`; low priority, as `taken_kb`."""
    # find prints each file's time and size; awk sums on the host, because there may be millions.
    summed = (
        f"nice -n 19 find {shlex.quote(path)} -xdev -type f -mtime -{days} -printf '%T@ %s\\n' | "
        "awk '{ n++; s += $2; if (!o || $1 < o) o = $1 } "
        'END { printf "%d files, %.0f octets, the oldest of %.0f\\n", n, s, o }\'; '
        "date '+now %s'"
    )
    done = reach.runner.run(["sh", "-c", summed], timeout=TAKEN_SECONDS)
    return parse_growth(done.stdout, days)


def parse_growth(text: str, days: int) -> FolderGrowth:
    """Parse the line of the sums and that of the time, both in seconds since 1970."""
    found = re.search(
        r"(\d+) files, (\d+) octets, the oldest of (\d+)\nnow (\d+)", text, re.MULTILINE
    )
    if found is None:
        raise RuntimeError(f"the recordings can't be counted: {text.strip()[:200]}")
    files, octets, oldest, now = map(int, found.groups())
    age = (now - oldest) / _DAY if files else 0.0
    return FolderGrowth(files, octets, min(max(age, 1.0), float(days)), text.strip())


@dataclass(frozen=True)
class RecordingRetention:
    """The deletion of recordings by age, each night, and by free space.

    `timer` and `watermark` are the states of both timers, `days` those that are kept (0: no
    deletion), `keep_free_percent` what stays free of the file system (0: no deletion).
    """

    timer: str
    watermark: str
    days: int
    keep_free_percent: int
    evidence: str


def retention(reach: ProbeContext) -> RecordingRetention:
    """Read the settings of the host's retention timers."""
    done = reach.runner.run(
        [
            "sh",
            "-c",
            script(
                timer="systemctl is-active ucontact-retention.timer",
                watermark="systemctl is-active ucontact-watermark.timer",
                command="systemctl show -p ExecStart --value ucontact-retention.service",
            ),
        ]
    )
    return parse_retention(done.stdout)


def parse_retention(text: str) -> RecordingRetention:
    """Parse the states of the timers and the command of the nightly service."""
    part = sections(text)
    options = re.search(
        r"recordings-retention\.py --days (\d+) --keep-free (\d+)", part.get("command", "")
    )
    return RecordingRetention(
        timer=part.get("timer", "").strip(),
        watermark=part.get("watermark", "").strip(),
        days=int(options[1]) if options else 0,
        keep_free_percent=int(options[2]) if options else 0,
        evidence=text.strip(),
    )


def parse_file_system(text: str, path: str) -> FileSystem | None:
    """Parse df(1)'s output for a single path."""
    found = parse_file_systems(text)
    return replace(found[0], path=path) if found else None


def parse_file_systems(text: str) -> tuple[FileSystem, ...]:
    """Parse the probe's output (df -P: one line per path, in the same order in both tables)."""
    part = sections(text)
    rows = zip(part["space"].splitlines()[1:], part["inodes"].splitlines()[1:], strict=False)
    found = (_parse_row(space, inodes, part["mounts"]) for space, inodes in rows)
    return tuple({one.mount: one for one in found}.values())


def _parse_row(space: str, inodes: str, mounts: str) -> FileSystem:
    _, kind, size, _, free, _, mount = space.split(None, 6)
    _, all_inodes, _, free_inodes, _, _ = inodes.split(None, 5)
    options = [
        line.split()[3].split(",")
        for line in mounts.splitlines()
        if line.split()[1].replace("\\040", " ") == mount
    ]
    return FileSystem(
        path=mount,
        mount=mount,
        kind=kind,
        size_kb=int(size),
        free_kb=int(free),
        inodes=_count(all_inodes),
        inodes_free=_count(free_inodes),
        read_only=bool(options) and "ro" in options[-1],
        evidence=f"{space}\n{inodes}",
    )


def _count(word: str) -> int:
    return int(word) if word.isdigit() else 0


@dataclass(frozen=True)
class MemoryUse:
    """Memory and swap, and the number of processes that the OOM killer has killed since boot."""

    total_kb: int
    available_kb: int
    swap_total_kb: int
    swap_free_kb: int
    oom_kills: int | None
    evidence: str

    @property
    def available_percent(self) -> float:
        """Memory available without swapping, as a percentage of the total."""
        return 100.0 * self.available_kb / self.total_kb if self.total_kb else 0.0


_SERVICES_EVENTS = "/sys/fs/cgroup/system.slice/memory.events"
_MEMORY = script(
    meminfo="cat /proc/meminfo",
    # The services' own counter (cgroup v2): a container shares the kernel's with its neighbours.
    services=f"cat {_SERVICES_EVENTS} 2>/dev/null || true",
    kernel="systemd-detect-virt --container >/dev/null || grep oom_kill /proc/vmstat || true",
)


def memory(reach: ProbeContext) -> MemoryUse:
    """Probe memory."""
    return parse_memory(reach.runner.run(["sh", "-c", _MEMORY]).stdout)


def parse_memory(text: str) -> MemoryUse:
    """Parse the output of the probe's script."""
    part = sections(text)
    known = {
        line.split(":")[0]: int(line.split()[1])
        for line in part["meminfo"].splitlines()
        if ":" in line and len(line.split()) > 1
    }
    counters = {
        words[0]: int(words[1])
        for line in (*part["kernel"].splitlines(), *part["services"].splitlines())
        if len(words := line.split()) == 2 and words[1].isdigit()
    }
    shown = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")
    return MemoryUse(
        total_kb=known.get("MemTotal", 0),
        available_kb=known.get("MemAvailable", 0),
        swap_total_kb=known.get("SwapTotal", 0),
        swap_free_kb=known.get("SwapFree", 0),
        oom_kills=counters.get("oom_kill"),
        evidence="\n".join(f"{name}: {known.get(name, 0)} kB" for name in shown),
    )
