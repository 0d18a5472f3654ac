"""Headers of the portal."""

from __future__ import annotations

from tests.faults.catalogue.helpers import NGINX, RELOAD_NGINX, ids, nginx
from tests.faults.model import Fault, Kind

FAULTS = (
    Fault(
        "header-hsts-lost",
        "HSTS is not sent",
        Kind.HEADER,
        ids("web.header.hsts"),
        inject=nginx("/^add_header Strict-Transport-Security/d"),
    ),
    Fault(
        "header-pin-wrong",
        "HPKP pins a key that is not the one that is served",
        Kind.HEADER,
        ids("web.header.hpkp"),
        inject=nginx('0,/pin-sha256=.{4}/s//pin-sha256=\\"AAAA/'),
    ),
    Fault(
        "header-csp-loose",
        "the content security policy allows scripts from anywhere",
        Kind.HEADER,
        ids("web.header.csp"),
        inject=nginx("s/script-src 'self'/script-src */"),
    ),
    Fault(
        "header-in-location",
        "a header added in one location drops all the others there",
        Kind.HEADER,
        ids("web.header.inherited"),
        inject=nginx("s#^( *)location = / .#&\\n\\1add_header X-Note hello;#"),
    ),
    Fault(
        "headers-lost",
        "all the security headers but HSTS are gone",
        Kind.HEADER,
        ids(
            "web.header.hpkp web.header.xss web.header.csp web.header.nosniff web.header.frame "
            "web.header.referrer web.header.permissions web.header.coop web.header.corp "
            "web.header.cross-domain web.header.cache"
        ),
        inject=nginx("/^add_header (Strict)?/{/Strict-Transport/!d}"),
    ),
    Fault(
        "header-tells-program",
        "a header tells of the program behind",
        Kind.HEADER,
        ids("web.header.removed"),
        inject=nginx("s/^add_header Referrer-Policy.*/&\\nadd_header X-Powered-By PHP always;/"),
        also={"web.header.rest": "the same header on the REST API's answers"},
    ),
    Fault(
        "header-uploads",
        "uploaded files get the portal's own content security policy",
        Kind.HEADER,
        ids("web.header.paths"),
        inject=nginx("/\\(tmp.images\\)/d"),
    ),
    Fault(
        "header-hsts-age",
        "site.yml asks for one day of HSTS",
        Kind.HEADER,
        ids("web.hsts_age"),
        here='printf "web:\\n  hsts_max_age: 86400\\n" >> "$SITE"',
        inject=nginx("s/max-age=63072000/max-age=86400/"),
        mend_here='sed -i "s/hsts_max_age: 86400/hsts_max_age: 63072000/" "$SITE"',
        mend=f"cp -a /root/before {NGINX} && {RELOAD_NGINX}",
    ),
)
