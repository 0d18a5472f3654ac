"""The copy of a site in a drill: `ucontact restore` in a process of its own, and what it showed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ucontact_appliance.facts.backup_runs import Manifest, StoredPart
from ucontact_appliance.language.choice import language_of, translation
from ucontact_appliance.language.messages import _
from ucontact_appliance.moving.restore_plan import Restore
from ucontact_appliance.planning.backup import RELEASE, STATE, backup_parts
from ucontact_appliance.planning.model import Role
from ucontact_appliance.release.store import releases_folder
from ucontact_appliance.release.trust import builders_folder, publishers_folder
from ucontact_appliance.report.write import DOCUMENT
from ucontact_appliance.site.files import private_dir
from ucontact_appliance.site.recovery_key import RecoveryKey

# The kernel tells the restore to end when the drill is killed (setpriv(1)).
_DYING = ("setpriv", "--pdeathsig", "TERM", "--")
_END_SECONDS = 60.0
_MOST_TROUBLE = 4000
_LINES = 40

Say = Callable[[str], None]


@dataclass(frozen=True)
class Copy:
    """The drill's folder, site.yml of the copy, what is restored, the key, and the drill's lock."""

    folder: Path
    site_file: Path
    restore: Restore
    key: RecoveryKey
    lock: int

    @property
    def roots(self) -> dict[str, str]:
        """The state folders of the copy, by the variables that name them."""
        return {
            "UCONTACT_ETC": str(self.folder / "etc"),
            "UCONTACT_VAR": str(self.folder / "var"),
        }


def restore_copy(copy: Copy, say: Say) -> str:
    """Restore, with every file's hash compared; return what was wrong, empty if nothing was.

    Progress goes to `say`. The restore ends with this process, whatever ends it.
    """
    _share_releases(copy)
    words = ["restore", "--yes", "--hashes", "--from", copy.restore.repository]
    if copy.restore.ssh_key is not None:
        words += ["--repository-key", str(copy.restore.ssh_key)]
    process = subprocess.Popen(
        [
            *(*_DYING, sys.executable, "-m", "ucontact_appliance"),
            *(*words, "--site", str(copy.site_file)),
        ],
        env={**os.environ, **copy.roots},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C is for the drill, which ends it
        pass_fds=(copy.lock,),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    lines: list[str] = []
    try:
        process.stdin.write(f"{copy.key.text}\n")
        process.stdin.close()
        for line in process.stdout:
            lines = [*lines, line.rstrip()]
            say(line.rstrip())
        status = process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise
    if status == 0:
        return ""
    return error_in(lines) or _("the restore ended with {status}", status=status)


def error_in(lines: list[str]) -> str:
    """Return the last error that a command printed, with its evidence; else its last lines."""
    marks = {"error:", translation(language_of(os.environ))(_("error:"))}
    starts = [at for at, line in enumerate(lines) if line.split(" ")[0] in marks]
    shown = lines[starts[-1] :] if starts else lines[-_LINES:]
    return "\n".join(shown).strip()[:_MOST_TROUBLE]


def octets_of(role: Role, manifest: Manifest) -> int:
    """Return the bytes of that role's data."""
    if role is Role.DATABASE:
        return manifest.database.octets if manifest.database else 0
    return sum(part.octets for __, part in _parts(role, manifest))


def backups(restore: Restore) -> list[dict[str, Any]]:
    """Return which backup each role came from."""
    return [
        {
            "role": role.value,
            "run": one.run,
            "host": one.host,
            "ended": one.ended.isoformat(),
            "appliance": one.appliance,
            "system": one.system,
        }
        for role, one in restore.manifests.items()
    ]


def compared(restore: Restore) -> dict[str, Any]:
    """Return what a good restore found equal to the manifests: rows by table, files by part."""
    database = restore.manifests[Role.DATABASE].database
    return {
        "rows": dict(database.rows) if database else {},
        "binary_logs": len(restore.logs),
        "files": {
            name: {"files": part.files, "octets": part.octets, "hash": "sha256"}
            for role, one in restore.manifests.items()
            for name, part in _parts(role, one)
        },
    }


def findings(copy: Copy, site: str) -> list[dict[str, Any]]:
    """Return the doctor's findings on the copy, the real calls among them; none if it got none."""
    reports = Path(copy.roots["UCONTACT_VAR"]) / site / "reports"
    newest = max(reports.glob(f"*/{DOCUMENT}"), default=None)
    if newest is None:
        return []
    rows = json.loads(newest.read_text(encoding="utf-8"))["findings"]
    return [{key: row[key] for key in ("id", "verdict", "observed")} for row in rows]


def _parts(role: Role, manifest: Manifest) -> Iterator[tuple[str, StoredPart]]:
    for one in backup_parts([role]):
        part = manifest.parts.get(one.name)
        if one.role is role and one.name not in (STATE, RELEASE) and part and part.snapshot:
            yield one.name, part


def _share_releases(copy: Copy) -> None:
    """Give the copy the releases of this machine, and whom it trusts."""
    for root, shared in (
        ("UCONTACT_VAR", private_dir(releases_folder())),
        ("UCONTACT_ETC", publishers_folder()),
        ("UCONTACT_ETC", builders_folder()),
    ):
        here = private_dir(Path(copy.roots[root]))
        (here / shared.name).symlink_to(shared)
