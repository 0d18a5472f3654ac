"""The faults. Each is injected into a small site as it was installed, all roles on one machine."""

from __future__ import annotations

from dataclasses import replace

from tests.faults.model import Fault, Kind
from ucontact_appliance.resources import load_data

_NGINX = "/etc/nginx/conf.d/ucontact.conf"
_RELOAD_NGINX = "nginx -t 2>/dev/null && systemctl reload nginx && sleep 1"
_ASTERISK = "/etc/asterisk"
_TURN = "/etc/turnserver.conf"
_TLS = "/etc/ssl/ucontact"
_TREE = "/etc/IntegraServer"
_PROPERTIES = f"{_TREE}/integraserver.properties"
_MONITOR = "/var/spool/asterisk/monitor"
# A throttle of cgroup v1, for the machine's processes together; whole disks have one.
_SLOW = "/sys/fs/cgroup/blkio/ucontact-slow"
_FIREWALL = "/etc/nftables.d/ucontact.nft"
_CONFIG = "/var/lib/IntegraServer/config/uContact.json"
_WAIT_BACKEND = (
    "for i in $(seq 100); do curl -so /dev/null http://127.0.0.1:8080/Integra/resources/health "
    "&& break; sleep 0.3; done"
)
_RESTART_BACKEND = f"systemctl restart integraserver && sleep 1 && {_WAIT_BACKEND}"
_RESTART_ASTERISK = (
    "systemctl restart asterisk && sleep 1 && asterisk -rx 'core waitfullybooted' && sleep 1"
)
_INSTALL = 'ucontact install --yes --site "$SITE"'
_LISTEN = (
    "import socket,time; s=socket.socket(socket.AF_INET, socket.{kind}); "
    's.setsockopt(1, 2, 1); s.bind((\\"{address}\\", {port})); {listen}time.sleep(3600)'
)


