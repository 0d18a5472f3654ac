"""Whose signatures count on this machine.

Publishers' public keys (PEM, Ed25519) lie in `/etc/ucontact/publishers.d/`. The evaluation release
is built here and signed by a key of this machine, which counts for evaluation releases alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.release.manifest import Manifest, is_signed_by
from ucontact_appliance.site.files import write_private
from ucontact_appliance.state import etc_root, var_root


@dataclass(frozen=True)
class Trust:
    """The keys that count: publishers' for any release, the builder's for evaluation releases."""

    publishers: tuple[Ed25519PublicKey, ...] = ()
    builder: Ed25519PublicKey | None = None


def publishers_folder() -> Path:
    """Where publishers' public keys lie. A site can't be called so: its name has no dot."""
    return etc_root() / "publishers.d"


def build_key_path() -> Path:
    """This machine's key for the evaluation releases that it builds, 0600.

    It lies beside them: what it signed and it are of use together alone.
    """
    return var_root() / "releases" / "build.key"


def load_trust() -> Trust:
    """The keys of this machine. Raises UsageError for a file that holds none."""
    folder = publishers_folder()
    paths = sorted(folder.glob("*.pem")) if folder.is_dir() else []
    builder = build_key(make=False)
    return Trust(
        publishers=tuple(_public_key(path) for path in paths),
        builder=builder.public_key() if builder else None,
    )


def build_key(*, make: bool) -> Ed25519PrivateKey | None:
    """This machine's build key; a new one when there is none and `make` is set."""
    path = build_key_path()
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        if not make:
            return None
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(path, pem)
    except OSError as error:
        raise UnreachableError(
            "the key for evaluation releases can't be read",
            evidence=str(error),
            helps="run the command as root",
        ) from error
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(
            "the key for evaluation releases is damaged",
            evidence=f"{path} holds no Ed25519 key",
            helps=f"rm {path}; ucontact release build-evaluation",
        )
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise UnreachableError(f"{path} can't be read", evidence=str(error)) from error
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(
            "a publisher's key can't be used",
            evidence=f"{path} holds no Ed25519 public key in PEM",
            helps=f"put the publisher's key there, or: rm {path}",
        )
    return key


def demand_signature(manifest: Manifest, trust: Trust, source: str) -> None:
    """Raises UsageError unless a key that counts has signed the manifest."""
    if any(is_signed_by(manifest, key) for key in trust.publishers):
        return
    if manifest.evaluation and trust.builder and is_signed_by(manifest, trust.builder):
        return
    if manifest.signature is None:
        why = "it carries no signature"
    else:
        known = len(trust.publishers)
        why = (
            f"its signature names the key {manifest.signature.key[:16]}… and is not by one of the "
            f"{known} publisher key(s) in {publishers_folder()}"
        )
    if manifest.evaluation:
        raise UsageError(
            "this evaluation release was not built on this machine",
            evidence=f"{source}: {why}",
            helps="ucontact release build-evaluation   (and 'release: evaluation' in site.yml)",
        )
    raise UsageError(
        "the release is not signed by a publisher that this machine knows",
        evidence=f"{source}: {why}",
        helps=f"put the publisher's public key (PEM) into {publishers_folder()}/",
    )
