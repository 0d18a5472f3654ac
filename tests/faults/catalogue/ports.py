"""Ports that somebody else holds, or that are open."""

from __future__ import annotations

from tests.faults.catalogue.helpers import RESTART_ASTERISK, ids
from tests.faults.model import Fault, Kind

_LISTEN = (
    "import socket,time; s=socket.socket(socket.AF_INET, socket.{kind}); "
    's.setsockopt(1, 2, 1); s.bind((\\"{address}\\", {port})); {listen}time.sleep(3600)'
)


def _listener(address: str, port: int, kind: str = "SOCK_STREAM") -> str:
    listen = "s.listen(); " if kind == "SOCK_STREAM" else ""
    code = _LISTEN.format(kind=kind, address=address, port=port, listen=listen)
    return f'systemd-run -q --unit=stranger python3 -c "{code}" && sleep 0.5'


FAULTS = (
    Fault(
        "port-foreign",
        "a program that nobody planned listens on 9999",
        Kind.PORT,
        ids("ports.unexpected"),
        inject=_listener("0.0.0.0", 9999),
        mend="systemctl stop stranger",
    ),
    Fault(
        "port-taken-sip",
        "another process holds UDP 5060",
        Kind.PORT,
        ids("ports.free asterisk.transports"),
        inject=f"systemctl stop asterisk && {_listener('0.0.0.0', 5060, 'SOCK_DGRAM')} && "
        "systemctl start asterisk && asterisk -rx 'core waitfullybooted' && sleep 1",
        mend=f"systemctl stop stranger && {RESTART_ASTERISK}",
    ),
    Fault(
        "port-taken-wss",
        "another process holds 8089",
        Kind.PORT,
        ids("ports.free ports.wss"),
        inject=f"systemctl stop asterisk && {_listener('0.0.0.0', 8089)} && "
        "systemctl start asterisk && asterisk -rx 'core waitfullybooted' && sleep 1",
        also={"asterisk.http": "without its port Asterisk serves no HTTPS"},
        mend=f"systemctl stop stranger && {RESTART_ASTERISK}",
    ),
    Fault(
        "port-taken-https",
        "another process holds 443, and nginx can't start",
        Kind.PORT,
        ids("ports.free"),
        inject=f"systemctl stop nginx && {_listener('0.0.0.0', 443)} && ! systemctl start nginx",
        also={
            "web.service": "nginx does not run, for want of its port",
            "system.units": "its unit has failed",
        },
        mend="systemctl stop stranger && systemctl start nginx",
    ),
)
