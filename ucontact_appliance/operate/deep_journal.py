"""What a run with real calls will leave, written down before it begins.

A run that is killed can't take its calls away. Each run therefore has a mark of its own, which its
calls carry (Asterisk's account code, the host name of the SIP contact), and a journal file that
names the mark and the process. The next run finds the file of a process that is no more, and takes
away what bears the mark.
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
        """Whether that very process still runs; another one may have its id by now."""
        try:
            return abs(psutil.Process(self.pid).create_time() - self.started) < _START_TOLERANCE
        except psutil.Error:
            return False


def new_mark() -> str:
    """A mark that no other run has: 12 hexadecimal digits."""
    return secrets.token_hex(_MARK_BYTES)


def write_journal(folder: Path, mark: str) -> Path:
    """The journal of this process, written before its first call."""
    path = folder / f"deep-{mark}.json"
    own = DeepJournal(mark=mark, pid=os.getpid(), started=psutil.Process().create_time())
    write_private(path, own.model_dump_json() + "\n")
    return path


def left_behind(folder: Path) -> tuple[tuple[Path, DeepJournal], ...]:
    """The journals of runs whose process is no more. An unreadable file is nobody's: it is dropped
    by its name alone, so its mark is taken from there."""
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
    """The mark of a run with real calls, whose every trace is taken away at the end.

    What can't be taken away then is left to the next run: the journal stays. `ssh` shares the
    connections of a larger run.
    """
    mark = new_mark()
    journal = write_journal(_folder(here), mark)
    yield mark
    # Not reached by a run that failed or was interrupted: its journal stays, and is swept later.
    with contextlib.suppress(ApplianceError, TimeoutError):
        remove_run(here, mark, ssh)
        journal.unlink(missing_ok=True)


def sweep(here: Installed, ssh: SshSettings | None = None) -> tuple[str, ...]:
    """Take away what killed runs left; one sentence a run. A host out of reach is told, not raised:
    the journal stays for the next run."""
    told = []
    for path, journal in left_behind(_folder(here)):
        try:
            removed = remove_run(here, journal.mark, ssh)
        except (ApplianceError, TimeoutError) as error:
            told.append(
                _(
                    "an earlier run was killed; its calls can't be taken away yet: {error}",
                    error=error,
                )
            )
            continue
        path.unlink(missing_ok=True)
        told.append(
            _("an earlier run was killed; taken away now: {removed}", removed=removed.words)
        )
    return tuple(told)


def remove_run(here: Installed, mark: str, ssh: SshSettings | None = None) -> MarkedTraces:
    """Take away everything that bears the mark. Raises UnreachableError or TimeoutError."""
    ssh = ssh or SshSettings(here.paths.known_hosts)
    hosts = {host.name: host for host in here.site.hosts}
    telephony = hosts[here.plan.carriers(Role.TELEPHONY)[0].name]
    database = hosts[here.plan.carriers(Role.DATABASE)[0].name]
    with runner_for(telephony, ssh) as calls, runner_for(database, ssh) as rows:
        return remove_marked(calls, rows, mark)
