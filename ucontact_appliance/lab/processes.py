"""The lab's processes, found by looking, so that a crashed `up` is cleaned up all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.lab import layout

_STOP_SECONDS = 15.0
_SYSTEMD_IS_INIT = Path("/run/systemd/system")


def spawn(name: str, root: Path, console: Path) -> int:
    """Boot the machine, detached; the process id of what was started."""
    command = [
        "systemd-nspawn",
        *("--machine", f"{layout.MACHINE_PREFIX}{name}", "--directory", str(root), "--boot"),
        *("--register=no", "--keep-unit", f"--network-bridge={layout.BRIDGE}"),
        *("--hostname", name, "--link-journal=no", "--console=pipe"),
    ]
    if _SYSTEMD_IS_INIT.is_dir():
        # Where systemd is the host's init, the machine needs a cgroup of its own to manage.
        scope = f"--unit=ucontact-lab-{name}"
        command = ["systemd-run", "--scope", "--quiet", scope, "-pDelegate=yes", *command]
    with console.open("ab") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
        )
    return process.pid


def supervisors(root: Path) -> tuple[int, ...]:
    """The systemd-nspawn processes whose machine lives in `root`."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        words = _words(entry / "cmdline")
        if words and Path(words[0]).name == "systemd-nspawn" and str(root) in words:
            found.append(int(entry.name))
    return tuple(found)


def leader(root: Path) -> int | None:
    """The machine's own init, as the host numbers it; None while it is not running."""
    for parent in supervisors(root):
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            children = task.read_text().split()
            if children:
                return int(children[0])
    return None


def stop(root: Path) -> None:
    """End the machine: its init first, and with it everything in it; then its supervisor."""
    init = leader(root)
    if init is not None:
        _signal(init, signal.SIGKILL)
    deadline = time.monotonic() + _STOP_SECONDS
    while supervisors(root):
        if time.monotonic() > deadline:
            for pid in supervisors(root):
                _signal(pid, signal.SIGKILL)
        if time.monotonic() > deadline + _STOP_SECONDS:
            raise UnreachableError(f"the machine in {root} does not stop")
        for pid in supervisors(root):
            _reap(pid)
            if init is None:
                _signal(pid, signal.SIGKILL)
        time.sleep(0.05)


def _words(path: Path) -> list[str]:
    try:
        return path.read_bytes().decode(errors="replace").split("\0")
    except OSError:  # it ended while we looked
        return []


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _reap(pid: int) -> None:
    """Take a child's exit status when it is ours, so that no zombie stays behind."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
