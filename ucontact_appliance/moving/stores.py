"""What each role keeps that belongs to the customer, and how it gets to another server unharmed.

Commands for `bash -c` as root. `pack` writes to its standard output what `unpack` reads; `proof`
tells, where the data came from, what `verify` demands on its standard input where it went.
"""

from __future__ import annotations

from dataclasses import dataclass

from ucontact_appliance.planning.model import Role

_SOCKET = "--no-defaults --socket=/run/mysqld/mysqld.sock --user=root"
_SCHEMAS = "ccrepo ccdata"
_DUMP = (
    f"mysqldump {_SOCKET} --single-transaction --quick --hex-blob --no-tablespaces "
    "--set-gtid-purged=OFF"
)
# One row a line, in the order of the primary keys: the same text whatever version wrote it.
_ROWS = (
    f"{_DUMP} --no-create-info --skip-triggers --compact --skip-extended-insert "
    f"--order-by-primary --databases {_SCHEMAS} | sha256sum"
)
_RECORDINGS = "/var/spool/asterisk/monitor"
_SITE_FILES = "var/lib/IntegraServer/forms var/lib/IntegraServer/images etc/IntegraServer/scripts"


@dataclass(frozen=True)
class Store:
    """One role's data, and the playbook `phase` that lays the role down.

    `there`: exit status 0 where there is any. `room`: the folder it grows in. `ready` is run on the
    old server before, `writers` are units that change it and stand still meanwhile, on every
    server; `units` are what the role runs, retired on the old server when all is proved.
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


STORES: tuple[Store, ...] = (
    Store(
        role=Role.DATABASE,
        phase="database",
        title="the database",
        there="test -d /var/lib/mysql/ccdata",
        room="/var/lib/mysql",
        ready="systemctl start mysql.service",
        pack=f"{_DUMP} --routines --triggers --events --databases {_SCHEMAS} | gzip -1",
        unpack=f"gunzip | mysql {_SOCKET}",
        proof=_ROWS,
        verify=f'test "$({_ROWS})" = "$(cat)"',
        writers=("asterisk.service", "ucontact-records.service", "integraserver.service"),
        units=("mysql.service",),
    ),
    Store(
        role=Role.TELEPHONY,
        phase="telephony",
        title="the recordings",
        there=f"test -d {_RECORDINGS}",
        room=_RECORDINGS,
        ready="true",
        pack=f"tar -C {_RECORDINGS} -cf - .",
        unpack=f"mkdir -p {_RECORDINGS} && tar -C {_RECORDINGS} -xpf -",
        proof=f"cd {_RECORDINGS} && find . -type f -print0 | xargs -0r sha256sum",
        verify=f"cd {_RECORDINGS} && list=$(cat) && "
        'if test -n "$list"; then echo "$list" | sha256sum --check --quiet --strict; fi',
        writers=("asterisk.service",),
        units=(
            "asterisk.service",
            "coturn.service",
            "fail2ban.service",
            "ucontact-agents.timer",
            "ucontact-qos.service",
            "ucontact-records.service",
            "ucontact-sip.service",
            "ucontact-retention.timer",
            "ucontact-sync.service",
        ),
    ),
    Store(
        role=Role.BACKEND,
        phase="backend",
        title="the portal's own files",
        there="test -d /var/lib/IntegraServer/forms",
        room="/var/lib/IntegraServer",
        ready="true",
        pack=f"tar -C / -cf - {_SITE_FILES}",
        unpack="tar -C / -xpf -",
        proof=f"cd / && find {_SITE_FILES} -type f -print0 | xargs -0r sha256sum",
        verify='cd / && list=$(cat) && if test -n "$list"; then '
        'echo "$list" | sha256sum --check --quiet --strict; fi',
        writers=("integraserver.service",),
        units=("integraserver.service", "nginx.service"),
    ),
)


def store_of(role: Role) -> Store:
    """The store of that role."""
    return next(store for store in STORES if store.role is role)
