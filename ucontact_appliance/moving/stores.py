"""The customer's data of each role, and the commands that move it intact to another server.

Commands for `bash -c` as root. `unpack` reads what `pack` writes to its standard output. `proof`
runs on the old server; `verify` reads its output on standard input and checks the new server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict

from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.component import Data
from ucontact_appliance.planning.component_tables import phases
from ucontact_appliance.planning.components import components_of
from ucontact_appliance.planning.model import Role
from ucontact_appliance.resources import load_data

_SOCKET = "--no-defaults --socket=/run/mysqld/mysqld.sock --user=root"
_DUMP = (
    f"mysqldump {_SOCKET} --single-transaction --quick --hex-blob --no-tablespaces "
    "--set-gtid-purged=OFF"
)


@dataclass(frozen=True)
class Store:
    """One role's data, and the playbook `phase` that sets up the role.

    `there`: exit status 0 if there is any data. `room`: the folder in which it grows. `ready` runs
    first, on the old server. `writers` are units that change the data; they are stopped during the
    move on every server. `units` are the role's units, disabled on the old server after `verify`.
    """

    role: Role
    phase: str
    title: str
    there: str
    room: str
    ready: str
    pack: str
    unpack: str
    proof: str
    verify: str
    writers: tuple[str, ...]
    units: tuple[str, ...]


class _Commands(TypedDict):
    ready: str
    pack: str
    unpack: str
    proof: str
    verify: str


def _of_files(data: Data) -> _Commands:
    below, paths = data.below, " ".join(data.paths)
    return {
        "ready": "true",
        "pack": f"tar -C {below} -cf - {paths}",
        "unpack": f"mkdir -p {below} && tar -C {below} -xpf -",
        "proof": f"cd {below} && find {paths} -type f -print0 | xargs -0r sha256sum",
        "verify": f'cd {below} && list=$(cat) && if test -n "$list"; then '
        'echo "$list" | sha256sum --check --quiet --strict; fi',
    }


def _of_schemas() -> _Commands:
    schemas = " ".join(load_data("database")["schemas"])
    # One row per line, ordered by primary key: the same text whichever MySQL version wrote it.
    rows = (
        f"{_DUMP} --no-create-info --skip-triggers --compact --skip-extended-insert "
        f"--order-by-primary --databases {schemas} | sha256sum"
    )
    return {
        "ready": "systemctl start mysql.service",
        "pack": f"{_DUMP} --routines --triggers --events --databases {schemas} | gzip -1",
        "unpack": f"gunzip | mysql {_SOCKET}",
        "proof": rows,
        "verify": f'test "$({rows})" = "$(cat)"',
    }


def _store(phase: str, role: Role, data: Data) -> Store:
    commands = _of_files(data) if data.kind == "files" else _of_schemas()
    return Store(
        role=role,
        phase=phase,
        title=_(data.title),
        there=f"test -d {data.there}",
        room=data.room,
        writers=data.writers,
        units=_running(role),
        **commands,
    )


def _running(role: Role) -> tuple[str, ...]:
    """Return the role's units, except services that a timer of the role starts."""
    units = {unit for one in components_of(role) for unit in one.units}
    return tuple(
        sorted(unit for unit in units if f"{unit.removesuffix('.service')}.timer" not in units)
    )


STORES: tuple[Store, ...] = tuple(
    _store(row.id, row.role, row.data) for row in phases().values() if row.role and row.data
)


def store_of(role: Role) -> Store:
    """Return the store of that role."""
    return next(store for store in STORES if store.role is role)
