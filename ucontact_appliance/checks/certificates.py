"""Checks of the keys and certificates on a host's disk, and that services use these."""

from __future__ import annotations

import math
import shlex
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ucontact_appliance.checks.expiry import WARN_DAYS, verdict_on
from ucontact_appliance.checks.model import (
    Check,
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.facts import tls
from ucontact_appliance.facts.certificates import (
    FOLDER,
    CertificatePair,
    KeyFile,
    Mode,
    modes,
    pair,
    web_keys,
)
from ucontact_appliance.language.messages import _, joined, verbatim, with_note
from ucontact_appliance.planning.certificates import days_left, names_of, spki_pin
from ucontact_appliance.planning.chains import judge_served
from ucontact_appliance.planning.component_tables import registered_port
from ucontact_appliance.planning.model import Role

_GROUP = "ucontact-tls"
_PORTAL = ("portal", "portal-ca")
_INTERNAL = ("internal", "ca")
_BACKUP_KEY = "hpkp-backup.key"
# The services with the portal's certificate: id in the port registry, role, the command that
# reloads the file without dropping a call, and the requirement.
_SERVERS = (
    ("https", Role.BACKEND, "systemctl reload nginx.service", "R01"),
    ("wss", Role.TELEPHONY, "asterisk -rx 'module reload http'", "R02"),
    ("sip-tls", Role.TELEPHONY, "asterisk -rx 'core restart when convenient'", "R04"),
    ("turn-tls", Role.TELEPHONY, "systemctl kill -s USR2 coturn.service", "R03"),
)

_ANSWERS = {
    "https": ("web.answers",),
    "wss": ("wss.answers",),
    "sip-tls": ("tls.sip-tls.answers",),
    "turn-tls": ("stun.binding",),
}


def judge_pair(found: CertificatePair, names: tuple[str, ...], now: datetime) -> Judgement:
    """Require a valid chain, key, names and dates of a pair on disk."""
    required = _("key, chain and dates are valid for {names}", names=joined(", ", names))
    if not found.chain.strip():
        return failed(_("there is no certificate"), required, found.evidence)
    problems = judge_served(
        found.chain.encode(), found.public.encode(), found.roots.encode(), names, now
    )
    if problems:
        return failed(
            verbatim(problems[0].what), required, "\n".join(str(problem) for problem in problems)
        )
    leaf = _leaf(found)
    return passed(
        _(
            "issued by {rfc4514_string} for {names_of}",
            rfc4514_string=leaf.issuer.rfc4514_string(),
            names_of=joined(", ", names_of(leaf)),
        ),
        required,
    )


@check(
    id="certificates.portal",
    title=_("The portal's key and certificate on disk are valid"),
    severity=Severity.CRITICAL,
    requirements=("R01", "R02"),
    remedy="{install}",
)
def _portal(subject: Subject) -> Judgement:
    if not _serves_portal(subject):
        return skipped(_("this host does not serve the portal"))
    return judge_pair(subject.facts.get(pair, *_PORTAL), (subject.site.fqdn,), subject.now)


@check(
    id="certificates.internal",
    title=_("The internal key and certificate on disk are valid"),
    severity=Severity.HIGH,
    requirements=("R16",),
    remedy="{install}",
)
def _internal(subject: Subject) -> Judgement:
    names = (subject.host.name, "localhost", "127.0.0.1")
    return judge_pair(subject.facts.get(pair, *_INTERNAL), names, subject.now)


def judge_dates(found: tuple[CertificatePair, ...], now: datetime) -> Judgement:
    """Judge the days until the first certificate of any chain on disk, or its root, expires."""
    required = _("no certificate expires within {warn_days} days", warn_days=WARN_DAYS)
    certificates = [
        certificate
        for one in found
        for text in (one.chain, one.roots)
        for certificate in x509.load_pem_x509_certificates(text.encode())
    ]
    first = min(certificates, key=lambda certificate: certificate.not_valid_after_utc)
    left = math.floor(days_left(first, now))
    evidence = "\n".join(
        f"{certificate.not_valid_after_utc:%Y-%m-%d} {certificate.subject.rfc4514_string()}"
        for certificate in dict.fromkeys(certificates)
    )
    title = first.subject.rfc4514_string() or ", ".join(names_of(first))
    told = _("{title}: {left} days left", title=title, left=left)
    return Judgement(verdict_on(left), told, required, evidence)


@check(
    id="certificates.dates",
    title=_("No certificate is about to expire"),
    severity=Severity.HIGH,
    requirements=("R01",),
    remedy=with_note(
        "{install}", _("with source 'files': put the renewed chain and key in place first")
    ),
    needs=("certificates.portal", "certificates.internal"),
)
def _dates(subject: Subject) -> Judgement:
    names = (_PORTAL, _INTERNAL) if _serves_portal(subject) else (_INTERNAL,)
    return judge_dates(tuple(subject.facts.get(pair, *name) for name in names), subject.now)


def judge_current(
    found: CertificatePair, served: bytes, port: int, name: str = "portal"
) -> Judgement:
    """Require that the service serves the certificate on disk, `name`.pem."""
    required = _("port {port} serves {folder}/{name}.pem", port=port, folder=FOLDER, name=name)
    on_disk = _leaf(found)
    live = x509.load_der_x509_certificate(served)
    evidence = f"on disk: {_told(on_disk)}\nserved: {_told(live)}"
    if served != on_disk.public_bytes(Encoding.DER):
        return failed(_("another certificate is served"), required, evidence)
    return passed(
        _("serial {serial_number:x}", serial_number=live.serial_number), required, evidence
    )


def _served(port_id: str, role: Role, reload: str, requirement: str) -> Check:
    port = registered_port(port_id)

    @check(
        id=f"certificates.served.{port_id}",
        title=_("Port {port} serves the certificate on disk", port=port),
        severity=Severity.HIGH,
        requirements=(requirement,),
        remedy=f"{{ssh}} {reload}",
        role=role,
        needs=("certificates.portal", f"ports.{port_id}", *_ANSWERS.get(port_id, ())),
        timeout=15.0,
    )
    def judge(subject: Subject) -> Judgement:
        roots = str(subject.state.pki / "portal-ca.pem")
        served = subject.facts.get(tls.greeting, port, roots).certificate
        return judge_current(subject.facts.get(pair, *_PORTAL), served, port)

    return judge


SERVED = tuple(_served(*server) for server in _SERVERS)


def judge_modes(found: tuple[Mode, ...]) -> Judgement:
    """Require private keys readable by root and the services' group only, writable by root only.

    A file that a service can't read stops it at its next start or connection.
    """
    required = _(
        "private keys -rw-r----- root:{group}; folders and certificates writable by root only",
        group=_GROUP,
    )
    if not found:
        return failed(_("{folder} is missing", folder=FOLDER), required)
    evidence = "\n".join(one.line for one in found)
    wrong = [one for one in found if not _is_safe(one)]
    if wrong:
        return failed(joined("; ", (one.line for one in wrong)), required, evidence)
    return passed(_("as required"), required, evidence)


@check(
    id="certificates.modes",
    title=_("Private keys are readable only by their services"),
    severity=Severity.CRITICAL,
    requirements=("R01",),
    remedy="{install}",
)
def _modes(subject: Subject) -> Judgement:
    return judge_modes(subject.facts.get(modes))


def _is_safe(one: Mode) -> bool:
    private = one.path.startswith(f"{FOLDER}/private")
    others, group_writes = one.mode[7:10], one.mode[5] == "w"
    if one.owner != "root" or group_writes or others[1] == "w":
        return False
    if one.path.endswith(".key") and not (private and one.mode[4] == "r"):
        return False
    if one.path.endswith(".pem") and "r" not in (others[0], one.mode[4]):
        return False
    return not private or (others == "---" and one.group in {_GROUP, "root"})


def judge_backup(found: tuple[KeyFile, ...], backup: str, local_copy: str) -> Judgement:
    """Require that the backup pin's private key is not on the web server (R10).

    `local_copy` is the backup key's path if the installing machine is the web server itself and
    still has it; empty otherwise.
    """
    required = _("the backup pin's private key is kept off the web server")
    evidence = "\n".join(f"{one.pin} {one.path}" for one in found)
    on_server = [one.path for one in found if one.pin == backup]
    if on_server:
        remedy = with_note(
            f"{{ssh}} shred -u {shlex.quote(on_server[0])}", _("the installing machine has a copy")
        )
        return failed(_("it is in {on_server}", on_server=on_server[0]), required, evidence, remedy)
    if local_copy:
        return warned(
            _(
                "this machine serves the portal and holds {local_copy} (0600)",
                local_copy=local_copy,
            ),
            required,
            evidence,
            with_note(
                f"mv {shlex.quote(local_copy)} /media/SAFE/",
                _("offline storage; installations do not need this key"),
            ),
        )
    return passed(
        _("none of the {count} private keys on the server matches it", count=len(found)),
        required,
        evidence,
    )


@check(
    id="certificates.backup",
    title=_("The backup pin's key is kept off the web server"),
    severity=Severity.MEDIUM,
    requirements=("R10",),
    remedy="{install}",
    role=Role.BACKEND,
)
def _backup(subject: Subject) -> Judgement:
    public = subject.state.pki / "hpkp-backup.pub.pem"
    pem = subject.facts.here(_content, public)
    if pem is None:
        return failed(_("no backup pin was made"), _("{public} exists", public=public))
    key = subject.state.pki / _BACKUP_KEY
    local_copy = subject.host.is_local and subject.facts.here(_is_there, key)
    return judge_backup(subject.facts.get(web_keys), spki_pin(pem), str(key) if local_copy else "")


def _leaf(found: CertificatePair) -> x509.Certificate:
    return x509.load_pem_x509_certificates(found.chain.encode())[0]


def _told(certificate: x509.Certificate) -> str:
    until = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
    return _(
        "serial {serial_number:x}, until {until}",
        serial_number=certificate.serial_number,
        until=until,
    )


def _serves_portal(subject: Subject) -> bool:
    roles = subject.plan.host(subject.host.name).roles
    return Role.TELEPHONY in roles or Role.BACKEND in roles


def _content(path: Path) -> bytes | None:
    """Return the file's content; None if it does not exist."""
    return path.read_bytes() if path.exists() else None


def _is_there(path: Path) -> bool:
    return path.exists()


CHECKS = checks_of(globals())
