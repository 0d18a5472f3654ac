"""The hardware profile of a machine (C04): this one, or a remote one that has only Python.

A self-contained script (installer/probes/hardware.py) reads the machine; this module parses its
document. On this machine, values from psutil and netifaces (C02) take precedence.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import netifaces
import psutil

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.hardware.parse import parse_profile
from ucontact_appliance.facts.hardware.records import (
    Cpu,
    Filesystem,
    InstalledMemory,
    Nic,
    Profile,
    Route,
    WriteLatency,
)
from ucontact_appliance.facts.network import default_gateway
from ucontact_appliance.facts.parsing import parsing
from ucontact_appliance.facts.runner import LocalRunner, Runner, SshSettings, by_hand, runner_for
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.facts.survey import nominal_mb
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.resources import INSTALLER, load_data
from ucontact_appliance.site.model import Host

_MB = 1 << 20
_PROBE_SECONDS = 60
_PYTHONS = ("python3", "python2.7", "python2", "python")
# The first interpreter that exists runs the script from its standard input.
_START = """\
names=$1; shift
for name in $names; do
  command -v "$name" >/dev/null 2>&1 && exec "$name" - "$@"
done
echo "none of these is there: $names" >&2
exit 127
"""


def host_profiles(
    hosts: Sequence[Host], known_hosts: Path, *, pythons: Sequence[str] = _PYTHONS
) -> dict[str, Profile | UnreachableError]:
    """Profile all hosts in parallel; in their order, each profile or the reason why it failed."""

    def one(host: Host) -> Profile | UnreachableError:
        try:
            if host.is_local:
                return here_profile(LocalRunner())
            with runner_for(host, SshSettings(known_hosts)) as runner:
                return far_profile(runner, pythons=pythons)
        except UnreachableError as error:
            return error
        except TimeoutError as error:
            return UnreachableError(
                _(
                    "host {name} ({address}) accepted the connection, but did not respond",
                    name=host.name,
                    address=host.address,
                ),
                evidence=str(error)[-1000:],
                helps=with_note(f"{by_hand(host, 'uptime')}", _("overloaded, or a failed disk?")),
            )

    with ThreadPoolExecutor(max_workers=max(len(hosts), 1)) as pool:
        return dict(zip([host.name for host in hosts], pool.map(one, hosts), strict=True))


def write_latency(reach: ProbeContext) -> tuple[WriteLatency, ...]:
    """Measure current write latency in the folders of the database and of the recordings.

    Raises the errors of `far_profile`.
    """
    wanted = load_data("hardware")["write_latency"]
    return far_profile(reach.runner, wanted=wanted | wanted["doctor"]).write_latency


def far_profile(
    runner: Runner,
    *,
    pythons: Sequence[str] = _PYTHONS,
    wanted: Mapping[str, Any] | None = None,
) -> Profile:
    """Profile the machine that the runner reaches, using the first of `pythons` that it has.

    `wanted` configures the disk timing, like `write_latency` in data/hardware.yml.
    Raises UnreachableError when the script can't be run there, TimeoutError when it hangs.
    """
    wanted = wanted or load_data("hardware")["write_latency"]
    folders = [f"{use}={folder}" for use, folder in wanted["folders"].items()]
    start = ["sh", "-c", _START, "sh", " ".join(pythons)]
    done = runner.run(
        [*start, str(wanted["samples"]), str(wanted["seconds"]), *folders],
        timeout=_PROBE_SECONDS,
        stdin=(INSTALLER / "probes" / "hardware.py").read_text(encoding="utf-8"),
    )
    helps = with_note("apt-get install python3-minimal", _("on that server"))
    with parsing(done, _("the hardware can't be inspected"), helps):
        # Only the last line is ours: a login script may print a greeting before it.
        return parse_profile(json.loads(done.stdout.splitlines()[-1]))


def here_profile(runner: Runner) -> Profile:
    """Profile this machine; `runner` runs commands locally."""
    seen = far_profile(runner, pythons=(sys.executable,))
    memory = int(psutil.virtual_memory().total)
    nics = tuple(map(partial(_nic, stats=psutil.net_if_stats()), seen.nics))
    return replace(
        seen,
        cpu=_cpu(seen.cpu),
        memory=InstalledMemory(memory // _MB, nominal_mb(memory // 1024)),
        filesystems=tuple(map(_usage, seen.filesystems)),
        nics=nics,
        route4=_route(seen.route4, nics),
    )


def _cpu(seen: Cpu) -> Cpu:
    clock = psutil.cpu_freq()
    told = int(clock.max or clock.current) if clock else 0
    return Cpu(
        model=seen.model,
        cores=psutil.cpu_count(logical=False) or seen.cores,
        threads=psutil.cpu_count() or seen.threads,
        mhz=told or seen.mhz,
    )


def _usage(seen: Filesystem) -> Filesystem:
    usage = psutil.disk_usage(seen.mount)
    return replace(seen, total_mb=usage.total // _MB, free_mb=usage.free // _MB)


def _nic(seen: Nic, stats: Mapping[str, Any]) -> Nic:
    if seen.name not in stats or seen.name not in netifaces.interfaces():
        return seen  # removed since the probe
    entries = netifaces.ifaddresses(seen.name)
    told = stats[seen.name]

    def addresses(family: int) -> tuple[str, ...]:
        # IPv6 link-local addresses have the form ADDRESS%INTERFACE
        return tuple(str(row["addr"]).partition("%")[0] for row in entries.get(family, []))

    return replace(
        seen,
        mtu=told.mtu,
        speed_mbps=told.speed or seen.speed_mbps,
        ipv4=addresses(netifaces.AF_INET),
        ipv6=addresses(netifaces.AF_INET6),
    )


def _route(seen: Route | None, nics: Sequence[Nic]) -> Route | None:
    """Prefer the kernel's table: netifaces may report a default route with a higher metric."""
    default = default_gateway()
    if seen is not None or default is None:
        return seen
    gateway, interface = default
    return Route(interface, gateway, next((nic.mtu for nic in nics if nic.name == interface), 0))
