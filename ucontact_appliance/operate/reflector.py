"""Run reflectors for network probes: here in the foreground, or on a host for one measurement.

On a host they are two transient units in /run, each with a firewall rule that admits only the
prober's addresses. systemd stops them and removes the rules, even if the prober has gone away.
"""

from __future__ import annotations

import ipaddress
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.facts.path import PROBE
from ucontact_appliance.facts.runner import Completed, Runner
from ucontact_appliance.language.messages import _
from ucontact_appliance.templating import environment

_UNITS = "/run/systemd/system"
_READY_SECONDS = 5.0
_TABLE = "inet ucontact"


@dataclass(frozen=True)
class _Service:
    """One of the two services on a host: the STAMP reflector or the iperf3 server."""

    name: str
    title: str
    command: str
    protocol: str
    port: int

    @property
    def folder(self) -> str:
        return f"/run/{self.name}"


def _services(probe_port: int, throughput_port: int, everywhere: str) -> tuple[_Service, ...]:
    reflector = "ucontact-reflector"
    return (
        _Service(
            reflector,
            "reflects STAMP packets",
            f"/usr/bin/python3 /run/{reflector}/stamp.py reflect {everywhere} {probe_port}",
            "udp",
            probe_port,
        ),
        _Service(
            "ucontact-throughput",
            "takes and gives iperf3 traffic",
            f"/usr/bin/iperf3 --server --port {throughput_port}",
            "tcp",
            throughput_port,
        ),
    )


@contextmanager
def reflecting(
    runner: Runner, sources: Sequence[str], ports: tuple[int, int], seconds: int
) -> Iterator[None]:
    """Run STAMP reflector and iperf3 server on the host, on `ports`, reachable from `sources`.

    They stop by themselves after `seconds`. Without iperf3 on the host only the reflector runs.
    Raises UnreachableError when the reflector does not start.
    """
    everywhere = "::" if any(":" in source for source in sources) else "0.0.0.0"
    services = _services(*ports, everywhere)
    try:
        for service in services:
            _lay_down(runner, service, sources, seconds)
        _done(runner.run(["systemctl", "daemon-reload"]))
        _done(runner.run(["systemctl", "restart", f"{services[0].name}.service"]))
        if runner.run(["test", "-x", "/usr/bin/iperf3"]).status == 0:
            _done(runner.run(["systemctl", "restart", f"{services[1].name}.service"]))
        _await(runner, services[0])
        yield
    finally:
        for service in services:
            runner.run(["systemctl", "stop", f"{service.name}.service"], timeout=20)
            runner.run(["rm", "-rf", service.folder, f"{_UNITS}/{service.name}.service"])
        runner.run(["systemctl", "daemon-reload"])


def _lay_down(runner: Runner, service: _Service, sources: Sequence[str], seconds: int) -> None:
    unit = (
        environment("etc/systemd/system")
        .get_template("ucontact-reflector.service.j2")
        .render(
            title=service.title,
            folder=service.folder,
            command=service.command,
            seconds=seconds,
            port=service.port,
        )
    )
    texts = {
        f"{service.folder}/stamp.py": PROBE.read_text(encoding="utf-8"),
        f"{service.folder}/open.sh": opening(service.name, service.protocol, service.port, sources),
        f"{service.folder}/close.sh": closing(service.name),
        f"{_UNITS}/{service.name}.service": unit,
    }
    _done(runner.run(["mkdir", "-p", service.folder, _UNITS]))
    for path, text in texts.items():
        _done(runner.run(["sh", "-c", f"umask 022 && cat > {shlex.quote(path)}"], stdin=text))


def opening(name: str, protocol: str, port: int, sources: Sequence[str]) -> str:
    """Return the script that admits only these addresses; a no-op if our table is not loaded.

    Raises UsageError for an invalid address: it would become part of a script that runs as root.
    """
    rules = []
    for source in sources:
        try:
            address = ipaddress.ip_address(source)
        except ValueError:
            raise UsageError(
                _("{source!r} is not an IP address to measure from", source=source)
            ) from None
        family = "ip6" if address.version == 6 else "ip"
        rules.append(
            f"nft insert rule {_TABLE} input {family} saddr {address} {protocol} dport {port} "
            f"accept comment '\"{name}\"'"
        )
    lines = [f"nft list table {_TABLE} >/dev/null 2>&1 || exit 0", "set -e", *rules]
    return "\n".join(lines) + "\n"


def closing(name: str) -> str:
    """Return the script that removes every firewall rule of that name."""
    return (
        f"nft -a list chain {_TABLE} input 2>/dev/null |\n"
        f"  sed -n 's/.*comment \"{name}\".* # handle \\([0-9]*\\)$/\\1/p' |\n"
        f'  while read -r handle; do nft delete rule {_TABLE} input handle "$handle"; done\n'
    )


def _await(runner: Runner, service: _Service) -> None:
    """Wait until it listens: a packet sent before would be counted as lost."""
    deadline = time.monotonic() + _READY_SECONDS
    question = ["sh", "-c", f"ss -Hlun sport = :{service.port} | grep -q ."]
    while runner.run(question).status:
        if time.monotonic() > deadline:
            said = runner.run(["systemctl", "status", "--no-pager", f"{service.name}.service"])
            raise UnreachableError(_("the reflector does not start"), evidence=said.evidence)
        time.sleep(0.1)


def _done(completed: Completed) -> None:
    if completed.status:
        raise UnreachableError(_("the reflector can't be set up"), evidence=completed.evidence)


def _everywhere() -> str:
    """Return the wildcard address: `::`, for both families, or 0.0.0.0 without IPv6."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as tried:
            tried.bind(("::", 0))
    except OSError:
        return "0.0.0.0"
    return "::"


def reflect_here(port: int, throughput_port: int) -> None:
    """Run the reflector, and iperf3 if installed, on this machine until interrupted.

    Raises UnreachableError when the port can't be bound.
    """
    everywhere = _everywhere()
    iperf = shutil.which("iperf3")
    beside = None
    if iperf:
        words = [iperf, "--server", "--port", str(throughput_port)]
        beside = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        words = [sys.executable, str(PROBE), "reflect", everywhere, str(port)]
        done = subprocess.run(words, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise UnreachableError(
                _("UDP port {port} can't be opened on this machine", port=port),
                evidence=done.stderr.strip(),
                helps=_("sudo ucontact doctor network --reflect, or another --port above 1023"),
            )
    finally:
        if beside is not None:
            beside.terminate()
            beside.wait()
