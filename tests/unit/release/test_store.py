from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.unit.release.samples import FILES, KEY, STRANGER, archive, folder, manifest_of, members
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.release import store
from ucontact_appliance.release.evaluation import version_of
from ucontact_appliance.release.manifest import sign
from ucontact_appliance.release.remembered import remember_manifest, remembered_manifest
from ucontact_appliance.release.store import (
    look_up_release,
    releases_folder,
    resolve_release,
    stored_releases,
    verify_release,
)
from ucontact_appliance.release.trust import (
    TrustedBy,
    TrustedKeys,
    build_key,
    build_key_path,
    build_key_pem,
    builders_folder,
    demand_trust,
    load_trust,
    trusted_by,
)
from ucontact_appliance.release.trust import publishers_folder as publishers
from ucontact_appliance.state import state_paths


def quiet(text: str) -> None:
    """Nobody listens."""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state of its own, in which the samples' publisher is known."""
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    publishers().mkdir(parents=True)
    (publishers() / "acme.pem").write_bytes(pem)
    return tmp_path


def test_an_archive_is_verified_and_a_copy_of_it_stored(state: Path) -> None:
    source = archive(state / "from-usb.tar.gz", members(manifest_of()))
    release = resolve_release(str(source), quiet)
    assert release.archive == releases_folder() / "ucontact-acme-5.1.tar.gz"
    assert release.archive.read_bytes() == source.read_bytes()
    assert release.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert release.manifest.read_bytes() == manifest_of().document()
    assert [one.manifest.title for one in stored_releases() if one.manifest] == ["acme 5.1"]
    assert resolve_release(str(source), quiet) == release


def test_a_folder_becomes_the_same_archive_each_time(state: Path) -> None:
    source = folder(state / "release", manifest_of())
    release = resolve_release(str(source), quiet)
    assert verify_release(release.archive) == manifest_of()
    assert resolve_release(str(source), quiet) == release


def test_a_bad_one_is_refused_and_leaves_nothing(state: Path) -> None:
    spoiled = archive(state / "r.tar.gz", members(manifest_of(), {**FILES, "web/x": b"x"}))
    with pytest.raises(UsageError, match="not what its publisher signed"):
        resolve_release(str(spoiled), quiet)
    strangers = archive(state / "s.tar.gz", members(manifest_of(key=STRANGER)))
    with pytest.raises(UsageError, match="not signed by a publisher") as refused:
        resolve_release(str(strangers), quiet)
    assert str(publishers()) in refused.value.helps
    assert list(releases_folder().iterdir()) == []


def test_a_foreign_evaluation_release_is_refused(state: Path) -> None:
    manifest = manifest_of(evaluation=True, key=STRANGER)
    source = archive(state / "r.tar.gz", members(manifest))
    with pytest.raises(UsageError, match="key that this machine does not trust") as refused:
        resolve_release(str(source), quiet)
    assert "ucontact release key --out" in refused.value.helps
    assert str(builders_folder()) in refused.value.helps


def test_a_builders_key_counts_for_evaluation_releases_alone(state: Path) -> None:
    pem = STRANGER.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    builders_folder().mkdir()
    (builders_folder() / "builder.pem").write_bytes(pem)
    carried = manifest_of(evaluation=True, key=STRANGER)
    release = resolve_release(str(archive(state / "r.tar.gz", members(carried))), quiet)
    assert verify_release(release.archive) == carried
    assert trusted_by(carried, load_trust()) is TrustedBy.BUILDER
    licensed = archive(state / "l.tar.gz", members(manifest_of(key=STRANGER)))
    with pytest.raises(UsageError, match="not signed by a publisher"):
        resolve_release(str(licensed), quiet)


