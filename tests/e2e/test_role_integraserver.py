"""The release's tree and its Java backend, on a machine with the real database beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.conftest import MachineFactory
from tests.e2e.packages import packages_layer
from tests.e2e.small import BEFORE_SERVICES
from tests.e2e.support import Applied, apply_playbook
from tests.unit.sites import small_site
from ucontact_appliance.checks import backend as backend_checks
from ucontact_appliance.checks import tree as tree_checks
from ucontact_appliance.checks.model import Check, Subject, Verdict
from ucontact_appliance.facts.runner import SshSettings, runner_for
from ucontact_appliance.facts.source import FactSource, ProbeContext
from ucontact_appliance.install.inventory import ControllerInputs, HostInputs, build_inventory
from ucontact_appliance.lab import layout
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.pki.issue import ensure_pki
from ucontact_appliance.planning.host_resources import HostResources
from ucontact_appliance.planning.systems import system_row
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.release.remembered import remember_manifest
from ucontact_appliance.release.store import ensure_evaluation
from ucontact_appliance.resources import INSTALLER
from ucontact_appliance.site.secrets import Secrets, with_generated
from ucontact_appliance.state import StatePaths

pytestmark = pytest.mark.machine

HEALTH = "http://127.0.0.1:8080/Integra/resources/health"
LOGIN = "http://127.0.0.1:8080/Integra/resources/auth/UserLogin"
HOME = "/etc/IntegraServer/current"


@dataclass(frozen=True)
class Installed:
    """A machine with the backend, and all that doctor would know of it."""

    machine: Machine
    inventory: dict[str, Any]
    secrets: Secrets
    subject: Subject

    def play(self, name: str = "backend", **options: bool) -> Applied:
        playbook = INSTALLER / "playbooks" / f"{name}.yml"
        return apply_playbook(playbook, self.inventory, self.secrets.tree(), **options)

    def sh(self, script: str) -> str:
        done = self.machine.ssh([script])
        assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
        return done.stdout

    def verdicts(self, *modules: tuple[Check, ...]) -> dict[str, Verdict]:
        """Each check's verdict, on facts gathered anew; without those behind a failed one."""
        with runner_for(self.subject.host, SshSettings(self.subject.state.known_hosts)) as runner:
            facts = FactSource(ProbeContext(self.subject.site, self.subject.host, runner))
            subject = Subject(**{**self.subject.__dict__, "facts": facts})
            found: dict[str, Verdict] = {}
            asked = {check.id for check in sum(modules, ())}
            for check in sum(modules, ()):
                # What builds on a failed check is not judged; what others ask is left to them.
                if all(found.get(need) is Verdict.PASS for need in asked.intersection(check.needs)):
                    found[check.id] = check.judge(subject).verdict
            return found


