"""The evaluation release in an installed wheel, and how `make wheel` puts it there.

The archive is in the package, next to its manifest, against which it is verified: trusting the
wheel means trusting that manifest, and nothing else vouches for it
(docs/decisions/0005-evaluation-release-in-the-wheel.md). A checkout has none.
"""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ucontact_appliance.errors import ApplianceError, UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.release.manifest import MANIFEST, ReleaseManifest, parse_manifest, sign
from ucontact_appliance.release.pack import write_archive
from ucontact_appliance.resources import ROOT

SHIPPED = ROOT / "releases"
ARCHIVE_NAME = "evaluation.tar.gz"
MANIFEST_NAME = "evaluation.manifest.json"


def shipped_archive() -> Path | None:
    """The archive that this installation of ucontact contains; None if it has none."""
    return SHIPPED / ARCHIVE_NAME if SHIPPED.exists() else None


def shipped_manifest() -> ReleaseManifest | None:
    """The manifest of the contained archive; None if there is none.

    Raises UsageError if the manifest in this installation of ucontact is missing or damaged.
    """
    if shipped_archive() is None:
        return None
    path = SHIPPED / MANIFEST_NAME
    try:
        return parse_manifest(path.read_bytes(), str(path))
    except OSError as error:
        raise damaged(f"{path}: {error.strerror or error}") from error
    except ApplianceError as error:
        raise damaged(error.evidence) from error


def damaged(evidence: str) -> UsageError:
    """The error for a contained release that differs from the wheel's."""
    return UsageError(
        _("the evaluation release in this installation of ucontact is damaged"),
        evidence=evidence,
        helps="python3 -m pip install --force-reinstall ucontact_appliance-*.whl",
    )


def write_shipped(archive: Path, folder: Path, key: Ed25519PrivateKey | None) -> ReleaseManifest:
    """Write the wheel's content into `folder`: the files of a verified archive, and its manifest.

    The signature of the build machine is left out, so that every machine makes the same wheel;
    `key` is a publisher's, and signs the manifest.
    """
    with tarfile.open(archive) as tar:
        contents = {
            # The archive was verified: each member is a plain file with content.
            member.name: cast("tarfile.ExFileObject", tar.extractfile(member)).read()
            for member in tar
        }
    manifest = parse_manifest(contents.pop(MANIFEST), str(archive))
    manifest = manifest.model_copy(update={"signature": None})
    if key is not None:
        manifest = sign(manifest, key)
    with (folder / ARCHIVE_NAME).open("wb") as out:
        write_archive(out, manifest, contents.__getitem__)
    (folder / MANIFEST_NAME).write_bytes(manifest.document())
    return manifest
