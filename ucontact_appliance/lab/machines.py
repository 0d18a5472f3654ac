"""Rehearsal machines: up, down, reset, list, and layers frozen from them."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ucontact_appliance.errors import ApplianceError, UnreachableError, UsageError
from ucontact_appliance.lab import arp, images, layout, network, processes
from ucontact_appliance.lab.commands import require_root, require_tools, run
from ucontact_appliance.site.files import private_dir, write_atomic

Observer = Callable[[str], None]

_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")
# One or two seconds on an idle host. A machine that ends is not waited for.
_UP_SECONDS = 90.0
_ANSWER_SECONDS = 15.0
_UNMOUNT_SECONDS = 5.0
# The kernel takes a machine's interface away some moments after its last process has ended, and
# later where it has much else to do.
_RELEASE_SECONDS = 10.0
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
    """The machine, made and booted where it isn't yet; what a failure left half is taken back.

    A machine that was stopped (its host was rebooted, it was killed) boots as it was left: its own
    layer, on the image that it was made on, at its address. Raises UsageError when its address or
    its name has been taken meanwhile by a machine of another lab folder.
    """
    require_tools()
    _refuse_bad_name(spec.name)
    with _lock(on_event):
        folder = layout.machines() / spec.name
        if folder.exists():
            _refuse_other(spec, _read_spec(folder))
            machine = _machine(folder)
            if machine.state == "running":
                on_event(f"{spec.name} is up already at {machine.address}")
                return machine
        _refuse_name_elsewhere(folder)
        on_event(f"booting {spec.name} ({spec.suite})")
        made = not folder.exists()
        try:
            image = _image_of(folder) or images.base_image(spec.suite, on_event)
            layers = _layer_folders(image, spec)
            with _bridge(on_event):
                network.bring_up()
                # A crash may have come before the address was written.
                address = _address(folder)
                if address:
                    _refuse_taken(spec.name, address)
                address = address or _free_address()
                _create(folder, spec, address, image)
                _boot(folder, spec, layers, address)
        except BaseException:
            _remove(folder) if made else _halt(folder)
            _tidy_network(on_event)
            raise
        images.drop_old(spec.suite, _images_in_use(), on_event)
        return _machine(folder)


def spec_for(name: str, suite: str | None = None, ubuntu: str | None = None) -> Spec:
    """The spec to bring that machine up by: as it was made, where nothing else is asked for.

    A new machine is sid unless `suite` says otherwise.
    """
    require_root()
    there = _read_spec(layout.machines() / name) if name in _names() else Spec(name)
    return replace(there, suite=suite or there.suite, ubuntu=ubuntu or there.ubuntu)


def base_image(suite: str, on_event: Observer) -> Path:
    """The base image's folder, for somebody who boots it himself; made where it isn't there yet.

    Raises UsageError for an unknown suite.
    """
    require_tools()
    with _lock(on_event):
        return images.base_image(suite, on_event)


def down(names: Sequence[str], on_event: Observer) -> tuple[str, ...]:
    """Throw these machines away; the names of those that were.

    With the last machine the bridge, the rule and the sysctl go too.
    """
    require_tools()
    with _lock(on_event):
        return _down(names, on_event)


def down_all(on_event: Observer) -> tuple[str, ...]:
    """Throw every machine away, whoever made it, and the network; the names of those that were."""
    require_tools()
    with _lock(on_event):
        return _down(_names(), on_event)


def _down(names: Sequence[str], on_event: Observer) -> tuple[str, ...]:
    known = _names()
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise UsageError(
            f"there is no rehearsal machine {unknown[0]!r}",
            evidence=f"there are: {', '.join(known) or 'none'}",
            helps="ucontact lab list",
        )
    failures = []
    for name in names:
        on_event(f"removing {name}")
        try:
            _remove(layout.machines() / name)
        except ApplianceError as error:  # one that does not go must not keep the others
            failures.append(error)
    images.drop_halves()
    _tidy_network(on_event)
    if failures:
        raise failures[0]
    return tuple(names)


def reset(name: str, on_event: Observer) -> Machine:
    """The same machine, fresh: same name, address, suite and layers.

    Where it does not come up again it stays, stopped.
    """
    require_tools()
    with _lock(on_event):
        folder = _existing(name)
        spec, address = _read_spec(folder), _address(folder)
        # With layers on the image that they were made on; else on the newest.
        kept = _image_of(folder) if spec.layers else None
        image = kept or images.base_image(spec.suite, on_event)
        layers = _layer_folders(image, spec)
        _refuse_name_elsewhere(folder)
        on_event(f"resetting {name}")
        with _bridge(on_event):
            _halt(folder)
            network.bring_up()
            if address:
                _refuse_taken(name, address)
            address = address or _free_address()
            _remove(folder)
            _create(folder, spec, address, image)
            try:
                _boot(folder, spec, layers, address)
            except BaseException:
                _halt(folder)
                raise
        return _machine(folder)


def freeze(name: str, layer: str, on_event: Observer) -> tuple[str, ...]:
    """Keep what the machine has become as a read-only layer for others, and throw it away.

    Gives back what `Spec.layers` of another machine has to be: the layers that this machine stood
    on, and the new one. A layer belongs to the image that it was made on. The machine is ended as
    by a power cut after a sync: stop its services first where that matters.
    """
    require_tools()
    _refuse_bad_name(layer)
    with _lock(on_event):
        folder = _existing(name)
        if _folders_of(layer):
            raise UsageError(f"there is a layer {layer!r} already")
        spec = _read_spec(folder)
        image = _image_of(folder) or images.base_image(spec.suite, on_event)
        target = _layer_folder(image, layer)
        on_event(f"freezing {name} as {layer}")
        _sync(folder)
        _halt(folder)
        (folder / "upper").rename(target)
        _remove(folder)
        _tidy_network(on_event)
    return (*spec.layers, layer)


def settle(name: str, layer: str, on_event: Observer) -> Machine:
    """Keep what the machine has become as a layer, and put the same machine on top of it, stopped.

    From then on `reset` gives that state back in a second or two, under the same name and address.
    The machine is ended as `freeze` ends it; `drop_layer` forgets the layer once the machine is
    down. Raises UsageError when there is a layer of that name already.
    """
    require_tools()
    _refuse_bad_name(layer)
    with _lock(on_event):
        folder = _existing(name)
        if _folders_of(layer):
            raise UsageError(f"there is a layer {layer!r} already")
        spec, address = _read_spec(folder), _address(folder)
        image = _image_of(folder) or images.base_image(spec.suite, on_event)
        on_event(f"settling {name} on {layer}")
        _sync(folder)
        _halt(folder)
        (folder / "upper").rename(_layer_folder(image, layer))
        _remove(folder)
        _create(folder, replace(spec, layers=(*spec.layers, layer)), address, image)
        return _machine(folder)


def drop_layer(layer: str, on_event: Observer) -> None:
    """Forget a frozen layer. Raises UsageError while a machine stands on it."""
    require_root()
    with _lock(on_event):
        for name in _names():
            if layer in _read_spec(layout.machines() / name).layers:
                raise UsageError(
                    f"the machine {name} stands on the layer {layer}",
                    helps=f"ucontact lab down {name}",
                )
        for folder in _folders_of(layer):
            shutil.rmtree(folder)


def listed() -> tuple[Machine, ...]:
    """All machines, by name."""
    require_root()
    return tuple(_machine(layout.machines() / name) for name in _names())


def find(name: str) -> Machine:
    """The machine of that name. Raises UsageError when there is none."""
    require_root()
    return _machine(_existing(name))


@contextmanager
def _lock(on_event: Observer) -> Iterator[None]:
    """This folder's lock, and nobody else's."""
    private_dir(layout.lab_root())
    with _held(layout.lab_lock(), "waiting for another ucontact at work on the lab", on_event):
        yield


@contextmanager
def _bridge(on_event: Observer) -> Iterator[None]:
    """The lock of all lab folders; taken after this folder's own."""
    waiting = "waiting for another lab folder that is at work on the bridge"
    with _held(layout.bridge_lock(), waiting, on_event):
        yield


