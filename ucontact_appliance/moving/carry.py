"""Move a role's data to its new server: stop writers, copy, verify, then retire the old service.

The stream passes through the installing machine, which reaches both servers and stores none of it.
The old server keeps its copy; nothing is deleted anywhere. An unfinished move starts again: until
the copy is verified, the old server's data is authoritative.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from ucontact_appliance.damage import why
from ucontact_appliance.errors import PhaseFailedError, UnreachableError
from ucontact_appliance.facts.parsing import parsing
from ucontact_appliance.facts.runner import (
    ANSWER_BYTES,
    Completed,
    Runner,
    SshSettings,
    runner_for,
)
from ucontact_appliance.language.messages import _, what_of, with_note
from ucontact_appliance.moving.stores import Store, store_of
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.moves import DataLocation, DataMove
from ucontact_appliance.site.files import write_private
from ucontact_appliance.site.model import Host, Site

_PLACES = TypeAdapter(dict[Role, DataLocation])
_SHORT = 60.0
_LONG = 6 * 3600.0  # hashing years of recordings takes hours
_SAID = 4000
# The kernel kills the copying processes when the installer ends (setpriv(1)).
_DYING = ("setpriv", "--pdeathsig", "KILL", "--")
_ANOTHER = _("{title} can't be copied: {name} ({address}) is a different server now")
_GONE = _("{title} can't be copied: the server {name} ({address}) is unreachable")
_PROOF_BYTES = 512 << 20  # one line per recording, for ten years


@dataclass(frozen=True)
class MoveEndpoints:
    """Runners for both servers of a move, and for every server on which its data is written."""

    source: Runner
    target: Runner
    writing: tuple[Runner, ...]


def load_places(path: Path) -> Mapping[Role, DataLocation]:
    """Return where each role's data is; empty before the first install. Raises UnreachableError."""
    try:
        return _PLACES.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        raise UnreachableError(
            _("the list of the site's data locations, {path}, can't be read", path=path),
            evidence=why(error),
            helps=with_note(
                f"mv {path} {path}.damaged",
                _(
                    "only if site.yml keeps each role on its current server: then "
                    "nothing is moved, and the next installation writes the list "
                    "again; otherwise restore it from a backup"
                ),
            ),
        ) from error


def settle(path: Path, role: Role, place: DataLocation) -> None:
    """Record that the role's data is at that place from now on."""
    places = {**load_places(path), role: place}
    write_private(path, _PLACES.dump_json(places, indent=2) + b"\n")


def demand_sources(moves: Sequence[DataMove], ssh: SshSettings, site_file: Path) -> None:
    """Check before any change that the old servers are reachable and have the same machine-id.

    Raises UnreachableError, with the remedy for a server that is lost.
    """
    for move in moves:
        try:
            with runner_for(move.source, ssh) as runner:
                found = runner.run(["cat", "/etc/machine-id"]).stdout.strip()
            told = _("its machine-id is {found}, and was {known}", found=found, known=move.machine)
        except (UnreachableError, TimeoutError) as error:
            found, told = "", what_of(error)
        if found != move.machine:
            raise UnreachableError(
                (_ANOTHER if found else _GONE).filled(
                    title=store_of(move.role).title,
                    name=move.source.name,
                    address=move.source.address,
                ),
                evidence=told,
                helps=_(
                    "bring that server back; if it is gone for good, its data is lost: "
                    "ucontact install --site {site_file} --abandon {role}",
                    site_file=site_file,
                    role=move.role.value,
                ),
            )


def demand_room(moves: Sequence[DataMove], ssh: SshSettings) -> None:
    """Check before any change that the data to move fits on its new server.

    Raises PhaseFailedError if it does not.
    """
    for move in moves:
        store = store_of(move.role)
        with runner_for(move.source, ssh) as source, runner_for(move.target, ssh) as target:
            if not _shell(source, store.there).status:
                _demand_room(MoveEndpoints(source, target, ()), move, store)


def carry(
    move: DataMove,
    store: Store,
    site: Site,
    ssh: SshSettings,
    tell: Callable[[str], None],
) -> str:
    """Move the store to its new server; return a sentence for the log.

    Raises PhaseFailedError when there is too little space, when copying fails, or when the copy
    differs from the original; the old server's data is unchanged in each case.
    """
    with ExitStack() as stack:

        def way(host: Host) -> Runner:
            return stack.enter_context(runner_for(host, ssh))

        source = way(move.source)
        here = {host.name: way(host) for host in site.hosts}
        ends = MoveEndpoints(source, here[move.target.name], (source, *here.values()))
        return _carry(ends, move, store, tell)


