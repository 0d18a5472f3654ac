"""One site that grows from one server to two and to three, with all that it has gathered.

The tests of this file build on one another, in their order.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

import pytest
from playwright.sync_api import Browser

from tests.e2e.conftest import MachineFactory
from tests.e2e.packages import packages_layer
from tests.e2e.reach import Edge, seen_from
from tests.e2e.several import Several, sh, told
from tests.e2e.softphone import chromium, echo_call, new_recording, recordings, sign_in
from tests.faults.snapshot import Snapshot
from ucontact_appliance.lab import layout
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.ports import ports_for
from ucontact_appliance.site.loader import load_site

pytestmark = pytest.mark.machine

_CDR = "mysql -Ne 'select uniqueid, src, dst, userfield from ccdata.cdr order by uniqueid'"
_OWN = "mysql -e \"insert into ccrepo.site_info (name, value) values ('kept', 'by the customer')\""
_SHOW = "mysql -Ne \"select value from ccrepo.site_info where name = 'kept'\""
_FORM = "/var/lib/IntegraServer/forms/survey.html"


@dataclass(frozen=True)
class Growing:
    """The site, its three machines to be, and one that is none of its."""

    site: Several
    one: Machine
    two: Machine
    three: Machine
    outside: Machine

    def network(self) -> dict[str, object]:
        """Agents and administrators are where the installer is; everybody else is a stranger."""
        installer = [f"{layout.GATEWAY}/32"]
        return {"agents": installer, "admins": installer, "providers": installer}

    def shell(self, script: str) -> str:
        """What a script says on the telephony server, which never changes."""
        return sh(self.one, script)

    def grow(self, agents: int, *machines: Machine) -> str:
        """Install for so many agents on these machines; what the installer was told."""
        self.site.write(agents, machines, network=self.network())
        return self.site.install().stderr


@dataclass(frozen=True)
class Gathered:
    """What a site must not lose."""

    rows: str
    recordings: dict[str, str]
    secrets: dict[str, str]


@pytest.fixture(scope="module")
def growing(small_site: Snapshot, machine_factory: MachineFactory) -> Growing:
    """The small site as it was installed, and the machines that it does not have yet."""
    small_site.restore()
    site = Several(small_site.machine.name, small_site.folder)
    more = [machine_factory(layers=packages_layer()) for _ in range(3)]
    return Growing(site, small_site.machine, *more)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def gathered(growing: Growing, browser: Browser) -> Gathered:
    """A small site with a call, a row and a file of its own."""
    secrets = growing.site.secrets()
    before = recordings(growing.shell)
    secret = secrets["telephony.extensions.6001"]
    echo_call(sign_in(browser, growing.one.address, "6001", secret))
    new_recording(growing.shell, before)
    sh(growing.one, f"{_OWN} && echo '<p>Thank you</p>' > {_FORM}")
    return Gathered(rows(growing.one, 1), hashes(growing.one), secrets)


def rows(machine: Machine, count: int) -> str:
    """The call records, once there are so many: Asterisk writes them behind a call's end."""
    deadline = time.monotonic() + 20
    while len((found := sh(machine, _CDR)).splitlines()) < count:
        assert time.monotonic() < deadline, f"not {count} call records:\n{found}"
        time.sleep(0.5)
    return found


def hashes(machine: Machine) -> dict[str, str]:
    """Each recording and its hash."""
    lines = sh(machine, "find /var/spool/asterisk/monitor -type f -exec sha256sum {} +")
    return {line.split()[1]: line.split()[0] for line in lines.splitlines()}


def kept(growing: Growing, gathered: Gathered, database: Machine, backend: Machine) -> None:
    """Every row, recording, file and secret is there."""
    assert sh(database, _SHOW) == "by the customer\n"
    assert set(gathered.rows.splitlines()) <= set(sh(database, _CDR).splitlines())
    assert gathered.recordings.items() <= hashes(growing.one).items()
    assert "Thank you" in sh(backend, f"cat {_FORM}")
    now = growing.site.secrets()
    assert {name: now[name] for name in gathered.secrets} == gathered.secrets


def healthy(growing: Growing, *words: str) -> None:
    """Nothing is remarked upon but what is said of every rehearsal machine."""
    wrong = growing.site.wrong(*words)
    # Stock Asterisk; two cores and a container's ceiling, below what a big site's peak takes.
    usual = ("asterisk.build", "host.processor", "asterisk.descriptors")
    assert set(wrong) <= {f"{growing.one.name}:{check}" for check in usual}, told(wrong)
    assert all(found["verdict"] == "warn" for found in wrong.values()), told(wrong)


