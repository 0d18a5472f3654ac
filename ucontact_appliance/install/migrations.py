"""Changes of schemas that a release brings: which are left, rehearsed on copies, then applied.

A migration runs once, forward only. Each database has a table of those that it has had.
"""

from __future__ import annotations

import base64
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass

from ucontact_appliance.errors import ApplianceError, PhaseFailedError, UsageError
from ucontact_appliance.facts.parsing import parsing
from ucontact_appliance.facts.runner import Completed, runner_for
from ucontact_appliance.install.events import TaskStarted
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.unchanged import renew_record
from ucontact_appliance.language.messages import _, ngettext, with_note
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.moves import carrier
from ucontact_appliance.printable import printable
from ucontact_appliance.release.manifest import Migration, ReleaseManifest
from ucontact_appliance.release.remembered import read_manifest, remembered_manifest
from ucontact_appliance.resources import INSTALLER, load_data

_SCRIPT = INSTALLER / "restore_points" / "migrate.sh"
_PHASE, _STATE = "database", "running mysql"  # data/components/mysql.yml
_SECONDS = 6 * 3600.0  # years of call records
_SAID = 4000


@dataclass(frozen=True)
class Applied:
    """A migration that a database has had, and the SHA-256 of its file."""

    database: str
    version: str
    sha256: str


def pending_migrations(job: Job) -> tuple[Migration, ...]:
    """Return the migrations of the job's release that the databases have not had, in order.

    Raises UsageError for one that was applied with other content.
    """
    manifest = read_manifest(job.stored_release.manifest)
    if not manifest.migrations:
        return ()
    done = _run(job, "recorded", *load_data("database")["schemas"])
    with parsing(done, _("the applied migrations can't be read")):
        rows = [Applied(*line.split()) for line in done.stdout.splitlines()]
    return left_of(manifest, rows)


def left_of(manifest: ReleaseManifest, rows: Sequence[Applied]) -> tuple[Migration, ...]:
    """Return the migrations that are not among the applied ones. Raises UsageError."""
    known = {(row.database, row.version): row.sha256 for row in rows}
    left = []
    for one in manifest.migrations:
        sha256 = known.get((one.database, one.version))
        if sha256 is None:
            left.append(one)
        elif sha256 != manifest.files[one.file].sha256:
            raise UsageError(
                _(
                    "the migration {version} of {database} was applied with other content",
                    version=one.version,
                    database=one.database,
                ),
                evidence=one.file,
                helps=_("ask the publisher for a release with a migration of its own version"),
            )
    return tuple(left)


def demand_no_migrations(job: Job) -> None:
    """Raise UsageError if an installation would have to change the schemas of a site with data."""
    if job.release is None or job.migrates or remembered_manifest(job.paths) is None:
        return
    left = pending_migrations(job)
    if left:
        raise UsageError(
            ngettext(
                "the release has {count} migration of the database's schemas",
                "the release has {count} migrations of the database's schemas",
                len(left),
            ),
            evidence=", ".join(f"{one.database} {one.version}" for one in left),
            helps=with_note(
                f"ucontact upgrade --site {job.site_file}",
                _("applies them behind a restore point"),
            ),
        )


def migrate(job: Job) -> int:
    """Rehearse the release's pending migrations on copies, then apply them; return their number.

    Raises PhaseFailedError with the server's words.
    """
    left = pending_migrations(job)
    if not left:
        return 0
    lines = _lines(job, left)
    job.observer(TaskStarted(_("Rehearse the migrations on copies of the databases")))
    _demand(
        _run(job, "rehearse", stdin=lines),
        _("a migration of the release fails on a copy of the database"),
    )
    job.observer(TaskStarted(_("Apply the migrations")))
    done = _run(job, "apply", stdin=lines)
    for line in done.stdout.splitlines():
        job.log(printable(line))
    _demand(done, _("a migration of the release fails"))
    return len(left)


def record_schemas(job: Job) -> None:
    """Record the schemas as the release's migrations left them, behind the phase of the database.

    Otherwise that phase would differ in the next run, and an upgrade refuse calls because of it.
    """
    installed = remembered_manifest(job.paths)
    if installed is None or not installed.migrations:
        return
    try:
        renew_record(job, _PHASE, _STATE)
    except (ApplianceError, TimeoutError) as error:
        job.log(f"the schemas are not recorded; the next run looks at them again: {error}")


def _lines(job: Job, left: Sequence[Migration]) -> str:
    manifest = read_manifest(job.stored_release.manifest)
    wanted = {one.file for one in left}
    content: dict[str, bytes] = {}
    with tarfile.open(job.stored_release.archive) as members:
        for member in members:
            stream = members.extractfile(member) if member.name in wanted else None
            if stream is not None:
                content[member.name] = stream.read()
    return "".join(
        f"{one.database} {one.version} {manifest.files[one.file].sha256} "
        f"{base64.b64encode(content[one.file]).decode()}\n"
        for one in left
    )


def _run(job: Job, *words: str, stdin: str = "") -> Completed:
    host = carrier(job.site, job.plan, Role.DATABASE)
    text = _SCRIPT.read_text(encoding="utf-8")
    with runner_for(host, job.ssh) as runner:
        return runner.run(["bash", "-c", text, "migrate.sh", *words], timeout=_SECONDS, stdin=stdin)


def _demand(done: Completed, what: str) -> None:
    if done.status:
        raise PhaseFailedError(
            what, evidence=printable((done.stderr or done.stdout).strip()[-_SAID:])
        )
