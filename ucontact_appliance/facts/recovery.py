"""The sealed state of the site on its servers, and what this machine recorded of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.backup import SEALED_STATE

SEALED = SEALED_STATE  # on each server, 0600
_SCRIPT = f"test ! -e {SEALED} || sha256sum {SEALED}"


class SealedRecord(BaseModel):
    """What was sealed last: the SHA-256 of the file, when, and a digest of secrets and keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    created: AwareDatetime
    own: str


class RecoveryState(BaseModel):
    """This machine's side: the record, a digest of secrets and keys now, whether the key was shown.

    `record` is None before the first installation that seals the state.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    record: SealedRecord | None
    own: str
    shown: bool


def sealed_sum(reach: ProbeContext) -> str:
    """The SHA-256 of the server's sealed state; empty without one."""
    done = reach.runner.run(["sh", "-c", _SCRIPT])
    if done.status:
        raise UnreachableError(_("the sealed state can't be read"), evidence=done.evidence)
    return done.stdout.partition(" ")[0].strip()


def recovery_state(etc: str, sealed: str, shown: str) -> RecoveryState:
    """Read this machine's side from these paths: the folder of secrets, the record, when shown."""
    try:
        record = SealedRecord.model_validate_json(Path(sealed).read_bytes())
    except FileNotFoundError:
        record = None
    except (OSError, ValidationError) as error:
        raise UnreachableError(
            _("the record of the sealed state can't be read"),
            evidence=f"{sealed}: {str(error).splitlines()[0]}",
        ) from error
    return RecoveryState(record=record, own=own_digest(Path(etc)), shown=Path(shown).exists())


def own_digest(etc: Path) -> str:
    """Return one SHA-256 of the site's secrets, private keys and certificates on this machine."""
    digest = hashlib.sha256()
    files = [etc / "secrets.yml", etc / "report.key", *sorted((etc / "pki").glob("*"))]
    for path in files:
        if path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.name} {content}\n".encode())
    return digest.hexdigest()
