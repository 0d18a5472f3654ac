"""Which releases may take the place of the one that is installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.install.jobs import job_of
from tests.unit.release.samples import FILES, STRANGER, manifest_of
from ucontact_appliance.errors import UsageError
from ucontact_appliance.install.job import Job
from ucontact_appliance.release.manifest import MANIFEST, ReleaseManifest, sign
from ucontact_appliance.release.remembered import remember_manifest
from ucontact_appliance.release.store import ReleaseFiles
from ucontact_appliance.upgrading import changes
from ucontact_appliance.upgrading.changes import upgrade_changes


def job_with(folder: Path, manifest: ReleaseManifest) -> Job:
    (folder / MANIFEST).write_bytes(manifest.document())
    files = ReleaseFiles(folder / "a.tar.gz", folder / MANIFEST, "0" * 64)
    return replace(job_of(lambda event: None), release=files)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReleaseManifest:
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    monkeypatch.setattr(changes, "INSTALL", ())
    monkeypatch.setattr(changes, "pending_migrations", lambda job: ())
    manifest = manifest_of()
    job = job_with(tmp_path, manifest)
    remember_manifest(job.paths, job.stored_release.manifest)
    return manifest


def test_another_signature_is_no_other_content(installed: ReleaseManifest, tmp_path: Path) -> None:
    for other in (installed.model_copy(update={"signature": None}), sign(installed, STRANGER)):
        assert not upgrade_changes(job_with(tmp_path, other)).anything


def test_one_version_has_one_content(installed: ReleaseManifest, tmp_path: Path) -> None:
    files: Mapping[str, bytes] = {**FILES, "web/uContact/index.html": b"other"}
    with pytest.raises(UsageError, match="with other content"):
        upgrade_changes(job_with(tmp_path, manifest_of(files)))
