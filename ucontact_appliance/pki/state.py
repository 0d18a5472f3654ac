"""Check that the keys and certificates on this machine are usable and match.

A damaged or lost key is never replaced silently: agents' PCs trust the site CA's key, and browsers
have pinned the portal's. A missing certificate is issued again with the same key.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    PublicKeyTypes,
)

from ucontact_appliance.damage import NEW_CA, Damage
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.language.messages import _, concatenated, what_of, with_note
from ucontact_appliance.planning.certificates import public_der, spki_pin, weak_key
from ucontact_appliance.planning.ownership import SiteMark, mark_of
from ucontact_appliance.site.model import CertificateSource, Site

_CA = ("ca.key", "ca.pem")
_BACKUP = ("hpkp-backup.key", "hpkp-backup.pub.pem")
_TRUST = _("every agent's PC must then trust the new CA")


def load_key(data: bytes) -> CertificateIssuerPrivateKeyTypes:
    """Parse a private key in PEM. Raises ValueError, with the reason, when it can't be used."""
    if not data.strip():
        raise ValueError(_("the file is empty"))
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's own message could quote the file.
        raise ValueError(_("it holds no unencrypted private key in PEM")) from None
    weak = weak_key(key.public_key())
    if weak:
        raise ValueError(weak)
    return key  # type: ignore[return-value]


def pki_damage(site: Site, pki: Path) -> tuple[Damage, ...]:
    """Return what is damaged, lost or inconsistent in the pki folder; empty before any install.

    Raises UnreachableError when a file can't be read.
    """
    state = _State(pki)
    found = [*_authority(state, site)]
    if site.certificate.source is not CertificateSource.FILES:
        found += _portal(state)
    for host in site.hosts:
        found += _internal(state, f"internal-{host.name}")
    return (*found, *_recordings(state), *_backup(state))


def ca_mark(site: Site, pki: Path) -> SiteMark | None:
    """Return the mark that identifies this machine's CA of the site; None without a usable CA."""
    state = _State(pki)
    key, certificate = state.key("ca.key"), state.certificate("ca.pem")
    if certificate is not None:
        return mark_of(certificate.public_bytes(serialization.Encoding.PEM))
    if key is None or isinstance(key, str):
        return None
    return SiteMark(site.site, _pin_of(key.public_key()), _("not issued yet"))


class _State:
    """The files of the folder; a defect of a key is returned, not raised."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> bytes | None:
        """Return the content; None when there is no such file."""
        path = self.folder / name
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnreachableError(
                _("{path} can't be read", path=path),
                evidence=str(error),
                helps=_("run the command as root"),
            ) from error

    def has(self, name: str) -> bool:
        """Return whether the file exists, with any content."""
        return self.read(name) is not None

    def key(self, name: str) -> CertificateIssuerPrivateKeyTypes | str | None:
        """The key, the reason why it can't be used, or None when there is no such file."""
        data = self.read(name)
        try:
            return None if data is None else load_key(data)
        except ValueError as error:
            return what_of(error)

    def certificate(self, name: str) -> x509.Certificate | None:
        """The first certificate in the file; None when there is none."""
        try:
            return x509.load_pem_x509_certificates(self.read(name) or b"")[0]
        except ValueError:
            return None

    def paths(self, *names: str) -> tuple[Path, ...]:
        """Return the paths of those files that exist."""
        return tuple(self.folder / name for name in names if self.has(name))