def echoed(growing: Growing, browser: Browser, portal: Machine, secret: str) -> None:
    """A call by the portal's name alone, wherever telephony is; its recording and its row."""
    before = recordings(growing.shell)
    echo_call(sign_in(browser, portal.address, "6001", secret))
    new_recording(growing.shell, before)


def test_a_small_site_gathers_a_call(gathered: Gathered) -> None:
    assert len(gathered.rows.splitlines()) == 1
    assert len(gathered.recordings) == 1


def test_it_grows_to_medium_and_loses_nothing(growing: Growing, gathered: Gathered) -> None:
    told_before = growing.grow(100, growing.one, growing.two)
    assert f"From then on, demo.ucontact.test must resolve to {growing.two.address}" in told_before
    assert "the database" in told_before
    kept(growing, gathered, database=growing.two, backend=growing.two)
    for unit in ("mysql", "integraserver", "nginx"):
        assert growing.one.ssh([f"systemctl is-active {unit}"]).stdout.strip() == "inactive"
    healthy(growing)


def test_medium_takes_calls_by_the_portals_name(
    growing: Growing, gathered: Gathered, browser: Browser
) -> None:
    echoed(growing, browser, growing.two, gathered.secrets["telephony.extensions.6001"])
    assert len(rows(growing.two, 2).splitlines()) == 2


@pytest.mark.exhaustive
def test_it_grows_to_big_and_loses_nothing(growing: Growing, gathered: Gathered) -> None:
    growing.grow(500, growing.one, growing.two, growing.three)
    kept(growing, gathered, database=growing.three, backend=growing.two)
    assert len(rows(growing.three, 2).splitlines()) == 2
    healthy(growing, "--deep")


@pytest.mark.exhaustive
def test_big_takes_calls_by_the_portals_name(
    growing: Growing, gathered: Gathered, browser: Browser
) -> None:
    echoed(growing, browser, growing.two, gathered.secrets["telephony.extensions.6001"])
    assert len(rows(growing.three, 3).splitlines()) == 3


@pytest.mark.exhaustive
def test_a_second_install_of_three_servers_changes_nothing(growing: Growing) -> None:
    done = growing.site.install()
    assert "changed=0" in done.stdout


def listeners(machine: Machine) -> set[tuple[str, int]]:
    """TCP ports that anything on the machine listens on."""
    lines = sh(machine, "ss -lntH").splitlines()
    return {("tcp", int(line.split()[3].rpartition(":")[2])) for line in lines}


@pytest.mark.exhaustive
@pytest.mark.parametrize("place", ["installer", "one", "two", "three", "outside"])
def test_each_place_sees_exactly_the_registrys_ports(growing: Growing, place: str) -> None:
    site, plan = load_site(growing.site.site_file), growing.site.plan
    machines = {m.name: m for m in (growing.one, growing.two, growing.three)}
    source = None if place == "installer" else getattr(growing, place)
    address = layout.GATEWAY if source is None else ip_address(source.address)
    wanted: dict[Edge, bool] = {}
    for host in plan.hosts:
        if host.address == str(address):
            continue
        closed = listeners(machines[host.name])
        for port in ports_for(site, plan, host):
            first, _, last = port.port.partition("-")
            for number in {int(first), int(last or first)}:
                closed.discard((port.protocol, number))
                edge = Edge(port.protocol, host.address, number)
                wanted[edge] = any(address in ip_network(source) for source in port.sources)
        wanted |= {Edge(protocol, host.address, number): False for protocol, number in closed}
    seen = seen_from(source, wanted)
    assert {edge: state != "silent" for edge, state in seen.items()} == wanted
    # What a registry row lets in over TCP has somebody who answers.
    refused = [e for e, state in seen.items() if e.protocol == "tcp" and state == "refused"]
    assert refused == []
    if place == "outside":
        assert not any(wanted.values())


@pytest.mark.exhaustive
def test_the_database_takes_each_account_from_its_own_server_alone(growing: Growing) -> None:
    plan = growing.site.plan
    assert plan.carriers(Role.DATABASE)[0].address == growing.three.address
    query = "select user, host from mysql.user where user in ('asterisk', 'integra', 'doctor')"
    rows = sh(growing.three, f'mysql -Ne "{query}"').splitlines()
    assert {tuple(row.split()) for row in rows} == {
        ("asterisk", growing.one.address),
        ("integra", growing.two.address),
        ("doctor", "127.0.0.1"),
    }
