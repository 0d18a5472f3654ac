"""Rehearsal machines: up, down, reset, list, and layers frozen from them."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address
from pathlib import Path

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.lab import images, layout, network, processes
from ucontact_appliance.lab.commands import require_tools, run
from ucontact_appliance.site.files import private_dir, write_atomic

Observer = Callable[[str], None]

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")
_UP_SECONDS = 40.0
_MOST = layout.NETWORK.num_addresses - layout.FIRST_MACHINE - 1


@dataclass(frozen=True)
class Spec:
    """What a machine is to be: its suite, the Ubuntu it says it is, the layers it stands on."""

    name: str
    suite: str = "sid"
    ubuntu: str | None = None
    layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Machine:
    """A machine as it was found; `state` is running or stopped."""

    name: str
    address: str
    suite: str
    state: str
    root: Path

    def ssh(self, argv: Sequence[str], timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run words in the machine's shell over ssh."""
        return subprocess.run(
            [*ssh_command(self.address), *argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def ssh_command(address: str) -> list[str]:
    """The words that reach a rehearsal machine; its key is the lab's own, so nothing is pinned."""
    return [
        "ssh",
        *("-i", str(layout.ssh_key()), "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"),
        *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
        *("-o", "ConnectTimeout=3", f"root@{address}"),
    ]


def up(spec: Spec, on_event: Observer) -> Machine:
    """The machine, made and booted where it isn't yet; what a failure left half is taken back."""
    require_tools()
    _refuse_bad_name(spec.name)
    with _lock():
        folder = layout.machines() / spec.name
        if folder.exists():
            _refuse_other(spec, _read_spec(folder))
            machine = _machine(folder)
            if machine.state == "running":
                on_event(f"{spec.name} is up already at {machine.address}")
                return machine
        on_event(f"booting {spec.name} ({spec.suite})")
        made = not folder.exists()
        try:
            image = images.base_image(spec.suite, on_event)
            network.bring_up()
            address = _address(folder) if not made else _free_address()
            _create(folder, spec, address)
            _boot(folder, spec, image, address)
        except BaseException:
            if made:
                _remove(folder)
                _tidy_network()
            raise
        return _machine(folder)


def down(names: Sequence[str], on_event: Observer) -> tuple[str, ...]:
    """Throw the machines away (all of them when `names` is empty); the names of those that were.

    With the last machine the bridge, the rule and the sysctl go too.
    """
    require_tools()
    with _lock():
        known = _names()
        unknown = sorted(set(names) - set(known))
        if unknown:
            raise UsageError(
                f"there is no rehearsal machine {unknown[0]!r}",
                evidence=f"there are: {', '.join(known) or 'none'}",
                helps="ucontact lab list",
            )
        gone = tuple(names or known)
        for name in gone:
            on_event(f"removing {name}")
            _remove(layout.machines() / name)
        _tidy_network()
    return gone


def reset(name: str, on_event: Observer) -> Machine:
    """The same machine, fresh: same name, address, suite and layers."""
    require_tools()
    with _lock():
        folder = _existing(name)
        spec, address = _read_spec(folder), _address(folder)
        image = images.base_image(spec.suite, on_event)
        on_event(f"resetting {name}")
        _remove(folder)
        network.bring_up()
        _create(folder, spec, address)
        _boot(folder, spec, image, address)
        return _machine(folder)


def freeze(name: str, layer: str, on_event: Observer) -> str:
    """Keep what the machine has become as a read-only layer for others, and throw it away.

    Gives back the layer's name, for `Spec.layers`.
    """
    require_tools()
    _refuse_bad_name(layer)
    with _lock():
        folder = _existing(name)
        target = layout.images() / f"layer-{layer}"
        if target.exists():
            raise UsageError(f"there is a layer {layer!r} already")
        on_event(f"freezing {name} as {layer}")
        init = processes.leader(folder / "root")
        if init is not None:
            run(["nsenter", "-t", str(init), "-a", "sync"])
        processes.stop(folder / "root")
        _unmount(folder)
        (folder / "upper").rename(target)
        _remove(folder)
        _tidy_network()
    return layer


def drop_layer(layer: str) -> None:
    """Forget a frozen layer."""
    shutil.rmtree(layout.images() / f"layer-{layer}")


def listed() -> tuple[Machine, ...]:
    """All machines, by name."""
    return tuple(_machine(layout.machines() / name) for name in _names())


def find(name: str) -> Machine:
    """The machine of that name. Raises UsageError when there is none."""
    return _machine(_existing(name))


@contextmanager
def _lock() -> Iterator[None]:
    private_dir(layout.lab_root())
    with layout.lab_lock().open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _names() -> tuple[str, ...]:
    root = layout.machines()
    return tuple(sorted(path.name for path in root.iterdir())) if root.is_dir() else ()


def _existing(name: str) -> Path:
    folder = layout.machines() / name
    if name not in _names():
        raise UsageError(
            f"there is no rehearsal machine {name!r}",
            evidence=f"there are: {', '.join(_names()) or 'none'}",
            helps=f"ucontact lab up {name}",
        )
    return folder


def _refuse_bad_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a machine",
            evidence="2 to 32 small letters, digits and '-', a letter first",
        )


def _refuse_other(wanted: Spec, there: Spec) -> None:
    if wanted != there:
        raise UsageError(
            f"{wanted.name} is there already, and is another machine",
            evidence=f"it is {there.suite}" + (f", Ubuntu {there.ubuntu}" if there.ubuntu else ""),
            helps=f"ucontact lab down {wanted.name}",
        )


def _read_spec(folder: Path) -> Spec:
    """The machine's spec; a plain one where a crash came before it was written."""
    try:
        values = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Spec(folder.name)
    values.pop("address")
    return Spec(**{**values, "layers": tuple(values["layers"])})


def _address(folder: Path) -> str:
    try:
        spec = json.loads((folder / "spec.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ""
    return str(spec["address"])


def _machine(folder: Path) -> Machine:
    root = folder / "root"
    state = "running" if processes.supervisors(root) else "stopped"
    return Machine(folder.name, _address(folder), _read_spec(folder).suite, state, root)


def _free_address() -> str:
    taken = {_address(layout.machines() / name) for name in _names()}
    return choose_address(taken)


def choose_address(taken: set[str]) -> str:
    """The first address of the range that no machine has. Raises UsageError when it is full."""
    for number in range(layout.FIRST_MACHINE, layout.FIRST_MACHINE + _MOST):
        address = str(IPv4Address(int(layout.NETWORK.network_address) + number))
        if address not in taken:
            return address
    raise UsageError("the lab is full", helps="ucontact lab down")


def _create(folder: Path, spec: Spec, address: str) -> None:
    for part in ("upper", "work", "root"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    values = {**asdict(spec), "address": address}
    write_atomic(folder / "spec.json", json.dumps(values, indent=2) + "\n")


def _boot(folder: Path, spec: Spec, image: Path, address: str) -> None:
    root = folder / "root"
    lower = ":".join(
        [*(str(layout.images() / f"layer-{layer}") for layer in reversed(spec.layers)), str(image)]
    )
    options = f"lowerdir={lower},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    if not root.is_mount():
        run(["mount", "-t", "overlay", "overlay", "-o", options, str(root)])
    images.copy_resolver(root)
    images.personalise(root, spec.name, address)
    if spec.ubuntu:
        images.pretend_ubuntu(root, spec.ubuntu)
    network.forget_neighbour(address)
    processes.spawn(spec.name, root, folder / "console.log")
    _wait_for_ssh(folder, address)


def _wait_for_ssh(folder: Path, address: str) -> None:
    deadline = time.monotonic() + _UP_SECONDS
    said = ""
    while time.monotonic() < deadline:
        answer = subprocess.run(
            [*ssh_command(address), "true"], capture_output=True, text=True, check=False
        )
        if answer.returncode == 0:
            return
        said = answer.stderr.strip()
        if not processes.supervisors(folder / "root"):
            time.sleep(0.2)
            if not processes.supervisors(folder / "root"):
                break
        time.sleep(0.2)
    console = (folder / "console.log").read_text(encoding="utf-8", errors="replace")
    raise UnreachableError(
        f"the rehearsal machine {folder.name} did not come up",
        evidence="\n".join([said, *console.splitlines()[-10:]]).strip(),
    )


def _remove(folder: Path) -> None:
    processes.stop(folder / "root")
    _unmount(folder)
    if folder.exists():
        shutil.rmtree(folder)


def _unmount(folder: Path) -> None:
    """Whatever is mounted at or below the machine's root, deepest first."""
    mounts = [
        line.split()[4]
        for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    ]
    for mount in sorted((m for m in mounts if Path(m).is_relative_to(folder)), reverse=True):
        run(["umount", mount])


def _tidy_network() -> None:
    if not _names():
        network.tear_down()
