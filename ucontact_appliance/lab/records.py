"""Records of rehearsal machines: specification, location, and how to reach them."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.lab import layout, processes
from ucontact_appliance.language.messages import _, with_note


@dataclass(frozen=True)
class MachineSpec:
    """Specification of a machine: its suite, the Ubuntu that it reports, its layers."""

    name: str
    suite: str = "sid"
    ubuntu: str | None = None
    layers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Machine:
    """An existing machine; `state` is running or stopped."""

    name: str
    address: str
    suite: str
    state: str
    root: Path

    def ssh(self, argv: Sequence[str], timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command in the machine's shell over ssh."""
        return subprocess.run(
            [*ssh_command(self.address), *argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def ssh_command(address: str) -> list[str]:
    """The ssh command for a rehearsal machine; no host key is pinned, as all share the lab's."""
    return [
        "ssh",
        *("-i", str(layout.ssh_key()), "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"),
        *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
        *("-o", "ConnectTimeout=3", f"root@{address}"),
    ]


def machine_names() -> tuple[str, ...]:
    """The names of all machines of this lab folder."""
    root = layout.machines()
    return tuple(sorted(path.name for path in root.iterdir())) if root.is_dir() else ()


def existing(name: str) -> Path:
    """The folder of this machine. Raises UsageError if there is none."""
    folder = layout.machines() / name
    if name not in machine_names():
        raise UsageError(
            _("there is no rehearsal machine {name!r}", name=name),
            evidence=_("existing machines: {names}", names=", ".join(machine_names()) or _("none")),
            helps=f"ucontact lab up {name}",
        )
    return folder


def read_spec(folder: Path) -> MachineSpec:
    """The machine's spec; the default one if a crash came before it was written."""
    return _recorded(folder)[0]


def address_of(folder: Path) -> str:
    """The machine's address; empty if a crash came before it was written."""
    return _recorded(folder)[1]


def _recorded(folder: Path) -> tuple[MachineSpec, str]:
    """Spec and address as written by `create`. Raises UnreachableError for an invalid file."""
    path = folder / "spec.json"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return MachineSpec(folder.name), ""
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    try:
        values = _Record.model_validate_json(text)
    except ValidationError as error:
        raise _unreadable(path, error) from error
    return MachineSpec(values.name, values.suite, values.ubuntu, values.layers), values.address


class _Record(BaseModel):
    """Content of a machine's spec.json."""

    model_config = ConfigDict(extra="forbid")

    name: str
    suite: str
    ubuntu: str | None
    layers: tuple[str, ...]
    address: str


def _unreadable(path: Path, error: Exception) -> UnreachableError:
    return UnreachableError(
        _(
            "the record {path} of the rehearsal machine {name} can't be read",
            path=path,
            name=path.parent.name,
        ),
        evidence=str(error),
        helps=with_note(f"ucontact lab down {path.parent.name}", _("removes the machine")),
    )


def machine_in(folder: Path) -> Machine:
    """The machine in this folder, with its present state."""
    root = folder / "root"
    state = "running" if processes.supervisors(root) else "stopped"
    return Machine(folder.name, address_of(folder), read_spec(folder).suite, state, root)
