"""Issue the site's keys and certificates on the installing machine; roles only copy them.

They are issued once and kept while valid. Renewal keeps the key, so that a pinned key (R10) stays
in use. The HPKP backup key never leaves this machine. When the portal's key is compromised, delete
`portal.key` and install again: the backup key, which browsers have pinned already, replaces it,
and a new backup key is made.
"""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.messages import _, concatenated, joined
from ucontact_appliance.pki.builder import (
    alternative_names,
    builder,
    certificate_pem,
    extension_of,
    key_pem,
    key_usage,
    new_key,
    permits,
    permitted_networks,
    pin_of,
    public_pem,
)
from ucontact_appliance.pki.folder import DryRunFolder, PkiFolder, read_file
from ucontact_appliance.pki.recordings_key import ensure_recordings_key
from ucontact_appliance.pki.state import pki_damage
from ucontact_appliance.planning.certificates import (
    days_left,
    fingerprint,
    is_issued_by,
    public_der,
    spki_pin,
)
from ucontact_appliance.planning.chains import anchors, judge_chain
from ucontact_appliance.planning.model import Plan, Role
from ucontact_appliance.planning.ownership import organisation
from ucontact_appliance.site.files import private_dir
from ucontact_appliance.site.model import CertificateSource, Site
from ucontact_appliance.site.values import LOCAL
from ucontact_appliance.state import StatePaths

_CA_DAYS = 3650
_LEAF_DAYS = 365  # browsers refuse more than 398
_RENEW_DAYS = 30
# An authority must outlive what it signs.
_RENEW_CA_DAYS = _LEAF_DAYS + _RENEW_DAYS
_COMMON_NAME_CHARS = 64  # X.520 ub-common-name
_SYSTEM_ROOTS = Path("/etc/ssl/certs/ca-certificates.crt")
_LOOPBACK = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class PkiResult:
    """The files that `ensure_pki` wrote to the pki folder, in order; empty if all were valid."""

    changed: tuple[str, ...]


@dataclass(frozen=True)
class _Authority:
    certificate: x509.Certificate
    key: CertificateIssuerPrivateKeyTypes


@dataclass(frozen=True)
class _Leaf:
    """A required certificate: file name, key, names and addresses, extended key usages."""

    name: str
    key: CertificateIssuerPrivateKeyTypes
    names: tuple[str, ...]
    usages: tuple[x509.ObjectIdentifier, ...]


@dataclass(frozen=True)
class _Job:
    """The inputs of every step. `reached` maps a host's name to its address."""

    folder: PkiFolder
    site: Site
    plan: Plan
    reached: Mapping[str, str]
    now: datetime


@dataclass(frozen=True)
class SiteAuthority:
    """The site's own CA: its certificate's path, and its fingerprint for comparison."""

    path: Path
    fingerprint: str


def site_authority(paths: StatePaths) -> SiteAuthority:
    """Return the site's CA. Raises UnreachableError when its certificate can't be read."""
    path = paths.pki / "ca.pem"
    try:
        return SiteAuthority(path, fingerprint(read_file(path)))
    except ValueError as error:
        raise UnreachableError(
            _("{path} holds no certificate", path=path), evidence=str(error)
        ) from error


def ensure_pki(
    site: Site,
    plan: Plan,
    paths: StatePaths,
    *,
    addresses: Mapping[str, str] = MappingProxyType({}),
    now: datetime | None = None,
) -> PkiResult:
    """Issue what the site needs into `paths.pki`; files that are still valid are not changed.

    `addresses` gives hosts' addresses by name where the plan has 'local' (default: the source
    address of this machine's default route). `now` is an aware time (default: the current time).
    Raises UsageError when the customer's own chain and key can't be used, or when a key is damaged
    or lost (nothing is written then), UnreachableError when a file can't be read or written.
    """
    now = now or datetime.now(timezone.utc)
    own = _judged(site, paths, now)
    private_dir(paths.pki)
    reached = {host.name: _address(host.name, host.address, addresses) for host in plan.hosts}
    return _brought(_Job(PkiFolder(paths.pki), site, plan, reached, now), own)


