"""Make, list, verify and remove the backups of an installed site; its servers do the work."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from ucontact_appliance.checks.backup import error_title
from ucontact_appliance.errors import (
    EXIT_FINDINGS,
    ApplianceError,
    UnreachableError,
    UsageError,
)
from ucontact_appliance.facts.backup import (
    CONFIG,
    PROGRAM,
    BackupError,
    BackupRun,
    BackupStatus,
    answer_of,
    error_of,
    parse_status,
)
from ucontact_appliance.facts.backup_runs import StoredRun, merged, parse_runs
from ucontact_appliance.facts.runner import Runner, SshSettings, runner_for, shared_connections
from ucontact_appliance.language.messages import _, concatenated
from ucontact_appliance.operate.installed import Installed
from ucontact_appliance.operate.reach import reaching
from ucontact_appliance.site.backup import RepositoryKind
from ucontact_appliance.site.model import Host

_UNIT = "ucontact-backup.service"
_AT_WORK = ("activating", "active", "deactivating", "reloading")
_POLL_SECONDS = 1.5
_SECONDS = 60.0
_RETRY_SECONDS = 60.0
_MOST_LINE = 8 << 20
_OUT_OF_REACH = ("unreachable", "no_repository", "access", "host_key", "full")

Tell = Callable[[Host, BackupRun], None]
Say = Callable[[str], None]


class BackupFailedError(ApplianceError):
    """A backup, or what was asked of the repository, failed; exit code 1."""

    exit_code = EXIT_FINDINGS


def create(here: Installed, tell: Tell) -> None:
    """Make a backup of every server, all at the same time.

    A server whose backup is running already is followed. Raises the first failed server's error
    when all have come to their end; what was good before stays.
    """
    _demand_backups(here)
    with shared_connections(here.paths.known_hosts, retry_seconds=_RETRY_SECONDS) as ssh:
        with ThreadPoolExecutor(max_workers=len(here.site.hosts)) as pool:
            done = [pool.submit(_created, host, ssh, tell) for host in here.site.hosts]
        for one in done:
            one.result()


def _created(host: Host, ssh: SshSettings, tell: Tell) -> None:
    with _runner(host, ssh) as runner:
        before = _status(runner).run
        starting = ["systemctl", "start", "--no-block", _UNIT]
        done = runner.run(starting, timeout=_SECONDS)
        if done.status:
            raise UnreachableError(_("the backup can't be started"), evidence=done.evidence)
        while True:
            time.sleep(_POLL_SECONDS)
            at_work = runner.run(["systemctl", "is-active", _UNIT], timeout=_SECONDS).stdout.strip()
            run = _status(runner).run
            new = run.run != before.run or before.state == "running"
            if new:
                tell(host, run)
            if at_work not in _AT_WORK:
                break
        if not new:
            journal = ["journalctl", "-u", _UNIT, "-n", "5", "--no-pager", "-o", "cat"]
            raise BackupFailedError(
                _("{name}: the backup did not begin", name=host.name),
                evidence=runner.run(journal, timeout=_SECONDS).stdout,
            )
    if run.state != "good":
        stopped = BackupError(kind="interrupted", doing=run.step)
        raise failure(host, run.error or stopped)


def list_backups(here: Installed) -> tuple[StoredRun, ...]:
    """Return the backups of all servers, newest first; those without a manifest are not good."""
    _demand_backups(here)
    answers = []
    with shared_connections(here.paths.known_hosts, retry_seconds=_RETRY_SECONDS) as ssh:
        for host in _askable(here):
            with _runner(host, ssh) as runner:
                answers.append(parse_runs(_asked(host, runner, ["list"], lambda text: None)))
    return merged(answers)


def verify(here: Installed, percent: int, say: Say) -> list[dict[str, Any]]:
    """Check the repository, read that part of its data, and compare with the manifests.

    Raises BackupFailedError with what is damaged.
    """
    return _each(here, ["verify", "--percent", str(percent)], say, _askable(here))


def prune(here: Installed, say: Say) -> list[dict[str, Any]]:
    """Remove the backups of every server that `keep` does not keep, never the newest good one."""
    return _each(here, ["prune"], say, here.site.hosts)


def _each(
    here: Installed, words: Sequence[str], say: Say, hosts: Sequence[Host]
) -> list[dict[str, Any]]:
    _demand_backups(here)
    found = []
    with shared_connections(here.paths.known_hosts, retry_seconds=_RETRY_SECONDS) as ssh:
        for host in hosts:
            with _runner(host, ssh) as runner:
                found.append({"host": host.name, **_asked(host, runner, words, say)})
    return found


def failure(host: Host, error: BackupError) -> ApplianceError:
    """Return the error for a person, with the words of restic or MySQL as evidence."""
    kind = UnreachableError if error.kind in _OUT_OF_REACH else BackupFailedError
    return kind(
        concatenated((f"{host.name}: ", error_title(error))),
        evidence=concatenated((error.doing, ": ", error.words)) if error.doing else error.words,
        helps="ucontact doctor --only backup.target",
    )


def _demand_backups(here: Installed) -> None:
    if here.site.backup is None:
        raise UsageError(
            _("the site {site} has no backups", site=here.site.site),
            evidence=_("{path} has no section 'backup'", path=here.site_file),
            helps=_("add it (docs/backup.md), then: {command}", command=_install(here)),
        )


def _install(here: Installed) -> str:
    return f"ucontact install --site {here.site_file}"


def _askable(here: Installed) -> tuple[Host, ...]:
    """The servers that together see all backups: a folder may be another one on each."""
    backup = here.site.backup
    if backup is not None and backup.kind is RepositoryKind.FOLDER:
        return here.site.hosts
    return here.site.hosts[:1]


@contextmanager
def _runner(host: Host, ssh: SshSettings) -> Iterator[Runner]:
    with reaching(host), runner_for(host, ssh) as runner:
        _demand_installed(host, runner)
        yield runner


def _demand_installed(host: Host, runner: Runner) -> None:
    if runner.run(["test", "-e", CONFIG], timeout=_SECONDS).status:
        raise UsageError(
            _("{name} is not set up for backups yet", name=host.name), helps="ucontact install"
        )


def _status(runner: Runner) -> BackupStatus:
    done = runner.run(["python3", PROGRAM, "status"], timeout=_SECONDS)
    return parse_status(answer_of(done.stdout, done.evidence), done.evidence)


def _asked(host: Host, runner: Runner, words: Sequence[str], say: Say) -> dict[str, Any]:
    """Run the server's program, report its progress, and return its answer."""
    last = ""
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            runner.command(["python3", PROGRAM, *words]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
        )
        assert process.stdout is not None
        try:
            while line := process.stdout.readline(_MOST_LINE):
                last = line.decode(errors="replace")
                if told := _progress(last):
                    say(f"{host.name}: {told}")
            process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        complaints.seek(0)
        evidence = complaints.read(4000).decode(errors="replace")
    answer = answer_of(last, evidence)
    error = error_of(answer)
    if error:
        raise failure(host, error)
    return answer


def _progress(line: str) -> str:
    try:
        found = json.loads(line)
    except ValueError:
        return ""
    told = found.get("progress") if isinstance(found, dict) else None
    return told if isinstance(told, str) else ""