@contextmanager
def _held(path: Path, waiting: str, on_event: Observer) -> Iterator[None]:
    """Held by one at a time; the kernel lets go of it when its holder is killed."""
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_event(waiting)
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
    return _recorded(folder)[0]


def _address(folder: Path) -> str:
    """The machine's address; empty where a crash came before it was written."""
    return _recorded(folder)[1]


def _recorded(folder: Path) -> tuple[Spec, str]:
    """Spec and address as `_create` wrote them. Raises UnreachableError for anything else."""
    path = folder / "spec.json"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Spec(folder.name), ""
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    try:
        values = _Record.model_validate_json(text)
    except ValidationError as error:
        raise _unreadable(path, error) from error
    return Spec(values.name, values.suite, values.ubuntu, values.layers), values.address


class _Record(BaseModel):
    """The file spec.json of a machine."""

    model_config = ConfigDict(extra="forbid")

    name: str
    suite: str
    ubuntu: str | None
    layers: tuple[str, ...]
    address: str


def _unreadable(path: Path, error: Exception) -> UnreachableError:
    return UnreachableError(
        f"the record {path} of the rehearsal machine {path.parent.name} can't be read",
        evidence=str(error),
        helps=f"ucontact lab down {path.parent.name}   (throws the machine away)",
    )


