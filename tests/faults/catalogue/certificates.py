"""Keys and certificates."""

from __future__ import annotations

from tests.faults.catalogue.helpers import FQDN, NOT_TOLD, RELOAD_NGINX, TLS, ids
from tests.faults.model import Fault, Kind

# A certificate of the site's own CA, as the installing machine could have made it. It is made on
# the site's machine, whose openssl can set both dates.
_CA_HERE = 'mkdir -m 0700 "$ROOT/root/ca" && cp "$ETC"/pki/*.pem "$ETC"/pki/*.key "$ROOT/root/ca/"'


def _certificate(name: str, dates: str, key: str = f"{TLS}/private/portal.key") -> str:
    return (
        f"cd /root/ca && openssl req -new -key {key} -subj /CN={name} -out r.csr 2>/dev/null && "
        f'printf "subjectAltName=DNS:{name}\\n" > ext && '
        f"openssl x509 -req -in r.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ext {dates}"
        " -out leaf.pem 2>/dev/null && "
        f"cat leaf.pem > {TLS}/portal.pem"
    )


_TAKE_UP = (
    f"{RELOAD_NGINX} && asterisk -rx 'module reload http' && "
    "asterisk -rx 'module reload res_pjsip.so' && systemctl restart coturn && sleep 2"
)
FAULTS = (
    Fault(
        "certificate-expired",
        "the portal's certificate has expired, and is served",
        Kind.CERTIFICATE,
        ids("certificates.portal"),
        here=_CA_HERE,
        inject=_certificate(FQDN, "-not_before 20240101000000Z -not_after 20240201000000Z")
        + f" && {_TAKE_UP}",
    ),
    Fault(
        "certificate-expiring",
        "the portal's certificate expires in ten days",
        Kind.CERTIFICATE,
        ids("certificates.dates"),
        here=_CA_HERE,
        inject=_certificate(FQDN, "-days 10") + f" && {_TAKE_UP}",
        also={
            f"tls.{service}.expiry": "the same certificate, as it is served"
            for service in ("https", "wss", "sip-tls", "turn-tls")
        },
    ),
    Fault(
        "certificate-wrong-host",
        "the portal's certificate is another host's, and is served",
        Kind.CERTIFICATE,
        ids("certificates.portal"),
        here=_CA_HERE,
        inject=_certificate("other.ucontact.test", "-days 365") + f" && {_TAKE_UP}",
    ),
    Fault(
        "certificate-wrong-key",
        "the portal's private key on disk belongs to another certificate",
        Kind.CERTIFICATE,
        ids("certificates.portal"),
        inject="openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null "
        f"> /root/k && cat /root/k > {TLS}/private/portal.key",
        also={"web.config": "nginx refuses the pair", "web.sites": NOT_TOLD},
    ),
    Fault(
        "certificate-swapped",
        "another certificate for the portal lies on disk than the one that is served",
        Kind.CERTIFICATE,
        ids("certificates.served.https certificates.served.wss certificates.served.turn-tls"),
        here=_CA_HERE,
        inject=_certificate(FQDN, "-days 365"),
        also={"web.loaded": "nginx has not loaded it either"},
    ),
    Fault(
        "certificate-roots-astray",
        "the roots that the installing machine verifies by are not the site's",
        Kind.CERTIFICATE,
        ids("tls.https.trust tls.wss.trust tls.sip-tls.trust tls.turn-tls.trust"),
        here="openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 "
        "-subj /CN=elsewhere -keyout /dev/null -out other.pem 2>/dev/null && "
        'cat other.pem > "$ETC/pki/portal-ca.pem"',
    ),
    Fault(
        "certificate-internal-swapped",
        "another internal certificate lies on disk than the one that MySQL serves",
        Kind.CERTIFICATE,
        ids("certificates.served.mysql"),
        here=_CA_HERE,
        inject=f"cd /root/ca && openssl x509 -x509toreq -in {TLS}/internal.pem "
        f"-signkey {TLS}/private/internal.key -copy_extensions copy -out r.csr 2>/dev/null && "
        "openssl x509 -req -in r.csr -copy_extensions copy -CA ca.pem -CAkey ca.key "
        "-CAcreateserial -days 365 -out leaf.pem 2>/dev/null && "
        f"cat leaf.pem > {TLS}/internal.pem",
    ),
    Fault(
        "certificate-internal-lost",
        "the internal certificate is gone from disk",
        Kind.CERTIFICATE,
        ids("certificates.internal"),
        inject=f"rm {TLS}/internal.pem",
    ),
    Fault(
        "certificate-key-open",
        "everybody may read the portal's private key",
        Kind.CERTIFICATE,
        ids("certificates.modes"),
        inject=f"chmod 0644 {TLS}/private/portal.key",
    ),
    Fault(
        "certificate-key-unreadable",
        "no service may read the portal's private key",
        Kind.CERTIFICATE,
        ids("certificates.modes"),
        inject=f"chmod 0000 {TLS}/private/portal.key",
        also={"tls.sip-tls.answers": "Asterisk reads the pair afresh for each connection"},
    ),
    Fault(
        "certificate-backup-key",
        "the backup pin's private key lies on the web server",
        Kind.CERTIFICATE,
        ids("certificates.backup"),
        here='mkdir -p "$ROOT/var/www" && cp "$ETC/pki/hpkp-backup.key" "$ROOT/var/www/old.key"',
    ),
)
