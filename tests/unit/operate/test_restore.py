"""A restore's state on a new installing machine: what comes from the backup, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.moving.test_restore import manifest
from ucontact_appliance.clients.restic import Repository
from ucontact_appliance.errors import UsageError
from ucontact_appliance.moving.restore_plan import Restore, load_restore, plan_restore
from ucontact_appliance.operate import restore as work
from ucontact_appliance.operate.recovery import collect_state
from ucontact_appliance.site.files import private_dir
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.site.recovery_key import RecoveryKey, generate_recovery_key
from ucontact_appliance.site.sealed_state import seal, sealed_file, unseal
from ucontact_appliance.state import state_paths

SITE = """\
# ours
site: demo
fqdn: contact.example.com
agents: 10
hosts:
  - {name: one, address: 192.0.2.10, key: /keys/old}
release: /releases/vendor.tar.gz
"""
REPOSITORY = Repository("/r", "secret")
RESTORE = Restore(repository="/r", manifests=plan_restore([manifest(2)], None))


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecoveryKey:
    """The sealed state of a machine that is lost; this one has other folders."""
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "lost/etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "lost/var"))
    path = tmp_path / "lost.yml"
    path.write_text(SITE)
    paths = state_paths("demo")
    private_dir(paths.etc)
    private_dir(paths.var)
    for file in (paths.secrets, paths.known_hosts, paths.chain, paths.places, paths.journal):
        file.write_text("a: b\n")
    found = generate_recovery_key()
    sealed = seal(collect_state(load_site(path), path, paths), found)
    monkeypatch.setattr(work, "sealed_state", lambda repository, restore: sealed)
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    return found


def test_secrets_and_reports_come_back_and_nothing_about_lost_servers(
    tmp_path: Path, key: RecoveryKey
) -> None:
    path = tmp_path / "site.yml"
    prepared = work.prepare_restore(REPOSITORY, RESTORE, key, path, Path("/keys/new"))
    assert not (tmp_path / "etc").exists()
    work.begin_restore(prepared, key, path)
    paths = state_paths("demo")
    assert paths.secrets.read_text() == paths.chain.read_text() == "a: b\n"
    assert load_restore(paths.restore) == RESTORE
    for gone in (paths.known_hosts, paths.places, paths.journal):
        assert not gone.exists()
    assert "/keys/new" in path.read_text()
    assert "# ours" in path.read_text()


def test_a_given_site_file_names_the_servers(tmp_path: Path, key: RecoveryKey) -> None:
    path = tmp_path / "new.yml"
    given = SITE.replace("192.0.2.10", "192.0.2.99").replace("name: one", "name: two")
    path.write_text(given)
    prepared = work.prepare_restore(REPOSITORY, RESTORE, key, path, None)
    work.begin_restore(prepared, key, path)
    assert path.read_text() == given
    assert [host.name for host in prepared.site.hosts] == ["two"]


def test_the_file_of_another_site_is_refused(tmp_path: Path, key: RecoveryKey) -> None:
    path = tmp_path / "new.yml"
    path.write_text(SITE.replace("site: demo", "site: other"))
    with pytest.raises(UsageError, match="another site"):
        work.prepare_restore(REPOSITORY, RESTORE, key, path, None)


def test_a_restore_is_continued_and_another_one_refused(tmp_path: Path, key: RecoveryKey) -> None:
    path = tmp_path / "site.yml"
    prepared = work.prepare_restore(REPOSITORY, RESTORE, key, path, None)
    work.begin_restore(prepared, key, path)
    paths = state_paths("demo")
    paths.secrets.unlink()  # killed before they were written
    work.begin_restore(prepared, key, path)
    assert paths.secrets.exists()
    other = RESTORE.model_copy(update={"repository": "/other"})
    with pytest.raises(UsageError, match="another restore"):
        work.begin_restore(work.prepare_restore(REPOSITORY, other, key, path, None), key, path)


def test_a_machine_with_state_of_the_site_is_refused(tmp_path: Path, key: RecoveryKey) -> None:
    path = tmp_path / "site.yml"
    prepared = work.prepare_restore(REPOSITORY, RESTORE, key, path, None)
    paths = state_paths("demo")
    private_dir(paths.etc)
    paths.secrets.write_text("c: d\n")
    with pytest.raises(UsageError, match="already has state"):
        work.begin_restore(prepared, key, path)
    assert paths.secrets.read_text() == "c: d\n"


def test_a_missing_release_comes_from_the_backup(
    tmp_path: Path, key: RecoveryKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "site.yml"
    path.write_text(SITE.replace("/releases/vendor.tar.gz", str(tmp_path / "r/vendor.tar.gz")))
    monkeypatch.setattr(work, "release_archive", lambda repository, restore: b"archive")
    prepared = work.prepare_restore(REPOSITORY, RESTORE, key, path, None)
    written = work.bring_release(REPOSITORY, prepared, path)
    assert written == tmp_path / "r/vendor.tar.gz"
    assert written.read_bytes() == b"archive"
    assert work.bring_release(REPOSITORY, prepared, path) is None


def test_files_that_a_given_site_file_does_not_name_are_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: RecoveryKey
) -> None:
    path = tmp_path / "new.yml"
    sound = {"sounds/closed.wav": sealed_file(b"RIFF", 0o644)}
    lost = unseal(work.sealed_state(REPOSITORY, RESTORE), key)
    sealed = seal(lost.model_copy(update={"beside": sound}), key)
    monkeypatch.setattr(work, "sealed_state", lambda repository, restore: sealed)
    path.write_text(SITE)
    assert work.prepare_restore(REPOSITORY, RESTORE, key, path, None).state.beside == {}
    named = "telephony: {announcements: [{name: closed, file: sounds/closed.wav}]}\n"
    path.write_text(SITE + named)
    assert work.prepare_restore(REPOSITORY, RESTORE, key, path, None).state.beside == sound