def _machine(folder: Path) -> Machine:
    root = folder / "root"
    state = "running" if processes.supervisors(root) else "stopped"
    return Machine(folder.name, _address(folder), _read_spec(folder).suite, state, root)


def _free_address() -> str:
    """The first address that no machine of this folder has, and nobody on the bridge holds."""
    ours = {_address(layout.machines() / name) for name in _names()}
    wanted = choose_address(ours)
    held = _holders(_addresses(), wanted)
    return choose_address(ours | set(held))


def _holder(address: str) -> str:
    """Who holds the address on the bridge, for a person; empty when nobody does."""
    found = _holders([address], address)
    if not found:
        return ""
    named = [str(folder) for folder in _holding(address)]
    return f"{', '.join(named) or 'a machine'} ({found[address]})"


def _holders(addresses: Collection[str], wanted: str) -> dict[str, str]:
    """Of those addresses the ones held on the bridge, with the MAC of each holder.

    A machine that was thrown away a moment ago still answers for the wanted one: it is given time
    to leave. One that runs is not waited for.
    """
    deadline = time.monotonic() + _RELEASE_SECONDS
    while True:
        held = arp.holders(layout.BRIDGE, addresses)
        if wanted not in held or _holding(wanted) or time.monotonic() > deadline:
            return held


def _holding(address: str) -> tuple[Path, ...]:
    """The folders of the machines that run on the bridge with that address."""
    folders = (root.parent for root in processes.roots_on_bridge())
    return tuple(folder for folder in folders if _claims(folder, address))


def _claims(folder: Path, address: str) -> bool:
    """Whether the machine, which may be of any lab folder, was made with that address."""
    try:
        return _address(folder) == address
    except ApplianceError:
        return False


def _refuse_taken(name: str, address: str) -> None:
    """Raises UsageError when somebody else on the bridge answers for the machine's address."""
    holder = _holder(address)
    if holder:
        raise UsageError(
            f"the address {address} of the rehearsal machine {name} is in use by another machine",
            evidence=f"on the bridge {layout.BRIDGE} it is held by {holder}",
            helps=f"stop that machine, then: ucontact lab up {name}   "
            "(or ucontact lab down both, and make this one anew)",
        )


def _refuse_name_elsewhere(folder: Path) -> None:
    """Raises UsageError when a machine of that name runs from another lab folder.

    Its interface and its cgroup on the host are named by the machine's name alone.
    """
    other = _namesake(folder)
    if other is not None:
        raise UsageError(
            f"a rehearsal machine {folder.name} of another lab folder is running",
            evidence=str(other),
            helps="choose another name: ucontact lab up NAME",
        )


def _namesake(folder: Path) -> Path | None:
    """The folder of a running machine of that name in another lab folder."""
    others = (root.parent for root in processes.roots_on_bridge())
    return next((one for one in others if one.name == folder.name and one != folder), None)