def _authority(state: _State, site: Site) -> Iterator[Damage]:
    key, folder = state.key("ca.key"), state.folder
    path = folder / "ca.key"
    certificate = state.certificate("ca.pem")
    ways = with_note(
        _("restore {path} from your backup; without one: {command}", path=path, command=NEW_CA),
        _TRUST,
    )
    if isinstance(key, str):
        yield Damage(
            _("the key of the site's CA is damaged"),
            concatenated((f"{path}: ", key)),
            ways,
            state.paths(*_CA),
        )
    elif key is None:
        signed = state.paths("ca.pem", *(f"internal-{host.name}.pem" for host in site.hosts))
        if signed:
            yield Damage(
                _("the key of the site's CA is missing"),
                _("{signed} exists, but {path} does not", signed=signed[0], path=path),
                ways,
                state.paths(*_CA),
            )
    elif state.has("ca.pem") and certificate is None:
        yield Damage(
            _("the certificate of the site's CA is damaged"),
            _("{folder} holds no certificate in PEM", folder=folder / "ca.pem"),
            with_note(
                _(
                    "restore {folder} from your backup; without one: mv {folder} {folder}.damaged",
                    folder=folder / "ca.pem",
                ),
                _("the next installation issues it again, with the same key"),
            ),
            state.paths("ca.pem"),
        )
    elif certificate is not None and not _is_of(certificate.public_key(), key):
        yield Damage(
            _("the key and the certificate of the site's CA do not match"),
            _("{path} is not the key of {folder}", path=path, folder=folder / "ca.pem"),
            with_note(
                _("restore both from the same backup; without one: {new_ca}", new_ca=NEW_CA),
                _TRUST,
            ),
            state.paths(*_CA),
        )
    elif certificate is None:
        for host in site.hosts:
            issued = state.certificate(f"internal-{host.name}.pem")
            if issued is not None and not _issued_by(issued, key):
                yield Damage(
                    _("the key of the site's CA has changed"),
                    _(
                        "{path} did not sign {folder}",
                        path=path,
                        folder=folder / f"internal-{host.name}.pem",
                    ),
                    ways,
                    state.paths(*_CA),
                )
                return


def _portal(state: _State) -> Iterator[Damage]:
    path = state.folder / "portal.key"
    key = state.key("portal.key")
    if isinstance(key, str):
        yield Damage(
            _("the portal's key is damaged"),
            concatenated((f"{path}: ", key)),
            with_note(
                _(
                    "restore {path} from your backup; without one: mv {path} {path}.damaged",
                    path=path,
                ),
                _("the next installation uses the backup key, which browsers have pinned"),
            ),
            (path,),
        )
    elif key is None and state.has("portal.pem") and not state.paths(*_BACKUP):
        portal = state.folder / "portal.pem"
        yield Damage(
            _("the portal's key is missing, and so is the backup key"),
            _(
                "{portal} exists, but neither {path} nor {folder} does",
                portal=portal,
                path=path,
                folder=state.folder / _BACKUP[0],
            ),
            with_note(
                _(
                    "restore {path} from your backup; without one: mv {portal} {portal}.old",
                    path=path,
                    portal=portal,
                ),
                _("the next installation issues a certificate with a new key"),
            ),
            (portal,),
        )


def _internal(state: _State, name: str) -> Iterator[Damage]:
    path, issued = state.folder / f"{name}.key", state.folder / f"{name}.pem"
    key = state.key(path.name)
    away = f"mv {issued} {issued}.old"
    if isinstance(key, str):
        yield Damage(
            _("the key of a server's internal certificate is damaged"),
            concatenated((f"{path}: ", key)),
            with_note(
                _(
                    "restore {path} from your backup; without one: mv {path} {path}.damaged; "
                    "{command}",
                    path=path,
                    command=away,
                ),
                _("the next installation issues a new one, which only the site's servers use"),
            ),
            state.paths(path.name, issued.name),
        )
    elif key is None and state.has(issued.name):
        yield Damage(
            _("the key of a server's internal certificate is missing"),
            _("{issued} exists, but {path} does not", issued=issued, path=path),
            with_note(
                _(
                    "restore {path} from your backup; without one: {command}",
                    path=path,
                    command=away,
                ),
                _("the next installation issues a new one, which only the site's servers use"),
            ),
            (issued,),
        )


