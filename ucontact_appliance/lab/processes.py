"""Find the lab's processes in /proc, so that those of a crashed `up` are cleaned up too."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.lab import layout
from ucontact_appliance.language.messages import _

_STOP_SECONDS = 15.0
_SYSTEMD_IS_INIT = Path("/run/systemd/system")
_MOUNTS = Path("/proc/self/mountinfo")
# When a machine reboots, its supervisor exits with 133 (EXIT_STATUS in systemd-nspawn(1)), and
# its parent must start it again.
_AGAIN = 'while "$@"; test $? -eq 133; do :; done'
# Each boot in its own leaf: the previous one is an inner node by now, which may hold no process.
_JOIN = 'leaf=$(mktemp -d "$0/boot.XXXXXX") && echo $$ > "$leaf/cgroup.procs" && exec "$@"'


def boot_command(name: str, root: Path, *, group: Path | None) -> list[str]:
    """The command line that boots a machine in a cgroup of its own.

    In a shared cgroup, services of the same name on different machines would share one group:
    stopping one would wait for, and kill, those of the others. `group` is that cgroup; None if
    systemd is the host's init and provides a scope. The scope has a generated name: it outlives
    its machine by a moment, and a machine that is reset would find a fixed name taken. A machine
    that reboots is started again.
    """
    again = ["sh", "-c", _AGAIN, "sh"]
    nspawn = [
        "systemd-nspawn",
        *("--machine", f"{layout.MACHINE_PREFIX}{name}", "--directory", str(root), "--boot"),
        *("--register=no", "--keep-unit", f"--network-bridge={layout.BRIDGE}"),
        *("--hostname", name, "--link-journal=no", "--console=pipe"),
    ]
    if group is None:
        what = f"--description=rehearsal machine {name}"
        scope = ["systemd-run", "--scope", "--quiet", "--collect", what, "-pDelegate=yes"]
        return [*again, *scope, *nspawn]
    return [*again, "sh", "-c", _JOIN, str(group), *nspawn]


def spawn(name: str, root: Path, console: Path) -> subprocess.Popen[bytes]:
    """Boot the machine, detached; the returned process lives through its reboots."""
    group = None
    if not _SYSTEMD_IS_INIT.is_dir():
        group = _group_root() / _group_of(name)
        group.mkdir(parents=True, exist_ok=True)
    command = boot_command(name, root, group=group)
    with console.open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
        )


def drop_group(name: str) -> None:
    """Remove the cgroups of an ended machine from each hierarchy."""
    for mount in cgroup_mounts(_MOUNTS.read_text(encoding="utf-8")).values():
        group = mount / _group_of(name)
        for folder, __, __ in os.walk(group, topdown=False):
            _drop(Path(folder))
        if group.parent.is_dir() and not any(path.is_dir() for path in group.parent.iterdir()):
            _drop(group.parent)


def cgroup_mounts(mountinfo: str) -> dict[str, Path]:
    """Mount points of the hierarchies that systemd manages, by kind: `cgroup2` and `named`.

    `mountinfo` is /proc/self/mountinfo (proc(5)): the mount point is its fifth field, the type
    the first one after the dash.
    """
    found: dict[str, Path] = {}
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        if right.startswith("cgroup2 "):
            found.setdefault("cgroup2", Path(left.split()[4]))
        elif right.startswith("cgroup ") and "name=systemd" in right:
            found.setdefault("named", Path(left.split()[4]))
    return found


def _group_root() -> Path:
    mounts = cgroup_mounts(_MOUNTS.read_text(encoding="utf-8"))
    if "cgroup2" not in mounts:
        raise UnreachableError(
            _("rehearsal machines need the cgroup2 file system"),
            helps="mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 none /sys/fs/cgroup/unified",
        )
    return mounts["cgroup2"]


def _group_of(name: str) -> str:
    return f"{layout.BRIDGE}/{name}"


def _drop(group: Path) -> None:
    """Remove one empty cgroup; wait for a process that was just killed to leave it."""
    deadline = time.monotonic() + _STOP_SECONDS
    while True:
        try:
            group.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise UnreachableError(
                    _("{group} can't be removed", group=group), evidence=str(error)
                ) from error
            time.sleep(0.05)
        else:
            return


def supervisors(root: Path) -> tuple[int, ...]:
    """PIDs of the systemd-nspawn processes with this `root`, and of the shells that start them."""
    return tuple(pid for pid, words in _processes() if _boots(words, root))


def roots_on_bridge() -> tuple[Path, ...]:
    """The roots of all machines on the lab's bridge, of any lab folder."""
    found = set()
    for __, words in _processes():
        if f"--network-bridge={layout.BRIDGE}" in words and "--directory" in words[:-1]:
            found.add(Path(words[words.index("--directory") + 1]))
    return tuple(sorted(found))


def end_builders(images: Path) -> None:
    """Kill processes that build an image below `images`; called with the lock held, after a crash.

    A builder is the first process of a PID namespace, so that everything it started ends with it.
    """
    left = [pid for pid, words in _processes() if _builds_below(words, images)]
    for pid in left:
        _signal(pid, signal.SIGKILL)
    deadline = time.monotonic() + _STOP_SECONDS
    while any(_alive(pid) for pid in left):
        if time.monotonic() > deadline:
            raise UnreachableError(
                _("a process that builds an image in {images} does not stop", images=images)
            )
        time.sleep(0.05)


def leader(root: Path) -> int | None:
    """The host's PID of the machine's init; None while it is not running."""
    nspawns = [
        pid
        for pid, words in _processes()
        if Path(words[0]).name == "systemd-nspawn" and _boots(words, root)
    ]
    for parent in nspawns:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            children = task.read_text().split()
            if children:
                return int(children[0])
    return None


def stop(root: Path) -> None:
    """End the machine: first its init, and with it all its processes; then its supervisor."""
    init = leader(root)
    if init is not None:
        _signal(init, signal.SIGKILL)
    deadline = time.monotonic() + _STOP_SECONDS
    while supervisors(root):
        if time.monotonic() > deadline:
            for pid in supervisors(root):
                _signal(pid, signal.SIGKILL)
        if time.monotonic() > deadline + _STOP_SECONDS:
            raise UnreachableError(_("the machine in {root} does not stop", root=root))
        if init is None:
            for pid in supervisors(root):
                _signal(pid, signal.SIGKILL)
        time.sleep(0.05)


def _processes() -> Iterator[tuple[int, list[str]]]:
    """All processes with their command lines; kernel threads have none."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            words = _words(entry / "cmdline")
            if words and words[0]:
                yield int(entry.name), words


def _boots(words: list[str], root: Path) -> bool:
    return "systemd-nspawn" in words and str(root) in words


def _builds_below(words: list[str], images: Path) -> bool:
    paths = [Path(word) for word in words]
    return any(path.name == "mmdebstrap" for path in paths) and any(
        path.parent == images for path in paths
    )


def _alive(pid: int) -> bool:
    """Whether the process still runs; a zombie does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


def _words(path: Path) -> list[str]:
    try:
        return path.read_bytes().decode(errors="replace").split("\0")
    except OSError:  # it ended before it was read
        return []


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
