"""The releases on this machine: verified copies, each with its manifest next to it.

The one in an installed wheel is used in place, and not copied.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ucontact_appliance.errors import ApplianceError, UnreachableError, UsageError
from ucontact_appliance.language.messages import _, joined, with_note
from ucontact_appliance.os_errors import refused
from ucontact_appliance.release.evaluation import NAME as EVALUATION
from ucontact_appliance.release.evaluation import sources_hash, version_of
from ucontact_appliance.release.manifest import MANIFEST, ReleaseManifest
from ucontact_appliance.release.pack import write_archive
from ucontact_appliance.release.remembered import read_manifest
from ucontact_appliance.release.shipped import (
    SHIPPED,
    damaged,
    shipped_archive,
    shipped_manifest,
)
from ucontact_appliance.release.trust import TrustedKeys, load_trust
from ucontact_appliance.release.verify import verify_archive, verify_folder
from ucontact_appliance.resources import INSTALLED
from ucontact_appliance.site.files import private_dir, write_atomic
from ucontact_appliance.state import var_root

Say = Callable[[str], None]
_ARCHIVE = ".tar.gz"
_MANIFEST = ".manifest.json"
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class ReleaseFiles:
    """A verified release in the store: its archive, its manifest, and the archive's SHA-256."""

    archive: Path
    manifest: Path
    sha256: str


@dataclass(frozen=True)
class StoredRelease:
    """A release in the store with its manifest, or the reason why it can't be read."""

    archive: Path
    manifest: ReleaseManifest | None
    problem: str = ""


def releases_folder() -> Path:
    """The folder of verified releases on the machine that installs."""
    return var_root() / "releases"


def resolve_release(name: str, say: Say) -> ReleaseFiles:
    """The release of `site.yml` ('evaluation', an archive or a folder), verified and stored.

    The evaluation release is the one in the installed wheel. A checkout has none, and builds it if
    this version of it was not built here yet. Raises UsageError for anything that differs from
    what its publisher signed, and if a wheel contains no evaluation release.
    """
    if name == EVALUATION:
        found = _at_hand(load_trust())
        if found is None:
            _demand_checkout()
            found = ensure_evaluation(say)
        return found
    source = _source(name)
    say(_("verifying the release {source}", source=source))
    return _store(source, load_trust())


def look_up_release(name: str, say: Say) -> ReleaseFiles | None:
    """The release as by `resolve_release` if it is stored, else None; writes nothing (dry run).

    Reports what an install would do first. Raises as `resolve_release` does.
    """
    trust = load_trust()
    if name == EVALUATION:
        found = _at_hand(trust)
        if found is None:
            _demand_checkout()
            say(_("the evaluation release is not stored here: an installation builds it first"))
        return found
    source = _source(name)
    say(_("verifying the release {source}", source=source))
    manifest = verify_release(source)
    found = _in_store(archive_path(manifest.name, manifest.version), trust, manifest)
    if found is None:
        told = _(
            "the release {source} is valid: an installation copies it to {folder} first",
            source=source,
            folder=releases_folder(),
        )
        say(told)
    return found


def borrowed_release(name: str, folder: Path, say: Say) -> ReleaseFiles | None:
    """The release as by `resolve_release`, without storing it; its manifest is put into `folder`.

    None for an evaluation release that would have to be built first.
    """
    found = look_up_release(name, say)
    if found is not None or name == EVALUATION:
        return found
    source = _source(name)
    manifest = folder / MANIFEST
    manifest.write_bytes(verify_release(source).document())
    return ReleaseFiles(source, manifest, "" if source.is_dir() else _sha256(source))


def _at_hand(trust: TrustedKeys) -> ReleaseFiles | None:
    """The evaluation release of these sources, in the wheel or store; None if it must be built."""
    return _carried(trust) or _in_store(archive_path(EVALUATION, version_of(sources_hash())), trust)


def _carried(trust: TrustedKeys) -> ReleaseFiles | None:
    """The evaluation release in the installed wheel, verified; None in a checkout."""
    archive = shipped_archive()
    if archive is None:
        return None
    try:
        verify_archive(archive, trust)
    except ApplianceError as error:
        raise damaged(error.evidence) from error
    return ReleaseFiles(archive, manifest_path(archive), _sha256(archive))


def _demand_checkout() -> None:
    """Raise UsageError in an installed wheel: installing from a wheel never builds a release."""
    if INSTALLED:
        raise UsageError(
            _("this installation of ucontact includes no evaluation release"),
            evidence=_(
                "there is no {shipped}: the wheel was not made by 'make wheel'", shipped=SHIPPED
            ),
            helps=with_note(
                "make wheel",
                _("in the source tree, on another machine; then install that wheel here"),
            ),
        )