def _ids(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _listener(address: str, port: int, kind: str = "SOCK_STREAM") -> str:
    listen = "s.listen(); " if kind == "SOCK_STREAM" else ""
    code = _LISTEN.format(kind=kind, address=address, port=port, listen=listen)
    return f'systemd-run -q --unit=stranger python3 -c "{code}" && sleep 0.5'


def _stopped(name: str, unit: str, cause: str, *, fast: bool = False) -> Fault:
    return Fault(
        f"{name}-stopped",
        f"{unit} is stopped",
        Kind.SERVICE,
        _ids(cause),
        inject=f"systemctl stop {unit}",
        fast=fast,
    )


# Everything that goes to the port of the host's own loopback waits, in both directions.
_DELAY = """
import asyncio
async def pump(source, target):
    while data := await source.read(65536):
        await asyncio.sleep(1.3)
        target.write(data)
    target.close()
async def serve(source, target):
    back, out = await asyncio.open_connection("127.0.0.1", {port})
    await asyncio.gather(pump(source, out), pump(back, target))
async def main():
    async with await asyncio.start_server(serve, "127.0.0.1", 1{port}) as server:
        await server.serve_forever()
asyncio.run(main())
"""


# Asterisk queues five connections that it has not accepted yet: a connection a little later than
# the one before is not dropped. It ends a silent session after some seconds; another one takes
# its place.
_SILENT_SESSIONS = """
import resource, selectors, socket, sys, time
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_NOFILE, (limit + 100, limit + 100))
held = selectors.DefaultSelector()
def open_one():
    held.register(socket.create_connection(("127.0.0.1", 8088)), selectors.EVENT_READ)
    time.sleep(0.002)
for _ in range(limit):
    open_one()
while True:
    for key, _ in held.select():
        held.unregister(key.fileobj)
        key.fileobj.close()
        open_one()
"""


# TCP asks again after a second (RFC 6298); by then the address and port are known.
_LATE = """
table ip late {
  set seen { type ipv4_addr . inet_service; flags dynamic,timeout; timeout 1m; }
  chain input {
    type filter hook input priority -10;
    tcp dport 443 tcp flags & (syn|ack) == syn ip saddr . tcp sport @seen accept
    tcp dport 443 tcp flags & (syn|ack) == syn add @seen { ip saddr . tcp sport } drop
  }
}
"""


def _delayed(name: str, port: int, cause: str) -> Fault:
    rule = f"ip daddr 127.0.0.1 tcp dport {port} meta skuid != nobody redirect to :1{port}"
    return Fault(
        f"{name}-slow",
        f"the {name} takes its time for whatever it is asked",
        Kind.HUNG,
        _ids(cause),
        inject=f"cat > /opt/delay.py <<'E'{_DELAY.format(port=port)}E\n"
        "systemd-run -q --unit=delay --uid=nobody python3 /opt/delay.py && sleep 1 && "
        "nft add table ip delay && "
        'nft "add chain ip delay output { type nat hook output priority -100; }" && '
        f'nft "add rule ip delay output {rule}"',
        mend="nft delete table ip delay && systemctl stop delay",
    )


def _edit(path: str, expression: str, then: str) -> str:
    """An edit that must have changed something, and what makes it count."""
    return f'cp -a {path} /root/before && sed -i -E "{expression}" {path} && ' + (
        f"! cmp -s {path} /root/before && {then}"
    )


def _nginx(expression: str) -> str:
    return _edit(_NGINX, expression, _RELOAD_NGINX)


def _asterisk(file: str, expression: str, then: str) -> str:
    if not then.startswith("systemctl"):
        then = f"asterisk -rx '{then}' && sleep 1"
    return _edit(f"{_ASTERISK}/{file}", expression, then)


def _without_module(name: str) -> str:
    return f"echo 'noload => {name}.so' >> {_ASTERISK}/modules.conf && {_RESTART_ASTERISK}"


def _turn(expression: str) -> str:
    return _edit(_TURN, expression, "systemctl restart coturn && sleep 1")


def _sql(statement: str) -> str:
    return f'mysql -e "{statement}"'


def _another_site(file: str, listen: str, name: str) -> str:
    lines = f"{listen}; server_name {name}; ssl_certificate {_TLS}/portal.pem; "
    key = f"ssl_certificate_key {_TLS}/private/portal.key; "
    server = f"server {{ {lines}{key}return 200 hello; }}"
    return f"echo '{server}' > /etc/nginx/conf.d/{file} && {_RELOAD_NGINX}"


# A certificate of the site's own CA, as the installing machine could have made it. It is made on
# the site's machine, whose openssl can set both dates.
_CA_HERE = 'mkdir -m 0700 "$ROOT/root/ca" && cp "$ETC"/pki/*.pem "$ETC"/pki/*.key "$ROOT/root/ca/"'


def _certificate(name: str, dates: str, key: str = f"{_TLS}/private/portal.key") -> str:
    return (
        f"cd /root/ca && openssl req -new -key {key} -subj /CN={name} -out r.csr 2>/dev/null && "
        f'printf "subjectAltName=DNS:{name}\\n" > ext && '
        f"openssl x509 -req -in r.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ext {dates}"
        " -out leaf.pem 2>/dev/null && "
        f"cat leaf.pem > {_TLS}/portal.pem"
    )


_FQDN = "demo.ucontact.test"
_TAKE_UP = (
    f"{_RELOAD_NGINX} && asterisk -rx 'module reload http' && "
    "asterisk -rx 'module reload res_pjsip.so' && systemctl restart coturn && sleep 2"
)
_NOT_TOLD = "what sites there are is not to be told while nginx refuses its files"
_UNREACHED = "nothing gets through from here"

_SERVICES = (
    _stopped("asterisk", "asterisk", "asterisk.service", fast=True),
    _stopped("nginx", "nginx", "web.service"),
    _stopped("coturn", "coturn", "stun.service"),
    _stopped("mysql", "mysql", "mysql.service"),
    _stopped("backend", "integraserver", "backend.service"),
    _stopped("fail2ban", "fail2ban", "asterisk.jail"),
    Fault(
        "asterisk-masked",
        "asterisk is stopped and masked",
        Kind.SERVICE,
        _ids("asterisk.service"),
        inject="systemctl mask --now asterisk 2>/dev/null",
    ),
    Fault(
        "nginx-masked",
        "nginx is stopped and masked",
        Kind.SERVICE,
        _ids("web.service"),
        inject="systemctl mask --now nginx 2>/dev/null",
    ),
    Fault(
        "coturn-masked",
        "coturn is stopped and masked",
        Kind.SERVICE,
        _ids("stun.service"),
        inject="systemctl mask --now coturn 2>/dev/null",
    ),
    Fault(
        "backend-disabled",
        "the backend runs, and would not start at the next boot",
        Kind.SERVICE,
        _ids("backend.service"),
        inject="systemctl disable integraserver 2>/dev/null",
    ),
    Fault(
        "asterisk-disabled",
        "asterisk runs, and would not start at the next boot",
        Kind.SERVICE,
        _ids("asterisk.service"),
        inject="systemctl disable asterisk 2>/dev/null",
    ),
    Fault(
        "unit-failed",
        "a unit that is not the appliance's has failed",
        Kind.SERVICE,
        _ids("system.units"),
        inject="! systemd-run -q --wait --unit=broken false",
        mend="systemctl reset-failed broken",
    ),
    Fault(
        "nginx-hung",
        "nginx hangs: it takes connections and answers none",
        Kind.HUNG,
        _ids("web.answers"),
        inject="systemctl kill -s STOP nginx",
    ),
    Fault(
        "asterisk-hung",
        "asterisk hangs",
        Kind.HUNG,
        _ids("asterisk.service"),
        inject="systemctl kill -s STOP asterisk",
    ),
    Fault(
        "mysql-hung",
        "mysqld hangs: it takes connections and answers none",
        Kind.HUNG,
        _ids("mysql.answers"),
        inject="systemctl kill -s STOP mysql",
    ),
    Fault(
        "coturn-hung",
        "coturn hangs",
        Kind.HUNG,
        _ids("stun.binding"),
        inject="systemctl kill -s STOP coturn",
    ),
    Fault(
        "backend-hung",
        "the backend hangs: it takes connections and answers none",
        Kind.HUNG,
        _ids("backend.health"),
        inject="systemctl kill -s STOP integraserver",
        fast=True,
    ),
    _delayed("database", 3306, "mysql.answers"),
    _delayed("backend", 8080, "backend.health"),
    Fault(
        "nginx-slow",
        "nginx's port takes a connection at the second attempt only, a second later",
        Kind.HUNG,
        _ids("web.answers"),
        inject=f"cat > /opt/late.nft <<'E'{_LATE}E\nnft -f /opt/late.nft",
        also={"firewall.foreign": "the table that makes it late is another's"},
        mend="nft delete table ip late",
    ),
    Fault(
        "asterisk-killed",
        "Asterisk's process is killed again and again",
        Kind.HUNG,
        _ids("system.restarts"),
        inject="for i in 1 2 3; do systemctl kill -s KILL asterisk; sleep 5; done; "
        "asterisk -rx 'core waitfullybooted' && sleep 1",
    ),
    Fault(
        "backend-killed",
        "the backend's process is killed again and again",
        Kind.HUNG,
        _ids("system.restarts"),
        inject="for i in 1 2 3; do systemctl kill -s KILL integraserver; sleep 5; done; "
        f"{_WAIT_BACKEND}",
        mend="systemctl reset-failed integraserver",
    ),
)

_PORTS = (
    Fault(
        "port-foreign",
        "a program that nobody planned listens on 9999",
        Kind.PORT,
        _ids("ports.unexpected"),
        inject=_listener("0.0.0.0", 9999),
        mend="systemctl stop stranger",
    ),
    Fault(
        "port-taken-sip",
        "another process holds UDP 5060",
        Kind.PORT,
        _ids("ports.free asterisk.transports"),
        inject=f"systemctl stop asterisk && {_listener('0.0.0.0', 5060, 'SOCK_DGRAM')} && "
        "systemctl start asterisk && asterisk -rx 'core waitfullybooted' && sleep 1",
        mend=f"systemctl stop stranger && {_RESTART_ASTERISK}",
    ),
    Fault(
        "port-taken-wss",
        "another process holds 8089",
        Kind.PORT,
        _ids("ports.free ports.wss"),
        inject=f"systemctl stop asterisk && {_listener('0.0.0.0', 8089)} && "
        "systemctl start asterisk && asterisk -rx 'core waitfullybooted' && sleep 1",
        also={"asterisk.http": "without its port Asterisk serves no HTTPS"},
        mend=f"systemctl stop stranger && {_RESTART_ASTERISK}",
    ),
    Fault(
        "port-taken-https",
        "another process holds 443, and nginx can't start",
        Kind.PORT,
        _ids("ports.free"),
        inject=f"systemctl stop nginx && {_listener('0.0.0.0', 443)} && ! systemctl start nginx",
        also={
            "web.service": "nginx does not run, for want of its port",
            "system.units": "its unit has failed",
        },
        mend="systemctl stop stranger && systemctl start nginx",
    ),
)

_FIREWALLS = (
    Fault(
        "firewall-lost",
        "the appliance's table is gone: every port is open",
        Kind.FIREWALL,
        _ids("firewall.loaded"),
        inject="nft delete table inet ucontact",
    ),
    Fault(
        "firewall-flushed",
        "`nft flush ruleset`: no table is left",
        Kind.FIREWALL,
        _ids("firewall.loaded firewall.limits asterisk.qos_text asterisk.limits"),
        inject="nft flush ruleset",
    ),
    Fault(
        "firewall-rule-lost",
        "the rule for WSS is missing in the kernel",
        Kind.FIREWALL,
        _ids("firewall.loaded"),
        also={"wss.answers": _UNREACHED, "wss.direct": _UNREACHED},
        inject="handle=$(nft -a list table inet ucontact | "
        'sed -n "/tcp dport 8089 .*accept/s/.*# handle //p" | head -1) && '
        "nft delete rule inet ucontact input handle $handle",
    ),
    Fault(
        "firewall-rule-foreign",
        "somebody opened MySQL in the appliance's own file",
        Kind.FIREWALL,
        _ids("firewall.rules"),
        inject=_edit(
            _FIREWALL,
            "s/^( *)meta pkttype .*/\\1tcp dport 3306 accept\\n&/",
            "systemctl restart ucontact-firewall",
        ),
    ),
    Fault(
        "firewall-rule-edited",
        "the rule for HTTPS is missing in the appliance's own file",
        Kind.FIREWALL,
        _ids("firewall.rules"),
        inject=_edit(_FIREWALL, "/tcp dport 443 accept/d", "systemctl restart ucontact-firewall"),
        also={"firewall.reach": "the same port, tried from here", "web.answers": _UNREACHED},
    ),
    Fault(
        "firewall-disabled",
        "the firewall would not come back at the next boot",
        Kind.FIREWALL,
        _ids("firewall.service"),
        inject="systemctl disable ucontact-firewall 2>/dev/null",
    ),
    Fault(
        "firewall-foreign-drop",
        "another table drops HTTPS from outside",
        Kind.FIREWALL,
        _ids("firewall.reach firewall.foreign"),
        inject="nft add table inet foreign && "
        'nft "add chain inet foreign input { type filter hook input priority -5; }" && '
        'nft add rule inet foreign input iifname != "lo" tcp dport 443 drop',
        also={"web.answers": _UNREACHED},
        mend="nft delete table inet foreign",
    ),
    Fault(
        "firewall-foreign-rtp",
        "another table drops all media: only a call would notice",
        Kind.FIREWALL,
        _ids("firewall.foreign"),
        inject="nft add table inet foreign && "
        'nft "add chain inet foreign input { type filter hook input priority -5; }" && '
        "nft add rule inet foreign input udp dport 10000-20000 drop",
        mend="nft delete table inet foreign",
    ),
)


_CERTIFICATES = (
    Fault(
        "certificate-expired",
        "the portal's certificate has expired, and is served",
        Kind.CERTIFICATE,
        _ids("certificates.portal"),
        here=_CA_HERE,
        inject=_certificate(_FQDN, "-not_before 20240101000000Z -not_after 20240201000000Z")
        + f" && {_TAKE_UP}",
    ),
    Fault(
        "certificate-expiring",
        "the portal's certificate expires in ten days",
        Kind.CERTIFICATE,
        _ids("certificates.dates"),
        here=_CA_HERE,
        inject=_certificate(_FQDN, "-days 10") + f" && {_TAKE_UP}",
        also={
            f"tls.{service}.expiry": "the same certificate, as it is served"
            for service in ("https", "wss", "sip-tls", "turn-tls")
        },
    ),
    Fault(
        "certificate-wrong-host",
        "the portal's certificate is another host's, and is served",
        Kind.CERTIFICATE,
        _ids("certificates.portal"),
        here=_CA_HERE,
        inject=_certificate("other.ucontact.test", "-days 365") + f" && {_TAKE_UP}",
    ),
    Fault(
        "certificate-wrong-key",
        "the portal's private key on disk belongs to another certificate",
        Kind.CERTIFICATE,
        _ids("certificates.portal"),
        inject="openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null "
        f"> /root/k && cat /root/k > {_TLS}/private/portal.key",
        also={"web.config": "nginx refuses the pair", "web.sites": _NOT_TOLD},
    ),
    Fault(
        "certificate-swapped",
        "another certificate for the portal lies on disk than the one that is served",
        Kind.CERTIFICATE,
        _ids("certificates.served.https certificates.served.wss certificates.served.turn-tls"),
        here=_CA_HERE,
        inject=_certificate(_FQDN, "-days 365"),
        also={"web.loaded": "nginx has not loaded it either"},
    ),
    Fault(
        "certificate-roots-astray",
        "the roots that the installing machine verifies by are not the site's",
        Kind.CERTIFICATE,
        _ids("tls.https.trust tls.wss.trust tls.sip-tls.trust tls.turn-tls.trust"),
        here="openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 "
        "-subj /CN=elsewhere -keyout /dev/null -out other.pem 2>/dev/null && "
        'cat other.pem > "$ETC/pki/portal-ca.pem"',
    ),
    Fault(
        "certificate-internal-swapped",
        "another internal certificate lies on disk than the one that MySQL serves",
        Kind.CERTIFICATE,
        _ids("certificates.served.mysql"),
        here=_CA_HERE,
        inject=f"cd /root/ca && openssl x509 -x509toreq -in {_TLS}/internal.pem "
        f"-signkey {_TLS}/private/internal.key -copy_extensions copy -out r.csr 2>/dev/null && "
        "openssl x509 -req -in r.csr -copy_extensions copy -CA ca.pem -CAkey ca.key "
        "-CAcreateserial -days 365 -out leaf.pem 2>/dev/null && "
        f"cat leaf.pem > {_TLS}/internal.pem",
    ),
    Fault(
        "certificate-internal-lost",
        "the internal certificate is gone from disk",
        Kind.CERTIFICATE,
        _ids("certificates.internal"),
        inject=f"rm {_TLS}/internal.pem",
    ),
    Fault(
        "certificate-key-open",
        "everybody may read the portal's private key",
        Kind.CERTIFICATE,
        _ids("certificates.modes"),
        inject=f"chmod 0644 {_TLS}/private/portal.key",
    ),
    Fault(
        "certificate-key-unreadable",
        "no service may read the portal's private key",
        Kind.CERTIFICATE,
        _ids("certificates.modes"),
        inject=f"chmod 0000 {_TLS}/private/portal.key",
        also={"tls.sip-tls.answers": "Asterisk reads the pair afresh for each connection"},
    ),
    Fault(
        "certificate-backup-key",
        "the backup pin's private key lies on the web server",
        Kind.CERTIFICATE,
        _ids("certificates.backup"),
        here='mkdir -p "$ROOT/var/www" && cp "$ETC/pki/hpkp-backup.key" "$ROOT/var/www/old.key"',
    ),
)

_TLS_FAULTS = (
    Fault(
        "tls-old-version",
        "the portal speaks TLS 1.0 and 1.1",
        Kind.TLS,
        _ids("tls.https.versions"),
        inject=_nginx(
            "s/^ssl_protocols .*/ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;/; "
            "s/^ssl_ciphers .*/ssl_ciphers ALL:@SECLEVEL=0;/"
        ),
        also={"tls.https.secrecy": "the ciphers of TLS 1.0 came with it"},
    ),
    Fault(
        "tls-weak-cipher",
        "the portal accepts a cipher without forward secrecy",
        Kind.TLS,
        _ids("tls.https.secrecy"),
        inject=_nginx("s/^(ssl_ciphers .*);/\\1:AES256-SHA:ECDHE-ECDSA-AES128-SHA;/"),
    ),
    Fault(
        "tls-client-order",
        "the client chooses the portal's cipher",
        Kind.TLS,
        _ids("tls.https.order"),
        inject=_nginx("s/^ssl_prefer_server_ciphers on/ssl_prefer_server_ciphers off/"),
    ),
    Fault(
        "tls-curves",
        "the portal speaks one curve only, that few browsers begin with",
        Kind.TLS,
        _ids("tls.https.curves"),
        inject=_nginx("s/^ssl_ecdh_curve .*/ssl_ecdh_curve secp384r1;/"),
    ),
    Fault(
        "tls-http2-off",
        "the portal no longer speaks HTTP/2",
        Kind.TLS,
        _ids("tls.https.alpn"),
        inject=_nginx("/^ *http2 on;/d"),
    ),
    Fault(
        "tls-signalling-weak",
        "signalling accepts ciphers without forward secrecy",
        Kind.TLS,
        _ids("tls.wss.secrecy"),
        inject=_asterisk(
            "http.conf",
            "s/^(tlscipher *=.*)/\\1:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA/",
            f"{_RESTART_ASTERISK}",
        ),
    ),
)

_WEB = (
    Fault(
        "web-config-broken",
        "nginx's file has a fault, and has not been loaded",
        Kind.WEB,
        _ids("web.config"),
        inject=f"echo nonsense >> {_NGINX}",
        also={"web.sites": _NOT_TOLD},
    ),
    Fault(
        "web-rival",
        "another site has the portal's name, and is read before it",
        Kind.WEB,
        _ids("web.sites"),
        inject=_another_site("a.conf", "listen 443 ssl", _FQDN),
    ),
    Fault(
        "web-neighbour",
        "another site is served beside the portal",
        Kind.WEB,
        _ids("web.sites ports.unexpected"),
        inject=_another_site("z.conf", "listen 8443 ssl", "other.ucontact.test"),
    ),
    Fault(
        "web-config-not-loaded",
        "nginx's file was edited, and has not been loaded",
        Kind.WEB,
        _ids("web.loaded"),
        inject=f"sleep 1; echo '# by hand' >> {_NGINX}",
    ),
    Fault(
        "web-redirect-lost",
        "plain HTTP no longer leads to HTTPS",
        Kind.WEB,
        _ids("web.redirect"),
        inject=_nginx("s#return 301 https://.host.request_uri;#return 404;#"),
    ),
    Fault(
        "web-port-80-lost",
        "nginx no longer listens on 80",
        Kind.WEB,
        _ids("ports.http"),
        inject=_nginx("s/^( *listen )80([ ;])/\\181\\2/; s/^( *listen ...::.:)80([ ;])/\\181\\2/"),
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
        _ids("ports.https"),
        inject=_nginx(
            "s/^( *listen )443([ ;])/\\18443\\2/; s/^( *listen ...::.:)443([ ;])/\\18443\\2/"
        ),
        also={"ports.unexpected": "it listens on 8443 instead"},
    ),
    Fault(
        "web-upstream-wrong",
        "nginx looks for the backend at another port",
        Kind.WEB,
        _ids("web.rest"),
        inject=_nginx("/^upstream backend/,/^}/s/server .*;/server 127.0.0.1:9;/"),
    ),
    Fault(
        "web-war-served",
        "nginx serves the programs of the release",
        Kind.WEB,
        _ids("web.private"),
        inject=_nginx(
            "s#^( *)location = /robots.txt#\\1location = /IntegraPortalWS.war {\\n}\\n&#"
        ),
    ),
    Fault(
        "web-folder-lost",
        "nginx no longer serves /forms/",
        Kind.WEB,
        _ids("web.folders"),
        inject=_nginx("s#location /forms/ #location /formz/ #"),
    ),
    Fault(
        "web-names",
        "nginx answers to names that are not the portal's",
        Kind.WEB,
        _ids("web.names"),
        inject=_nginx("s/return 421;/return 404;/"),
    ),
    Fault(
        "web-signalling-lost",
        "nginx no longer passes WebSockets on to Asterisk",
        Kind.WEB,
        _ids("wss.portal"),
        inject=_nginx("s#location = /ws #location = /wss #"),
    ),
    Fault(
        "web-portal-other-name",
        "the softphone's configuration names another site",
        Kind.WEB,
        _ids("web.portal"),
        inject=_edit(_CONFIG, f"s/{_FQDN}/old.ucontact.test/", "true"),
    ),
    Fault(
        "web-stun-elsewhere",
        "the softphone's configuration names another STUN server",
        Kind.WEB,
        _ids("web.ice"),
        inject=_edit(_CONFIG, "s/stun:[^,?]+:3478/stun:192.0.2.7:3478/g", "true"),
    ),
)

_HEADERS = (
    Fault(
        "header-hsts-lost",
        "HSTS is not sent",
        Kind.HEADER,
        _ids("web.header.hsts"),
        inject=_nginx("/^add_header Strict-Transport-Security/d"),
    ),
    Fault(
        "header-pin-wrong",
        "HPKP pins a key that is not the one that is served",
        Kind.HEADER,
        _ids("web.header.hpkp"),
        inject=_nginx('0,/pin-sha256=.{4}/s//pin-sha256=\\"AAAA/'),
    ),
    Fault(
        "header-csp-loose",
        "the content security policy allows scripts from anywhere",
        Kind.HEADER,
        _ids("web.header.csp"),
        inject=_nginx("s/script-src 'self'/script-src */"),
    ),
    Fault(
        "header-in-location",
        "a header added in one location drops all the others there",
        Kind.HEADER,
        _ids("web.header.inherited"),
        inject=_nginx("s#^( *)location = / .#&\\n\\1add_header X-Note hello;#"),
    ),
    Fault(
        "headers-lost",
        "all the security headers but HSTS are gone",
        Kind.HEADER,
        _ids(
            "web.header.hpkp web.header.xss web.header.csp web.header.nosniff web.header.frame "
            "web.header.referrer web.header.permissions web.header.coop web.header.corp "
            "web.header.cross-domain web.header.cache"
        ),
        inject=_nginx("/^add_header (Strict)?/{/Strict-Transport/!d}"),
    ),
    Fault(
        "header-tells-program",
        "a header tells of the program behind",
        Kind.HEADER,
        _ids("web.header.removed"),
        inject=_nginx("s/^add_header Referrer-Policy.*/&\\nadd_header X-Powered-By PHP always;/"),
        also={"web.header.rest": "the same header on the REST API's answers"},
    ),
    Fault(
        "header-uploads",
        "uploaded files get the portal's own content security policy",
        Kind.HEADER,
        _ids("web.header.paths"),
        inject=_nginx("/\\(tmp.images\\)/d"),
    ),
    Fault(
        "header-hsts-age",
        "site.yml asks for one day of HSTS",
        Kind.HEADER,
        _ids("web.hsts_age"),
        here='printf "web:\\n  hsts_max_age: 86400\\n" >> "$SITE"',
        inject=_nginx("s/max-age=63072000/max-age=86400/"),
        mend_here='sed -i "s/hsts_max_age: 86400/hsts_max_age: 63072000/" "$SITE"',
        mend=f"cp -a /root/before {_NGINX} && {_RELOAD_NGINX}",
    ),
)

_RELEASE = (
    Fault(
        "tree-war-deleted",
        "a war of the release is gone",
        Kind.TREE,
        _ids("tree.files"),
        inject=f"rm {_TREE}/web/IntegraChannels.war",
        fast=True,
    ),
    Fault(
        "tree-jar-changed",
        "the backend's jar is not the one that was signed",
        Kind.TREE,
        _ids("tree.files"),
        inject=f"printf x >> {_TREE}/server/IntegraServer.jar",
    ),
    Fault(
        "tree-foreign-file",
        "a file that belongs to no release lies among the portal's pages",
        Kind.TREE,
        _ids("tree.files"),
        inject=f"echo hello > {_TREE}/web/uContact/hello.html",
    ),
    Fault(
        "tree-owner",
        "the backend's account owns the program that it runs",
        Kind.TREE,
        _ids("tree.owners"),
        inject=f"chown integra {_TREE}/server/IntegraServer.jar",
    ),
    Fault(
        "tree-mode",
        "everybody may read the backend's settings, with their passwords",
        Kind.TREE,
        _ids("tree.owners"),
        inject=f"chmod 0644 {_PROPERTIES}",
    ),
    Fault(
        "tree-half-switched",
        "`current` leads to a release that is there by half",
        Kind.TREE,
        _ids("tree.release"),
        inject=f"cd {_TREE}/releases && cp -a $(readlink -f ../current) half && "
        "rm -r half/web && ln -sfn releases/half ../current",
    ),
    Fault(
        "tree-scripts-lost",
        "the folder for the site's scripts is gone",
        Kind.TREE,
        _ids("tree.places"),
        inject=f"rm -r {_TREE}/scripts",
    ),
)

_BACKEND = (
    Fault(
        "backend-heap",
        "Java was given another heap than the plan's",
        Kind.BACKEND,
        _ids("backend.heap"),
        inject=_edit(
            "/etc/systemd/system/integraserver.service",
            "s/-Xmx[0-9]+m/-Xmx100m/",
            f"systemctl daemon-reload && {_RESTART_BACKEND}",
        ),
    ),
    Fault(
        "backend-password",
        "the backend's password for the database is wrong",
        Kind.BACKEND,
        _ids("backend.schemas"),
        inject=_edit(_PROPERTIES, "s/^db.password=.*/db.password=wrong/", _RESTART_BACKEND),
    ),
    Fault(
        "backend-port",
        "the backend listens on another port than the one that it is looked for at",
        Kind.BACKEND,
        _ids("ports.backend"),
        inject=_edit(
            _PROPERTIES,
            "s/^listen.port=.*/listen.port=8085/",
            "systemctl restart integraserver && sleep 4",
        ),
    ),
    Fault(
        "backend-wrong-settings",
        "the backend's settings are no settings, and it does not start",
        Kind.BACKEND,
        _ids("backend.service"),
        inject=_edit(
            _PROPERTIES,
            "s/^listen.port=.*/listen.port=none/",
            "systemctl restart integraserver; sleep 3",
        ),
        also={"system.units": "its unit has failed"},
    ),
)

_DATABASE = (
    Fault(
        "mysql-grant-wide",
        "the telephony server's account may do everything in ccdata",
        Kind.DATABASE,
        _ids("mysql.grants"),
        inject="who=$(mysql -Ne \"select concat(quote(user), '@', quote(host)) from mysql.user "
        'where user = \'asterisk\'" | head -1) && mysql -e "GRANT ALL ON ccdata.* TO $who"',
    ),
    Fault(
        "mysql-account-dropped",
        "the telephony server's account is gone",
        Kind.DATABASE,
        _ids("mysql.accounts mysql.grants"),
        inject="mysql -Ne \"select concat('drop user ', quote(user), '@', quote(host), ';') "
        "from mysql.user where user = 'asterisk'\" | mysql",
        also={"asterisk.records": "it is the account that call records are written with"},
    ),
    Fault(
        "mysql-account-plain",
        "the backend's account may come without TLS",
        Kind.DATABASE,
        _ids("mysql.accounts"),
        inject="mysql -Ne \"select concat('alter user ', quote(user), '@', quote(host), "
        "' require none;') from mysql.user where user = 'integra'\" | mysql",
    ),
    Fault(
        "mysql-account-foreign",
        "an account that the appliance did not make may come from anywhere, without TLS",
        Kind.DATABASE,
        _ids("mysql.accounts"),
        inject=_sql("CREATE USER 'helper'@'%' IDENTIFIED BY 'Helper-2026'"),
        mend=_sql("DROP USER 'helper'@'%'"),
    ),
    Fault(
        "mysql-password",
        "the password of the checks' account is another",
        Kind.DATABASE,
        _ids("mysql.login"),
        inject="mysql -Ne \"select concat('alter user ', quote(user), '@', quote(host), "
        "' identified by ', quote('Other-2026!')) from mysql.user where user = 'doctor'\" | "
        "sed 's/$/;/' | mysql",
    ),
    Fault(
        "mysql-schema-dropped",
        "the schema ccdata is gone",
        Kind.DATABASE,
        _ids("mysql.schemas"),
        inject=_sql("DROP DATABASE ccdata"),
        also={"asterisk.records": "the table of call records went with it"},
    ),
    Fault(
        "mysql-table-dropped",
        "the table of call records is gone",
        Kind.DATABASE,
        _ids("mysql.tables"),
        inject=_sql("DROP TABLE ccdata.cdr"),
        also={"asterisk.records": "call records are written there"},
    ),
    Fault(
        "mysql-read-only",
        "the running server takes no writes",
        Kind.DATABASE,
        _ids("mysql.writable"),
        inject=_sql("SET GLOBAL super_read_only = ON"),
    ),
    Fault(
        "mysql-locked",
        "a session holds a lock that nobody can write past",
        Kind.DATABASE,
        _ids("mysql.writable"),
        inject="systemd-run -q --unit=holder mysql -e "
        "'FLUSH TABLES WITH READ LOCK; SELECT SLEEP(3600)' && sleep 2",
        mend="systemctl stop holder",
    ),
    Fault(
        "mysql-connections",
        "the running server takes 20 connections only",
        Kind.DATABASE,
        _ids("mysql.connections"),
        inject=_sql("SET GLOBAL max_connections = 20"),
    ),
    Fault(
        "mysql-memory",
        "the running server has another buffer pool than the plan's",
        Kind.DATABASE,
        _ids("mysql.memory"),
        inject=_sql(
            "SET GLOBAL innodb_buffer_pool_size = @@innodb_buffer_pool_size + 1024*1024*1024"
        )
        + " && sleep 2",
    ),
    Fault(
        "mysql-plain",
        "nothing requires TLS any more: neither the server nor the account of the checks",
        Kind.DATABASE,
        _ids("mysql.plaintext mysql.settings mysql.accounts"),
        inject=_sql("SET GLOBAL require_secure_transport = OFF")
        + " && mysql -Ne \"select concat('alter user ', quote(user), '@', quote(host), "
        "' require none;') from mysql.user where user = 'doctor'\" | mysql",
    ),
    Fault(
        "mysql-port",
        "MySQL listens on another port",
        Kind.DATABASE,
        _ids("ports.mysql"),
        inject=_edit(
            "/etc/mysql/ucontact.cnf", "s/^port = .*/port = 3307/", "systemctl restart mysql"
        ),
        also={
            "mysql.login": "nothing answers on the port that services are told",
            "backend.schemas": "the backend finds no database",
        },
    ),
    Fault(
        "mysql-transport",
        "the running server no longer requires TLS",
        Kind.DATABASE,
        _ids("mysql.settings"),
        inject=_sql("SET GLOBAL require_secure_transport = OFF"),
    ),
    Fault(
        "mysql-protocols",
        "the running server has no cipher left for TLS 1.2 that suits its certificate",
        Kind.DATABASE,
        _ids("mysql.protocols"),
        inject=_sql("SET GLOBAL ssl_cipher = 'AES128-GCM-SHA256'; ALTER INSTANCE RELOAD TLS"),
    ),
)

_STUN = (
    Fault(
        "stun-no-auth",
        "coturn relays for everybody",
        Kind.STUN,
        _ids("stun.anonymous"),
        inject=_turn("s/^use-auth-secret/no-auth/; /^static-auth-secret/d"),
    ),
    Fault(
        "stun-other-secret",
        "coturn has another secret than the backend gives credentials from",
        Kind.STUN,
        _ids("stun.relay"),
        inject=_turn("s/^static-auth-secret=.*/static-auth-secret=other/"),
    ),
    Fault(
        "stun-peers",
        "coturn relays to addresses inside",
        Kind.STUN,
        _ids("stun.peers"),
        inject=_turn("/^denied-peer-ip/d"),
    ),
    Fault(
        "stun-port",
        "coturn listens on another port",
        Kind.STUN,
        _ids("ports.stun-udp ports.stun-tcp"),
        inject=_turn("s/^listening-port=.*/listening-port=3479/"),
        also={"ports.unexpected": "the new port is in no registry"},
    ),
    Fault(
        "stun-certificate-missing",
        "coturn's certificate is at a path that is not there",
        Kind.STUN,
        _ids("ports.turn-tls"),
        inject=_turn("s#^cert=.*#cert=/etc/nowhere.pem#"),
    ),
    Fault(
        "stun-relay-ports",
        "coturn relays on ports that the firewall does not open",
        Kind.STUN,
        _ids("stun.relay"),
        inject=_turn("s/^min-port=.*/min-port=30000/; s/^max-port=.*/max-port=30100/"),
    ),
)

_TELEPHONY = (
    Fault(
        "asterisk-codec-missing",
        "extensions may not use opus",
        Kind.TELEPHONY,
        _ids("asterisk.codecs"),
        inject=_asterisk("pjsip_extensions.conf", "s/^(allow *=.*)opus,/\\1/", "pjsip reload"),
    ),
    Fault(
        "asterisk-extension-lost",
        "an extension is gone",
        Kind.TELEPHONY,
        _ids("asterisk.endpoints"),
        inject="number=$(asterisk -rx 'pjsip show endpoints' | "
        "sed -n 's/^ *Endpoint: *\\([0-9][0-9]*\\)[/ ].*/\\1/p' | head -1) && "
        f'sed -i "/^\\[$number\\](extension)/,/^callerid/d" {_ASTERISK}/pjsip_extensions.conf && '
        "asterisk -rx 'pjsip reload' && sleep 1",
    ),
    Fault(
        "asterisk-media-plain",
        "extensions' media is not encrypted",
        Kind.TELEPHONY,
        _ids("asterisk.media"),
        inject=_asterisk(
            "pjsip_extensions.conf",
            "s/^media_encryption *=.*/media_encryption = no/",
            "pjsip reload",
        ),
    ),
    Fault(
        "asterisk-realtime-astray",
        "a family of Asterisk's configuration is to come out of a database that nobody knows",
        Kind.TELEPHONY,
        _ids("asterisk.realtime"),
        inject=f"echo 'queues => odbc,elsewhere' >> {_ASTERISK}/extconfig.conf",
        mend=f"sed -i '/elsewhere/d' {_ASTERISK}/extconfig.conf",
    ),
    Fault(
        "asterisk-unmarked",
        "audio leaves without its mark for QoS",
        Kind.TELEPHONY,
        _ids("asterisk.qos"),
        inject=_asterisk(
            "pjsip_extensions.conf", "s/^tos_audio *=.*/tos_audio = 0/", "pjsip reload"
        ),
    ),
    Fault(
        "asterisk-signalling-unmarked",
        "the table that marks signalling over WebSockets is gone",
        Kind.TELEPHONY,
        _ids("asterisk.qos_text"),
        inject="nft delete table inet ucontact_qos",
    ),
    Fault(
        "asterisk-anonymous",
        "somebody added an endpoint for callers without an account",
        Kind.TELEPHONY,
        _ids("asterisk.anonymous"),
        inject=f"printf '[anonymous]\\ntype = endpoint\\ncontext = internal\\n' >> "
        f"{_ASTERISK}/pjsip_trunks.conf && asterisk -rx 'pjsip reload' && sleep 1",
    ),
    Fault(
        "asterisk-dialplan",
        "the echo test is gone from the dialplan",
        Kind.TELEPHONY,
        _ids("asterisk.dialplan"),
        inject=_asterisk("extensions.conf", "s/\\*43/*44/", "dialplan reload"),
    ),
    Fault(
        "asterisk-rtp-range",
        "media uses ports that the firewall does not open",
        Kind.TELEPHONY,
        _ids("asterisk.rtp"),
        inject=_asterisk(
            "rtp.conf",
            "s/^rtpstart.*/rtpstart = 30000/; s/^rtpend.*/rtpend = 31000/",
            "module reload res_rtp_asterisk.so",
        ),
    ),
    Fault(
        "asterisk-session-limit",
        "Asterisk takes five WebSockets only",
        Kind.TELEPHONY,
        _ids("asterisk.sessions"),
        inject=_asterisk("http.conf", "s/^sessionlimit.*/sessionlimit = 5/", "module reload http"),
    ),
    Fault(
        "asterisk-sessions-used-up",
        "every session that Asterisk has is taken by connections that say nothing",
        Kind.TELEPHONY,
        _ids("asterisk.sessions-free"),
        inject="limit=$(sed -nE 's/^sessionlimit *= *([0-9]+)/\\1/p' /etc/asterisk/http.conf) && "
        f"cat > /opt/sessions.py <<'E'{_SILENT_SESSIONS}E\n"
        "systemd-run -q --unit=stranger python3 /opt/sessions.py $limit && "
        "for _ in $(seq 100); do sleep 0.2; "
        "[ $(ss -Htn state established '( sport = :8088 )' | wc -l) -lt $limit ] || break; done",
        mend="systemctl stop stranger",
    ),
    Fault(
        "asterisk-ami-open",
        "the manager interface listens towards the network",
        Kind.TELEPHONY,
        _ids("asterisk.ami ports.private"),
        inject=_asterisk("manager.conf", "s/^bindaddr.*/bindaddr = 0.0.0.0/", "manager reload"),
    ),
    Fault(
        "asterisk-http-open",
        "Asterisk's plain HTTP listens towards the network",
        Kind.TELEPHONY,
        _ids("asterisk.http ports.private"),
        inject=_asterisk("http.conf", "s/^bindaddr.*/bindaddr = 0.0.0.0/", "module reload http"),
    ),
    Fault(
        "asterisk-ami-off",
        "the manager interface is off, and the backend has no way to Asterisk",
        Kind.TELEPHONY,
        _ids("asterisk.ami ports.ami"),
        inject=_asterisk("manager.conf", "s/^enabled.*/enabled = no/", "manager reload"),
    ),
    Fault(
        "asterisk-wss-off",
        "Asterisk no longer serves HTTPS, and so no WebSockets",
        Kind.TELEPHONY,
        _ids("asterisk.http ports.wss"),
        inject=_asterisk("http.conf", "s/^tlsenable.*/tlsenable = no/", _RESTART_ASTERISK),
        also={"firewall.reach": "the port is open and nobody is behind it"},
    ),
    Fault(
        "asterisk-module-websocket",
        "the module for SIP over WebSockets is not loaded",
        Kind.TELEPHONY,
        _ids("asterisk.modules.sip"),
        inject=_without_module("res_pjsip_transport_websocket"),
    ),
    Fault(
        "asterisk-module-srtp",
        "the module that encrypts media is not loaded",
        Kind.TELEPHONY,
        _ids("asterisk.modules.media"),
        inject=_without_module("res_srtp"),
    ),
    Fault(
        "asterisk-module-echo",
        "the module of the echo test is not loaded",
        Kind.TELEPHONY,
        _ids("asterisk.modules.calls"),
        inject=_without_module("app_echo"),
    ),
    Fault(
        "asterisk-module-unloaded",
        "somebody unloaded the module that records calls",
        Kind.TELEPHONY,
        _ids("asterisk.modules.recording"),
        inject="asterisk -rx 'module unload app_mixmonitor.so'",
    ),
    Fault(
        "asterisk-tls-transport-lost",
        "SIP over TLS is not set up",
        Kind.TELEPHONY,
        _ids("asterisk.transports"),
        inject=_asterisk("pjsip.conf", "/^.transport-tls.$/,/^allow_reload/d", _RESTART_ASTERISK),
    ),
    Fault(
        "asterisk-security-log-off",
        "refused logins are not logged",
        Kind.TELEPHONY,
        _ids("asterisk.security_log"),
        inject=_asterisk("logger.conf", "s/^security =>/;&/", "logger reload"),
    ),
    Fault(
        "asterisk-module-opus",
        "the module that transcodes opus is not loaded",
        Kind.TELEPHONY,
        _ids("asterisk.transcoding"),
        inject="printf 'noload => codec_opus.so\\nnoload => codec_opus_open_source.so\\n' "
        f">> {_ASTERISK}/modules.conf && {_RESTART_ASTERISK}",
        mend_here=_INSTALL,
    ),
    Fault(
        "asterisk-module-driver",
        "PJSIP's channel driver is not loaded",
        Kind.TELEPHONY,
        _ids("asterisk.drivers"),
        inject=_without_module("chan_pjsip"),
    ),
    Fault(
        "asterisk-descriptors",
        "Asterisk runs with 1024 file descriptors",
        Kind.TELEPHONY,
        _ids("asterisk.descriptors"),
        inject=_edit(
            "/etc/systemd/system/asterisk.service.d/ucontact.conf",
            "s/^LimitNOFILE=.*/LimitNOFILE=1024/",
            f"systemctl daemon-reload && {_RESTART_ASTERISK}",
        ),
    ),
    Fault(
        "asterisk-stun-dead",
        "Asterisk asks a STUN server that does not answer",
        Kind.TELEPHONY,
        _ids("asterisk.stun"),
        inject=_asterisk(
            "rtp.conf",
            "/^stunaddr/d; s/^rtpstart.*/&\\nstunaddr = 192.0.2.9:3478/",
            "module reload res_rtp_asterisk.so",
        ),
    ),
    Fault(
        "asterisk-records-password",
        "Asterisk's password for the call records is wrong",
        Kind.TELEPHONY,
        _ids("asterisk.records"),
        inject=_edit("/etc/odbc.ini", "s/^PASSWORD.*/PASSWORD = wrong/", "true"),
        mend_here=_INSTALL,
    ),
    Fault(
        "asterisk-jail-bans-installer",
        "somebody banned the installing machine",
        Kind.TELEPHONY,
        _ids("asterisk.banned"),
        inject="fail2ban-client set ucontact-asterisk banip ${SSH_CONNECTION%% *} >/dev/null",
        also={"firewall.reach": "it knocks from the banned machine, and says so"},
    ),
    Fault(
        "asterisk-limits-gone",
        "the limits in front of SIP were flushed",
        Kind.TELEPHONY,
        _ids("asterisk.limits"),
        inject="nft delete table inet ucontact_sip",
    ),
    Fault(
        "firewall-limits-gone",
        "the limits of connections per source were flushed",
        Kind.TELEPHONY,
        _ids("firewall.limits"),
        inject="nft delete table inet ucontact_limits",
    ),
    Fault(
        "asterisk-connection-jail-off",
        "the jail for connections with wrong passwords is stopped, and fail2ban runs",
        Kind.TELEPHONY,
        _ids("asterisk.jail"),
        inject="fail2ban-client stop ucontact-connection >/dev/null",
    ),
    Fault(
        "asterisk-jail-off",
        "the jail for guessed passwords is stopped, and fail2ban runs",
        Kind.TELEPHONY,
        _ids("asterisk.jail"),
        inject="fail2ban-client stop ucontact-asterisk >/dev/null",
    ),
)

_TMPFS = (
    f"-o {{size}},uid=$(id -u asterisk),gid=$(id -g asterisk),mode=$(stat -c %a {_MONITOR}) "
    f"tmpfs {_MONITOR}"
)
_DAY_OF_ROOT = (
    f"day=$(date +{_MONITOR}/%Y/%m/%d) && mkdir -p $day && "
    f"chmod 0750 $day && chown -R root: {_MONITOR}/2*"
)


def _filled(folder: str, unit: str) -> str:
    """The folder, its content kept, on a file system of its own that has no room left."""
    return (
        f"systemctl stop {unit} && mkdir /root/kept && cp -a {folder}/. /root/kept/ && "
        f"mount -t tmpfs -o size=$(( $(du -sm {folder} | cut -f1) * 2 + 30 ))m,"
        f"mode=$(stat -c %a {folder}),uid=$(stat -c %u {folder}),gid=$(stat -c %g {folder}) "
        f"tmpfs {folder} && "
        f"cp -a /root/kept/. {folder}/ && systemctl start {unit} && sleep 2 && "
        f"! dd if=/dev/zero of={folder}/full bs=1M 2>/dev/null"
    )


_STORAGE = (
    Fault(
        "recordings-read-only",
        "the recordings' file system is mounted read-only",
        Kind.STORAGE,
        _ids("asterisk.recordings"),
        inject=f"mount --bind {_MONITOR} {_MONITOR} && mount -o remount,bind,ro {_MONITOR}",
        mend=f"umount {_MONITOR}",
    ),
    Fault(
        "recordings-open",
        "everybody may listen to the recordings",
        Kind.STORAGE,
        _ids("asterisk.recordings"),
        inject=f"chmod 0755 {_MONITOR}",
    ),
    Fault(
        "recordings-of-root",
        "the recordings' folders of a day belong to root, as after `chown -R root`",
        Kind.STORAGE,
        _ids("recordings.tree"),
        inject=_DAY_OF_ROOT,
    ),
    Fault(
        "recordings-lost",
        "a call could not be recorded, and now calls can",
        Kind.STORAGE,
        _ids("recordings.lost"),
        inject=f"{_DAY_OF_ROOT} && "
        "asterisk -rx 'channel originate Local/*43@internal application Wait 1' && sleep 4 && "
        f"chown -R asterisk: {_MONITOR}/2*",
        mend="mv /var/log/asterisk/messages.log /root/ && asterisk -rx 'logger reload' && "
        "sleep 5 && mysql -e 'delete from ccdata.cdr'",
    ),
    Fault(
        "recordings-not-synced",
        "nothing brings recordings to the disk while calls are up",
        Kind.STORAGE,
        _ids("recordings.kept"),
        inject="systemctl disable --now ucontact-sync 2>/dev/null",
    ),
    Fault(
        "recordings-without-record",
        "a recording has no call record",
        Kind.STORAGE,
        _ids("recordings.records"),
        inject=f"runuser -u asterisk -- mkdir -p {_MONITOR}/$(date +%Y/%m/%d) && "
        f"cd {_MONITOR}/$(date +%Y/%m/%d) && echo sound > x_6001_43_1700000000.1.gsm && "
        "touch -d '1 hour ago' x_6001_43_1700000000.1.gsm",
        mend=f"rm {_MONITOR}/2*/*/*/x_*",
    ),
    Fault(
        "recordings-full",
        "the recordings' file system is full",
        Kind.STORAGE,
        _ids("disk.recordings"),
        inject=f"mount -t tmpfs {_TMPFS.format(size='size=20m')} && "
        f"! dd if=/dev/zero of={_MONITOR}/full bs=1M 2>/dev/null",
        mend=f"umount {_MONITOR}",
    ),
    Fault(
        "recordings-inodes",
        "the recordings' file system has no inode left",
        Kind.STORAGE,
        _ids("disk.recordings"),
        inject=f"mount -t tmpfs {_TMPFS.format(size='size=2g,nr_inodes=50')} && "
        f"! touch {_MONITOR}/f{{1..60}} 2>/dev/null",
        mend=f"umount {_MONITOR}",
    ),
    Fault(
        "recordings-growing",
        "recordings grow faster than the disk can hold them for the retention's days",
        Kind.STORAGE,
        _ids("disk.growth"),
        # It counts by its length and takes no room.
        inject=f"truncate -s 4T {_MONITOR}/long.gsm",
        mend=f"rm {_MONITOR}/long.gsm",
    ),
    Fault(
        "disk-slow",
        "every write waits for the disk",
        Kind.STORAGE,
        _ids("disk.latency"),
        here=f'mkdir {_SLOW} && echo "$(findmnt -no MAJ:MIN -T "$ROOT/..") 20" > '
        f"{_SLOW}/blkio.throttle.write_iops_device && "
        f'for one in $(pgrep --ns "$LEADER" --nslist pid .); do echo $one > {_SLOW}/cgroup.procs; '
        "done",
        mend_here=f"for one in $(cat {_SLOW}/cgroup.procs); do "
        f"echo $one > {_SLOW}/../cgroup.procs; done; rmdir {_SLOW}",
    ),
    Fault(
        "var-inodes",
        "the file system of /var has no inode left",
        Kind.STORAGE,
        _ids("disk.inodes"),
        inject="mkdir /root/var && mount -t tmpfs -o "
        "nr_inodes=$(( $(find /var | wc -l) + 300 )) tmpfs /root/var && "
        "cp -a /var/. /root/var/ && mount --bind /root/var /var && mkdir /var/full && "
        "! (cd /var/full && for i in $(seq 2000); do : > $i; done) 2>/dev/null",
        also={"disk.recordings": "recordings lie on it"},
        mend="umount -l /var",
    ),
    Fault(
        "var-full",
        "the file system of /var is full",
        Kind.STORAGE,
        _ids("disk.space"),
        inject="mkdir /root/var && mount -t tmpfs -o "
        "size=$(( $(du -sm /var | cut -f1) + 100 ))m tmpfs /root/var && cp -a /var/. /root/var/ && "
        "mount --bind /root/var /var && ! dd if=/dev/zero of=/var/full bs=1M 2>/dev/null",
        also={"disk.recordings": "recordings lie on it"},
        mend="umount -l /var",
    ),
    Fault(
        "release-read-only",
        "the release's file system is mounted read-only",
        Kind.STORAGE,
        _ids("disk.writable"),
        inject=f"mount --bind {_TREE} {_TREE} && mount -o remount,bind,ro {_TREE}",
        mend=f"umount {_TREE}",
    ),
    Fault(
        "database-full",
        "the file system of the database is full",
        Kind.STORAGE,
        _ids("disk.space"),
        inject=_filled("/var/lib/mysql", "mysql"),
        mend="rm /var/lib/mysql/full",
    ),
    Fault(
        "logs-full",
        "the file system of Asterisk's logs is full",
        Kind.STORAGE,
        _ids("disk.space"),
        inject=_filled("/var/log/asterisk", "asterisk"),
        mend="rm /var/log/asterisk/full",
    ),
    Fault(
        "retention-stopped",
        "old recordings are no longer deleted",
        Kind.STORAGE,
        _ids("disk.retention"),
        inject="systemctl disable --now ucontact-retention.timer 2>/dev/null",
    ),
)

_HOST = (
    Fault(
        "host-name-unknown",
        "the host does not know its own name",
        Kind.HOST,
        _ids("host.hostname"),
        inject='grep -v "$(hostname)" /etc/hosts > /root/h; cat /root/h > /etc/hosts',
    ),
    Fault(
        "host-clock-behind",
        "the host's clock is ten minutes behind",
        Kind.HOST,
        _ids("host.clock"),
        # A container has its host's clock, so that every new process is told another time.
        inject="apt-get -qq install -y libfaketime >/dev/null && echo -10m > /etc/faketimerc && "
        "dpkg -L libfaketime | grep 'libfaketime[.]so' > /etc/ld.so.preload",
        mend="rm /etc/ld.so.preload",
    ),
    Fault(
        "host-package-half",
        "a package is half installed",
        Kind.HOST,
        _ids("host.packages"),
        inject="sed -i '/^Package: hostname$/,/^$/s/^Status: .*/"
        "Status: install ok half-configured/' /var/lib/dpkg/status",
    ),
    Fault(
        "host-restart-pending",
        "an update waits for a restart",
        Kind.HOST,
        _ids("host.restart"),
        inject="touch /run/reboot-required",
    ),
    Fault(
        "host-ssh-password",
        "root may log in with a password",
        Kind.HOST,
        _ids("system.ssh"),
        inject="printf 'PermitRootLogin yes\\nPasswordAuthentication yes\\n' "
        "> /etc/ssh/sshd_config.d/00-test.conf",
    ),
    Fault(
        "service-override",
        "somebody set the backend a limit of its own",
        Kind.HOST,
        _ids("system.overrides"),
        inject="systemctl set-property integraserver MemoryMax=8G",
    ),
    Fault(
        "service-as-root",
        "Asterisk runs as root, by a file beside its unit",
        Kind.HOST,
        _ids("system.overrides"),
        inject="printf '[Service]\nUser=root\nGroup=root\n' "
        "> /etc/systemd/system/asterisk.service.d/zz.conf && systemctl daemon-reload && "
        f"{_RESTART_ASTERISK}",
    ),
    Fault(
        "service-account",
        "the backend runs as root, by its own unit",
        Kind.HOST,
        _ids("system.accounts"),
        inject=_edit(
            "/etc/systemd/system/integraserver.service",
            "s/^User=.*/User=root/",
            f"systemctl daemon-reload && {_RESTART_BACKEND}",
        ),
    ),
    Fault(
        "host-sysctl-lost",
        "the baseline's kernel settings are gone from disk",
        Kind.HOST,
        _ids("system.settings"),
        inject="rm /etc/sysctl.d/60-ucontact.conf",
    ),
    Fault(
        "host-ssh-stopped",
        "the ssh server is stopped: nothing of the host can be seen",
        Kind.HOST,
        _ids("host.reachable"),
        here='nsenter -t "$LEADER" -a systemctl stop ssh.socket ssh.service; '
        'nsenter -t "$LEADER" -a pkill -x sshd; sleep 1',
        mend_here='nsenter -t "$LEADER" -a systemctl start ssh.service && sleep 1',
    ),
    Fault(
        "host-key-changed",
        "the host has other ssh keys than those that were pinned",
        Kind.HOST,
        _ids("host.reachable"),
        inject="rm /etc/ssh/ssh_host_* && ssh-keygen -A >/dev/null && systemctl restart ssh",
    ),
    Fault(
        "secrets-open",
        "everybody on the installing machine may read the site's secrets",
        Kind.CONTROLLER,
        _ids("controller.secrets"),
        here='chmod 0644 "$ETC/secrets.yml" "$ETC"/pki/*.key',
        fast=True,
    ),
    Fault(
        "secrets-lost",
        "some of the site's secrets are gone from the installing machine",
        Kind.CONTROLLER,
        _ids("controller.secrets"),
        here='sed -i "/^telephony/d" "$ETC/secrets.yml"',
    ),
    Fault(
        "waiver-ended",
        "an exception of site.yml has outlived its date",
        Kind.CONTROLLER,
        _ids("site.waivers"),
        here='printf "waivers:\\n  - {check: web.version, reason: until the upgrade, '
        'until: 2020-01-31}\\n" >> "$SITE"',
        mend_here='sed -i "/^waivers:/,\\$d" "$SITE"',
    ),
)

_NETWORK = (
    Fault(
        "network-route-lost",
        "the host has no default route",
        Kind.HOST,
        _ids("network.route"),
        inject="ip route show default > /root/route && ip route del default",
        mend="ip route add $(cat /root/route)",
    ),
    Fault(
        "network-dns-gone",
        "the name servers that are set do not answer",
        Kind.HOST,
        _ids("network.dns"),
        inject="cp -L /etc/resolv.conf /root/resolv && rm /etc/resolv.conf && "
        "echo nameserver 192.0.2.53 > /etc/resolv.conf",
        mend="cp /root/resolv /etc/resolv.conf",
    ),
    Fault(
        "network-mtu-small",
        "the host's interface takes packets of 1280 octets at the most",
        Kind.HOST,
        _ids("network.mtu"),
        inject="ip link set $(ip route show default | sed 's/.* dev //; s/ .*//') mtu 1280",
        mend="ip link set $(ip route show default | sed 's/.* dev //; s/ .*//') mtu 1500",
    ),
    Fault(
        "mysql-start-slow",
        "mysqld takes more than a minute to start",
        Kind.DATABASE,
        _ids("mysql.start"),
        inject="mkdir -p /run/systemd/system/mysql.service.d && "
        "printf '[Service]\nTimeoutStartSec=600\nExecStartPre=/bin/sleep 61\n' "
        "> /run/systemd/system/mysql.service.d/slow.conf && systemctl daemon-reload && "
        f"systemctl restart mysql && {_WAIT_BACKEND}",
        also={"system.overrides": "the start is slowed down by a file beside the unit"},
        mend="rm -r /run/systemd/system/mysql.service.d && systemctl daemon-reload && "
        "systemctl restart mysql",
    ),
    Fault(
        "mysql-replication-stopped",
        "the server is set up as a replica, and copies nothing",
        Kind.DATABASE,
        _ids("mysql.replication"),
        inject=_sql("CHANGE REPLICATION SOURCE TO SOURCE_HOST='192.0.2.1', SOURCE_USER='copy'"),
        mend=_sql("RESET REPLICA ALL"),
    ),
    Fault(
        "files-drift",
        "somebody added a comment to a file that the installation writes",
        Kind.HOST,
        _ids("files.drift"),
        inject="echo '# by hand' >> /etc/sysctl.d/60-ucontact.conf",
    ),
)

_DRIFT = "a file that the installation writes was changed to break it"
_MANAGED = tuple(path for paths in load_data("managed").values() for path in paths)


def _with_drift(fault: Fault) -> Fault:
    """The files' own check names every file that a fault edits, beside what comes of it."""
    if "files.drift" in fault.causes or not any(path in fault.inject for path in _MANAGED):
        return fault
    return replace(fault, also={**fault.also, "files.drift": _DRIFT})


_WRITTEN: tuple[Fault, ...] = (
    *_SERVICES,
    *_PORTS,
    *_FIREWALLS,
    *_CERTIFICATES,
    *_TLS_FAULTS,
    *_WEB,
    *_HEADERS,
    *_RELEASE,
    *_BACKEND,
    *_DATABASE,
    *_STUN,
    *_TELEPHONY,
    *_STORAGE,
    *_HOST,
    *_NETWORK,
)
FAULTS: tuple[Fault, ...] = tuple(_with_drift(fault) for fault in _WRITTEN)

# Findings that are true of every rehearsal machine.
USUAL = frozenset({"asterisk.build"})
