"""Which wheels of the appliance are trusted, and what they say of themselves."""

from __future__ import annotations

import hashlib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.unit.release.samples import KEY
from ucontact_appliance.errors import ApplianceError, UnreachableError, UsageError
from ucontact_appliance.release import wheel as wheels
from ucontact_appliance.release.wheel import (
    ApplianceWheel,
    demand_same_content,
    new_entries,
    sign_wheel,
    signature_path,
    verified_wheel,
)

TRUSTED = (KEY.public_key(),)
CHANGELOG = "# Changelog\n\n## [1.3.0]\n\n### Added\n- A thing.\n"
RECORD = "ucontact_appliance/a.py,sha256=x,1\nucontact_appliance-1.3.0.dist-info/RECORD,,\n"


def make(
    folder: Path, version: str = "1.3.0", inside: str | None = None, changelog: str = CHANGELOG
) -> Path:
    path = folder / f"ucontact_appliance-{version}-py3-none-any.whl"
    info = f"ucontact_appliance-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr(f"{info}/METADATA", f"Metadata-Version: 2.4\nVersion: {inside or version}\n")
        out.writestr(f"{info}/RECORD", RECORD)
        if changelog:
            out.writestr("ucontact_appliance/_bundle/CHANGELOG.md", changelog)
    return path


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    (tmp_path / "copies").mkdir()
    return tmp_path / "copies"


def test_a_publishers_signature_is_enough(tmp_path: Path, copies: Path) -> None:
    source = make(tmp_path)
    assert sign_wheel(source, KEY) == signature_path(source)
    found = verified_wheel(source, copies, TRUSTED)
    assert (found.version, found.changelog) == ("1.3.0", CHANGELOG)
    assert found.path.parent == copies
    assert found.path.read_bytes() == source.read_bytes()
    assert found.record == {"ucontact_appliance/a.py,sha256=x,1"}


def test_so_is_the_hash_that_the_operator_knows(tmp_path: Path, copies: Path) -> None:
    source = make(tmp_path, changelog="")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert verified_wheel(source, copies, (), digest.upper()).changelog == ""
    with pytest.raises(UsageError, match="not what its publisher signed") as caught:
        verified_wheel(source, copies, (), "0" * 64)
    assert digest in caught.value.evidence


def test_a_wrong_hash_is_no_signatures_matter(tmp_path: Path, copies: Path) -> None:
    source = make(tmp_path)
    sign_wheel(source, KEY)
    with pytest.raises(UsageError, match="not what its publisher signed"):
        verified_wheel(source, copies, TRUSTED, "0" * 64)


def test_an_unsigned_wheel_is_refused(tmp_path: Path, copies: Path) -> None:
    with pytest.raises(UsageError, match="no signature") as caught:
        verified_wheel(make(tmp_path), copies, TRUSTED)
    assert "--sha256" in caught.value.helps


def test_so_is_one_of_a_publisher_that_is_not_trusted(tmp_path: Path, copies: Path) -> None:
    source = make(tmp_path)
    sign_wheel(source, Ed25519PrivateKey.generate())
    for known in (TRUSTED, ()):
        with pytest.raises(UsageError, match="not signed by a publisher that this machine knows"):
            verified_wheel(source, copies, known)


def changed_later(source: Path) -> None:
    with zipfile.ZipFile(source, "a") as out:
        out.writestr("ucontact_appliance/b.py", "")


def of_another_version(source: Path) -> None:
    other = make(source.parent, "1.2.0")
    source.write_bytes(other.read_bytes())
    sign_wheel(other, KEY)
    signature_path(source).write_bytes(signature_path(other).read_bytes())


def without_a_manifest(source: Path) -> None:
    signature_path(source).write_text("{}")


def forged(source: Path) -> None:
    """The signature of another file, with this file's hash written into it."""
    text = signature_path(source).read_text()
    before = hashlib.sha256(source.read_bytes()).hexdigest()
    changed_later(source)
    after = hashlib.sha256(source.read_bytes()).hexdigest()
    signature_path(source).write_text(text.replace(before, after))


