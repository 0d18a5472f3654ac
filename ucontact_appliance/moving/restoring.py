"""Bring a role's data from a backup onto its server: from restic here, through ssh, to there.

The installing machine alone reaches the repository, and stores nothing of the data. Whatever
stopped a restore, it begins again: the schemas are made anew, and files are written over.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ucontact_appliance.clients.restic import Repository
from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.facts.backup_runs import StoredDatabase, StoredPart
from ucontact_appliance.facts.runner import Completed, Runner, SshSettings, runner_for
from ucontact_appliance.language.messages import _
from ucontact_appliance.moving.file_hashes import FileHashes
from ucontact_appliance.moving.restore_plan import LogFile, Restore
from ucontact_appliance.moving.stores import Store
from ucontact_appliance.planning.model import Role
from ucontact_appliance.site.model import Host, Site

_SOCKET = "--no-defaults --socket=/run/mysqld/mysqld.sock --user=root"
# What is loaded needs no binary log of its own: the next backup begins with a dump.
_LOAD = f"mysql {_SOCKET} --init-command='SET SESSION sql_log_bin=0'"
_DUMP_FILE = "/database.sql"
_LOGS_FOLDER = "/var/lib/ucontact-restore"
# The kernel kills the copying processes when the installer ends (setpriv(1)).
_DYING = ("setpriv", "--pdeathsig", "KILL", "--")
_SHORT, _LONG = 120.0, 24 * 3600.0
_PIECE = 1 << 20
_SAID = 4000
_TELL_SECONDS = 2.0

Tell = Callable[[str], None]


@dataclass(frozen=True)
class RestoreTarget:
    """The site, the host of it that carries the role, and how its hosts are reached."""

    site: Site
    host: Host
    ssh: SshSettings


def restore_role(
    restore: Restore, repository: Repository, store: Store, to: RestoreTarget, tell: Tell
) -> str:
    """Restore the role's data to its host; return a sentence for the log.

    Services that write to it stay stopped on every server: the role's playbook starts them again.
    Raises PhaseFailedError when something differs from the manifest.
    """
    manifest = restore.manifests[store.role]
    with ExitStack() as stack:
        here = {one.name: stack.enter_context(runner_for(one, to.ssh)) for one in to.site.hosts}
        tell(_("Stop the services that write to {title}", title=store.title))
        for runner in here.values():
            _demand(_shell(runner, _each_there(store.writers, "systemctl stop"), _LONG))
        target = here[to.host.name]
        if store.role is Role.DATABASE:
            if manifest.database is None:
                raise PhaseFailedError(_("the backup has no dump of the database"))
            _restore_database(target, repository, manifest.database, restore, tell)
        else:
            part = _part(restore, store)
            if part is not None:
                hashes = FileHashes() if restore.hashes else None
                _restore_files(target, repository, store, part, tell, hashes=hashes)
    return f"{store.title}: restored from the backup {manifest.run} of {manifest.host}"


def _part(restore: Restore, store: Store) -> StoredPart | None:
    """The part of the run that has the store's files; None if there were none."""
    for part in restore.manifests[store.role].parts.values():
        if part.snapshot is not None and any(path.startswith(store.room) for path in part.paths):
            return part
    return None


