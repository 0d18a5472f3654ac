"""What TLS offers."""

from __future__ import annotations

from tests.faults.catalogue.helpers import RESTART_ASTERISK, asterisk, ids, nginx
from tests.faults.model import Fault, Kind

FAULTS = (
    Fault(
        "tls-old-version",
        "the portal speaks TLS 1.0 and 1.1",
        Kind.TLS,
        ids("tls.https.versions"),
        inject=nginx(
            "s/^ssl_protocols .*/ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;/; "
            "s/^ssl_ciphers .*/ssl_ciphers ALL:@SECLEVEL=0;/"
        ),
        also={"tls.https.secrecy": "the ciphers of TLS 1.0 came with it"},
    ),
    Fault(
        "tls-weak-cipher",
        "the portal accepts a cipher without forward secrecy",
        Kind.TLS,
        ids("tls.https.secrecy"),
        inject=nginx("s/^(ssl_ciphers .*);/\\1:AES256-SHA:ECDHE-ECDSA-AES128-SHA;/"),
    ),
    Fault(
        "tls-client-order",
        "the client chooses the portal's cipher",
        Kind.TLS,
        ids("tls.https.order"),
        inject=nginx("s/^ssl_prefer_server_ciphers on/ssl_prefer_server_ciphers off/"),
    ),
    Fault(
        "tls-curves",
        "the portal speaks one curve only, that few browsers begin with",
        Kind.TLS,
        ids("tls.https.curves"),
        inject=nginx("s/^ssl_ecdh_curve .*/ssl_ecdh_curve secp384r1;/"),
    ),
    Fault(
        "tls-http2-off",
        "the portal no longer speaks HTTP/2",
        Kind.TLS,
        ids("tls.https.alpn"),
        inject=nginx("/^ *http2 on;/d"),
    ),
    Fault(
        "tls-signalling-weak",
        "signalling accepts ciphers without forward secrecy",
        Kind.TLS,
        ids("tls.wss.secrecy"),
        inject=asterisk(
            "http.conf",
            "s/^(tlscipher *=.*)/\\1:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA/",
            f"{RESTART_ASTERISK}",
        ),
    ),
)