def choose_address(taken: set[str]) -> str:
    """The first address of the range that no machine has. Raises UsageError when it is full."""
    for address in _addresses():
        if address not in taken:
            return address
    raise UsageError(
        f"all {_MOST} addresses of the lab's range {layout.NETWORK} are in use",
        helps="ucontact lab list   (then: ucontact lab down NAME)",
    )


def _addresses() -> tuple[str, ...]:
    """All addresses that machines may have."""
    first = int(layout.NETWORK.network_address) + layout.FIRST_MACHINE
    return tuple(str(IPv4Address(first + number)) for number in range(_MOST))


def _image_of(folder: Path) -> Path | None:
    """The image that the machine was made on; None where that is not written (yet).

    Another image than that one must not get under what the machine has become.
    """
    try:
        name = (folder / "image").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    image = layout.images() / name
    if not image.is_dir():
        raise UsageError(
            f"the image that {folder.name} was made on is gone",
            evidence=str(image),
            helps=f"ucontact lab down {folder.name}",
        )
    return image


def _images_in_use() -> set[str]:
    """The names of the images that machines stand on."""
    files = (layout.machines() / name / "image" for name in _names())
    return {file.read_text(encoding="utf-8").strip() for file in files if file.exists()}


def _layer_folder(image: Path, layer: str) -> Path:
    return layout.images() / f"{image.name}+{layer}"


def _folders_of(layer: str) -> list[Path]:
    return list(layout.images().glob(f"*+{layer}"))


def _layer_folders(image: Path, spec: Spec) -> list[Path]:
    """What the machine stands on, uppermost first, as overlay wants it."""
    for layer in spec.layers:
        if not _layer_folder(image, layer).is_dir():
            there = ", ".join(path.name for path in _folders_of(layer)) or "no layer of that name"
            raise UsageError(
                f"there is no layer {layer!r} on the image {image.name}", evidence=there
            )
    return [*(_layer_folder(image, layer) for layer in reversed(spec.layers)), image]


def _create(folder: Path, spec: Spec, address: str, image: Path) -> None:
    for part in ("upper", "work", "root"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    values = {**asdict(spec), "address": address}
    write_atomic(folder / "image", f"{image.name}\n")
    write_atomic(folder / "spec.json", json.dumps(values, indent=2) + "\n")


def _boot(folder: Path, spec: Spec, layers: Sequence[Path], address: str) -> None:
    root = folder / "root"
    lower = ":".join(str(layer) for layer in layers)
    options = f"lowerdir={lower},upperdir={folder / 'upper'},workdir={folder / 'work'}"
    if not root.is_mount():
        run(["mount", "-t", "overlay", "overlay", "-o", options, str(root)])
    images.copy_resolver(root)
    # Once: a machine that boots again keeps its /etc/hosts and its machine-id, as a server does.
    # The same holds for one that was settled: its name and address lie in a layer.
    mine = (folder / "upper" / images.HOSTNAME).exists()
    if not mine and not images.is_personal(root, spec.name, address):
        if spec.ubuntu:
            images.pretend_ubuntu(root, spec.ubuntu)
        images.personalise(root, spec.name, address)
    network.forget_neighbour(address)
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
        f"the rehearsal machine {folder.name} did not come up",
        evidence="\n".join([said, *console.splitlines()[-10:]]).strip(),
    )


def _remove(folder: Path) -> None:
    _halt(folder)
    if folder.exists():
        shutil.rmtree(folder)


def _sync(folder: Path) -> None:
    init = processes.leader(folder / "root")
    if init is not None:
        run(["nsenter", "-t", str(init), "-a", "sync"])


def _halt(folder: Path) -> None:
    """End the machine and unmount its root; what it has become stays in its own layer."""
    processes.stop(folder / "root")
    if _namesake(folder) is None:  # else the group is that machine's
        processes.drop_group(folder.name)
    deadline = time.monotonic() + _UNMOUNT_SECONDS
    while mounts := images.mounts_below(folder):
        try:
            run(["umount", mounts[0]])
        except UnreachableError:  # busy: somebody looks into it this moment
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def _tidy_network(on_event: Observer) -> None:
    if not _names():
        with _bridge(on_event):
            network.tear_down()
