"""Create, boot, stop and remove one rehearsal machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.lab import images, isolation, network, processes
from ucontact_appliance.lab.addresses import namesake
from ucontact_appliance.lab.commands import run
from ucontact_appliance.lab.records import MachineSpec, ssh_command
from ucontact_appliance.language.messages import _
from ucontact_appliance.site.files import write_atomic

# Boot takes one or two seconds on an idle host. A machine whose init has ended is not waited for.
_UP_SECONDS = 90.0
_ANSWER_SECONDS = 15.0
_UNMOUNT_SECONDS = 5.0


def create(folder: Path, spec: MachineSpec, address: str, image: Path) -> None:
    """Create the machine's folder with its record."""
    for part in ("upper", "work", "root"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    values = {**asdict(spec), "address": address}
    write_atomic(folder / "image", f"{image.name}\n")
    write_atomic(folder / "spec.json", json.dumps(values, indent=2) + "\n")


def boot(folder: Path, spec: MachineSpec, layers: Sequence[Path], address: str) -> None:
    """Mount the machine's layers, boot it, and wait until it answers over ssh."""
    root = folder / "root"
    lower = ":".join(str(layer) for layer in layers)
    options = f"lowerdir={lower},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    if not root.is_mount():
        run(["mount", "-t", "overlay", "overlay", "-o", options, str(root)])
    images.copy_resolver(root)
    # Only once: like a server, a machine that boots again keeps its /etc/hosts and machine-id.
    # The same holds for a settled machine, whose name and address are in a layer.
    mine = (folder / "upper" / images.HOSTNAME).exists()
    if not mine and not images.is_personal(root, spec.name, address):
        if spec.ubuntu:
            images.pretend_ubuntu(root, spec.ubuntu)
        images.personalise(root, spec.name, address)
    network.forget_neighbour(address)
    isolation.apply(folder)
    _wait_for_ssh(folder, address, processes.spawn(spec.name, root, folder / "console.log"))


def _wait_for_ssh(folder: Path, address: str, boot: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _UP_SECONDS
    said = ""
    while time.monotonic() < deadline:
        try:
            answer = subprocess.run(
                [*ssh_command(address), "true"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_ANSWER_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            said = f"ssh gave no answer in {_ANSWER_SECONDS:g} s"
            continue
        if answer.returncode == 0:
            return
        said = answer.stderr.strip()
        if boot.poll() is not None:
            break
        time.sleep(0.2)
    console = (folder / "console.log").read_text(encoding="utf-8", errors="replace")
    raise UnreachableError(
        _("the rehearsal machine {name} did not come up", name=folder.name),
        evidence="\n".join([said, *console.splitlines()[-10:]]).strip(),
    )


def remove(folder: Path) -> None:
    """Stop the machine and delete its folder."""
    halt(folder)
    isolation.lift(folder)
    if folder.exists():
        shutil.rmtree(folder)


def sync(folder: Path) -> None:
    """Flush the machine's file system buffers to disk."""
    init = processes.leader(folder / "root")
    if init is not None:
        run(["nsenter", "-t", str(init), "-a", "sync"])


def halt(folder: Path) -> None:
    """Stop the machine and unmount its root; its changes stay in its own layer."""
    processes.stop(folder / "root")
    if namesake(folder) is None:  # otherwise the cgroup belongs to that machine
        processes.drop_group(folder.name)
    deadline = time.monotonic() + _UNMOUNT_SECONDS
    while mounts := images.mounts_below(folder):
        try:
            run(["umount", mounts[0]])
        except UnreachableError:  # busy: a process has it open
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
