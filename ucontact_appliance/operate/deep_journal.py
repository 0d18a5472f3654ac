"""Record each run with real calls before it starts, so that a later run can clean up after it.

A run that is killed can't remove its calls. Each run therefore has a unique mark, which its calls
carry (Asterisk's account code, the host name of the SIP contact), and a journal file with the mark
and the process. The next run finds the journal of a process that has ended, and removes everything
with that mark.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ucontact_appliance.errors import ApplianceError
from ucontact_appliance.facts.runner import SshSettings, runner_for
from ucontact_appliance.language.messages import _
from ucontact_appliance.operate.installed import Installed
from ucontact_appliance.operate.traces import MarkedTraces, remove_marked
from ucontact_appliance.planning.model import Role
from ucontact_appliance.site.files import write_private

_MARK_BYTES = 6
_START_TOLERANCE = 1.0  # seconds; psutil counts in clock ticks since the machine's start
_FILE = re.compile(r"deep-[0-9a-f]{12}\.json")


class DeepJournal(BaseModel):
    """One run: its mark, and its process by id and start (seconds since 1970)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mark: str = Field(pattern=r"^[0-9a-f]{12}$")
    pid: int
    started: float

    @property
    def alive(self) -> bool:
        """Whether that process still runs; the start time rules out a reused id."""
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) < _START_TOLERANCE
        except psutil.Error:
            return False


def new_mark() -> str:
    """Return a random mark, unique per run: 12 hexadecimal digits."""
    return secrets.token_hex(_MARK_BYTES)


def write_journal(folder: Path, mark: str) -> Path:
    """Write the journal of this process, before its first call; return the path."""
    path = folder / f"deep-{mark}.json"
    own = DeepJournal(mark=mark, pid=os.getpid(), started=psutil.Process().create_time())
    write_private(path, own.model_dump_json() + "\n")
    return path


def left_behind(folder: Path) -> tuple[tuple[Path, DeepJournal], ...]:
    """Return the journals of runs whose process has ended, with their paths. An unreadable file
    counts as one of them; its mark is taken from its name."""
    found = []
    for path in sorted(folder.glob("deep-*.json")):
        if not _FILE.fullmatch(path.name):
            continue
        try:
            journal = DeepJournal.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ValidationError):
            journal = DeepJournal(mark=path.stem.partition("-")[2], pid=0, started=0.0)
        if not journal.alive:
            found.append((path, journal))
    return tuple(found)


def _folder(here: Installed) -> Path:
    return here.paths.var / "calls"


@contextmanager
def own_run(here: Installed, ssh: SshSettings | None = None) -> Iterator[str]:
    """Yield the mark of a run with real calls, and remove all its traces at the end.

    If they can't be removed, the journal stays and the next run removes them. `ssh` shares the
    connections of a larger run.
    """
    mark = new_mark()
    journal = write_journal(_folder(here), mark)
    yield mark
    # Not reached by a run that failed or was interrupted: its journal stays for a later sweep.
    with contextlib.suppress(ApplianceError, TimeoutError):
        remove_run(here, mark, ssh)
        journal.unlink(missing_ok=True)


def sweep(here: Installed, ssh: SshSettings | None = None) -> tuple[str, ...]:
    """Remove what killed runs left; return one sentence per run. An unreachable host is reported,
    not raised: the journal stays for the next run."""
    told = []
    for path, journal in left_behind(_folder(here)):
        try:
            removed = remove_run(here, journal.mark, ssh)
        except (ApplianceError, TimeoutError) as error:
            told.append(
                _(
                    "an earlier run was killed; its calls can't be removed yet: {error}",
                    error=error,
                )
            )
            continue
        path.unlink(missing_ok=True)
        told.append(_("an earlier run was killed; removed now: {removed}", removed=removed.words))
    return tuple(told)


def remove_run(here: Installed, mark: str, ssh: SshSettings | None = None) -> MarkedTraces:
    """Remove everything that has the mark. Raises UnreachableError or TimeoutError."""
    ssh = ssh or SshSettings(here.paths.known_hosts)
    hosts = {host.name: host for host in here.site.hosts}
    telephony = hosts[here.plan.carriers(Role.TELEPHONY)[0].name]
    database = hosts[here.plan.carriers(Role.DATABASE)[0].name]
    with runner_for(telephony, ssh) as calls, runner_for(database, ssh) as rows:
        return remove_marked(calls, rows, mark)
