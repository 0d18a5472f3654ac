"""Lines of shell that several faults share."""

from __future__ import annotations

NGINX = "/etc/nginx/conf.d/ucontact.conf"
RELOAD_NGINX = "nginx -t 2>/dev/null && systemctl reload nginx && sleep 1"
ASTERISK = "/etc/asterisk"
TLS = "/etc/ssl/ucontact"
TREE = "/etc/IntegraServer"
PROPERTIES = f"{TREE}/integraserver.properties"

WAIT_BACKEND = (
    "for i in $(seq 100); do curl -so /dev/null http://127.0.0.1:8080/Integra/resources/health "
    "&& break; sleep 0.3; done"
)
RESTART_BACKEND = f"systemctl restart integraserver && sleep 1 && {WAIT_BACKEND}"

RESTART_ASTERISK = (
    "systemctl restart asterisk && sleep 1 && asterisk -rx 'core waitfullybooted' && sleep 1"
)
FQDN = "demo.ucontact.test"
NOT_TOLD = "what sites there are is not to be told while nginx refuses its files"


def ids(words: str) -> frozenset[str]:
    return frozenset(words.split())


def edit(path: str, expression: str, then: str) -> str:
    """An edit that must have changed something, and what makes it count."""
    return f'cp -a {path} /root/before && sed -i -E "{expression}" {path} && ' + (
        f"! cmp -s {path} /root/before && {then}"
    )


def nginx(expression: str) -> str:
    return edit(NGINX, expression, RELOAD_NGINX)


def asterisk(file: str, expression: str, then: str) -> str:
    if not then.startswith("systemctl"):
        then = f"asterisk -rx '{then}' && sleep 1"
    return edit(f"{ASTERISK}/{file}", expression, then)


def sql(statement: str) -> str:
    return f'mysql -e "{statement}"'
