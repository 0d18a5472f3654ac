"""The keys whose signatures this machine trusts.

Publishers' public keys (PEM, Ed25519) are in `/etc/ucontact/publishers.d/`. Evaluation releases
need no publisher: trusted are the one in an installed wheel, one that this machine built and
signed, and one of another machine whose public key is in `/etc/ucontact/builders.d/`. These are
not trusted for any other release.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from ucontact_appliance.ed25519 import private_key
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.messages import _, concatenated, with_note
from ucontact_appliance.release.manifest import ReleaseManifest, is_signed_by
from ucontact_appliance.release.shipped import shipped_manifest
from ucontact_appliance.site.files import write_private
from ucontact_appliance.state import etc_root, var_root


@dataclass(frozen=True)
class TrustedKeys:
    """The trusted keys: publishers' for any release, the others for evaluation releases only.

    `builder` is this machine's own key, `builders` are other machines' keys, and `shipped` is the
    manifest of the release in the installed wheel.
    """

    publishers: tuple[Ed25519PublicKey, ...] = ()
    builder: Ed25519PublicKey | None = None
    builders: tuple[Ed25519PublicKey, ...] = ()
    shipped: ReleaseManifest | None = None


class TrustedBy(Enum):
    """Why a release is trusted; the value is text for people, shown after the release's name."""

    PUBLISHER = _("signed by a publisher whose key is in publishers.d")
    SHIPPED = _("the release included in this installation of ucontact")
    THIS_MACHINE = _("built and signed on this machine")
    BUILDER = _("signed by a builder whose key is in builders.d")


def publishers_folder() -> Path:
    """The folder of publishers' public keys. No site can have this name: site names have no dot."""
    return etc_root() / "publishers.d"


def builders_folder() -> Path:
    """The folder of public keys of other machines that build evaluation releases."""
    return etc_root() / "builders.d"


def build_key_path() -> Path:
    """This machine's key for signing the evaluation releases that it builds, 0600.

    It is in their folder, as the releases and the key are useless without each other.
    """
    return var_root() / "releases" / "build.key"


def load_trust() -> TrustedKeys:
    """The trusted keys of this machine. Raises UsageError for a file without a key."""
    builder = build_key(make=False)
    return TrustedKeys(
        publishers=_public_keys(publishers_folder()),
        builder=builder.public_key() if builder else None,
        builders=_public_keys(builders_folder()),
        shipped=shipped_manifest(),
    )


def build_key(*, make: bool) -> Ed25519PrivateKey | None:
    """This machine's build key; created if there is none and `make` is set, else None."""
    path = build_key_path()
    try:
        key = private_key(path.read_bytes())
    except FileNotFoundError:
        if not make:
            return None
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(path, pem)
    except OSError as error:
        raise UnreachableError(
            _("the key for evaluation releases can't be read"),
            evidence=str(error),
            helps=_("run the command as root"),
        ) from error
    if key is None:
        raise UsageError(
            _("the key for evaluation releases is damaged"),
            evidence=_("{path} holds no Ed25519 key", path=path),
            helps=f"rm {path}; ucontact release build-evaluation",
        )
    return key


def build_key_pem() -> bytes:
    """This machine's public build key in PEM. Raises UsageError if nothing was built yet."""
    key = build_key(make=False)
    if key is None:
        raise UsageError(
            _("this machine has built no evaluation release, and has no key for it"),
            evidence=_("there is no {path}", path=build_key_path()),
            helps="ucontact release build-evaluation",
        )
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _public_keys(folder: Path) -> tuple[Ed25519PublicKey, ...]:
    paths = sorted(folder.glob("*.pem")) if folder.is_dir() else []
    return tuple(_public_key(path) for path in paths)


def _public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise UnreachableError(_("{path} can't be read", path=path), evidence=str(error)) from error
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(
            _("the key of a publisher or builder can't be used"),
            evidence=_("{path} holds no Ed25519 public key in PEM", path=path),
            helps=_("put the right key there, or: rm {path}", path=path),
        )
    return key


def trusted_by(manifest: ReleaseManifest, trust: TrustedKeys) -> TrustedBy | None:
    """Why the manifest is trusted; None if it is not."""
    if any(is_signed_by(manifest, key) for key in trust.publishers):
        return TrustedBy.PUBLISHER
    if not manifest.evaluation:
        return None
    if trust.shipped and manifest.signed_bytes() == trust.shipped.signed_bytes():
        return TrustedBy.SHIPPED
    if trust.builder and is_signed_by(manifest, trust.builder):
        return TrustedBy.THIS_MACHINE
    if any(is_signed_by(manifest, key) for key in trust.builders):
        return TrustedBy.BUILDER
    return None


def demand_trust(manifest: ReleaseManifest, trust: TrustedKeys, source: str) -> None:
    """Raise UsageError unless the manifest is trusted."""
    if trusted_by(manifest, trust) is not None:
        return
    if manifest.signature is None:
        why = _("it is not signed")
    else:
        known = len(trust.publishers)
        why = _(
            "its signature names the key {key}… and was not made with any of the "
            "{count} publisher key(s) in {folder}",
            key=manifest.signature.key[:16],
            count=known,
            folder=publishers_folder(),
        )
    if not manifest.evaluation:
        raise UsageError(
            _("the release is not signed by a publisher that this machine knows"),
            evidence=concatenated((f"{source}: ", why)),
            helps=_(
                "put the publisher's public key (PEM) into {folder}/",
                folder=publishers_folder(),
            ),
        )
    if manifest.signature is None:
        raise UsageError(
            _("this evaluation release is not the one included in this installation of ucontact"),
            evidence=concatenated((f"{source}: ", why)),
            helps=_("write 'release: evaluation' into site.yml"),
        )
    raise UsageError(
        _("this evaluation release is signed by a key that this machine does not trust"),
        evidence=_(
            "{source}: {why}, nor with any of the {count} builder key(s) in {folder}",
            source=source,
            why=why,
            count=len(trust.builders),
            folder=builders_folder(),
        ),
        helps=with_note(
            "ucontact release key --out builder.pem",
            _(
                "on the machine that built it; then put builder.pem into {folder}/ here",
                folder=builders_folder(),
            ),
        ),
    )
