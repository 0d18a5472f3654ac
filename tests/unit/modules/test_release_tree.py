"""The Ansible module `release_tree`, run as Ansible runs it: a script with JSON on its input."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.modules.running import run_module
from tests.unit.release.samples import FILES, archive, manifest_of, members
from ucontact_appliance.resources import INSTALLER

MODULE = INSTALLER / "plugins" / "modules" / "release_tree.py"
ME = pwd.getpwuid(os.geteuid()).pw_name
MY_GROUP = grp.getgrgid(os.getegid()).gr_name
RIGHTS = {"owner": ME, "group": MY_GROUP, "mode": "0755"}


@dataclass(frozen=True)
class Target:
    """A tree in a temporary folder, and the module to converge it."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "etc"

    @property
    def state(self) -> Path:
        return self.folder / "var"

    @property
    def home(self) -> Path:
        return self.root / "current"

    def offer(self, version: str = "5.1", **changed: bytes) -> None:
        """Put archive and manifest where the role copies them."""
        files = {**FILES, **changed}
        manifest = manifest_of(files, version=version)
        archive(self.folder / "release.tar.gz", members(manifest, files))
        (self.folder / "release.json").write_bytes(manifest.document())

    def answer(self, *, check: bool = False, **parameters: Any) -> dict[str, Any]:
        arguments = {
            "root": str(self.root),
            "state": str(self.state),
            "archive": str(self.folder / "release.tar.gz"),
            "manifest": str(self.folder / "release.json"),
            "owner": ME,
            "group": MY_GROUP,
            "writable": [{"path": f"web/{name}", **RIGHTS} for name in ("tmp", "forms", "images")],
            "folders": [{"path": "scripts", **RIGHTS, "mode": "0750"}],
            "_ansible_check_mode": check,
            **parameters,
        }
        return run_module(MODULE, arguments)

    def converge(self, **parameters: Any) -> dict[str, Any]:
        answer = self.answer(**parameters)
        assert not answer.get("failed"), answer
        return answer

    def files(self) -> dict[str, bytes]:
        """Every file of the release in use, but for its manifest."""
        home = self.home.resolve()
        return {
            path.relative_to(home).as_posix(): path.read_bytes()
            for path in home.rglob("*")
            if path.is_file() and not path.is_symlink() and path.name != "manifest.json"
        }


@pytest.fixture
def target(tmp_path: Path) -> Target:
    target = Target(tmp_path)
    target.root.mkdir()
    target.offer()
    return target


@pytest.fixture
def laid(target: Target) -> Target:
    assert target.converge()["changed"]
    return target


RELEASED = {path: content for path, content in FILES.items() if not path.startswith("web/images/")}


def test_a_first_run_lays_it_all(target: Target) -> None:
    answer = target.converge()
    assert answer["changed"]
    assert answer["switched"]
    assert answer["release"] == {
        "name": "acme",
        "version": "5.1",
        "evaluation": False,
        "health": "/Integra/resources/health",
    }
    assert target.files() == RELEASED
    assert target.home.readlink() == Path("releases/5.1")
    for name in ("web", "server", "reports"):
        assert (target.root / name).readlink() == Path(f"current/{name}")
    assert (target.root / "web/images").readlink() == target.state / "images"
    assert (target.root / "web/images/logo.svg").read_bytes() == b"<svg/>"
    assert (target.root / "scripts").stat().st_mode & 0o777 == 0o750
    assert {path.name for path in (target.root / "releases").iterdir()} == {"5.1"}


def test_a_second_run_changes_nothing(laid: Target) -> None:
    answer = laid.converge()
    assert not answer["changed"]
    assert answer["differences"] == []
    assert answer["diff"]["after"] == ""


def spoil_missing(target: Target) -> str:
    (target.home / "web/IntegraPortalWS.war").unlink()
    return "missing: {home}/web/IntegraPortalWS.war"


def spoil_missing_folder(target: Target) -> str:
    shutil.rmtree(target.home / "server/ws")
    return "missing: {home}/server/ws/ws.jar"


def spoil_content(target: Target) -> str:
    (target.home / "server/IntegraServer.jar").write_bytes(b"jaR")
    return "changed: {home}/server/IntegraServer.jar"


def spoil_manifest(target: Target) -> str:
    (target.home / "manifest.json").write_bytes(b"{}")
    return "changed: {home}/manifest.json"


def spoil_foreign_file(target: Target) -> str:
    (target.home / "web/shell.php").write_bytes(b"x")
    return "foreign: {home}/web/shell.php"


def spoil_foreign_folder(target: Target) -> str:
    (target.home / "web/more/deep").mkdir(parents=True)
    (target.home / "web/more/deep/x").write_bytes(b"x")
    return "foreign: {home}/web/more"


def spoil_foreign_link(target: Target) -> str:
    (target.home / "web/etc").symlink_to("/etc")
    return "foreign: {home}/web/etc"


