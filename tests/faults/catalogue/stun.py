"""STUN and TURN."""

from __future__ import annotations

from tests.faults.catalogue.helpers import edit, ids
from tests.faults.model import Fault, Kind

_TURN = "/etc/turnserver.conf"


def _turn(expression: str) -> str:
    return edit(_TURN, expression, "systemctl restart coturn && sleep 1")


FAULTS = (
    Fault(
        "stun-no-auth",
        "coturn relays for everybody",
        Kind.STUN,
        ids("stun.anonymous"),
        inject=_turn("s/^use-auth-secret/no-auth/; /^static-auth-secret/d"),
    ),
    Fault(
        "stun-other-secret",
        "coturn has another secret than the backend gives credentials from",
        Kind.STUN,
        ids("stun.relay"),
        inject=_turn("s/^static-auth-secret=.*/static-auth-secret=other/"),
    ),
    Fault(
        "stun-peers",
        "coturn relays to addresses inside",
        Kind.STUN,
        ids("stun.peers"),
        inject=_turn("/^denied-peer-ip/d"),
    ),
    Fault(
        "stun-port",
        "coturn listens on another port",
        Kind.STUN,
        ids("ports.stun-udp ports.stun-tcp"),
        inject=_turn("s/^listening-port=.*/listening-port=3479/"),
        also={"ports.unexpected": "the new port is in no registry"},
    ),
    Fault(
        "stun-certificate-missing",
        "coturn's certificate is at a path that is not there",
        Kind.STUN,
        ids("ports.turn-tls"),
        inject=_turn("s#^cert=.*#cert=/etc/nowhere.pem#"),
    ),
    Fault(
        "stun-relay-ports",
        "coturn relays on ports that the firewall does not open",
        Kind.STUN,
        ids("stun.relay"),
        inject=_turn("s/^min-port=.*/min-port=30000/; s/^max-port=.*/max-port=30100/"),
    ),
)