def _in_store(
    archive: Path, trust: TrustedKeys, wanted: ReleaseManifest | None = None
) -> ReleaseFiles | None:
    """The release at this place of the store; None unless it is complete and the wanted one."""
    beside = manifest_path(archive)
    if not (archive.exists() and beside.exists()):
        return None
    try:
        manifest = verify_archive(archive, trust)
    except ApplianceError:
        return None
    same = wanted is None or manifest.document() == wanted.document()
    return ReleaseFiles(archive, beside, _sha256(archive)) if same else None


def _source(name: str) -> Path:
    source = Path(name).expanduser()
    if not source.exists():
        raise UnreachableError(
            _("the release can't be found"),
            evidence=_("there is no {path}", path=source),
            helps=_("set 'release:' in site.yml to its archive or folder, or to 'evaluation'"),
        )
    return source


def verify_release(source: Path) -> ReleaseManifest:
    """The manifest of an archive or folder if it is what was signed; stores nothing."""
    verify = verify_folder if source.is_dir() else verify_archive
    return verify(source, load_trust())


def ensure_evaluation(say: Say) -> ReleaseFiles:
    """The evaluation release: from the installed wheel, from the store, or newly built."""
    if carried := _carried(load_trust()):
        return carried
    sources = sources_hash()
    archive = archive_path(EVALUATION, version_of(sources))
    with (private_dir(releases_folder()) / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second process finds what the first has built
        if archive.exists():
            try:
                return _listed(archive, verify_archive(archive, load_trust()))
            except ApplianceError as error:
                say(_("rebuilding the evaluation release: {why}", why=error.evidence))
        # Only a build needs the code of the rehearsal machines.
        from ucontact_appliance.release.build import build_evaluation  # noqa: PLC0415

        return build_evaluation(sources, say)


def archive_path(name: str, version: str) -> Path:
    """The path of the release of this name and version in the store."""
    return releases_folder() / f"ucontact-{name}-{version}{_ARCHIVE}"


def manifest_path(archive: Path) -> Path:
    """The path of the manifest of an archive in the store."""
    return archive.with_name(archive.name.removesuffix(_ARCHIVE) + _MANIFEST)


def store_release(manifest: ReleaseManifest, files: dict[str, bytes]) -> ReleaseFiles:
    """Put a release that was made here into the store, atomically."""
    target = archive_path(manifest.name, manifest.version)
    with _incoming() as incoming:
        with incoming.open("wb") as out:
            write_archive(out, manifest, files.__getitem__)
        incoming.replace(target)
    return _listed(target, manifest)


def stored_releases() -> tuple[StoredRelease, ...]:
    """The release in the installed wheel, then those in the store by name and version.

    Raises UsageError if the one in the wheel is damaged.
    """
    folder = releases_folder()
    found = sorted(folder.glob(f"*{_ARCHIVE}")) if folder.is_dir() else []
    archive = shipped_archive()
    carried = (StoredRelease(archive, shipped_manifest()),) if archive else ()
    return (*carried, *(_stored(path) for path in found))


def _stored(archive: Path) -> StoredRelease:
    try:
        return StoredRelease(archive, read_manifest(manifest_path(archive)))
    except ApplianceError as error:
        return StoredRelease(
            archive, None, joined(": ", filter(None, (error.what, error.evidence)))
        )


def _store(source: Path, trust: TrustedKeys) -> ReleaseFiles:
    """Copy first, then verify the copy, so that what is installed is what was verified."""
    with _incoming() as incoming:
        try:
            if source.is_dir():
                manifest = verify_folder(source, trust)
                with incoming.open("wb") as out:
                    write_archive(out, manifest, lambda name: (source / name).read_bytes())
            else:
                shutil.copyfile(source, incoming)
        except OSError as error:
            raise refused(
                _("the release {source} can't be copied", source=source), error, incoming
            ) from error
        manifest = verify_archive(incoming, trust)
        target = archive_path(manifest.name, manifest.version)
        incoming.replace(target)
    return _listed(target, manifest)


@contextmanager
def _incoming() -> Iterator[Path]:
    """A temporary path in the store; removed afterwards unless it was renamed."""
    folder = private_dir(releases_folder())
    with tempfile.TemporaryDirectory(dir=folder, prefix=".incoming-") as temporary:
        yield Path(temporary) / "release"


def _listed(archive: Path, manifest: ReleaseManifest) -> ReleaseFiles:
    """The stored archive, after updating the manifest next to it."""
    beside = manifest_path(archive)
    document = manifest.document()
    if not beside.exists() or beside.read_bytes() != document:
        write_atomic(beside, document, 0o600)
    return ReleaseFiles(archive, beside, _sha256(archive))


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        digest = hashlib.sha256()
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