def foresee_pki(
    site: Site,
    plan: Plan,
    paths: StatePaths,
    *,
    addresses: Mapping[str, str] = MappingProxyType({}),
    now: datetime | None = None,
) -> PkiResult:
    """Return what `ensure_pki` would write now; writes nothing, and raises the same errors."""
    now = now or datetime.now(timezone.utc)
    own = _judged(site, paths, now)
    reached = {host.name: _address(host.name, host.address, addresses) for host in plan.hosts}
    return _brought(_Job(DryRunFolder(paths.pki), site, plan, reached, now), own)


def _judged(site: Site, paths: StatePaths, now: datetime) -> dict[str, bytes] | None:
    """Return the customer's files, or None if the site's CA signs. Raises if any is unusable."""
    for damage in pki_damage(site, paths.pki):
        raise damage.error()
    if site.certificate.source is not CertificateSource.FILES:
        return None
    return _customers_files(site, now)


def _brought(job: _Job, own: dict[str, bytes] | None) -> PkiResult:
    """Write what the site needs to the folder; return the written files."""
    folder = job.folder
    authority = _ensure_authority(job)
    if own:
        for name, data in own.items():
            folder.put(name, data, private=name.endswith(".key"))
    else:
        _ensure_portal(job, authority)
    for host in job.plan.hosts:
        _ensure_internal(job, authority, host.name)
    _ensure_pins(folder)
    if job.site.recordings.encryption:
        ensure_recordings_key(folder, job.now)
    return PkiResult(tuple(folder.changed))


def _address(name: str, address: str, known: Mapping[str, str]) -> str:
    if name in known:
        return known[name]
    if address != LOCAL:
        return address
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a UDP socket sends nothing: the kernel only picks the source address.
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1, RFC 5737
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _customers_files(site: Site, now: datetime) -> dict[str, bytes]:
    """Judge the customer's chain, key and root; return them in the form that is installed."""
    wanted = site.certificate
    if not wanted.chain or not wanted.key:  # the model has refused this already
        raise UsageError(_("certificate.source is 'files', but 'chain' or 'key' is missing"))
    chain, key = read_file(wanted.chain), read_file(wanted.key)
    roots_file = wanted.ca or (_SYSTEM_ROOTS if _SYSTEM_ROOTS.exists() else None)
    roots = read_file(roots_file) if roots_file else None
    problems = judge_chain(chain, key, roots, (site.fqdn,), now)
    if problems:
        files = {"chain": wanted.chain, "key": wanted.key, "ca": roots_file}
        raise UsageError(
            _("the certificate that site.yml names can't be used; nothing was changed"),
            evidence=joined(
                "\n",
                (concatenated((f"{files[problem.file]}: ", problem.words)) for problem in problems),
            ),
            helps=f"openssl crl2pkcs7 -nocrl -certfile {wanted.chain} | openssl pkcs7 -print_certs",
        )
    certificates = x509.load_pem_x509_certificates(chain)
    # Without a roots file, the last certificate of the chain is the trust anchor.
    ends = anchors(chain, roots) if roots else (certificates[-1],)
    private = serialization.load_pem_private_key(key, password=None)
    return {
        "portal.key": key_pem(private),  # type: ignore[arg-type]
        "portal.pem": b"".join(certificate_pem(certificate) for certificate in certificates),
        "portal-ca.pem": b"".join(certificate_pem(certificate) for certificate in ends),
    }