@pytest.mark.parametrize("spoil", [changed_later, of_another_version, without_a_manifest, forged])
def test_what_was_not_signed_is_refused(spoil: object, tmp_path: Path, copies: Path) -> None:
    source = make(tmp_path)
    sign_wheel(source, KEY)
    assert callable(spoil)
    spoil(source)
    with pytest.raises(UsageError):
        verified_wheel(source, copies, TRUSTED)


def test_name_and_content_have_one_version(tmp_path: Path, copies: Path) -> None:
    source = make(tmp_path, inside="1.2.0")
    sign_wheel(source, KEY)
    with pytest.raises(UsageError, match="not what") as caught:
        verified_wheel(source, copies, TRUSTED)
    assert "another version than its name" in caught.value.evidence


@pytest.mark.parametrize("name", ["typer-1.3.0-py3-none-any.whl", "ucontact_appliance.whl"])
def test_another_file_is_no_wheel_of_the_appliance(name: str, tmp_path: Path, copies: Path) -> None:
    with pytest.raises(UsageError, match="no wheel of the appliance"):
        verified_wheel(tmp_path / name, copies, TRUSTED)


def test_a_file_that_is_away_or_no_archive_is_told(tmp_path: Path, copies: Path) -> None:
    source = tmp_path / "ucontact_appliance-1.3.0-py3-none-any.whl"
    with pytest.raises(UnreachableError):
        verified_wheel(source, copies, TRUSTED)
    source.write_text("no archive")
    sign_wheel(source, KEY)
    with pytest.raises(UsageError) as caught:
        verified_wheel(source, copies, TRUSTED)
    assert "no intact wheel" in caught.value.evidence


def test_too_much_is_not_read(
    tmp_path: Path, copies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make(tmp_path)
    sign_wheel(source, KEY)
    for limit in ("_MAX_TEXT", "_MAX_WHEEL"):
        with monkeypatch.context() as limited:
            limited.setattr(wheels, limit, 8)
            with pytest.raises(ApplianceError):
                verified_wheel(source, copies, TRUSTED)
    verified_wheel(source, copies, TRUSTED)


BEFORE = """\
## [Unreleased]
### Added
- A thing that
  goes on.
### Fixed
- A fault.
"""
AFTER = """\
## [1.3.0]
### Security
- A hole.
### Added
- A thing that
  goes on.
- Another
  thing.

Text that is no entry.

## [1.2.0]
### Fixed
- A fault.
"""


def test_what_is_new_in_a_changelog() -> None:
    assert new_entries(BEFORE, AFTER) == (("Security", "A hole."), ("Added", "Another thing."))
    assert new_entries(AFTER, AFTER) == ()
    assert len(new_entries("", AFTER)) == 4


class Distribution:
    def __init__(self, record: str) -> None:
        self.record = record

    def read_text(self, name: str) -> str:
        assert name == "RECORD"
        return self.record


def test_the_same_version_has_the_same_content(monkeypatch: pytest.MonkeyPatch) -> None:
    pips = "../../bin/ucontact,sha256=y,9\nucontact_appliance/__pycache__/a.pyc,,\n"
    monkeypatch.setattr(wheels, "distribution", lambda name: Distribution(RECORD + pips))
    same = frozenset({"ucontact_appliance/a.py,sha256=x,1"})
    demand_same_content(ApplianceWheel(Path("w"), "1.3.0", "", same))
    other = frozenset({"ucontact_appliance/a.py,sha256=z,1"})
    with pytest.raises(UsageError, match="with other content"):
        demand_same_content(ApplianceWheel(Path("w"), "1.3.0", "", other))


def test_the_distribution_has_that_name() -> None:
    assert metadata.distribution(wheels._DISTRIBUTION).version
