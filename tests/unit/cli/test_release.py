from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from typer.testing import CliRunner

from tests.unit.release.samples import KEY, archive, manifest_of, members
from ucontact_appliance.cli.release import app
from ucontact_appliance.errors import UsageError
from ucontact_appliance.release.store import resolve_release
from ucontact_appliance.release.trust import build_key, build_key_pem, publishers_folder


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive whose publisher is known here."""
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    publishers_folder().mkdir(parents=True)
    (publishers_folder() / "acme.pem").write_bytes(pem)
    return archive(tmp_path / "acme.tar.gz", members(manifest_of()))


def test_verify_says_what_it_verified(release: Path) -> None:
    shown = CliRunner().invoke(app, ["verify", str(release)])
    assert shown.exit_code == 0
    assert "verified acme 5.1: 17 files, signed by a publisher whose key is in" in shown.output


def test_verify_as_json(release: Path) -> None:
    shown = CliRunner().invoke(app, ["verify", str(release), "--json"])
    assert json.loads(shown.stdout) == {
        "name": "acme",
        "version": "5.1",
        "evaluation": False,
        "files": 17,
        "bytes": manifest_of().total_bytes,
        "trusted_by": "publisher",
    }


def test_verify_refuses_with_the_contracts_error(release: Path) -> None:
    release.write_bytes(b"")
    shown = CliRunner().invoke(app, ["verify", str(release)])
    assert isinstance(shown.exception, UsageError)
    assert shown.exception.exit_code == 2


def test_list(release: Path) -> None:
    assert json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout) == []
    stored = resolve_release(str(release), lambda text: None)
    rows = json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout)
    assert [(row["name"], row["archive"]) for row in rows] == [("acme", str(stored.archive))]
    assert "acme" in CliRunner().invoke(app, ["list"]).stdout


def test_list_survives_a_manifest_that_is_gone(release: Path) -> None:
    stored = resolve_release(str(release), lambda text: None)
    stored.manifest.unlink()
    shown = CliRunner().invoke(app, ["list"])
    assert shown.exit_code == 0
    assert stored.archive.name in shown.output.replace("\n", "")
    assert "can't be read" in shown.output
    rows = json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout)
    assert rows[0]["archive"] == str(stored.archive)
    assert "can't be read" in rows[0]["problem"]


def test_the_build_key_is_exported(release: Path) -> None:
    nothing = CliRunner().invoke(app, ["key"])
    assert isinstance(nothing.exception, UsageError)
    assert build_key(make=True) is not None
    shown = CliRunner().invoke(app, ["key"])
    assert shown.stdout.encode() == build_key_pem()
    target = release.with_name("builder.pem")
    assert CliRunner().invoke(app, ["key", "--out", str(target)]).exit_code == 0
    assert target.read_bytes() == build_key_pem()
