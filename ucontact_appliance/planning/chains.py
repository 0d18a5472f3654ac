"""Judge a certificate chain and its key before they replace anything (R01, R02, R10).

No I/O: bytes in, problems out. The same code judges the customer's own files (`source: files`)
before an install, and the files on a server in the checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID

from ucontact_appliance.language.messages import _, joined
from ucontact_appliance.planning.certificate_files import (
    PLACES,
    CertificateProblem,
    read_certificates,
    read_key,
)
from ucontact_appliance.planning.certificates import (
    has_broken_hash,
    is_issued_by,
    is_self_signed,
    names_of,
    public_der,
    speaks_for,
    weak_key,
)


def judge_chain(
    chain_pem: bytes, key_pem: bytes, ca_pem: bytes | None, names: Sequence[str], now: datetime
) -> tuple[CertificateProblem, ...]:
    """Everything that is wrong with the chain and key; empty if they can be served.

    `chain_pem` holds the server's certificate, then its intermediates. `ca_pem` holds the trusted
    roots (one or more, such as the system's); with None the chain is not checked against a root.
    `names` are the host names and addresses that clients connect to. `now` is a timezone-aware
    time.
    """
    key, problems = read_key(key_pem)
    public = None if key is None else key.public_key()
    return (*problems, *_judge(chain_pem, public, ca_pem, names, now))


def judge_served(
    chain_pem: bytes, public_pem: bytes, ca_pem: bytes | None, names: Sequence[str], now: datetime
) -> tuple[CertificateProblem, ...]:
    """`judge_chain` for a server's files, by the public key: the private key stays there."""
    try:
        public = serialization.load_pem_public_key(public_pem)
    except (ValueError, UnsupportedAlgorithm):
        return (
            CertificateProblem(
                _("no private key can be read from it"),
                PLACES["key"],
                _("Install it again with ucontact install"),
                "key",
            ),
        )
    return _judge(chain_pem, public, ca_pem, names, now)


def _judge(
    chain_pem: bytes,
    public: PublicKeyTypes | None,
    ca_pem: bytes | None,
    names: Sequence[str],
    now: datetime,
) -> tuple[CertificateProblem, ...]:
    certificates, problems = read_certificates(chain_pem, "chain")
    roots, root_problems = (None, []) if ca_pem is None else read_certificates(ca_pem, "ca")
    problems = [*problems, *root_problems]
    if certificates:
        leaf_first = True
        if public is not None:
            leaf_first, match_problems = _judge_match(certificates, public)
            problems += match_problems
        if leaf_first:
            problems += _judge_links(certificates, roots)
            problems += _judge_leaf(certificates[0], names)
        problems += _judge_each(certificates, now)
    return tuple(problems)


def _judge_match(
    certificates: Sequence[x509.Certificate], public: PublicKeyTypes
) -> tuple[bool, list[CertificateProblem]]:
    """Whether the first certificate belongs to the key, and the problems if it does not."""
    mine = public_der(public)
    matching = [n for n, c in enumerate(certificates) if public_der(c.public_key()) == mine]
    if matching and matching[0] == 0:
        return True, []
    if matching:
        return False, [
            CertificateProblem(
                _(
                    "wrong order: the key belongs to certificate {matching} of {count}, and the "
                    "server's certificate must come first",
                    matching=matching[0] + 1,
                    count=len(certificates),
                ),
                _place(matching[0], certificates),
                _("Put the server's certificate first, then each certificate's issuer"),
                "chain",
            )
        ]
    return True, [
        CertificateProblem(
            _(
                "the key does not match the certificate of {title}",
                title=_title(certificates[0]),
            ),
            PLACES["key"],
            _(
                "Provide the key that this certificate was requested with, or request "
                "a new certificate"
            ),
            "key",
        )
    ]


def _judge_links(
    certificates: Sequence[x509.Certificate], roots: Sequence[x509.Certificate] | None
) -> list[CertificateProblem]:
    problems: list[CertificateProblem] = []
    leaf = certificates[0]
    if is_self_signed(leaf):
        return [
            CertificateProblem(
                _("the server's certificate is self-signed; no browser trusts it"),
                _place(0, certificates),
                _("Use a certificate from a certificate authority, or 'source: private-ca'"),
                "chain",
            )
        ]
    for n, certificate in enumerate(certificates[:-1]):
        if is_issued_by(certificate, certificates[n + 1]):
            problems += _judge_issuer(n + 1, certificates)
            continue
        elsewhere = any(is_issued_by(certificate, other) for other in certificates)
        problems.append(
            CertificateProblem(
                _("wrong order: its issuer is in the file, but not right after it")
                if elsewhere
                else _(
                    "it was not issued by the next certificate; {issuer} is missing",
                    issuer=_issuer(certificate),
                ),
                _place(n, certificates),
                _("Put the server's certificate first, then each certificate's issuer"),
                "chain",
            )
        )
    last = certificates[-1]
    if problems:
        return problems
    if roots is None:
        if len(certificates) == 1:
            problems.append(_missing_intermediate(last, certificates))
    elif not any(is_self_signed(root) for root in roots):
        problems.append(_no_root(roots[0]))
    elif not _is_anchored(last, roots):
        problems.append(_missing_intermediate(last, certificates))
    return problems


def _is_anchored(last: x509.Certificate, roots: Iterable[x509.Certificate]) -> bool:
    """Whether a self-signed root issued it: OpenSSL (NGINX, Asterisk) trusts no intermediate."""
    return any(
        is_self_signed(root) and (last == root or is_issued_by(last, root)) for root in roots
    )


def anchors(chain_pem: bytes, ca_pem: bytes) -> tuple[x509.Certificate, ...]:
    """The roots of `ca_pem` that issued the chain's last certificate."""
    last = x509.load_pem_x509_certificates(chain_pem)[-1]
    roots = x509.load_pem_x509_certificates(ca_pem)
    return tuple(root for root in roots if _is_anchored(last, [root]))


def _missing_intermediate(
    last: x509.Certificate, certificates: Sequence[x509.Certificate]
) -> CertificateProblem:
    return CertificateProblem(
        _(
            "the chain ends at a certificate issued by {issuer}, which is not known here",
            issuer=_issuer(last),
        ),
        _place(len(certificates) - 1, certificates),
        _(
            "Add the missing intermediate at the end of the chain, or set "
            "'certificate.ca' to your authority's root"
        ),
        "chain",
    )


def _no_root(first: x509.Certificate) -> CertificateProblem:
    return CertificateProblem(
        _(
            "it holds no root: {title} is itself issued by {issuer}",
            title=_title(first),
            issuer=_issuer(first),
        ),
        PLACES["ca"],
        _("Put intermediates at the end of the chain, and only your authority's root here"),
        "ca",
    )


def _judge_issuer(n: int, certificates: Sequence[x509.Certificate]) -> list[CertificateProblem]:
    issuer = certificates[n]
    why = ""
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        if not constraints.ca:
            why = _("it is not a CA certificate")
        elif constraints.path_length is not None and n - 1 > constraints.path_length:
            why = _(
                "it allows {path_length} intermediates below it, and there are more",
                path_length=constraints.path_length,
            )
    except x509.ExtensionNotFound:
        why = _("it is not a CA certificate (no basic constraints)")
    if not why:
        return []
    return [
        CertificateProblem(
            _("{why}, but it issued the certificate before it", why=why),
            _place(n, certificates),
            _("Get the intermediates from your certificate authority again"),
            "chain",
        )
    ]


def _judge_leaf(leaf: x509.Certificate, names: Sequence[str]) -> list[CertificateProblem]:
    where = _("{chain}, the server's certificate", chain=PLACES["chain"])
    problems = [
        CertificateProblem(
            _(
                "it is not valid for {name}; it is valid for {names_of}",
                name=name,
                names_of=joined(", ", names_of(leaf)) or _("nothing"),
            ),
            where,
            _(
                "Ask your certificate authority for a certificate with {name} as a "
                "subject alternative name",
                name=name,
            ),
            "chain",
        )
        for name in names
        if not speaks_for(leaf, name)
    ]
    try:
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return problems
    if not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & {*usage}:
        problems.append(
            CertificateProblem(
                _("it is not a server certificate (no serverAuth in its extended key usage)"),
                where,
                _("Ask your certificate authority for a web server's certificate"),
                "chain",
            )
        )
    return problems


def _judge_each(
    certificates: Sequence[x509.Certificate], now: datetime
) -> list[CertificateProblem]:
    problems: list[CertificateProblem] = []
    renew = _("Renew it at your certificate authority")
    for n, certificate in enumerate(certificates):
        where = _place(n, certificates)
        if now >= certificate.not_valid_after_utc:
            ended = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
            problems.append(
                CertificateProblem(_("it expired on {ended}", ended=ended), where, renew, "chain")
            )
        if now < certificate.not_valid_before_utc:
            begins = _(
                "{not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
                not_valid_before_utc=certificate.not_valid_before_utc,
            )
            remedy = _("Wait until then, or set this machine's clock if it is wrong")
            problems.append(
                CertificateProblem(
                    _("it is not valid before {begins}", begins=begins), where, remedy, "chain"
                )
            )
        weakness = weak_key(certificate.public_key())
        if weakness:
            remedy = _("Ask for a certificate with a new key: RSA of 2048 bits or more, or P-256")
            problems.append(CertificateProblem(weakness, where, remedy, "chain"))
        # Clients do not verify a root's own signature.
        if not is_self_signed(certificate) and has_broken_hash(certificate):
            problems.append(
                CertificateProblem(_("it is signed with SHA-1 or MD5"), where, renew, "chain")
            )
    return problems


def _title(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or ", ".join(names_of(certificate)) or _("no name")


def _issuer(certificate: x509.Certificate) -> str:
    return certificate.issuer.rfc4514_string() or _("an issuer without a name")


def _place(n: int, certificates: Sequence[x509.Certificate]) -> str:
    return _(
        "{chain}, certificate {n} of {count} ({title})",
        chain=PLACES["chain"],
        n=n + 1,
        count=len(certificates),
        title=_title(certificates[n]),
    )