def _restore_database(
    target: Runner, repository: Repository, database: StoredDatabase, restore: Restore, tell: Tell
) -> None:
    _demand(_shell(target, "systemctl start mysql.service", _LONG))
    schemas = sorted({table.partition(".")[0] for table in database.rows})
    drop = "; ".join(f"DROP DATABASE IF EXISTS `{name}`" for name in schemas)
    _demand(_shell(target, f"{_LOAD} -e {shlex.quote(drop)}", _LONG))
    title = _("Load the database ({megabytes} MB)", megabytes=database.octets // 1_000_000)
    words = ["dump", database.snapshot, _DUMP_FILE]
    _stream(repository, words, target, _LOAD, StreamProgress(tell, title, database.octets))
    tell(_("Compare the rows of each table with the backup"))
    _demand_rows(target, database.rows)
    if restore.logs:
        _copy_logs(target, repository, restore.logs, tell)
        _replay(target, database, restore, tell)


def _demand_rows(target: Runner, wanted: dict[str, int]) -> None:
    counts = " UNION ALL ".join(
        f"SELECT JSON_OBJECT('table', '{name}', 'rows', COUNT(*)) FROM "
        f"`{name.partition('.')[0]}`.`{name.partition('.')[2]}`"
        for name in sorted(wanted)
    )
    done = _shell(target, f"mysql {_SOCKET} -N -B -e {shlex.quote(counts)}", _LONG)
    _demand(done)
    found = {row["table"]: row["rows"] for row in map(json.loads, done.stdout.splitlines())}
    different = [
        f"{name}: {found.get(name)}, {rows}"
        for name, rows in sorted(wanted.items())
        if found.get(name) != rows
    ]
    if different:
        raise PhaseFailedError(
            _("the loaded tables differ from the backup (loaded, stored)"),
            evidence="\n".join(different)[:_SAID],
        )


def _copy_logs(target: Runner, repository: Repository, logs: Sequence[LogFile], tell: Tell) -> None:
    """Copy the binary logs into a folder of the server."""
    _demand(_shell(target, f"rm -rf {_LOGS_FOLDER} && install -d -m 0700 {_LOGS_FOLDER}"))
    for number, log in enumerate(logs, start=1):
        tell(_("Copy binary log {number} of {count}", number=number, count=len(logs)))
        take = f"cat >{_LOGS_FOLDER}/{log.name}"
        _stream(repository, ["dump", log.snapshot, log.path], target, take, None)


def _replay(target: Runner, database: StoredDatabase, restore: Restore, tell: Tell) -> None:
    """Apply the binary logs from the dump's place on, up to the moment, if there is one."""
    logs = restore.logs
    names = " ".join(log.name for log in logs)
    first = logs[0].name == database.log.file
    start = f"--start-position={database.log.position}" if first else ""
    stop = f"--stop-datetime='{_utc(restore.until)}'" if restore.until else ""
    tell(_("Replay {count} binary logs", count=len(logs)))
    # mysqlbinlog reads times in its own zone. With GTIDs, a replay that begins again, or one on the
    # server that wrote the logs, would be skipped without a word.
    script = (
        f"cd {_LOGS_FOLDER} && TZ=UTC mysqlbinlog --no-defaults --disable-log-bin --skip-gtids "
        f"{start} {stop} {names} | mysql {_SOCKET} --binary-mode"
    )
    _demand(_shell(target, script, _LONG))
    _demand(_shell(target, f"rm -rf {_LOGS_FOLDER}"))


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S}"


def _restore_files(
    target: Runner,
    repository: Repository,
    store: Store,
    part: StoredPart,
    tell: Tell,
    *,
    hashes: FileHashes | None = None,
) -> None:
    assert part.snapshot is not None
    title = _(
        "Restore {title} ({files} files, {megabytes} MB)",
        title=store.title,
        files=part.files,
        megabytes=part.octets // 1_000_000,
    )
    names = " ".join(shlex.quote(path.lstrip("/").rstrip("/.")) for path in part.paths)
    # Only what the part is of: a snapshot can't write anywhere else.
    take = f"tar -C / -xpf - --no-overwrite-dir {names}"
    _stream(
        repository,
        ["dump", part.snapshot, "/"],
        target,
        take,
        StreamProgress(tell, title, part.octets),
        hashes=hashes,
    )
    tell(_("Compare the files with the backup"))
    count = f"find {' '.join(map(shlex.quote, part.paths))} -type f -printf '%s\\n'"
    done = _shell(target, f"{count} | awk '{{n += 1; s += $1}} END {{print n + 0, s + 0}}'", _LONG)
    _demand(done)
    files, octets = (int(float(word)) for word in done.stdout.split())
    if files < part.files or octets < part.octets:
        raise PhaseFailedError(
            _("{title} on the server are fewer than in the backup", title=store.title),
            evidence=_(
                "files: {files} of {stored}; bytes: {octets} of {stored_octets}",
                files=files,
                stored=part.files,
                octets=octets,
                stored_octets=part.octets,
            ),
        )
    if hashes is not None:
        _demand_hashes(target, store, hashes)