def _carry(ends: MoveEndpoints, move: DataMove, store: Store, tell: Callable[[str], None]) -> str:
    if _shell(ends.source, store.there).status:
        return f"{store.title}: there is none on {move.source.name}"
    used_mb = _demand_room(ends, move, store)
    tell(_("Stop the services that write to {title}", title=store.title))
    for runner in ends.writing:
        _demand(_shell(runner, _each_there(store.writers, "systemctl stop"), _LONG))
    _demand(_shell(ends.source, store.ready))
    tell(
        _(
            "Copy {title} ({used_mb} MB) from {source} to {target}",
            title=store.title,
            used_mb=used_mb,
            source=move.source.name,
            target=move.target.name,
        )
    )
    _stream(ends, store)
    tell(_("Verify the copy of {title}", title=store.title))
    proof = _shell(ends.source, store.proof, _LONG, limit=_PROOF_BYTES)
    _demand(proof)
    arrived = _shell(ends.target, store.verify, _LONG, proof.stdout)
    if arrived.status:
        raise PhaseFailedError(
            _(
                "the copy on {target} differs from the data on {source}",
                target=move.target.name,
                source=move.source.name,
            ),
            evidence=arrived.evidence[:_SAID],
            helps=_(
                "no data was lost: {name} still has {title}",
                name=move.source.name,
                title=store.title,
            ),
        )
    tell(_("Retire {title} on {name}", title=store.title, name=move.source.name))
    _demand(_shell(ends.source, _each_there(store.units, "systemctl disable --now"), _LONG))
    return f"{store.title}: moved from {move.source.name} to {move.target.name}, and proved"


def _demand_room(ends: MoveEndpoints, move: DataMove, store: Store) -> int:
    """Check, before anything is stopped, that the data fits with 10 % to spare; return its MB."""
    used = _number(_shell(ends.source, f"du -sk {store.room} | cut -f1", _LONG))
    free = _number(
        _shell(
            ends.target,
            f"dir={store.room}; until test -d $dir; do dir=$(dirname $dir); done; "
            "df -Pk $dir | awk 'NR == 2 {print $4}'",
        )
    )
    if free < used * 1.1:
        raise PhaseFailedError(
            _("{title} does not fit on {name}", title=store.title, name=move.target.name),
            evidence=_(
                "{used} MB on {source}, {free} MB free on {target} at {room}",
                used=used // 1024,
                source=move.source.name,
                free=free // 1024,
                target=move.target.name,
                room=store.room,
            ),
            helps=_(
                "free disk space in {room} on {name}; nothing was stopped yet",
                room=store.room,
                name=move.target.name,
            ),
        )
    return used // 1024


def _number(done: Completed) -> int:
    _demand(done)
    with parsing(done, _("the host's output can't be parsed")):
        return int(done.stdout)


def _each_there(units: Sequence[str], verb: str) -> str:
    """Return a script that applies the command `verb` to those units that the server has."""
    return "; ".join(
        f"if systemctl cat {unit} >/dev/null 2>&1; then {verb} {unit} || exit; fi" for unit in units
    )


def _shell(
    runner: Runner,
    script: str,
    timeout: float = _SHORT,
    stdin: str | None = None,
    limit: int = ANSWER_BYTES,
) -> Completed:
    return runner.run(_words(script), timeout=timeout, stdin=stdin, limit=limit)


def _words(script: str) -> list[str]:
    # bash, for pipefail: a dump that fails within a pipe must not pass for a complete one.
    return ["bash", "-c", f"set -o pipefail; {script}"]


def _demand(done: Completed) -> None:
    if done.status:
        raise PhaseFailedError(_("a step of the move failed"), evidence=done.evidence[-_SAID:])


def _stream(ends: MoveEndpoints, store: Store) -> None:
    """Stream the data from the old to the new server through this machine, which stores nothing."""
    with tempfile.TemporaryFile() as said:
        sending = subprocess.Popen(
            [*_DYING, *ends.source.command(_words(store.pack))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
        )
        assert sending.stdout is not None
        taking = subprocess.Popen(
            [*_DYING, *ends.target.command(_words(store.unpack))],
            stdin=sending.stdout,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        sending.stdout.close()  # so that the sender gets SIGPIPE when the receiver ends
        try:
            statuses = (taking.wait(), sending.wait())
        except BaseException:
            for process in (sending, taking):
                process.terminate()
                process.wait()
            raise
        if any(statuses):
            said.seek(0)
            raise PhaseFailedError(
                _("copying {title} failed", title=store.title),
                evidence=said.read().decode(errors="replace").strip()[-_SAID:],
            )
