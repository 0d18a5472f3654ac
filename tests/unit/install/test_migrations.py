"""Which migrations of a release are left, and when an installation refuses them."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.install.jobs import job_of
from tests.unit.release.samples import FILES, manifest_of
from ucontact_appliance.errors import PhaseFailedError, UnreachableError, UsageError
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.install import migrations
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.migrations import (
    Applied,
    demand_no_migrations,
    left_of,
    migrate,
    record_schemas,
)
from ucontact_appliance.planning.component_tables import state_of_phase
from ucontact_appliance.release.manifest import Migration
from ucontact_appliance.release.remembered import remember_manifest
from ucontact_appliance.release.store import ReleaseFiles

FIRST = Migration(version="1", file="server/migrations/1.sql")
SECOND = Migration(version="2", file="server/migrations/2.sql", database="ccdata")
SQL = {**FILES, FIRST.file: b"create table a (b int);", SECOND.file: b"do 0;"}
MANIFEST = manifest_of(SQL, migrations=(FIRST, SECOND))
DONE = Applied("ccrepo", "1", MANIFEST.files[FIRST.file].sha256)


def test_what_a_database_has_had_is_not_left() -> None:
    assert left_of(MANIFEST, ()) == (FIRST, SECOND)
    assert left_of(MANIFEST, (DONE,)) == (SECOND,)
    elsewhere = replace(DONE, database="ccdata")
    assert left_of(MANIFEST, (elsewhere,)) == (FIRST, SECOND)


def test_a_migration_that_was_applied_does_not_change() -> None:
    with pytest.raises(UsageError, match="applied with other content"):
        left_of(MANIFEST, (replace(DONE, sha256="0" * 64),))


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as out:
        for name, content in SQL.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
    beside = tmp_path / "manifest.json"
    beside.write_bytes(MANIFEST.document())
    return replace(job_of(lambda event: None), release=ReleaseFiles(archive, beside, "0" * 64))


def answering(monkeypatch: pytest.MonkeyPatch, fails: str = "") -> list[tuple[str, str]]:
    """A database without migrations; returns what was asked of it."""
    asked: list[tuple[str, str]] = []

    def run(job: Job, *words: str, stdin: str = "") -> Completed:
        asked.append((words[0], stdin))
        return Completed(words, int(words[0] == fails), "", "the server's words", 0.0)

    monkeypatch.setattr(migrations, "_run", run)
    return asked


def test_migrations_are_rehearsed_before_they_are_applied(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answering(monkeypatch)
    assert migrate(job) == 2
    assert [word for word, _ in asked] == ["recorded", "rehearse", "apply"]
    first, second = asked[1][1].splitlines()
    sha256 = MANIFEST.files[FIRST.file].sha256
    assert first == f"ccrepo 1 {sha256} Y3JlYXRlIHRhYmxlIGEgKGIgaW50KTs="
    assert second.startswith("ccdata 2 ")
    assert asked[2] == ("apply", asked[1][1])


def test_what_fails_on_a_copy_is_not_applied(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answering(monkeypatch, "rehearse")
    with pytest.raises(PhaseFailedError, match="on a copy") as caught:
        migrate(job)
    assert caught.value.evidence == "the server's words"
    assert [word for word, _ in asked] == ["recorded", "rehearse"]


def test_an_installation_migrates_no_site_with_data(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch)
    demand_no_migrations(job)  # nothing was installed yet: the schemas are empty
    remember_manifest(job.paths, job.stored_release.manifest)
    with pytest.raises(UsageError) as caught:
        demand_no_migrations(job)
    assert "2 migrations" in caught.value.what
    assert caught.value.evidence == "ccrepo 1, ccdata 2"
    assert caught.value.helps.startswith("ucontact upgrade")
    demand_no_migrations(replace(job, migrates=True))
    demand_no_migrations(replace(job, release=None))


def test_a_release_without_migrations_asks_nothing(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answering(monkeypatch)
    job.stored_release.manifest.write_bytes(manifest_of().document())
    assert migrate(job) == 0
    assert asked == []


def test_only_a_release_with_migrations_changes_what_is_recorded(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: list[str] = []
    monkeypatch.setattr(
        migrations, "renew_record", lambda job, phase, item: renewed.append(f"{phase}: {item}")
    )
    record_schemas(job)  # nothing is installed
    for manifest, count in ((manifest_of(FILES), 0), (MANIFEST, 1)):
        beside = job.stored_release.manifest
        beside.write_bytes(manifest.document())
        remember_manifest(job.paths, beside)
        record_schemas(job)
        assert len(renewed) == count
    assert renewed[0].removeprefix("database: ") in state_of_phase("database")


def test_schemas_that_are_not_recorded_fail_no_run(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    def lost(*words: object) -> None:
        raise UnreachableError("no route to host")

    monkeypatch.setattr(migrations, "renew_record", lost)
    remember_manifest(job.paths, job.stored_release.manifest)
    record_schemas(replace(job, log=told.append))
    assert "the schemas are not recorded" in told[0]