def test_the_build_key_that_is_carried_to_another_machine(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/releases.md says: the key is exported here, put into builders.d there."""
    with pytest.raises(UsageError, match="has built no evaluation release"):
        build_key_pem()
    key = build_key(make=True)
    assert key is not None
    carried = manifest_of(evaluation=True, key=key)
    assert trusted_by(carried, load_trust()) is TrustedBy.THIS_MACHINE
    exported = build_key_pem()
    assert b"PRIVATE" not in exported
    monkeypatch.setenv("UCONTACT_VAR", str(state / "other"))
    assert trusted_by(carried, load_trust()) is None
    builders_folder().mkdir()
    (builders_folder() / "builder.pem").write_bytes(exported)
    assert trusted_by(carried, load_trust()) is TrustedBy.BUILDER


def test_what_the_wheel_carries_is_trusted_by_its_content(state: Path) -> None:
    """An archive of another builder too, when it came out the same: but for evaluation alone."""
    shipped = manifest_of(evaluation=True, key=None)
    trust = TrustedKeys(shipped=shipped)
    assert trusted_by(shipped, trust) is TrustedBy.SHIPPED
    assert trusted_by(manifest_of(evaluation=True, key=STRANGER), trust) is TrustedBy.SHIPPED
    changed = manifest_of({**FILES, "web/x": b"x"}, evaluation=True, key=None)
    assert trusted_by(changed, trust) is None
    licensed = manifest_of(key=None)
    assert trusted_by(licensed, TrustedKeys(shipped=licensed)) is None
    with pytest.raises(UsageError, match="not the one included in this installation") as refused:
        demand_trust(changed, trust, "r.tar.gz")
    assert "release: evaluation" in refused.value.helps


def test_what_is_not_there_is_named(state: Path) -> None:
    with pytest.raises(UnreachableError, match="can't be found") as missing:
        resolve_release(str(state / "nothing.tar.gz"), quiet)
    assert "nothing.tar.gz" in missing.value.evidence


@pytest.mark.parametrize("content", [b"", b"no key", bytes(100)])
@pytest.mark.parametrize("folder_of", [publishers, builders_folder])
def test_a_key_that_is_none_is_named(content: bytes, folder_of: Callable[[], Path]) -> None:
    folder_of().mkdir(exist_ok=True)
    (folder_of() / "other.pem").write_bytes(content)
    with pytest.raises(UsageError, match="the key of a publisher or builder") as refused:
        load_trust()
    assert "other.pem" in refused.value.evidence


def test_the_build_key_is_made_once_and_private() -> None:
    assert build_key(make=False) is None
    assert load_trust().builder is None
    key = build_key(make=True)
    assert key is not None
    again = build_key(make=True)
    assert again is not None
    assert again.private_bytes_raw() == key.private_bytes_raw()
    assert build_key_path().stat().st_mode & 0o777 == 0o600
    build_key_path().write_bytes(b"damaged")
    with pytest.raises(UsageError, match="damaged"):
        build_key(make=True)


def test_the_evaluation_is_built_once_for_the_same_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    from ucontact_appliance.release import build  # noqa: PLC0415

    built: list[str] = []

    def fake(sources: str, say: store.Say) -> store.ReleaseFiles:
        built.append(sources)
        manifest = manifest_of(evaluation=True, version=version_of(sources))
        manifest = manifest.model_copy(update={"name": "evaluation"})
        key = build_key(make=True)
        assert key is not None
        return store.store_release(sign(manifest, key), FILES)

    monkeypatch.setattr(build, "build_evaluation", fake)
    monkeypatch.setattr(store, "sources_hash", lambda: "a" * 64)
    first = resolve_release("evaluation", quiet)
    assert resolve_release("evaluation", quiet) == first
    assert built == ["a" * 64]

    said: list[str] = []
    first.archive.write_bytes(first.archive.read_bytes()[:-100])
    resolve_release("evaluation", said.append)
    assert len(built) == 2
    assert "rebuilding" in said[0]

    monkeypatch.setattr(store, "sources_hash", lambda: "b" * 64)
    assert resolve_release("evaluation", quiet).archive != first.archive
    assert built[2:] == ["b" * 64]


def everything_below(folder_: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder_.rglob("*")}


def test_looking_a_release_up_changes_nothing(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = archive(state / "r.tar.gz", members(manifest_of()))
    before, said = everything_below(state), list[str]()
    assert look_up_release(str(source), said.append) is None
    assert "copies it to" in said[-1]
    monkeypatch.setattr(store, "sources_hash", lambda: "c" * 64)
    assert look_up_release("evaluation", said.append) is None
    assert "builds it first" in said[-1]
    assert everything_below(state) == before


def test_a_stored_release_is_looked_up_as_it_is(state: Path) -> None:
    source = archive(state / "r.tar.gz", members(manifest_of()))
    stored = resolve_release(str(source), quiet)
    assert look_up_release(str(source), quiet) == stored
    assert look_up_release(str(folder(state / "release", manifest_of())), quiet) == stored
    stored.archive.write_bytes(stored.archive.read_bytes()[:-100])
    assert look_up_release(str(source), quiet) is None


def test_a_bad_release_is_refused_when_it_is_looked_up(state: Path) -> None:
    spoiled = archive(state / "r.tar.gz", members(manifest_of(), {**FILES, "web/x": b"x"}))
    with pytest.raises(UsageError, match="not what its publisher signed"):
        look_up_release(str(spoiled), quiet)


def test_a_site_remembers_what_it_got(state: Path) -> None:
    paths = state_paths("demo")
    assert remembered_manifest(paths) is None
    source = archive(state / "r.tar.gz", members(manifest_of()))
    remember_manifest(paths, resolve_release(str(source), quiet).manifest)
    assert remembered_manifest(paths) == manifest_of()