def spoil_file_is_folder(target: Target) -> str:
    (target.home / "web/IntegraPortalWS.war").unlink()
    (target.home / "web/IntegraPortalWS.war").mkdir()
    (target.home / "web/IntegraPortalWS.war/x").write_bytes(b"x")
    return "changed: {home}/web/IntegraPortalWS.war"


def spoil_folder_is_file(target: Target) -> str:
    shutil.rmtree(target.home / "web/uContact")
    (target.home / "web/uContact").write_bytes(b"x")
    return "changed: {home}/web/uContact"


def spoil_file_is_link(target: Target) -> str:
    (target.home / "web/IntegraPortalWS.war").unlink()
    (target.home / "web/IntegraPortalWS.war").symlink_to("/etc/hostname")
    return "changed: {home}/web/IntegraPortalWS.war"


def spoil_folder_is_link_to_its_like(target: Target) -> str:
    shutil.move(target.home / "server/ws", target.folder / "elsewhere")
    (target.home / "server/ws").symlink_to(target.folder / "elsewhere")
    return "missing: {home}/server/ws/ws.jar"


def spoil_upper_folder_is_link_to_its_like(target: Target) -> str:
    shutil.move(target.home / "server", target.folder / "elsewhere")
    (target.home / "server").symlink_to(target.folder / "elsewhere")
    return "missing: {home}/server/ws/ws.jar"


def spoil_release_is_link_to_its_like(target: Target) -> str:
    home = target.home.resolve()
    shutil.move(home, target.folder / "elsewhere")
    home.symlink_to(target.folder / "elsewhere")
    return "missing: {home}/server/ws/ws.jar"


def spoil_file_mode(target: Target) -> str:
    (target.home / "web/IntegraPortalWS.war").chmod(0o666)
    return "owner: {home}/web/IntegraPortalWS.war"


def spoil_folder_mode(target: Target) -> str:
    (target.home / "web").chmod(0o777)
    return "owner: {home}/web"


def spoil_release_mode(target: Target) -> str:
    target.home.resolve().chmod(0o777)
    return "owner: {home}"


def spoil_writable_link(target: Target) -> str:
    (target.home / "web/tmp").unlink()
    (target.home / "web/tmp").symlink_to("/tmp")
    return "changed: {home}/web/tmp"


def spoil_writable_is_folder(target: Target) -> str:
    (target.home / "web/tmp").unlink()
    (target.home / "web/tmp").mkdir()
    (target.home / "web/tmp/x").write_bytes(b"x")
    return "changed: {home}/web/tmp"


def spoil_outer_link(target: Target) -> str:
    (target.root / "web").unlink()
    return "missing: {root}/web"


def spoil_outer_link_target(target: Target) -> str:
    (target.root / "web").unlink()
    (target.root / "web").symlink_to("/srv/web")
    return "changed: {root}/web"


def spoil_state_mode(target: Target) -> str:
    (target.state / "forms").chmod(0o777)
    return "owner: {state}/forms"


def spoil_current(target: Target) -> str:
    target.home.unlink()
    return "in use: 5.1"


SPOILS = [value for name, value in sorted(globals().items()) if name.startswith("spoil_")]


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_spoiled_tree_is_named_and_put_right(laid: Target, spoil: Any) -> None:
    wanted = laid.files()
    line = spoil(laid).format(home=laid.root / "releases/5.1", root=laid.root, state=laid.state)
    told = laid.converge(check=True)
    assert told["changed"]
    assert line in told["differences"]
    assert line in told["diff"]["after"]
    done = laid.converge()
    assert done["differences"] == told["differences"]  # check mode changed nothing, and said all
    assert laid.files() == wanted
    assert not laid.converge()["changed"]


def test_what_a_planted_link_leads_to_is_left_alone(laid: Target) -> None:
    spoil_folder_is_link_to_its_like(laid)
    (laid.folder / "elsewhere/theirs").write_bytes(b"theirs")
    before = {path.name: path.read_bytes() for path in (laid.folder / "elsewhere").iterdir()}
    laid.converge()
    after = {path.name: path.read_bytes() for path in (laid.folder / "elsewhere").iterdir()}
    assert after == before
    assert not (laid.home / "server/ws").is_symlink()
    assert not (laid.home / "server/ws/theirs").exists()


def test_a_new_version_is_switched_to_and_the_old_one_stays(laid: Target) -> None:
    laid.offer("5.2", **{"reports/new.jrxml": b"n"})
    answer = laid.converge()
    assert answer["switched"]
    assert laid.home.readlink() == Path("releases/5.2")
    assert laid.files() == {**RELEASED, "reports/new.jrxml": b"n"}
    assert (laid.root / "releases/5.1/web/IntegraPortalWS.war").exists()
    assert not laid.converge()["changed"]


def test_the_way_back_is_kept_and_older_ones_go(laid: Target) -> None:
    for version in ("5.2", "5.3"):
        laid.offer(version)
        laid.converge()
    assert {path.name for path in (laid.root / "releases").iterdir()} == {"5.2", "5.3"}
    laid.offer("5.2")
    assert laid.converge()["switched"]
    assert {path.name for path in (laid.root / "releases").iterdir()} == {"5.2", "5.3"}