def _recordings(state: _State) -> Iterator[Damage]:
    """Check the key of encrypted recordings: none of them can be played without it."""
    path, issued = state.folder / "recordings.key", state.folder / "recordings.pem"
    key = state.key(path.name)
    if isinstance(key, str):
        observed = concatenated((f"{path}: ", key))
        away = f"mv {path} {path}.damaged; mv {issued} {issued}.old"
    elif key is None and issued.exists():
        observed = _("{issued} exists, but {path} does not", issued=issued, path=path)
        away = f"mv {issued} {issued}.old"
    else:
        return
    yield Damage(
        _("the key of the encrypted recordings is damaged or missing"),
        observed,
        with_note(
            _("restore {path} from your backup; without one: {command}", path=path, command=away),
            _("the next installation makes a new one; nobody can play what is encrypted already"),
        ),
        state.paths(path.name, issued.name),
    )


def _backup(state: _State) -> Iterator[Damage]:
    """Check the HPKP backup key, which may be kept elsewhere, with only its public half here."""
    private, public = (state.folder / name for name in _BACKUP)
    key, pinned = state.key(private.name), state.read(public.name)
    pins = state.folder / "pins.json"
    anew = _(
        "the next installation creates a new one; browsers that pinned the old one "
        "learn the new pin as long as the portal's key stays the same"
    )
    if isinstance(key, str):
        yield Damage(
            _("the HPKP backup key is damaged"),
            concatenated((f"{private}: ", key)),
            _(
                "restore {private} from your backup, or rename it if {public} is "
                "intact: mv {private} {private}.damaged",
                private=private,
                public=public,
            ),
            (private,),
        )
    elif pinned is not None and _pin(pinned) is None:
        yield Damage(
            _("the public half of the HPKP backup key is damaged"),
            _("{public} holds no public key in PEM", public=public),
            with_note(
                _(
                    "restore {public} from your backup; if {private} exists: mv "
                    "{public} {public}.damaged",
                    public=public,
                    private=private,
                ),
                _("the next installation writes it again"),
            ),
            (public,),
        )
    elif key is None and pinned is None and pins.exists():
        yield Damage(
            _("the HPKP backup key is lost"),
            _(
                "{pins} names it, but neither {private} nor {public} exists",
                pins=pins,
                private=private,
                public=public,
            ),
            with_note(
                _(
                    "restore {path} from your backup; without one: mv {pins} {pins}.old",
                    path=private,
                    pins=pins,
                ),
                anew,
            ),
            (pins,),
        )
    elif key is not None and pinned is not None and not _is_of_pem(pinned, key):
        # A run killed right after it made a new backup key leaves the served key's public half.
        served = state.certificate("portal.pem")
        if served is None or _pin(pinned) != _pin_of(served.public_key()):
            yield Damage(
                _("the HPKP backup key and its public half do not match"),
                _("{private} is not the key of {public}", private=private, public=public),
                with_note(
                    _(
                        "restore both from the same backup; if the private one is "
                        "correct: mv {public} {public}.damaged",
                        public=public,
                    ),
                    _("the next installation writes it again"),
                ),
                (private, public),
            )


def _is_of(public: PublicKeyTypes, key: CertificateIssuerPrivateKeyTypes) -> bool:
    return public_der(public) == public_der(key.public_key())


def _is_of_pem(public: bytes, key: CertificateIssuerPrivateKeyTypes) -> bool:
    return _pin(public) == _pin_of(key.public_key())


def _pin(public: bytes) -> str | None:
    try:
        return spki_pin(public)
    except (ValueError, UnsupportedAlgorithm):
        return None


def _pin_of(public: PublicKeyTypes) -> str:
    return spki_pin(
        public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def _issued_by(certificate: x509.Certificate, key: CertificateIssuerPrivateKeyTypes) -> bool:
    """Whether its authority key identifier (RFC 5280, 4.2.1.1) is that key's."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound:
        return False
    wanted = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    return found.value.key_identifier == wanted.key_identifier
