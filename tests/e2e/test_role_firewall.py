"""The firewall opens the registry's ports and no others, and never locks the installer out."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MachineFactory
from tests.e2e.packages import packages_layer
from tests.e2e.small import Small, small
from tests.e2e.support import Applied, apply_role
from ucontact_appliance.checks.firewall import CHECKS
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.facts.firewall import PortProbe, PortState, knocks
from ucontact_appliance.facts.runner import LocalRunner
from ucontact_appliance.facts.source import ProbeContext

pytestmark = pytest.mark.machine

SSH = {"id": "ssh", "protocol": "tcp", "port": "22", "sources": ["0.0.0.0/0"], "for": "ssh"}
RULES = "nft list table inet ucontact"


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("bullseye", None), marks=pytest.mark.exhaustive),
        ("sid", "24.04"),
    ],
    ids=["bullseye", "sid-as-ubuntu-24.04"],
)
def site(
    request: pytest.FixtureRequest,
    machine_factory: MachineFactory,
    tmp_path_factory: pytest.TempPathFactory,
) -> Small:
    suite, ubuntu = request.param
    machine = machine_factory(suite, ubuntu=ubuntu, layers=packages_layer(suite))
    here = small(machine, tmp_path_factory.mktemp("site"))
    here.prepare()
    for port in (443, 4444, 5038):
        here.sh(f"systemd-run --quiet --unit=t{port} python3 -m http.server {port}")
    return here


def role(site: Small, folder: Path, ports: list[dict[str, Any]], **more: Any) -> Applied:
    failure = more.pop("expect_failure", False)
    parameters = {"firewall_ports": ports, **more}
    return apply_role(site.machine, "firewall", parameters, folder, expect_failure=failure)


def verdicts(site: Small) -> dict[str, Verdict]:
    return {check: judgement.verdict for check, judgement in site.judge(CHECKS).items()}


def test_a_second_run_changes_nothing(site: Small) -> None:
    again = site.play("firewall")
    assert again.changed == 0, again.changed_names
    dry = site.play("firewall", check=True)
    assert dry.changed == 0, dry.changed_names


def test_the_registrys_ports_are_open_and_others_are_not(site: Small) -> None:
    reach = ProbeContext(site.subject.site, site.subject.host, LocalRunner())
    assert knocks(reach, (22, 443, 80, 4444, 5038)) == (
        PortProbe(22, PortState.OPEN),
        PortProbe(443, PortState.OPEN),
        PortProbe(80, PortState.CLOSED),
        PortProbe(4444, PortState.FILTERED),
        PortProbe(5038, PortState.FILTERED),
    )


def test_all_checks_pass(site: Small) -> None:
    told = site.judge(CHECKS)
    assert {check: j for check, j in told.items() if j.verdict is not Verdict.PASS} == {}


def test_marks_are_seen_on_the_wire(site: Small, tmp_path: Path) -> None:
    mark = {"protocol": "tcp", "source_port": 8089, "dscp": "cs3"}
    wss = {"id": "wss", "protocol": "tcp", "port": "8089", "sources": ["0.0.0.0/0"]}
    role(site, tmp_path, [SSH, wss], firewall_marks=[mark])
    site.sh(
        "systemd-run --quiet --unit=t8089 python3 -m http.server 8089 && "
        "timeout 30 sh -c 'until ss -Hltn sport = :8089 | grep -q .; do sleep 0.1; done'"
    )
    site.sh(
        "nft 'add table inet seen; add chain inet seen marked "
        "{ type filter hook output priority 100; }; "
        "add rule inet seen marked tcp sport 8089 ip dscp cs3 counter'"
    )
    with socket.create_connection((site.machine.address, 8089), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert connection.makefile("rb").read()  # to its end, whose packets count too
    counter = site.sh("nft list table inet seen")
    site.sh("nft delete table inet seen; systemctl stop t8089")
    found = re.search(r"counter packets (\d+)", counter)
    site.play("firewall")
    assert found is not None
    assert int(found[1]) > 2


def test_a_vanished_table_is_found_and_comes_back(site: Small) -> None:
    site.sh("nft delete table inet ucontact")
    assert verdicts(site)["firewall.loaded"] is Verdict.FAIL
    site.sh("nft add table inet f2b")
    assert site.play("firewall").changed > 0
    assert verdicts(site)["firewall.loaded"] is Verdict.PASS
    # Somebody else's table, such as fail2ban's, is left alone.
    assert "table inet f2b" in site.sh("nft list tables")


def test_a_rule_too_many_is_found_and_removed(site: Small) -> None:
    site.sh("nft insert rule inet ucontact input tcp dport 4444 accept")
    judgement = site.judge(CHECKS)["firewall.loaded"]
    assert judgement.verdict is Verdict.FAIL
    assert "+\t\ttcp dport 4444 accept" in judgement.evidence
    site.play("firewall")
    assert "4444" not in site.sh(RULES)


def test_a_disabled_unit_is_found_and_its_remedy_works(site: Small) -> None:
    site.sh("systemctl disable --quiet ucontact-firewall")
    found = {check for check, verdict in verdicts(site).items() if verdict is Verdict.FAIL}
    assert found == {"firewall.service"}
    remedy = next(check.remedy for check in CHECKS if check.id == "firewall.service")
    site.sh(remedy.replace("{ssh} ", ""))
    assert verdicts(site)["firewall.service"] is Verdict.PASS


def test_flushing_everything_by_nftables_service_brings_ours_back(site: Small) -> None:
    site.sh("systemctl start nftables && systemctl restart nftables && systemctl stop t5038")
    site.sh("systemctl reload nftables")
    assert "policy drop" in site.sh(RULES)
    site.sh("systemctl stop nftables; systemctl start ucontact-firewall")


def test_the_session_that_we_came_by_is_kept(site: Small, tmp_path: Path) -> None:
    role(site, tmp_path, [])
    (rule,) = [line for line in site.sh(RULES).splitlines() if "dport 22" in line]
    assert re.search(r"ip saddr [0-9.]+ tcp dport 22 accept", rule)
    again = role(site, tmp_path, [])
    assert again.changed == 0, again.changed_names
    site.play("firewall")


def test_rules_that_lock_us_out_are_taken_back(site: Small, tmp_path: Path) -> None:
    before = site.sh(RULES)
    locked = role(
        site,
        tmp_path,
        [],
        firewall_keep_session=False,
        firewall_rollback_seconds=30,
        expect_failure=True,
    )
    assert "the server took the old ones back" in locked.output
    assert site.sh(RULES) == before
    # Neither would the next boot lock us out.
    assert "tcp dport 22 accept" in site.sh("cat /etc/nftables.d/ucontact.nft")
    again = site.play("firewall")
    assert again.changed == 0, again.changed_names


def test_rules_that_the_kernel_refuses_replace_nothing(site: Small, tmp_path: Path) -> None:
    before = site.sh(RULES)
    mark = {"protocol": "tcp", "source_port": 8089, "dscp": "nonsense"}
    refused = role(site, tmp_path, [SSH], firewall_marks=[mark], expect_failure=True)
    assert refused.result.failed[0].task.endswith(": Write the candidate rules")
    assert site.sh(RULES) == before


def test_another_firewall_in_charge_is_refused(site: Small, tmp_path: Path) -> None:
    site.sh("mkdir -p /etc/ufw && echo ENABLED=yes >/etc/ufw/ufw.conf")
    refused = role(site, tmp_path, [SSH], expect_failure=True)
    site.sh("rm -r /etc/ufw")
    assert "ufw disable" in refused.result.failed[0].message