@pytest.fixture(scope="module")
def installed(
    machine_factory: MachineFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    machine = machine_factory(layers=packages_layer())
    folder = tmp_path_factory.mktemp("state")
    paths = StatePaths(etc=folder / "etc", var=folder / "var")
    paths.etc.mkdir()
    site = small_site(
        hosts=[{"name": machine.name, "address": machine.address, "key": str(layout.ssh_key())}]
    )
    plan = make_plan(site, {machine.name: HostResources(memory_mb=4096)})
    row = system_row("debian", "sid")
    assert row is not None
    ensure_pki(site, plan, paths)
    release = ensure_evaluation(print)
    remember_manifest(paths, release.manifest)
    secrets = Secrets(with_generated(site, {}))
    inventory = build_inventory(
        site,
        plan,
        {machine.name: HostInputs(row, machine.address)},
        ControllerInputs(paths.pki, release.archive, release.manifest),
        SshSettings(paths.known_hosts),
    )
    with runner_for(site.hosts[0], SshSettings(paths.known_hosts)) as runner:
        facts = FactSource(ProbeContext(site, site.hosts[0], runner))
        subject = Subject(site, plan, site.hosts[0], secrets, paths, facts)
        here = Installed(machine, inventory, secrets, subject)
        for name in (*BEFORE_SERVICES, "certificates", "database", "backend"):
            here.play(name)
        yield here


def test_a_second_run_changes_nothing(installed: Installed) -> None:
    again = installed.play()
    assert again.changed == 0, again.changed_names


def test_check_mode_changes_nothing_and_says_so(installed: Installed) -> None:
    installed.sh(f"rm {HOME}/web/IntegraChannels.war")
    assert installed.play(check=True).changed_names == ["integraserver : Lay down the release"]
    assert installed.machine.ssh([f"test -e {HOME}/web/IntegraChannels.war"]).returncode == 1
    assert installed.play().changed == 1


def test_the_backend_is_up_on_java_8_with_both_schemas(installed: Installed) -> None:
    health = json.loads(installed.sh(f"curl -sf {HEALTH}"))
    assert health["status"] == "UP"
    assert health["evaluation"] is True
    assert (health["checks"]["ccrepo"], health["checks"]["ccdata"]) == ("UP", "UP")
    assert health["modules"]["jdbc"]["tls"].startswith("TLSv1.")
    assert health["java"].startswith("1.8.")
    assert set(health["wars"]) == {
        "IntegraPortalWS.war",
        "IntegraChannels.war",
        "IntegraGamification.war",
    }


def test_the_user_logs_in_by_the_generated_secret_alone(installed: Installed) -> None:
    password = installed.secrets["backend.users.supervisor"]
    form = f"-d user=supervisor -d password={password} {LOGIN}"
    assert len(json.loads(installed.sh(f"curl -sf {form}"))["token"]) == 64
    wrong = f"curl -s -o /dev/null -w '%{{http_code}}' -d user=supervisor -d password=no {LOGIN}"
    assert installed.sh(wrong) == "401"


def test_the_rest_api_refuses_cleanly(installed: Installed) -> None:
    status = "curl -s -o /dev/null -w '%{http_code}'"
    assert installed.sh(f"{status} http://127.0.0.1:8080/Integra/resources/nothing") == "404"
    assert installed.sh(f"{status} -X DELETE {HEALTH}") == "405"
    assert installed.sh(f"{status} -d user=supervisor {LOGIN}") == "400"
    # As the web server does, with an address that nobody else has in these tests.
    tries = f"-H 'X-Real-IP: 192.0.2.7' -d user=supervisor -d password=guess {LOGIN}"
    assert installed.sh(f"for i in 1 2 3 4 5 6 7 8 9 10; do {status} {tries}; done") == "401" * 10
    assert installed.sh(f"{status} {tries}") == "429"


def test_no_secret_is_readable_by_others_or_in_the_journal(installed: Installed) -> None:
    stat = installed.sh("stat -c '%a %U %G' /etc/IntegraServer/integraserver.properties")
    assert stat.strip() == "640 root integra"
    settings = installed.sh("cat /etc/IntegraServer/integraserver.properties")
    assert installed.secrets["backend.users.supervisor"] not in settings
    journal = installed.sh("journalctl -u integraserver --no-pager")
    assert "uContact evaluation backend" in journal
    for secret in installed.secrets.values():
        assert secret not in journal


def test_the_unit_is_sandboxed(installed: Installed) -> None:
    shown = installed.sh("systemd-analyze security --no-pager integraserver.service | tail -1")
    exposure = float(shown.split(":")[1].split()[0])
    assert exposure < 2.0, shown


def test_the_tree_is_put_right(installed: Installed) -> None:
    installed.sh(
        f"rm {HOME}/web/IntegraPortalWS.war && echo x >> {HOME}/web/uContact/index.html"
        f" && echo x > {HOME}/web/foreign.php && chmod 0777 {HOME}/reports"
        " && rm /etc/IntegraServer/reports && chown root /var/lib/IntegraServer/tmp"
    )
    started = installed.sh("systemctl show -p ExecMainStartTimestamp integraserver")
    assert installed.play().changed_names == ["integraserver : Lay down the release"]
    assert installed.play().changed == 0
    assert set(installed.verdicts(tree_checks.CHECKS).values()) == {Verdict.PASS}
    # Nothing of it was the backend's: no restart.
    assert installed.sh("systemctl show -p ExecMainStartTimestamp integraserver") == started


def test_a_changed_jar_restarts_the_backend(installed: Installed) -> None:
    started = installed.sh("systemctl show -p ExecMainStartTimestampMonotonic integraserver")
    installed.sh(f"echo x >> {HOME}/server/mail/evaluation-mail.jar")
    assert installed.play().changed_names == [
        "integraserver : Lay down the release",
        "integraserver : Run the backend",
    ]
    assert (
        installed.sh("systemctl show -p ExecMainStartTimestampMonotonic integraserver") != started
    )
    assert installed.play().changed == 0


def test_a_stopped_and_masked_backend_comes_back(installed: Installed) -> None:
    installed.sh("systemctl disable --now integraserver 2>&1")
    assert installed.play().changed_names == ["integraserver : Run the backend"]
    assert installed.sh("systemctl is-enabled integraserver").strip() == "enabled"


def test_a_killed_backend_restarts_itself(installed: Installed) -> None:
    installed.sh("systemctl kill -s KILL integraserver")
    installed.sh(f"for i in $(seq 100); do sleep 0.2; curl -sf {HEALTH} && exit 0; done; exit 1")


def test_the_site_keeps_its_files(installed: Installed) -> None:
    installed.sh("echo mine > /etc/IntegraServer/web/forms/mine.html")
    installed.sh("rm /etc/IntegraServer/web/images/evaluation.svg")
    assert installed.play().changed == 0
    assert installed.sh("cat /etc/IntegraServer/web/forms/mine.html") == "mine\n"


def test_checks_pass_on_a_good_backend(installed: Installed) -> None:
    verdicts = installed.verdicts(tree_checks.CHECKS, backend_checks.CHECKS)
    assert set(verdicts.values()) == {Verdict.PASS}, verdicts


UNIT = "/etc/systemd/system/integraserver.service"
SETTINGS = "/etc/IntegraServer/integraserver.properties"
# What breaks it, what mends it, and the checks that must fail.
FAULTS: dict[str, tuple[str, str, set[str]]] = {
    "missing file": (
        f"mv {HOME}/web/IntegraPortalWS.war /root/",
        f"mv /root/IntegraPortalWS.war {HOME}/web/",
        {"tree.files"},
    ),
    "foreign file": (
        f"echo x > {HOME}/web/uContact/shell.php",
        f"rm {HOME}/web/uContact/shell.php",
        {"tree.files"},
    ),
    "changed file, manifest adapted": (
        f"cp -a {HOME}/web/uContact/app.js {HOME}/manifest.json /root/ && "
        f"echo >> {HOME}/web/uContact/app.js && sed -i s/0/1/ {HOME}/manifest.json",
        f"cp -a /root/app.js {HOME}/web/uContact/ && cp -a /root/manifest.json {HOME}/",
        {"tree.release"},
    ),
    "wrong mode": (
        f"chmod 0664 {HOME}/server/IntegraServer.jar",
        f"chmod 0644 {HOME}/server/IntegraServer.jar",
        {"tree.owners"},
    ),
    "readable settings": (f"chmod 0644 {SETTINGS}", f"chmod 0640 {SETTINGS}", {"tree.owners"}),
    "missing link": (
        "mv /etc/IntegraServer/reports /root/",
        "mv /root/reports /etc/IntegraServer/",
        {"tree.places"},
    ),
    "stopped": (
        "systemctl stop integraserver",
        "systemctl start integraserver; sleep 4",
        {"backend.service"},
    ),
    "disabled": (
        "systemctl disable integraserver 2>&1",
        "systemctl enable integraserver 2>&1",
        {"backend.service"},
    ),
    "another heap": (
        f"cp {UNIT} /root/ && sed -i 's/-Xmx[0-9]*m/-Xmx99m/' {UNIT} && systemctl daemon-reload"
        " && systemctl restart integraserver && sleep 4",
        f"cp /root/integraserver.service {UNIT} && systemctl daemon-reload"
        " && systemctl restart integraserver && sleep 4",
        {"backend.heap"},
    ),
    "database down": (
        "systemctl stop mysql",
        "systemctl start mysql; sleep 2",
        {"backend.schemas"},
    ),
    "hanging": (
        "systemctl kill -s STOP integraserver",
        "systemctl kill -s CONT integraserver",
        {"backend.health"},
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_fails_its_check_alone(installed: Installed, fault: str) -> None:
    spoil, mend, wanted = FAULTS[fault]
    installed.sh(spoil)
    try:
        found = installed.verdicts(tree_checks.CHECKS, backend_checks.CHECKS)
    finally:
        installed.sh(mend)
    assert {name for name, verdict in found.items() if verdict is not Verdict.PASS} == wanted
    after = installed.verdicts(tree_checks.CHECKS, backend_checks.CHECKS)
    assert set(after.values()) == {Verdict.PASS}
