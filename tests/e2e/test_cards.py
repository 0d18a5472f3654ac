"""Telephony cards (R13) without a card: the files of the role, as Asterisk reads them.

A rehearsal machine has the kernel of its host and no DAHDI in it, so no channel comes up here.
"""

from __future__ import annotations

import re
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MachineFactory
from tests.e2e.packages import packages_layer, telephony_packages
from tests.e2e.support import TELEPHONY_SECRETS, Applied, apply_role
from tests.e2e.test_role_telephony import certify
from tests.unit.sites import small_site
from ucontact_appliance.install.inventory import card_variables
from ucontact_appliance.lab.records import Machine

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

SITE: dict[str, Any] = {
    "country": "AR",
    "extensions": ["6001", "6002"],
    "trunks": [
        {"name": "carrier", "transport": "dahdi", "prefix": "9", "max_calls": 40},
        {"name": "lines", "transport": "dahdi", "prefix": "8", "caller_id": "+541112345678"},
        {"name": "sip", "host": "192.0.2.50", "prefix": "7"},
    ],
    "routes": [
        {"name": "all", "prefix": "0"}
        | {"trunks": [{"trunk": "carrier"}, {"trunk": "sip", "priority": 2}]},
    ],
    "inbound": [{"number": "1234", "to": {"extension": "7001"}}],
    "cards": [
        {
            "name": "e1",
            "model": "digium",
            "driver": "wcte43x",
            "spans": [
                {"signalling": "pri", "trunk": "carrier"},
                {"signalling": "mfcr2", "trunk": "carrier"},
            ],
        },
        {
            "name": "analogue",
            "model": "xorcom",
            "ports": [
                {"signalling": "fxo", "count": 8, "trunk": "lines", "number": "1234"},
                {"signalling": "fxs", "extensions": ["7001", "7002"]},
            ],
        },
    ],
}
# dahdi-dkms would build for the kernel of the machine's host, whose headers nobody has.
PACKAGES = ["dahdi", "dahdi-linux", "asterisk-dahdi"]


@dataclass(frozen=True)
class Server:
    """A machine, and what the role did: without cards, with them, again, and without them again."""

    machine: Machine
    folder: Path

    def apply(self, *, cards: bool) -> Applied:
        """Run the role."""
        telephony = small_site(telephony=SITE).telephony
        trunks = [
            trunk.model_dump(mode="json", by_alias=True)
            for trunk in telephony.trunks
            if cards or trunk.is_sip
        ]
        parameters = {
            "telephony_extensions": [
                {"number": one, "secret": f"secret of {one}"} for one in telephony.extensions
            ],
            **TELEPHONY_SECRETS,
            "telephony_trunks": trunks,
            "telephony_cards": card_variables(telephony) if cards else {},
            "telephony_card_packages": PACKAGES,
            "telephony_routes": [one.model_dump(mode="json") for one in telephony.routes if cards],
            "telephony_inbound_numbers": [
                one.model_dump(mode="json") for one in telephony.inbound if cards
            ],
        }
        return apply_role(self.machine, "telephony", parameters, self.folder)

    def sh(self, script: str) -> str:
        """The output of a script that has to succeed."""
        done = self.machine.ssh(["sh", "-c", shlex.quote(script)])
        assert done.returncode == 0, done.stdout + done.stderr
        return str(done.stdout)

    def ask(self, command: str) -> str:
        """What Asterisk answers."""
        return self.sh(f"asterisk -rx {shlex.quote(command)}")


@pytest.fixture(scope="module")
def server(machine_factory: MachineFactory, tmp_path_factory: pytest.TempPathFactory) -> Server:
    folder = tmp_path_factory.mktemp("cards")
    machine = machine_factory("sid", layers=packages_layer("sid"))
    certify([machine], folder)
    apply_role(machine, "packages", telephony_packages("sid"), folder)
    made = Server(machine, folder)
    made.apply(cards=False)
    return made


@pytest.fixture(scope="module")
def equipped(server: Server) -> tuple[Server, Applied, Applied]:
    """The server with cards, and what the first and the second run with them did."""
    return server, server.apply(cards=True), server.apply(cards=True)


def test_a_site_without_cards_has_nothing_of_dahdi(server: Server) -> None:
    assert server.apply(cards=False).changed == 0
    assert server.sh("dpkg-query -W -f '${Package}\n' | grep -c dahdi; true") == "0\n"
    assert server.sh("ls -d /etc/dahdi /etc/systemd/system/ucontact-dahdi.service; true") == ""
    assert "noload => chan_dahdi.so" in server.sh("cat /etc/asterisk/modules.conf")


def test_asterisk_reads_what_the_role_writes(equipped: tuple[Server, Applied, Applied]) -> None:
    server, first, second = equipped
    assert first.changed > 0
    assert second.changed == 0, second.changed_names
    log = server.sh("grep chan_dahdi.c /var/log/asterisk/messages.log")
    # Without a card no channel can be opened. Nothing else is wrong with a line; the three keys
    # are those of users.conf, which the driver reads too.
    known = ("/dev/dahdi/", "No such file", "Unable to register", "ignore_failed_channels")
    users = ("hassip", "hasiax", "hasmanager")
    strange = [line for line in log.splitlines() if not any(one in line for one in known + users)]
    assert strange == []
    # Of each line with `dahdichan` Asterisk gives up what follows its first missing channel: a lost
    # card costs the other lines nothing.
    asked = {int(one) for one in re.findall(r"Unable to open channel (\d+)", log)}
    assert asked == {1, 32, 63, 71, 72}
    assert "Running" in server.ask("module show like chan_dahdi")


def test_calls_of_a_line_reach_what_the_site_names(
    equipped: tuple[Server, Applied, Applied],
) -> None:
    server, *_ = equipped
    assert "line_number" in server.ask("dialplan show s@from-card-lines")
    assert "Dial(DAHDI/G1/${outside}" in server.ask("dialplan show s@trunk-carrier")
    lines = server.ask("dialplan show s@trunk-lines")
    assert "Dial(DAHDI/G2/${outside},60,if(541112345678))" in lines
    assert "Dial(DAHDI/71," in server.ask("dialplan show 7001@extension")
    for outside in ("from-card-lines", "from-card-carrier"):
        assert "outgoing" not in server.ask(f"dialplan show {outside}")
    assert "agent-codes" not in server.ask("dialplan show from-ports")


def test_a_line_that_can_not_be_had_passes_the_call_to_the_next_trunk(
    equipped: tuple[Server, Applied, Applied],
) -> None:
    server, *_ = equipped
    server.ask("channel originate Local/0123456789@internal application Wait 2")
    # Nobody is at the second trunk's address either: Asterisk says so, once it knows.
    tried = r"Unable to create channel of type '(\w+)'"
    log = "cat /var/log/asterisk/messages.log"
    end = time.monotonic() + 60
    while (seen := re.findall(tried, server.sh(log)))[-2:] != ["DAHDI", "PJSIP"]:
        assert time.monotonic() < end, seen
        time.sleep(1)


def test_without_the_last_card_asterisk_leaves_dahdi_alone(
    equipped: tuple[Server, Applied, Applied],
) -> None:
    server, *_ = equipped
    server.apply(cards=False)
    assert server.apply(cards=False).changed == 0
    assert "noload => chan_dahdi.so" in server.sh("cat /etc/asterisk/modules.conf")
    assert server.sh("ls /etc/systemd/system/ucontact-dahdi.service; true") == ""
    assert "chan_dahdi.so" not in server.ask("module show like chan_dahdi")