def _demand_hashes(target: Runner, store: Store, hashes: FileHashes) -> None:
    """Require every file on the server to have the SHA-256 that it has in the backup."""
    sums = hashes.sums()
    if not sums:
        return
    check = "cd / && LC_ALL=C sha256sum --check --quiet --strict 2>&1"
    done = target.run(_words(check), stdin=sums, timeout=_LONG)
    if done.status:
        raise PhaseFailedError(
            _("{title} on the server differ from the backup", title=store.title),
            evidence=done.stdout.strip()[:_SAID] or done.evidence[-_SAID:],
        )


class StreamProgress:
    """Tells how much of a stream has passed, and how long the rest will take."""

    def __init__(self, tell: Tell, title: str, octets: int) -> None:
        self._tell, self._title, self._octets = tell, title, max(1, octets)
        self._began = self._told = time.monotonic()
        tell(title)

    def passed(self, octets: int) -> None:
        """Take note of the bytes that have passed so far."""
        now = time.monotonic()
        if now - self._told < _TELL_SECONDS:
            return
        self._told = now
        percent = min(99, 100 * octets // self._octets)
        left = (now - self._began) * max(0, self._octets - octets) / max(1, octets)
        self._tell(
            _(
                "{title}: {percent} %, {seconds} s left",
                title=self._title,
                percent=percent,
                seconds=round(left),
            )
        )


def _stream(
    repository: Repository,
    words: Sequence[str],
    target: Runner,
    take: str,
    progress: StreamProgress | None,
    *,
    hashes: FileHashes | None = None,
) -> None:
    """Pass what restic prints here to a command there, and what passes to `hashes`."""
    with tempfile.TemporaryFile() as sent, tempfile.TemporaryFile() as said:
        source = subprocess.Popen(
            [*_DYING, *repository.command(*words)],
            env=repository.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=sent,
        )
        taking = subprocess.Popen(
            [*_DYING, *target.command(_words(take))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        try:
            _pumped(source, taking, progress, hashes)
            status = source.wait(), taking.wait()
        except BaseException:
            for process in (source, taking):
                process.kill()
                process.wait()
            raise
        # restic failed by itself, and was not killed because the server took no more.
        if status[0] > 0:
            sent.seek(0)
            raise repository.failure(sent.read().decode(errors="replace"))
        if any(status):
            said.seek(0)
            raise PhaseFailedError(
                _("the server did not take the data"),
                evidence=said.read().decode(errors="replace").strip()[-_SAID:],
            )


def _pumped(
    source: Any, taking: Any, progress: StreamProgress | None, hashes: FileHashes | None
) -> None:
    passed = 0
    try:
        while piece := source.stdout.read(_PIECE):
            taking.stdin.write(piece)
            if hashes:
                hashes.feed(piece)
            passed += len(piece)
            if progress:
                progress.passed(passed)
        # The end of input tells a loader that all has come: not where restic has failed.
        if source.wait():
            taking.kill()
            return
        taking.stdin.close()
    except BrokenPipeError:
        source.kill()


def _each_there(units: Sequence[str], verb: str) -> str:
    return "; ".join(
        f"if systemctl cat {unit} >/dev/null 2>&1; then {verb} {unit} || exit; fi" for unit in units
    )


def _shell(runner: Runner, script: str, timeout: float = _SHORT) -> Completed:
    return runner.run(_words(script), timeout=timeout)


def _words(script: str) -> list[str]:
    return ["bash", "-c", f"set -o pipefail; {script}"]


def _demand(done: Completed) -> None:
    if done.status:
        raise PhaseFailedError(_("a step of the restore failed"), evidence=done.evidence[-_SAID:])
