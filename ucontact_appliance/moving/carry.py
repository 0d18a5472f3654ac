"""Carrying a role's data to its new server: stopped, copied, proved, and only then retired.

The stream goes through the machine that installs, which reaches both servers and keeps nothing of
it. The old server keeps its copy; nothing is deleted anywhere. A move that was not finished starts
again: until it is proved, the old server's data is the one that counts.
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
from ucontact_appliance.planning.moves import Move, Place
from ucontact_appliance.site.files import write_private
from ucontact_appliance.site.model import Host, Site

_PLACES = TypeAdapter(dict[Role, Place])
_SHORT = 60.0
_LONG = 6 * 3600.0  # hashing years of recordings takes its time
_SAID = 4000
# A copy does not go on without the installation that asked for it (setpriv(1)).
_DYING = ("setpriv", "--pdeathsig", "KILL", "--")
_ANOTHER = _("{title} can't be fetched: the server {name} ({address}) is another one now")
_GONE = _("{title} can't be fetched: the server {name} ({address}) is out of reach")
_PROOF_BYTES = 512 << 20  # a line for each recording of ten years


@dataclass(frozen=True)
class Ends:
    """Ways to both servers of a move, and to every server on which its data is written."""

    source: Runner
    target: Runner
    writing: tuple[Runner, ...]


def load_places(path: Path) -> Mapping[Role, Place]:
    """Where each role's data is; nothing before the first install. Raises UnreachableError."""
    try:
        return _PLACES.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        raise UnreachableError(
            _("the list of where the site's data is, {path}, can't be read", path=path),
            evidence=why(error),
            helps=with_note(
                f"mv {path} {path}.damaged",
                _(
                    "only while site.yml leaves each role on the server that has it: nothing "
                    "is moved then, and the next install writes the list anew; otherwise put "
                    "it back from a backup"
                ),
            ),
        ) from error


def settle(path: Path, role: Role, place: Place) -> None:
    """Remember that the role's data is there from now on."""
    places = {**load_places(path), role: place}
    write_private(path, _PLACES.dump_json(places, indent=2) + b"\n")


def demand_sources(moves: Sequence[Move], ssh: SshSettings, site_file: Path) -> None:
    """Before anything is changed: the servers that data is to come from are there, and the same.

    Raises UnreachableError, which says what to do when one is gone for good.
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


def demand_room(moves: Sequence[Move], ssh: SshSettings) -> None:
    """Before anything is changed: what is to move has room on its new server.

    Raises PhaseFailedError where it has not.
    """
    for move in moves:
        store = store_of(move.role)
        with runner_for(move.source, ssh) as source, runner_for(move.target, ssh) as target:
            if not _shell(source, store.there).status:
                _demand_room(Ends(source, target, ()), move, store)


def carry(
    move: Move,
    store: Store,
    site: Site,
    ssh: SshSettings,
    tell: Callable[[str], None],
) -> str:
    """Bring the store to its new server; what was done, in words.

    Raises PhaseFailedError when there is no room, when copying fails, or when what arrived is not
    what left; the old server's data is untouched in each case.
    """
    with ExitStack() as stack:

        def way(host: Host) -> Runner:
            return stack.enter_context(runner_for(host, ssh))

        source = way(move.source)
        here = {host.name: way(host) for host in site.hosts}
        ends = Ends(source, here[move.target.name], (source, *here.values()))
        return _carry(ends, move, store, tell)


def _carry(ends: Ends, move: Move, store: Store, tell: Callable[[str], None]) -> str:
    if _shell(ends.source, store.there).status:
        return f"{store.title}: there is none on {move.source.name}"
    used_mb = _demand_room(ends, move, store)
    tell(_("Stop what writes to {title}", title=store.title))
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
    tell(_("Prove that {title} arrived whole", title=store.title))
    proof = _shell(ends.source, store.proof, _LONG, limit=_PROOF_BYTES)
    _demand(proof)
    arrived = _shell(ends.target, store.verify, _LONG, proof.stdout)
    if arrived.status:
        raise PhaseFailedError(
            _(
                "what arrived on {target} is not what {source} holds",
                target=move.target.name,
                source=move.source.name,
            ),
            evidence=arrived.evidence[:_SAID],
            helps=_(
                "nothing is lost: {name} holds {title} as before",
                name=move.source.name,
                title=store.title,
            ),
        )
    tell(_("Retire {title} on {name}", title=store.title, name=move.source.name))
    _demand(_shell(ends.source, _each_there(store.units, "systemctl disable --now"), _LONG))
    return f"{store.title}: moved from {move.source.name} to {move.target.name}, and proved"


def _demand_room(ends: Ends, move: Move, store: Store) -> int:
    """Before anything is stopped: the data fits, with a tenth to spare; its size in MB."""
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
                "give {room} on {name} more room; nothing was stopped yet",
                room=store.room,
                name=move.target.name,
            ),
        )
    return used // 1024


def _number(done: Completed) -> int:
    _demand(done)
    with parsing(done, _("the host's answers can't be understood")):
        return int(done.stdout)


def _each_there(units: Sequence[str], verb: str) -> str:
    """A script that says the verb to those of the units that the server knows."""
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
    # bash: a dump that dies in the middle of a pipe must not look like a short one.
    return ["bash", "-c", f"set -o pipefail; {script}"]


def _demand(done: Completed) -> None:
    if done.status:
        raise PhaseFailedError(_("a step of the move failed"), evidence=done.evidence[-_SAID:])


def _stream(ends: Ends, store: Store) -> None:
    """Copy through this machine, which keeps nothing of it."""
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
        sending.stdout.close()  # so that the sender notices when the taker ends
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
                _("copying {title} broke off", title=store.title),
                evidence=said.read().decode(errors="replace").strip()[-_SAID:],
            )
