"""An installed wheel works as well as a checkout: everything travels in it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.unit.release.samples import FILES, KEY, manifest_of
from ucontact_appliance.checks.appliance import PARTS
from ucontact_appliance.release.evaluation import sources_hash, version_of
from ucontact_appliance.release.manifest import is_signed_by, parse_manifest, sign
from ucontact_appliance.release.shipped import ARCHIVE_NAME, MANIFEST_NAME
from ucontact_appliance.release.store import store_release
from ucontact_appliance.release.trust import build_key
from ucontact_appliance.resources import INSTALLER, ROOT

RELEASES = "ucontact_appliance/_bundle/releases"


def built(state: Path) -> Mapping[str, str]:
    """The environment of a machine that has built the evaluation release; its key is its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UCONTACT_VAR", str(state))
        manifest = manifest_of(FILES, version=version_of(sources_hash()), evaluation=True)
        key = build_key(make=True)
        assert key is not None
        store_release(sign(manifest.model_copy(update={"name": "evaluation"}), key), FILES)
        return dict(os.environ)


def make_wheel(
    out: Path,
    environment: Mapping[str, str],
    *words: str,
    installer: Path = INSTALLER,
    umask: int = 0o022,
) -> Path:
    """The wheel as `make wheel` makes it."""
    command = [sys.executable, str(installer / "wheel.py"), "--outdir", str(out), *words]
    done = subprocess.run(
        command, env=environment, umask=umask, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = out.glob("*.whl")
    return wheel


def git(*words: str) -> str:
    """What git says of these sources."""
    return subprocess.run(
        ["git", *words], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def sha256(path: Path) -> str:
    """Short to look at where two files of a megabyte differ."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def publishers_key(path: Path) -> Path:
    """A publisher's private key, as a file."""
    path.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_wheel(tmp_path_factory.mktemp("dist"), built(tmp_path_factory.mktemp("state")))


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(target)
    return target


def ucontact(
    unpacked: Path, state: Path, *words: str, code: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run the wheel's command line, or `code`, on a machine that has built and trusts nothing."""
    return subprocess.run(
        [sys.executable, *(("-c", code) if code else ("-m", "ucontact_appliance", *words))],
        env={
            **os.environ,
            "PYTHONPATH": str(unpacked),
            "UCONTACT_ETC": str(state / "etc"),
            "UCONTACT_VAR": str(state / "var"),
            "PATH": str(state),  # no tool that could make a machine
        },
        cwd=unpacked,
        capture_output=True,
        text=True,
        check=False,
    )


def run(unpacked: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(unpacked)},
        cwd=unpacked,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_finds_its_own_parts(unpacked: Path) -> None:
    code = f"from ucontact_appliance.facts.distribution import *; print(missing_parts({PARTS!r}))"
    assert run(unpacked, code) == "()"


def test_it_runs_from_its_own_files(unpacked: Path) -> None:
    root = run(unpacked, "from ucontact_appliance.resources import INSTALLER, ROOT; print(ROOT)")
    assert root == str(unpacked / "ucontact_appliance" / "_bundle")


def test_it_carries_every_file_of_the_checkouts_trees(unpacked: Path) -> None:
    bundle = unpacked / "ucontact_appliance" / "_bundle"
    listed = git("ls-files", "installer", "roles", "templates", "inventory").split()
    assert listed
    assert [name for name in listed if not (bundle / name).is_file()] == []


def test_it_carries_the_doctors_schema(unpacked: Path) -> None:
    schema = unpacked / "ucontact_appliance" / "_bundle" / "schemas" / "doctor.schema.json"
    assert schema.read_bytes() == (ROOT / "docs" / "schemas" / "doctor.schema.json").read_bytes()


def test_it_carries_no_build_leftovers(unpacked: Path) -> None:
    assert not list(unpacked.rglob("node_modules"))
    assert not list(unpacked.rglob("__pycache__"))


def test_programs_are_programs_in_it_too(wheel: Path) -> None:
    programs = {path.name for path in INSTALLER.iterdir() if os.access(path, os.X_OK)}
    programs -= {path.name for path in INSTALLER.iterdir() if path.is_dir()}
    assert "bounded-ssh" in programs
    with zipfile.ZipFile(wheel) as packed:
        for entry in packed.infolist():
            parent, _, name = entry.filename.rpartition("/")
            if parent.endswith("_bundle/installer") and name in programs:
                programs.discard(name)
                assert entry.external_attr >> 16 & stat.S_IXUSR, name
    assert programs == set()


def test_another_builder_with_other_habits_makes_the_same_wheel(
    wheel: Path, tmp_path: Path
) -> None:
    """From an unpacked archive in another folder, without git, with a build key of its own."""
    sources = tmp_path / "sources"
    for name in git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if (ROOT / name).is_file():
            (sources / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, sources / name)
    environment = {
        **built(tmp_path / "state"),
        "PYTHONPATH": str(sources),
        "SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct").strip(),
        "PYTHONHASHSEED": "5",
        "TZ": "Asia/Tokyo",
    }
    again = make_wheel(tmp_path / "dist", environment, installer=sources / "installer", umask=0o077)
    assert sha256(again) == sha256(wheel)


def test_its_release_verifies_where_it_never_was_built(unpacked: Path, tmp_path: Path) -> None:
    shown = ucontact(
        unpacked, tmp_path, "release", "verify", str(unpacked / RELEASES / ARCHIVE_NAME), "--json"
    )
    assert shown.returncode == 0, shown.stderr
    row = json.loads(shown.stdout)
    assert (row["name"], row["trusted_by"]) == ("evaluation", "shipped")
    assert row["version"] == version_of(sources_hash())


RESOLVE = (
    "from ucontact_appliance.release.store import *; print(resolve_release('evaluation', print))"
)
LOOK_UP = RESOLVE.replace("print(resolve_release", "print(look_up_release")


@pytest.mark.parametrize("code", [RESOLVE, LOOK_UP], ids=["install", "dry-run"])
def test_an_installation_takes_it_where_it_lies(unpacked: Path, tmp_path: Path, code: str) -> None:
    done = ucontact(unpacked, tmp_path, code=code)
    assert done.returncode == 0, done.stderr
    assert f"{RELEASES}/{ARCHIVE_NAME}" in done.stdout
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("spoil", [ARCHIVE_NAME, MANIFEST_NAME])
@pytest.mark.parametrize("gone", ["gone", "cut"])
def test_a_damaged_one_is_named_and_not_replaced(
    unpacked: Path, tmp_path: Path, spoil: str, gone: str
) -> None:
    copy = shutil.copytree(unpacked, tmp_path / "copy")
    path = copy / RELEASES / spoil
    path.write_bytes(path.read_bytes()[:-100])
    if gone == "gone":
        path.unlink()
    done = ucontact(copy, tmp_path, code=RESOLVE)
    assert "UsageError: the evaluation release in this installation" in done.stderr
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("code", [RESOLVE, LOOK_UP], ids=["install", "dry-run"])
def test_a_wheel_without_one_builds_nothing_on_the_server(
    unpacked: Path, tmp_path: Path, code: str
) -> None:
    copy = shutil.copytree(unpacked, tmp_path / "copy")
    shutil.rmtree(copy / RELEASES)
    done = ucontact(copy, tmp_path, code=code)
    assert "UsageError: this installation of ucontact includes no evaluation release" in done.stderr
    assert not (tmp_path / "var").exists()


def test_a_publisher_signs_the_release_in_it(unpacked: Path, tmp_path: Path) -> None:
    key = publishers_key(tmp_path / "publisher.key")
    signed = make_wheel(tmp_path, built(tmp_path / "state"), "--sign-with", str(key))
    with zipfile.ZipFile(signed) as packed:
        manifest = parse_manifest(packed.read(f"{RELEASES}/{MANIFEST_NAME}"), "wheel")
    assert is_signed_by(manifest, KEY.public_key())
    own = parse_manifest((unpacked / RELEASES / MANIFEST_NAME).read_bytes(), "wheel")
    assert (own.signature, own.signed_bytes()) == (None, manifest.signed_bytes())


@pytest.mark.parametrize("content", [None, b"", b"no key"])
def test_a_publishers_key_that_is_none_makes_no_wheel(
    tmp_path: Path, content: bytes | None
) -> None:
    key = tmp_path / "publisher.key"
    if content is not None:
        key.write_bytes(content)
    words = [sys.executable, str(INSTALLER / "wheel.py"), "--outdir", str(tmp_path / "dist")]
    done = subprocess.run(
        [*words, "--sign-with", str(key)], capture_output=True, text=True, check=False
    )
    assert done.returncode in (2, 3)
    assert "the publisher's key" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "dist").exists()


def test_pip_installs_the_manual_and_the_completions_beside_the_program(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = [name.partition(".data/data/share/")[2] for name in packed.namelist()]
        (page,) = (name for name in packed.namelist() if name.endswith("/ucontact-install.1"))
        text = packed.read(page).decode()
    assert {
        "man/man1/ucontact.1",
        "man/man1/ucontact-doctor-history.1",
        "bash-completion/completions/ucontact",
        "zsh/site-functions/_ucontact",
        "fish/vendor_completions.d/ucontact.fish",
    } <= set(names)
    committed = datetime.fromtimestamp(int(git("log", "-1", "--format=%ct")), timezone.utc)
    assert f"{committed:%Y-%m-%d}" in text
