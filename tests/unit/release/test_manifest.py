from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from tests.unit.release.samples import FILES, KEY, STRANGER, manifest_of
from ucontact_appliance.errors import UsageError
from ucontact_appliance.release.manifest import Migration, is_signed_by, parse_manifest, sign


def spoiled(**changes: object) -> bytes:
    return json.dumps({**json.loads(manifest_of().document()), **changes}).encode()


def entry(path: str) -> dict[str, object]:
    return {path: {"sha256": "0" * 64, "size": 1}}


def test_it_survives_writing_and_reading() -> None:
    manifest = manifest_of()
    assert parse_manifest(manifest.document(), "x") == manifest


@pytest.mark.parametrize(
    "path",
    [
        "../etc/passwd",
        "/etc/passwd",
        "web/../../etc/passwd",
        "web/./x",
        "web//x",
        "web/",
        "web",
        "etc/passwd",
        "web\\x",
        "web/x\n",
        "web/\x00",
        "web/" + "x" * 300,
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_manifest(spoiled(files=entry(path)), "a.tar.gz")
    assert refused.value.evidence.startswith("a.tar.gz: files")


@pytest.mark.parametrize(
    ("document", "names"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe\x00", "utf-8"),
        (b"[]", "dictionary"),
        (b"[" * 100_000, ""),
        (b'{"name": "a", "name": "b"}', "twice"),
        (spoiled(version="../x"), "version"),
        (spoiled(version="1.partial"), ".partial"),
        (spoiled(name=""), "name"),
        (spoiled(evaluation="yes"), "evaluation"),
        (spoiled(signatur=1), "signatur"),
        (spoiled(files={}), "files"),
        (spoiled(files={"web/x": {"sha256": "0" * 63, "size": 1}}), "sha256"),
        (spoiled(files={"web/x": {"sha256": "0" * 64, "size": -1}}), "size"),
        (spoiled(files={"web/x": {"sha256": "0" * 64, "size": 2**63}}), "size"),
        (spoiled(files={**entry("web/x"), **entry("web/x/y")}), "file and a folder"),
        (spoiled(health="http://elsewhere/"), "health"),
    ],
)
def test_anything_else_that_is_no_manifest_is_refused_by_name(document: bytes, names: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_manifest(document, "source")
    assert names in refused.value.evidence


def test_too_many_bytes_together_are_refused() -> None:
    many = {f"web/{n}": {"sha256": "0" * 64, "size": 2**32} for n in range(3)}
    with pytest.raises(UsageError, match="can't be used") as refused:
        parse_manifest(spoiled(files=many), "x")
    assert "the limit is" in refused.value.evidence


def test_the_signature_is_over_everything_else() -> None:
    signed = manifest_of()
    assert is_signed_by(signed, KEY.public_key())
    assert not is_signed_by(signed, STRANGER.public_key())
    assert not is_signed_by(manifest_of(key=None), KEY.public_key())
    for change in ({"version": "5.2"}, {"evaluation": True}, {"health": None}, {"name": "other"}):
        assert not is_signed_by(signed.model_copy(update=change), KEY.public_key())
    less = {path: entry for path, entry in signed.files.items() if path != "web/uContact/js/app.js"}
    assert not is_signed_by(signed.model_copy(update={"files": less}), KEY.public_key())


def test_a_signature_that_borrows_a_known_keys_name_is_wrong() -> None:
    forged = sign(manifest_of(key=None), STRANGER)
    assert forged.signature is not None
    known = manifest_of().signature
    assert known is not None
    borrowed = forged.signature.model_copy(update={"key": known.key})
    assert not is_signed_by(forged.model_copy(update={"signature": borrowed}), KEY.public_key())


def test_the_total_is_the_files() -> None:
    assert manifest_of().total_bytes == sum(map(len, FILES.values()))


MIGRATION = Migration(version="1", file="server/migrations/1.sql")
WITH_SQL = {**FILES, MIGRATION.file: b"do 0;"}


def test_a_release_without_migrations_is_signed_as_before_there_were_any() -> None:
    assert b"migrations" not in manifest_of().document()
    assert b"migrations" not in manifest_of().signed_bytes()
    signed = manifest_of(WITH_SQL, migrations=(MIGRATION,))
    assert parse_manifest(signed.document(), "here").migrations == (MIGRATION,)
    assert is_signed_by(signed, KEY.public_key())
    other = MIGRATION.model_copy(update={"database": "ccdata"})
    assert not is_signed_by(signed.model_copy(update={"migrations": (other,)}), KEY.public_key())


@pytest.mark.parametrize(
    ("migrations", "told"),
    [
        ((MIGRATION, MIGRATION), "occurs twice"),
        ((Migration(version="1", file="server/migrations/2.sql"),), "is no [.]sql file"),
        ((Migration(version="1", file="server/IntegraServer.jar"),), "is no [.]sql file"),
    ],
)
def test_a_migration_is_a_file_of_the_release(migrations: tuple[Migration, ...], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        manifest_of(WITH_SQL, migrations=migrations)


@pytest.mark.parametrize(
    "row",
    [
        {"version": "1; drop", "file": MIGRATION.file},
        {"version": "1", "file": "../x.sql"},
        {"version": "1", "file": MIGRATION.file, "database": "mysql"},
    ],
)
def test_a_migration_carries_no_other_text(row: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Migration.model_validate(row)
