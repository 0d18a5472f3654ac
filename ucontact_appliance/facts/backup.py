"""What a server knows of its backups, and whether it reaches the repository."""

from __future__ import annotations

import json
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from ucontact_appliance.damage import why
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.language.messages import _

PROGRAM = "/usr/local/lib/ucontact/backup.py"
CONFIG = "/etc/ucontact-backup/backup.json"
_PROBE_SECONDS = 25.0
_ABSENT = 3
_STATUS = f"test -e {CONFIG} || exit {_ABSENT}; exec python3 {PROGRAM} "


class _FromServer(BaseModel):
    """What a server says: unknown keys are of a newer appliance, and passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class BackupError(_FromServer):
    """What failed: its kind, what was being done, and the words of restic or MySQL."""

    kind: str
    doing: str = ""
    words: str = ""


class BackupRun(_FromServer):
    """The newest run: `state` is running, good, failed or interrupted."""

    run: str = ""
    state: str = ""
    step: str = ""
    percent: int = 0
    seconds_left: float | None = None
    error: BackupError | None = None


class GoodRun(_FromServer):
    """The newest run whose manifest was stored."""

    run: str = ""
    ended: AwareDatetime | None = None


class ShippedLogs(_FromServer):
    """Until when the binary logs are stored, and why the newest attempt failed, if it did."""

    checked: AwareDatetime | None = None
    error: BackupError | None = None


class CleanUp(_FromServer):
    """The newest removal of superfluous backups."""

    ended: AwareDatetime | None = None
    error: BackupError | None = None


class BackupStatus(_FromServer):
    """All of it; `configured` is when the configuration was last written (seconds of Unix)."""

    repository: str
    configured: int
    run: BackupRun = BackupRun()
    good: GoodRun = GoodRun()
    binlog: ShippedLogs = ShippedLogs()
    prune: CleanUp = CleanUp()


def backup_status(reach: ProbeContext) -> BackupStatus | None:
    """What the server recorded of its backups; None where none are installed."""
    done = reach.runner.run(["sh", "-c", f"{_STATUS} status"])
    if done.status == _ABSENT:
        return None
    return parse_status(answer_of(done.stdout, done.evidence), done.evidence)


def parse_status(document: dict[str, Any], evidence: str) -> BackupStatus:
    """The status in an answer. Raises UnreachableError."""
    try:
        return BackupStatus.model_validate(document)
    except ValidationError as error:
        raise UnreachableError(
            _("the record of the backups can't be read"), evidence=f"{why(error)}\n{evidence}"
        ) from error


def backup_target(reach: ProbeContext) -> BackupError | None:
    """Why the server can't open the repository now; None if it can, or has no backups."""
    done = reach.runner.run(["sh", "-c", f"{_STATUS} probe"], timeout=_PROBE_SECONDS)
    if done.status == _ABSENT:
        return None
    return error_of(answer_of(done.stdout, done.evidence))


def answer_of(text: str, evidence: str = "") -> dict[str, Any]:
    """The program's answer: its last line. Raises UnreachableError."""
    lines = text.strip().splitlines()
    try:
        answer = json.loads(lines[-1]) if lines else None
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise UnreachableError(_("the backup's program gave no answer"), evidence=evidence or text)
    return answer


def error_of(answer: dict[str, Any]) -> BackupError | None:
    """The error in an answer, if it is one."""
    found = answer.get("error")
    if not isinstance(found, dict):
        return None
    try:
        return BackupError.model_validate(found)
    except ValidationError as error:
        raise UnreachableError(
            _("the backup's program gave no answer"), evidence=why(error)
        ) from error