def _ensure_authority(job: _Job) -> _Authority:
    folder, site, reached = job.folder, job.site, job.reached
    dns = _unique([site.fqdn, *reached, "localhost"])
    networks = permitted_networks([*reached.values(), *_public(site)])
    key, known = folder.key("ca.key"), folder.certificate("ca.pem")
    if (
        key
        and known
        and public_der(known.public_key()) == public_der(key.public_key())
        and days_left(known, job.now) > _RENEW_CA_DAYS
        and permits(known, dns, networks)
    ):
        folder.put("ca.key", key_pem(key), private=True)  # also corrects the file mode
        return _Authority(known, key)
    key = key or new_key()
    # The same key and subject again: PCs that trust the older root still trust what it signs.
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation(site.site)),
            x509.NameAttribute(NameOID.COMMON_NAME, f"uContact CA {site.site}"[:64]),
        ]
    )
    certificate = (
        builder(subject, key.public_key(), key, job.now, _CA_DAYS)
        .issuer_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
        # This root goes into the trust stores of the agents' PCs: a stolen key must be good for
        # this site's names only.
        .add_extension(
            x509.NameConstraints(
                permitted_subtrees=[
                    *(x509.DNSName(name) for name in dns),
                    *(x509.IPAddress(ipaddress.ip_network(network)) for network in networks),
                ],
                excluded_subtrees=None,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    folder.put("ca.key", key_pem(key), private=True)
    folder.put("ca.pem", certificate_pem(certificate))
    return _Authority(certificate, key)


def _ensure_portal(job: _Job, authority: _Authority) -> None:
    """Ensure one certificate for 443 and 8089, for the site's name and the servers behind it."""
    front = [
        job.reached[host.name]
        for host in job.plan.hosts
        if Role.TELEPHONY in host.roles or Role.BACKEND in host.roles
    ]
    key = job.folder.key("portal.key")
    if key is None:
        # It was deleted because it is compromised: browsers have pinned the backup key, too.
        key = job.folder.key("hpkp-backup.key")
        if key is None and job.folder.read("hpkp-backup.pub.pem"):
            raise UsageError(
                _("the portal has no key, and the backup key is kept elsewhere"),
                evidence=_("{path} is missing", path=job.folder.path / "portal.key"),
                helps=_(
                    "restore hpkp-backup.key to {path}; if it is lost, delete {path2}; "
                    "then install again",
                    path=job.folder.path,
                    path2=job.folder.path / "hpkp-backup.pub.pem",
                ),
            )
        key = key or new_key()
    names = _unique([job.site.fqdn, *front, *_public(job.site)])
    _ensure_leaf(job, authority, _Leaf("portal", key, names, (ExtendedKeyUsageOID.SERVER_AUTH,)))
    job.folder.put("portal-ca.pem", certificate_pem(authority.certificate))


def _ensure_internal(job: _Job, authority: _Authority, host: str) -> None:
    """Ensure a host's internal certificate, valid for both ends of a connection."""
    name = f"internal-{host}"
    key = job.folder.key(f"{name}.key") or new_key()
    names = _unique([host, job.site.fqdn, job.reached[host], *_LOOPBACK])
    usages = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
    _ensure_leaf(job, authority, _Leaf(name, key, names, usages))


def _ensure_leaf(job: _Job, authority: _Authority, leaf: _Leaf) -> None:
    """Ensure NAME.key and NAME.pem; renew the certificate with the same key when necessary."""
    job.folder.put(f"{leaf.name}.key", key_pem(leaf.key), private=True)
    known = job.folder.certificate(f"{leaf.name}.pem")
    alternative = alternative_names(leaf.names)
    if (
        known
        and public_der(known.public_key()) == public_der(leaf.key.public_key())
        and is_issued_by(known, authority.certificate)
        and extension_of(known, x509.SubjectAlternativeName) == alternative
        and days_left(known, job.now) > _RENEW_DAYS
        and known.not_valid_before_utc <= job.now
    ):
        return
    first = leaf.names[0]
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, first)] if len(first) <= _COMMON_NAME_CHARS else []
    )
    certificate = (
        builder(subject, leaf.key.public_key(), authority.key, job.now, _LEAF_DAYS)
        .issuer_name(authority.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage(leaf.usages), critical=False)
        # RFC 5280 4.2.1.6: critical when there is no subject.
        .add_extension(alternative, critical=not subject.rdns)
        .sign(authority.key, hashes.SHA256())
    )
    job.folder.put(f"{leaf.name}.pem", certificate_pem(certificate))


def _unique(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))


def _ensure_pins(folder: PkiFolder) -> None:
    """Ensure a backup key pair other than the served one, and pins.json for the web role."""
    served = spki_pin(folder.read("portal.pem") or b"")
    backup, public = folder.key("hpkp-backup.key"), folder.read("hpkp-backup.pub.pem")
    # The private key may be kept elsewhere: its public half suffices for the pin.
    if backup or public is None or spki_pin(public) == served:
        if backup is None or pin_of(backup.public_key()) == served:
            backup = new_key()
        public = public_pem(backup.public_key())
        folder.put("hpkp-backup.key", key_pem(backup), private=True)
        folder.put("hpkp-backup.pub.pem", public)
    document = json.dumps({"served": served, "backup": spki_pin(public)}, indent=2) + "\n"
    folder.put("pins.json", document.encode())


def _public(site: Site) -> tuple[str, ...]:
    return (site.network.public_address,) if site.network.public_address else ()
