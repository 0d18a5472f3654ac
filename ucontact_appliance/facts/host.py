"""Properties of a host: processor, memory, operating system, clock, name.

Each probe is one command, and a pure parser that turns its output into a frozen record.
"""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass

from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.facts.survey import nominal_mb, parse_mem_total_kb, parse_os_release
from ucontact_appliance.planning.versions import numbers

_MARK = "---- "


def sections(text: str) -> dict[str, str]:
    """Split a compound command's output into its parts, each after a line `---- NAME`."""
    parts: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(_MARK):
            lines = parts.setdefault(line[len(_MARK) :].strip(), [])
        else:
            lines.append(line)
    return {name: "\n".join(part) for name, part in parts.items()}


def script(**commands: str) -> str:
    """A shell script that runs each command after its marker: many commands in one round trip."""
    return "\n".join(f"echo '{_MARK}{name}'; {command}" for name, command in commands.items())


def unit_commands(unit: str) -> dict[str, str]:
    """Commands for `script`: whether systemd has the unit `active`, and its last `words`."""
    return {
        "active": f"systemctl is-active {unit} || true",
        "words": f"journalctl --no-pager --quiet --lines 3 --output cat --unit {unit} "
        "2>/dev/null || true",
    }


@dataclass(frozen=True)
class Hardware:
    """Processors, nominal memory in MB, architecture (`uname -m`), and kind of virtualisation.

    `virtualisation` is the output of systemd-detect-virt(1): `none` on bare metal.
    """

    cpus: int
    model: str
    memory_mb: int
    memory_kb: int
    architecture: str
    virtualisation: str
    container: bool
    evidence: str


_HARDWARE = script(
    cpus="nproc",
    arch="uname -m",
    model="grep -m1 '^model name' /proc/cpuinfo || true",
    virt="systemd-detect-virt || true",
    container="systemd-detect-virt --container >/dev/null && echo yes || echo no",
    memory="grep -E '^(MemTotal|SwapTotal):' /proc/meminfo",
)


def hardware(reach: ProbeContext) -> Hardware:
    """Probe the machine."""
    return parse_hardware(reach.runner.run(["sh", "-c", _HARDWARE]).stdout)


def parse_hardware(text: str) -> Hardware:
    """Parse the output of the probe's script."""
    part = sections(text)
    memory = parse_mem_total_kb(part["memory"])
    return Hardware(
        cpus=int(part["cpus"]),
        model=part["model"].partition(":")[2].strip(),
        memory_mb=nominal_mb(memory),
        memory_kb=memory,
        architecture=part["arch"].strip(),
        virtualisation=part["virt"].strip() or "unknown",
        container=part["container"].strip() == "yes",
        evidence=text.strip(),
    )


@dataclass(frozen=True)
class System:
    """The operating system by os-release(5), and what the installer needs to know about it."""

    os_id: str
    os_version: str
    os_name: str
    kernel: str
    uid: int
    init: str
    reboot_required: str
    evidence: str


_SYSTEM = script(
    release="cat /etc/os-release",
    kernel="uname -r",
    uid="id -u",
    init="cat /proc/1/comm",
    # The file may be empty: its existence is what counts.
    reboot="ls /run/reboot-required 2>/dev/null"
    " && cat /run/reboot-required /run/reboot-required.pkgs 2>/dev/null || true",
)


def system(reach: ProbeContext) -> System:
    """Probe the system."""
    return parse_system(reach.runner.run(["sh", "-c", _SYSTEM]).stdout)


def parse_system(text: str) -> System:
    """Parse the output of the probe's script."""
    part = sections(text)
    release = parse_os_release(part["release"])
    return System(
        os_id=release.get("ID", ""),
        os_version=release.get("VERSION_ID", ""),
        os_name=release.get("PRETTY_NAME", release.get("ID", "unknown")),
        kernel=part["kernel"].strip(),
        uid=int(part["uid"]),
        init=part["init"].strip(),
        reboot_required=part["reboot"].strip(),
        evidence=text.strip(),
    )


@dataclass(frozen=True)
class OwnName:
    """The host's name, and the address it resolves to there; empty when it does not."""

    name: str
    address: str
    evidence: str


# One query per address family: `getent hosts` would query a name server for the family that is
# not in /etc/hosts, and wait for a timeout if no server answers.
_OWN_NAME = script(
    name="hostname",
    resolves='timeout 4 getent ahostsv4 "$(hostname)" || timeout 2 getent ahostsv6 "$(hostname)"'
    " || true",
)


def own_name(reach: ProbeContext) -> OwnName:
    """Probe the host's own name."""
    return parse_own_name(reach.runner.run(["sh", "-c", _OWN_NAME]).stdout)


def parse_own_name(text: str) -> OwnName:
    """Parse the output of the probe's script."""
    part = sections(text)
    found = part["resolves"].split()
    return OwnName(part["name"].strip(), found[0] if found else "", text.strip())


@dataclass(frozen=True)
class ClockOffset:
    """Seconds that the host's clock is ahead of this machine's, give or take `uncertainty`."""

    ahead: float
    uncertainty: float


def clock(reach: ProbeContext) -> ClockOffset:
    """Compare the clocks: the host's answer against the midpoint of the round trip."""
    before = time.time()
    done = reach.runner.run(["date", "+%s.%N"])
    after = time.time()
    return ClockOffset(float(done.stdout) - (before + after) / 2, (after - before) / 2)


@dataclass(frozen=True)
class TimeSync:
    """The running time service, and whether the clock is reported as synchronised."""

    service: str
    synchronised: bool
    evidence: str


_TIME_SYNC = script(
    units="systemctl is-active chrony chronyd systemd-timesyncd ntp ntpd ntpsec || true",
    status="timedatectl show -p NTPSynchronized --value 2>/dev/null"
    " || timedatectl status 2>/dev/null | grep -i synchronized || true",
    tracking="chronyc -n tracking 2>/dev/null || true",
)
_TIME_SERVICES = ("chrony", "chronyd", "systemd-timesyncd", "ntp", "ntpd", "ntpsec")


def time_sync(reach: ProbeContext) -> TimeSync:
    """Probe time synchronisation."""
    return parse_time_sync(reach.runner.run(["sh", "-c", _TIME_SYNC]).stdout)


def parse_time_sync(text: str) -> TimeSync:
    """Parse the output of the probe's script.

    Ubuntu 16.04's timedatectl has no `show`: its status line is used instead.
    """
    part = sections(text)
    states = dict(zip(_TIME_SERVICES, part["units"].split(), strict=False))
    service = next((name for name, state in states.items() if state == "active"), "")
    tracked = "Leap status     : Normal" in part["tracking"]
    return TimeSync(service, tracked or "yes" in part["status"].lower(), text.strip())


@dataclass(frozen=True)
class PythonFound:
    """The interpreter that Ansible will use, and its version; empty when it is missing."""

    path: str
    version: tuple[int, ...]


_PYTHON = "import sys; print('%d.%d' % sys.version_info[:2])"  # Python 2.7 and 3 alike


def python(reach: ProbeContext, path: str) -> PythonFound:
    """Ask the interpreter at `path` for its version."""
    words = shlex.join([path, "-c", _PYTHON])
    done = reach.runner.run(["sh", "-c", f"{words} 2>/dev/null || true"])
    return PythonFound(path, numbers(done.stdout))
