"""The installed wheel, on the newest Python and ansible-core, on the server itself."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import MachineFactory
from tests.e2e.pip import configure_pip
from ucontact_appliance.lab.machines import Machine
from ucontact_appliance.release.store import ensure_evaluation, releases_folder
from ucontact_appliance.resources import INSTALLER, ROOT

pytestmark = pytest.mark.machine

_PYTHON = "/opt/ucontact/bin/python"
_NEWEST = (2, 20)  # the first ansible-core that drives nothing older than Python 3.9


@dataclass(frozen=True)
class Local:
    """A machine that is the installing machine and the server at once, and its first install."""

    machine: Machine
    installed: subprocess.CompletedProcess[str]

    def run(self, *words: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
        """Run a command on it, in a folder that has nothing of the appliance."""
        return self.machine.ssh([f"cd /root/site && {shlex.join(words)}"], timeout=timeout)

    def ucontact(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the installed command line on it."""
        return self.run("/opt/ucontact/bin/ucontact", *words)


@pytest.fixture(scope="module")
def local(machine_factory: MachineFactory, tmp_path_factory: pytest.TempPathFactory) -> Local:
    machine = machine_factory("sid")
    wheel = build_wheel(tmp_path_factory.mktemp("dist"))
    shutil.copy2(wheel, machine.root / "opt")
    configure_pip(machine)
    lay_evaluation(machine)
    venv = (
        "apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-venv && "
        "python3 -m venv /opt/ucontact && "
        f"{_PYTHON} -m pip install --quiet --only-binary :all: /opt/{wheel.name}"
    )
    done = machine.ssh([f"export DEBIAN_FRONTEND=noninteractive; {venv}"], timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    site = machine.root / "root/site/site.yml"
    site.parent.mkdir()
    site.write_text(
        f"site: here\nfqdn: here.ucontact.test\nagents: 5\n"
        f"hosts:\n  - {{name: {machine.name}, address: local}}\n"
    )
    return Local(machine, Local(machine, done).ucontact("install", "--yes"))


def build_wheel(folder: Path) -> Path:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


def lay_evaluation(machine: Machine) -> None:
    """The evaluation release as built here: a machine has no rehearsal machine to build it on."""
    release = ensure_evaluation(lambda text: None)
    store = machine.root / str(releases_folder()).lstrip("/")
    store.mkdir(parents=True, mode=0o700)
    for path in (release.archive, release.manifest, releases_folder() / "build.key"):
        shutil.copy2(path, store)


def test_the_wheel_installs_its_own_machine(local: Local) -> None:
    assert local.installed.returncode == 0, local.installed.stderr[-4000:]
    assert "Traceback" not in local.installed.stderr
    assert "https://here.ucontact.test/uContact/" in local.installed.stdout
    tree = local.run("readlink", "-e", "/etc/IntegraServer/current")
    assert tree.returncode == 0, tree.stderr


def test_it_was_driven_by_the_newest_ansible_on_the_newest_python(local: Local) -> None:
    code = (
        "import sys, ansible.release, ucontact_appliance; "
        "print(sys.version_info[:2], ansible.release.__version__, ucontact_appliance.__file__)"
    )
    *python, ansible, path = local.run(_PYTHON, "-c", code).stdout.split()
    assert "".join(python) == "(3,14)"
    assert tuple(int(word) for word in ansible.split(".")[:2]) >= _NEWEST
    assert path.startswith("/opt/ucontact/lib/")


def test_the_newest_ansible_renders_no_value_of_inventory_or_secrets(local: Local) -> None:
    folder = local.machine.root / "root/injection"
    folder.mkdir()
    shutil.copy2(ROOT / "tests/injection.py", folder)
    done = local.run(_PYTHON, "/root/injection/injection.py", "/root/injection")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_the_doctor_is_content(local: Local) -> None:
    done = local.ucontact("doctor", "--json")
    findings = json.loads(done.stdout)["findings"]
    wrong = [found for found in findings if found["verdict"] in ("fail", "error")]
    assert (done.returncode, wrong) == (0, []), done.stderr
    reached = {found["observed"] for found in findings if found["id"] == "host.reachable"}
    assert reached == {f"{local.machine.name} is this machine"}


@pytest.mark.exhaustive
def test_a_second_install_changes_nothing(local: Local) -> None:
    done = local.ucontact("install", "--yes")
    assert done.returncode == 0, done.stderr[-4000:]
    assert "changed=0" in done.stdout


@pytest.mark.parametrize("name", sorted(p.name for p in (INSTALLER / "playbooks").glob("*.yml")))
def test_each_playbook_is_good_syntax_to_the_newest_ansible(local: Local, name: str) -> None:
    found = local.run(
        _PYTHON, "-c", "from ucontact_appliance.resources import INSTALLER; print(INSTALLER)"
    )
    installer = found.stdout.strip()
    checked = local.run(
        *("env", f"ANSIBLE_CONFIG={installer}/ansible.cfg", "LC_ALL=C.UTF-8"),
        *("/opt/ucontact/bin/ansible-playbook", "--syntax-check", "-i", "localhost,"),
        f"{installer}/playbooks/{name}",
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


_SENDMAIL = """\
#!/bin/sh
cat >> /root/mails
"""


def test_a_night_tells_what_changed(local: Local) -> None:
    """The timer's service, begun by hand: a mail the first night, and then for what changed."""
    program = local.machine.root / "usr/sbin/sendmail"
    program.write_text(_SENDMAIL)
    program.chmod(0o755)
    set_up = local.ucontact("doctor", "--install-timer", "--mail", "noc@example.com")
    assert set_up.returncode == 0, set_up.stderr
    service = "ucontact-doctor-here.service"
    listed = local.run("systemctl", "is-active", "ucontact-doctor-here.timer").stdout
    assert listed.strip() == "active"

    def night() -> tuple[int, set[str]]:
        """How many mails this night sent, and what they told of."""
        mails = local.machine.root / "root/mails"
        mails.write_text("")
        done = local.run("systemctl", "start", service)
        assert done.returncode == 0, local.run("journalctl", "-u", service, "-n", "30").stdout
        text = mails.read_text()
        told = set(re.findall(r"^((?:worse|new|better|gone): \S+)", text, re.MULTILINE))
        # The portal takes some logins a minute, and these nights come faster.
        limited = {f"{kind}: web.login" for kind in ("worse", "better")}
        return text.count("\nSubject: ") if told - limited else 0, told - limited

    first, told = night()
    assert first == 1
    assert "new: asterisk.build" in told
    assert night() == (0, set())
    local.run("systemctl", "stop", "coturn")
    assert night() == (1, {"worse: stun.service"})
    local.run("systemctl", "start", "coturn")
    assert night() == (1, {"better: stun.service"})
    assert local.ucontact("doctor", "--remove-timer").returncode == 0
    assert local.run("systemctl", "cat", service).returncode != 0


def test_a_stored_run_is_judged_without_any_network(local: Local) -> None:
    """In a network namespace of its own, where there is not even a loopback."""
    live = local.ucontact("doctor", "--json", "--save-facts", "/root/facts.json")
    alone = ("unshare", "-n", "/opt/ucontact/bin/ucontact")
    stored = local.run(*alone, "doctor", "--json", "--from", "/root/facts.json")
    assert stored.returncode == live.returncode, stored.stderr
    verdicts = [
        {row["id"]: row["verdict"] for row in json.loads(done.stdout)["findings"]}
        for done in (live, stored)
    ]
    assert verdicts[0] == verdicts[1]
    assert len(verdicts[0]) > 100
