"""The survey of a host: enough to select its operating system's row and to size its services."""

from __future__ import annotations

import base64
import re
import shlex
from dataclasses import dataclass

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.parsing import parsing
from ucontact_appliance.facts.runner import Runner
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.language.messages import _
from ucontact_appliance.site.values import ip_address

_OS_RELEASE = "/etc/os-release"
_MEMINFO = "/proc/meminfo"
_MACHINE_ID = "/etc/machine-id"
_SITE_CA = "/etc/ssl/ucontact/ca.pem"
_MOST_CA = 65536  # bytes
_MARK = "----"
_NOMINAL_MB = 512
_ID = re.compile("[0-9a-f]{32}")
_KEPT = 0.06  # share that firmware and kernel may reserve: 7.6 GiB are sold, and counted, as 8


@dataclass(frozen=True)
class Survey:
    """A host's operating system as /etc/os-release names it, and its resources.

    Nominal memory in MB, processor threads, and the size of /var's file system in MB. `machine_id`
    (machine-id(5)) identifies a server, whatever its name and address. `came_from` is this
    machine's address as the server sees it; empty on this machine itself. `ca` is the site CA's
    certificate that an installation left there; None when there is none.
    """

    os_id: str
    os_version: str
    os_name: str
    memory_mb: int
    machine_id: str = ""
    threads: int = 0
    disk_free_mb: int = 0
    disk_total_mb: int = 0
    came_from: str = ""
    ca: bytes | None = None


# sudo removes SSH_CONNECTION, so the parent processes are searched for it.
_CAME_FROM = r"""
pid=$$
while [ "${pid:-0}" -gt 1 ]; do
  tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | sed -n 's/^SSH_CONNECTION=\([^ %]*\).*/\1/p'
  pid=$(sed -n 's/^PPid:[[:blank:]]*//p' "/proc/$pid/status" 2>/dev/null)
done | head -n 1
"""

# In base64: the last line of a PEM file ends like the mark between the answers.
_CARRIED = f"if [ -e {_SITE_CA} ]; then echo = $(head -c {_MOST_CA} {_SITE_CA} | base64 -w 0); fi"

_SCRIPT = f"; echo {_MARK}; ".join(
    (
        f"cat {_OS_RELEASE}",
        f"cat {_MEMINFO}",
        f"cat {_MACHINE_ID}",
        "nproc",
        "df -Pk /var",
        _CARRIED,
        _CAME_FROM,
    )
)


def survey(runner: Runner) -> Survey:
    """Survey the host. Raises UnreachableError when it can't be reached or read."""
    done = runner.run(["sh", "-c", _SCRIPT], timeout=20)
    if done.status:
        raise UnreachableError(_("the host can't be inspected"), evidence=done.evidence)
    with parsing(done, _("the host's output can't be parsed")):
        return parse_survey(done.stdout)


def came_from(runner: Runner) -> str:
    """This machine's address as the host sees it; empty on this machine itself.

    Raises UnreachableError when the host answers with something else.
    """
    done = runner.run(["sh", "-c", _CAME_FROM])
    with parsing(done, _("the host did not return the address that this machine connects from")):
        return parse_came_from(done.stdout)


def parse_came_from(text: str) -> str:
    """Parse the address, or nothing, in the probe's output. Raises ValueError for anything else."""
    said = text.strip().removeprefix("::ffff:")
    return ip_address(said) if said else ""


def seen_as(reach: ProbeContext) -> str:
    """The same as `came_from`, as one of the host's facts."""
    return came_from(reach.runner)


def parse_survey(text: str) -> Survey:
    """Parse the output of the probe's script.

    Raises ValueError or IndexError for anything else: the answer is untrusted.
    """
    release, memory, machine_id, threads, disk, carried, came_from = text.split(f"{_MARK}\n")
    names = parse_os_release(release)
    # df -P: device, 1024-blocks, used, available, capacity, mount; always on one line
    blocks = disk.splitlines()[1].split()
    return Survey(
        os_id=names.get("ID", ""),
        os_version=names.get("VERSION_ID", ""),
        os_name=names.get("PRETTY_NAME", names.get("ID", "unknown")),
        memory_mb=nominal_mb(parse_mem_total_kb(memory)),
        machine_id=machine_id.strip() if _ID.fullmatch(machine_id.strip()) else "",
        threads=int(threads),
        disk_free_mb=int(blocks[3]) // 1024,
        disk_total_mb=int(blocks[1]) // 1024,
        came_from=parse_came_from(came_from),
        ca=parse_ca(carried),
    )


def parse_ca(text: str) -> bytes | None:
    """Decode the file's content from `= ` and base64; None if there is no file.

    Raises ValueError for invalid base64.
    """
    sign, _, content = text.strip().partition(" ")
    if sign != "=":
        return None
    return base64.b64decode(content.strip(), validate=True)


def parse_os_release(text: str) -> dict[str, str]:
    """Parse the assignments of an os-release(5) file."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): " ".join(shlex.split(value)) for key, _, value in pairs if key[:1] != "#"}


def parse_mem_total_kb(text: str) -> int:
    """MemTotal of /proc/meminfo, in kB; 0 when it is missing."""
    for line in text.splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1])
    return 0


def nominal_mb(kilobytes: int) -> int:
    """The installed memory in MB: the roundest size that is at most 6 % more than the visible one.

    Modules come in powers of two, so multiples of the largest power are tried first: 62.7 GiB
    are 64, 23.5 are 24, 9.7 are 10. The smallest step is 512 MB.
    """
    step = 1 << max(kilobytes // 1024, _NOMINAL_MB).bit_length()
    while True:
        size = -(-kilobytes // (1024 * step)) * step
        if step <= _NOMINAL_MB or size * 1024 * (1 - _KEPT) <= kilobytes:
            return size
        step //= 2