def test_what_a_killed_run_left_is_swept_up(target: Target) -> None:
    (target.root / "releases/5.1.partial/web").mkdir(parents=True)
    (target.root / "releases/5.0.replaced").mkdir(parents=True)
    target.converge()
    assert {path.name for path in (target.root / "releases").iterdir()} == {"5.1"}
    assert target.files() == RELEASED


def test_the_same_version_with_other_content_is_laid_anew(laid: Target) -> None:
    laid.offer("5.1", **{"web/IntegraPortalWS.war": b"fixed"})
    answer = laid.converge()
    assert answer["changed"]
    assert laid.files()["web/IntegraPortalWS.war"] == b"fixed"
    assert {path.name for path in (laid.root / "releases").iterdir()} == {"5.1"}
    assert not laid.converge()["changed"]


def test_the_sites_own_files_outlive_releases(laid: Target) -> None:
    (laid.root / "web/forms/mine.html").write_bytes(b"mine")
    (laid.root / "web/images/logo.svg").write_bytes(b"our logo")
    laid.offer("5.2", **{"web/images/logo.svg": b"their logo", "web/images/deep/new.svg": b"new"})
    laid.converge()
    assert (laid.root / "web/forms/mine.html").read_bytes() == b"mine"
    assert (laid.root / "web/images/logo.svg").read_bytes() == b"our logo"
    assert (laid.root / "web/images/deep/new.svg").read_bytes() == b"new"


def test_a_seed_that_the_site_has_removed_stays_away(laid: Target) -> None:
    (laid.root / "web/images/logo.svg").unlink()
    assert not laid.converge()["changed"]
    assert not (laid.root / "web/images/logo.svg").exists()


def test_an_archive_that_is_not_the_manifests_is_noticed_before_the_switch(laid: Target) -> None:
    laid.offer("5.2")
    document = (laid.folder / "release.json").read_bytes()
    laid.offer("5.2", **{"server/IntegraServer.jar": b"other"})
    (laid.folder / "release.json").write_bytes(document)
    answer = laid.answer()
    assert answer["failed"]
    assert "than the manifest says" in answer["msg"]
    assert laid.home.readlink() == Path("releases/5.1")
    assert laid.files() == RELEASED


@pytest.mark.parametrize("content", [b"", b"no archive", bytes(range(256)) * 100])
def test_a_damaged_archive_is_one_clear_error(target: Target, content: bytes) -> None:
    (target.folder / "release.tar.gz").write_bytes(content)
    answer = target.answer()
    assert answer["failed"]
    assert "release.tar.gz" in answer["msg"] or "damaged" in answer["msg"]
    assert not target.home.is_symlink()


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("", "no JSON"),
        ("[]", "no manifest"),
        ('{"name": "a", "version": "../../x", "files": {}}', "leads out"),
        ('{"name": "a", "version": "1", "files": {"web/../../x": {}}}', "leads out"),
        ('{"name": "a", "version": "1", "files": {"/etc/x": {}}}', "leads out"),
    ],
)
def test_a_bad_manifest_is_one_clear_error(target: Target, document: str, said: str) -> None:
    (target.folder / "release.json").write_text(document)
    answer = target.answer()
    assert answer["failed"]
    assert said in answer["msg"]
    assert list(target.root.iterdir()) == []


def test_a_tree_that_somebody_else_made_is_not_touched(target: Target) -> None:
    (target.root / "web").mkdir()
    (target.root / "web/index.html").write_text("by hand")
    answer = target.answer()
    assert answer["failed"]
    assert "that the appliance did not make; move it away" in answer["msg"]
    assert [path.name for path in target.root.iterdir()] == ["web"]


def test_an_unknown_owner_is_one_clear_error(target: Target) -> None:
    assert "no user nobody-here" in target.answer(owner="nobody-here")["msg"]


def test_check_mode_before_the_copy_says_what_it_can(target: Target) -> None:
    (target.folder / "release.json").unlink()
    assert target.converge(check=True)["changed"]
    assert target.answer()["failed"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: acts as another account")
def test_a_link_that_the_service_planted_leads_a_seed_nowhere(laid: Target) -> None:
    """Root must not write through a link that the service's account has made."""
    nobody = pwd.getpwnam("nobody")
    rights = {"owner": "nobody", "group": grp.getgrgid(nobody.pw_gid).gr_name, "mode": "0755"}
    victim = laid.folder / "victim"
    victim.mkdir(mode=0o755)
    for folder in (laid.folder, *laid.folder.parents[:3]):
        folder.chmod(0o755)
    writable = [{"path": f"web/{name}", **rights} for name in ("tmp", "forms", "images")]
    laid.converge(writable=writable)
    (laid.state / "images/deep").symlink_to(victim)
    laid.offer("5.2", **{"web/images/deep/x.svg": b"x"})
    answer = laid.answer(writable=writable)
    assert answer["failed"], answer
    assert list(victim.iterdir()) == []
    assert laid.home.readlink() == Path("releases/5.1")
