"""Which snapshots a restore needs: decided from the manifests, and kept until it is complete."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from ucontact_appliance.damage import why
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.facts.backup_runs import LogName, Manifest, SnapshotId
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.model import Role
from ucontact_appliance.site.files import write_private


class LogFile(BaseModel):
    """A stored binary log: its name, its snapshot and its path there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: LogName
    snapshot: SnapshotId
    path: str


class Restore(BaseModel):
    """A restore under way: from where, up to when (None: all there is), and what is done.

    `manifests` are the runs that each role's data comes from; `logs` are the binary logs to replay
    after the dump, in their order. With `hashes`, every file is compared by its SHA-256 too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    ssh_key: Path | None = None
    until: AwareDatetime | None = None
    manifests: dict[Role, Manifest]
    logs: tuple[LogFile, ...] = ()
    done: tuple[Role, ...] = ()
    hashes: bool = False


def plan_restore(manifests: Iterable[Manifest], until: datetime | None) -> dict[Role, Manifest]:
    """Return the newest run of each role that ended by that moment. Raises UsageError.

    A role may have been on several servers over the years: its newest run counts.
    """
    chosen: dict[Role, Manifest] = {}
    for one in sorted(manifests, key=lambda each: each.run, reverse=True):
        if until is not None and one.ended > until:
            continue
        for role in Role:
            if role.value in one.roles:
                chosen.setdefault(role, one)
    missing = [role.value for role in Role if role not in chosen]
    if missing:
        raise UsageError(
            _("the repository has no good backup of {roles}", roles=", ".join(missing)),
            evidence=""
            if until is None
            else _("backups up to {until:%Y-%m-%d %H:%M:%S} UTC were considered", until=until),
            helps=_("a later --at, or another repository"),
        )
    return chosen


def logs_until(moments: Sequence[datetime], until: datetime | None) -> tuple[datetime, ...]:
    """Return the moments of the snapshots of logs that matter, newest first.

    The first one at or after `until` has all logs up to it; later ones are left out.
    """
    enough = [at for at in moments if until is not None and at >= until]
    last = min(enough, default=None)
    return tuple(sorted((at for at in moments if last is None or at <= last), reverse=True))


def logs_to_replay(first: str, stored: Sequence[Sequence[LogFile]]) -> tuple[LogFile, ...]:
    """Return the binary logs from the one named `first` on, in their order.

    `stored` has the files of each snapshot, newest snapshot first: the newest copy of a log counts.
    Raises UnreachableError when one between is missing.
    """
    found: dict[int, LogFile] = {}
    for files in stored:
        for one in files:
            found.setdefault(log_number(one.name), one)
    least = log_number(first)
    numbers = sorted(number for number in found if number >= least)
    if numbers and numbers != list(range(least, numbers[-1] + 1)):
        gap = next(number for number in range(least, numbers[-1]) if number not in found)
        raise UnreachableError(
            _("a binary log is missing in the repository"),
            evidence=_("there is none with the number {number}", number=gap),
            helps=_("restore an older moment: ucontact restore --at TIME"),
        )
    return tuple(found[number] for number in numbers)


def log_number(name: str) -> int:
    """The number in the name of a binary log, such as 7 of binlog.000007."""
    return int(name.rpartition(".")[2])


def load_restore(path: Path) -> Restore | None:
    """Return the restore that is not complete yet; None without one. Raises UnreachableError."""
    try:
        return Restore.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise UnreachableError(
            _("the record of the restore, {path}, can't be read", path=path), evidence=why(error)
        ) from error


def save_restore(path: Path, restore: Restore) -> None:
    """Keep what is to be restored."""
    write_private(path, restore.model_dump_json(indent=1) + "\n")


def settle_restored(path: Path, role: Role) -> None:
    """Record that the role's data is restored."""
    found = load_restore(path)
    if found is not None and role not in found.done:
        save_restore(path, found.model_copy(update={"done": (*found.done, role)}))
