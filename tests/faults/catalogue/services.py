"""Services that are stopped or hang."""

from __future__ import annotations

from tests.faults.catalogue.helpers import WAIT_BACKEND, ids
from tests.faults.model import Fault, Kind


def _stopped(name: str, unit: str, cause: str, *, fast: bool = False) -> Fault:
    return Fault(
        f"{name}-stopped",
        f"{unit} is stopped",
        Kind.SERVICE,
        ids(cause),
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
        ids(cause),
        inject=f"cat > /opt/delay.py <<'E'{_DELAY.format(port=port)}E\n"
        "systemd-run -q --unit=delay --uid=nobody python3 /opt/delay.py && sleep 1 && "
        "nft add table ip delay && "
        'nft "add chain ip delay output { type nat hook output priority -100; }" && '
        f'nft "add rule ip delay output {rule}"',
        mend="nft delete table ip delay && systemctl stop delay",
    )


FAULTS = (
    _stopped("asterisk", "asterisk", "asterisk.service", fast=True),
    _stopped("nginx", "nginx", "web.service"),
    _stopped("coturn", "coturn", "stun.service"),
    _stopped("mysql", "mysql", "mysql.service"),
    _stopped("backend", "integraserver", "backend.service"),
    _stopped("playback", "ucontact-playback", "recordings.playback"),
    _stopped("fail2ban", "fail2ban", "asterisk.jail"),
    Fault(
        "asterisk-masked",
        "asterisk is stopped and masked",
        Kind.SERVICE,
        ids("asterisk.service"),
        inject="systemctl mask --now asterisk 2>/dev/null",
    ),
    Fault(
        "nginx-masked",
        "nginx is stopped and masked",
        Kind.SERVICE,
        ids("web.service"),
        inject="systemctl mask --now nginx 2>/dev/null",
    ),
    Fault(
        "coturn-masked",
        "coturn is stopped and masked",
        Kind.SERVICE,
        ids("stun.service"),
        inject="systemctl mask --now coturn 2>/dev/null",
    ),
    Fault(
        "backend-disabled",
        "the backend runs, and would not start at the next boot",
        Kind.SERVICE,
        ids("backend.service"),
        inject="systemctl disable integraserver 2>/dev/null",
    ),
    Fault(
        "asterisk-disabled",
        "asterisk runs, and would not start at the next boot",
        Kind.SERVICE,
        ids("asterisk.service"),
        inject="systemctl disable asterisk 2>/dev/null",
    ),
    Fault(
        "unit-failed",
        "a unit that is not the appliance's has failed",
        Kind.SERVICE,
        ids("system.units"),
        inject="! systemd-run -q --wait --unit=broken false",
        mend="systemctl reset-failed broken",
    ),
    Fault(
        "nginx-hung",
        "nginx hangs: it takes connections and answers none",
        Kind.HUNG,
        ids("web.answers"),
        inject="systemctl kill -s STOP nginx",
    ),
    Fault(
        "asterisk-hung",
        "asterisk hangs",
        Kind.HUNG,
        ids("asterisk.service"),
        inject="systemctl kill -s STOP asterisk",
    ),
    Fault(
        "mysql-hung",
        "mysqld hangs: it takes connections and answers none",
        Kind.HUNG,
        ids("mysql.answers"),
        inject="systemctl kill -s STOP mysql",
    ),
    Fault(
        "coturn-hung",
        "coturn hangs",
        Kind.HUNG,
        ids("stun.binding"),
        inject="systemctl kill -s STOP coturn",
    ),
    Fault(
        "backend-hung",
        "the backend hangs: it takes connections and answers none",
        Kind.HUNG,
        ids("backend.health"),
        inject="systemctl kill -s STOP integraserver",
    ),
    _delayed("database", 3306, "mysql.answers"),
    _delayed("backend", 8080, "backend.health"),
    Fault(
        "nginx-slow",
        "nginx's port takes a connection at the second attempt only, a second later",
        Kind.HUNG,
        ids("web.answers"),
        inject=f"cat > /opt/late.nft <<'E'{_LATE}E\nnft -f /opt/late.nft",
        also={"firewall.foreign": "the table that makes it late is another's"},
        mend="nft delete table ip late",
    ),
    Fault(
        "asterisk-killed",
        "Asterisk's process is killed again and again",
        Kind.HUNG,
        ids("system.restarts"),
        inject="for i in 1 2 3; do systemctl kill -s KILL asterisk; sleep 5; done; "
        "asterisk -rx 'core waitfullybooted' && sleep 1",
    ),
    Fault(
        "backend-killed",
        "the backend's process is killed again and again",
        Kind.HUNG,
        ids("system.restarts"),
        inject="for i in 1 2 3; do systemctl kill -s KILL integraserver; sleep 5; done; "
        f"{WAIT_BACKEND}",
        mend="systemctl reset-failed integraserver",
    ),
)
