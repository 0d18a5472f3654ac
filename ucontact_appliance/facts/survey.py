"""The first look at a host: enough to choose its system's row and to size its services."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.runner import Runner

_OS_RELEASE = "/etc/os-release"
_MEMINFO = "/proc/meminfo"
_MACHINE_ID = "/etc/machine-id"
_MARK = "----"
_NOMINAL_MB = 512  # firmware and kernel keep some: 7.6 GiB are sold, and counted, as 8


@dataclass(frozen=True)
class Survey:
    """A host's operating system as /etc/os-release names it, and its nominal memory in MB.

    `machine_id` (machine-id(5)) tells one server from another, whatever its name and address.
    """

    os_id: str
    os_version: str
    os_name: str
    memory_mb: int
    machine_id: str = ""


def survey(runner: Runner) -> Survey:
    """Look at the host. Raises UnreachableError when it can't be reached or read."""
    script = f"cat {_OS_RELEASE}; echo {_MARK}; cat {_MEMINFO}; echo {_MARK}; cat {_MACHINE_ID}"
    done = runner.run(["sh", "-c", script], timeout=20)
    if done.status:
        raise UnreachableError("the host can't be looked at", evidence=done.evidence)
    release, memory, machine_id = done.stdout.split(f"{_MARK}\n")
    names = parse_os_release(release)
    return Survey(
        os_id=names.get("ID", ""),
        os_version=names.get("VERSION_ID", ""),
        os_name=names.get("PRETTY_NAME", names.get("ID", "unknown")),
        memory_mb=nominal_mb(parse_mem_total_kb(memory)),
        machine_id=machine_id.strip(),
    )


def parse_os_release(text: str) -> dict[str, str]:
    """The assignments of an os-release(5) file."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): " ".join(shlex.split(value)) for key, _, value in pairs if key[:1] != "#"}


def parse_mem_total_kb(text: str) -> int:
    """MemTotal of /proc/meminfo, in kB; 0 when it is not there."""
    for line in text.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1])
    return 0


def nominal_mb(kilobytes: int) -> int:
    """The memory as it was bought: up to the next 512 MB."""
    return -(-kilobytes // (1024 * _NOMINAL_MB)) * _NOMINAL_MB
