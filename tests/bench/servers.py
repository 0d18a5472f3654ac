"""One machine with two configurations of Asterisk: the distribution's, then the appliance's.

The distribution's has its own limits (descriptors, WebSockets, calls, modules), and what no call
can do without: transports, a trunk, accounts, numbers and a queue.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.far_end import FarEnd
from tests.e2e.capacity import Prepared
from tests.e2e.load import BRIDGED, RECORDED, TRUNK, Load, run
from tests.e2e.support import apply_role
from ucontact_appliance.clients.sip import SipServer
from ucontact_appliance.lab.records import Machine

FQDN = "capacity.ucontact.test"
AGENTS = 499  # the most of a site whose calls all reach one Asterisk (R12)
LOGINS = 500
MEMBERS = 120  # of the queue: more than are ever busy at once
# Numbers to call beside those of tests/e2e/load.py: the queue; and, from an agent, a bridged call.
QUEUE, AGENT = "66", "86"
_BOOT_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A configured Asterisk: its name for the table, its machine, and the file of its roots."""

    name: str
    load: Load
    roots: Path
    accounts: dict[str, str] = field(repr=False)
    lines: tuple[str, ...] = ()  # for Asterisk's command line, after each start

    def sip_server(self) -> SipServer:
        """Where agents connect to."""
        return SipServer(FQDN, self.load.target.address, 8089, "/ws", str(self.roots))

    def restart(self, far: FarEnd) -> None:
        """Start Asterisk anew, so that nothing of the last measurement is left."""
        far.do("clear")
        run(
            self.load.target,
            "systemctl reset-failed asterisk; systemctl restart asterisk; "
            f"for _ in $(seq {_BOOT_SECONDS}); do asterisk -rx 'core waitfullybooted' && exit; "
            "sleep 1; done; exit 1",
        )
        script = "".join(f"asterisk -rx {line!r}; " for line in self.lines)
        run(self.load.target, f"{script}true")
        end = time.monotonic() + _BOOT_SECONDS
        while " Avail " not in (seen := self.load.ask("pjsip show contacts")):
            assert time.monotonic() < end, seen
            self.load.ask(f"pjsip qualify trunk-{TRUNK}")
            time.sleep(1)


def accounts() -> dict[str, str]:
    """Agents' numbers and secrets, for logins and for calls."""
    return {str(7000 + index): f"a-secret-of-{7000 + index}" for index in range(LOGINS)}


def _members() -> tuple[str, ...]:
    # An agent is a number behind the trunk; its state is that of a number which always exists.
    return tuple(
        f"queue add member PJSIP/{number}@trunk-{TRUNK} to load penalty 0 as {number} "
        "state_interface Local/1@load-agents"
        for number in range(9000, 9000 + MEMBERS)
    )


def distribution(load: Load, roots: Path) -> Server:
    """Complete the configuration that the distribution's packages brought."""
    source = load.source.address
    logins = "".join(
        f"""
[{number}]
type = endpoint
context = internal
disallow = all
allow = opus,alaw,ulaw
webrtc = yes
direct_media = no
auth = {number}
aors = {number}
[{number}]
type = auth
auth_type = userpass
username = {number}
password = {secret}
[{number}]
type = aor
max_contacts = 3
"""
        for number, secret in accounts().items()
    )
    files = {
        "pjsip.conf": f"""
[transport-udp]
type = transport
protocol = udp
bind = 0.0.0.0
[transport-wss]
type = transport
protocol = wss
bind = 0.0.0.0
[trunk-{TRUNK}]
type = endpoint
context = from-trunks
disallow = all
allow = alaw,ulaw,opus
direct_media = no
aors = trunk-{TRUNK}
[trunk-{TRUNK}]
type = aor
contact = sip:{source}:5060
qualify_frequency = 30
[trunk-{TRUNK}]
type = identify
endpoint = trunk-{TRUNK}
match = {source}
{logins}""",
        "http.conf": """
[general](+)
enabled = yes
bindaddr = 127.0.0.1
tlsenable = yes
tlsbindaddr = 0.0.0.0:8089
tlscertfile = /etc/asterisk/portal.pem
tlsprivatekey = /etc/asterisk/portal.key
""",
        "queues.conf": """
[load]
strategy = rrmemory
timeout = 20
ringinuse = no
""",
        "extensions.conf": f"""
[from-trunks]
exten => _{BRIDGED}X.,1,Dial(PJSIP/${{EXTEN}}@trunk-{TRUNK})
exten => _{RECORDED}X.,1,MixMonitor(${{UNIQUEID}}.gsm,b)
 same => n,Dial(PJSIP/${{EXTEN}}@trunk-{TRUNK})
exten => _{QUEUE}X.,1,Answer()
 same => n,MixMonitor(${{UNIQUEID}}.gsm,b)
 same => n,Queue(load,,,,60)
[internal]
exten => _{AGENT}X.,1,Dial(PJSIP/${{EXTEN}}@trunk-{TRUNK})
[load-agents]
exten => 1,1,NoOp()
""",
    }
    for name, text in files.items():
        run(load.target, f"cat >> /etc/asterisk/{name}", text.encode())
    run(
        load.target,
        "cd /etc/asterisk && cp /etc/ssl/ucontact/portal.pem . && "
        "cp /etc/ssl/ucontact/private/portal.key . && "
        "chown asterisk portal.key && chmod 0400 portal.key",
    )
    return Server("distribution's", load, roots, accounts(), _members())


def appliance(load: Load, roots: Path, site: Prepared, folder: Path) -> Server:
    """Apply the role telephony with the values of the plan."""
    # What was added for the distribution's configuration has had its day.
    run(load.target, "systemctl stop asterisk && rm -rf /etc/asterisk && "
        "cp -a /root/distribution /etc/asterisk")  # fmt: skip
    queue: dict[str, Any] = {
        "name": "load", "number": "800", "agents": [], "strategy": "rrmemory", "ring_seconds": 20,
        "wrap_up_seconds": 0, "max_wait_seconds": 60, "max_waiting": 0, "without_agents": False,
        "overflow": None, "weight": 0, "announce_position_seconds": 0, "announcement": None,
        "announcement_seconds": 60,
    }  # fmt: skip
    parameters = {
        **site.parameters,
        "telephony_extensions": [{"number": n, "secret": s} for n, s in accounts().items()],
        "telephony_queues": [queue],
    }
    apply_role(load.target, "telephony", parameters, folder)
    # Numbers of the bench: bridged alone; by the product's own way out, which records; its queue.
    dialplan = (
        (f"_{BRIDGED}X.", f"Dial,PJSIP/${{EXTEN}}@trunk-{TRUNK}", "from-trunks"),
        (f"_{RECORDED}X.", f"Goto,internal,9${{EXTEN:{len(RECORDED)}}},1", "from-trunks"),
        (f"_{QUEUE}X.", "Goto,queue-load,s,1", "from-trunks"),
        (f"_{AGENT}X.", f"Dial,PJSIP/${{EXTEN}}@trunk-{TRUNK}", "internal"),
        ("1", "NoOp,an agent", "load-agents"),
    )
    lines = tuple(
        f"dialplan add extension {number},1,{what} into {where}" for number, what, where in dialplan
    )
    return Server("appliance's", load, roots, accounts(), (*lines, *_members()))


def keep_distribution(telephony: Machine) -> None:
    """Note the configuration that the packages brought, before anything of ours is written."""
    run(telephony, "test -f /etc/asterisk/asterisk.conf && cp -a /etc/asterisk /root/distribution")
