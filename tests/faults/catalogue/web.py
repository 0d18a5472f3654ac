"""The web server."""

from __future__ import annotations

from tests.faults.catalogue.helpers import (
    FQDN,
    NGINX,
    NOT_TOLD,
    RELOAD_NGINX,
    TLS,
    edit,
    ids,
    nginx,
)
from tests.faults.model import Fault, Kind

_CONFIG = "/var/lib/IntegraServer/config/uContact.json"


def _another_site(file: str, listen: str, name: str) -> str:
    lines = f"{listen}; server_name {name}; ssl_certificate {TLS}/portal.pem; "
    key = f"ssl_certificate_key {TLS}/private/portal.key; "
    server = f"server {{ {lines}{key}return 200 hello; }}"
    return f"echo '{server}' > /etc/nginx/conf.d/{file} && {RELOAD_NGINX}"


FAULTS = (
    Fault(
        "web-config-broken",
        "nginx's file has a fault, and has not been loaded",
        Kind.WEB,
        ids("web.config"),
        inject=f"echo nonsense >> {NGINX}",
        also={"web.sites": NOT_TOLD},
    ),
    Fault(
        "web-rival",
        "another site has the portal's name, and is read before it",
        Kind.WEB,
        ids("web.sites"),
        inject=_another_site("a.conf", "listen 443 ssl", FQDN),
    ),
    Fault(
        "web-neighbour",
        "another site is served beside the portal",
        Kind.WEB,
        ids("web.sites ports.unexpected"),
        inject=_another_site("z.conf", "listen 8443 ssl", "other.ucontact.test"),
    ),
    Fault(
        "web-config-not-loaded",
        "nginx's file was edited, and has not been loaded",
        Kind.WEB,
        ids("web.loaded"),
        inject=f"sleep 1; echo '# by hand' >> {NGINX}",
    ),
    Fault(
        "web-redirect-lost",
        "plain HTTP no longer leads to HTTPS",
        Kind.WEB,
        ids("web.redirect"),
        inject=nginx("s#return 301 https://.host.request_uri;#return 404;#"),
    ),
    Fault(
        "web-port-80-lost",
        "nginx no longer listens on 80",
        Kind.WEB,
        ids("ports.http"),
        inject=nginx("s/^( *listen )80([ ;])/\\181\\2/; s/^( *listen ...::.:)80([ ;])/\\181\\2/"),
        also={
            "ports.unexpected": "it listens on 81 instead",
            "web.redirect": "nothing answers on 80",
            "web.names": "it asks over plain HTTP too",
        },
    ),
    Fault(
        "web-port-443-lost",
        "nginx no longer listens on 443",
        Kind.WEB,
        ids("ports.https"),
        inject=nginx(
            "s/^( *listen )443([ ;])/\\18443\\2/; s/^( *listen ...::.:)443([ ;])/\\18443\\2/"
        ),
        also={"ports.unexpected": "it listens on 8443 instead"},
    ),
    Fault(
        "web-upstream-wrong",
        "nginx looks for the backend at another port",
        Kind.WEB,
        ids("web.rest"),
        inject=nginx("/^upstream backend/,/^}/s/server .*;/server 127.0.0.1:9;/"),
    ),
    Fault(
        "web-war-served",
        "nginx serves the programs of the release",
        Kind.WEB,
        ids("web.private"),
        inject=nginx("s#^( *)location = /robots.txt#\\1location = /IntegraPortalWS.war {\\n}\\n&#"),
    ),
    Fault(
        "web-folder-lost",
        "nginx no longer serves /forms/",
        Kind.WEB,
        ids("web.folders"),
        inject=nginx("s#location /forms/ #location /formz/ #"),
    ),
    Fault(
        "web-names",
        "nginx answers to names that are not the portal's",
        Kind.WEB,
        ids("web.names"),
        inject=nginx("s/return 421;/return 404;/"),
    ),
    Fault(
        "web-signalling-lost",
        "nginx no longer passes WebSockets on to Asterisk",
        Kind.WEB,
        ids("wss.portal"),
        inject=nginx("s#location = /ws #location = /wss #"),
    ),
    Fault(
        "web-portal-other-name",
        "the softphone's configuration names another site",
        Kind.WEB,
        ids("web.portal"),
        inject=edit(_CONFIG, f"s/{FQDN}/old.ucontact.test/", "true"),
    ),
    Fault(
        "web-stun-elsewhere",
        "the softphone's configuration names another STUN server",
        Kind.WEB,
        ids("web.ice"),
        inject=edit(_CONFIG, "s/stun:[^,?]+:3478/stun:192.0.2.7:3478/g", "true"),
    ),
)
