"""One server that installs itself from the wheel, by the very lines of README.md.

It has the newest Python and ansible-core, and the roles' packages: other tests install those.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import MachineFactory
from tests.e2e.packages import packages_layer
from tests.e2e.pip import configure_pip
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.resources import INSTALLER, ROOT

pytestmark = pytest.mark.machine

_PYTHON = "/opt/ucontact/bin/python"
_NEWEST = (2, 20)  # the first ansible-core that drives nothing older than Python 3.9
_HEADING = "### One server that installs itself"
# What builds the evaluation release, or a package that comes without a wheel.
_BUILDERS = ("gcc", "javac", "node", "npm", "mmdebstrap", "systemd-nspawn")


@dataclass(frozen=True)
class Local:
    """A machine that is the installing machine and the server at once, and its first install."""

    machine: Machine
    installed: subprocess.CompletedProcess[str]

    def run(self, *words: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
        """Run a command on it, in the folder that has site.yml and nothing else but the wheel."""
        return self.machine.ssh([f"cd /root && {shlex.join(words)}"], timeout=timeout)

    def ucontact(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the installed command line on it."""
        return self.run("/opt/ucontact/bin/ucontact", *words)

    @property
    def site(self) -> dict[str, Any]:
        """The site.yml that the documented lines have written."""
        site: dict[str, Any] = yaml.safe_load((self.machine.root / "root/site.yml").read_text())
        return site


@pytest.fixture(scope="module")
def local(machine_factory: MachineFactory, tmp_path_factory: pytest.TempPathFactory) -> Local:
    machine = machine_factory(layers=packages_layer())
    wheel = build_wheel(tmp_path_factory.mktemp("dist"))
    shutil.copy2(wheel, machine.root / "root")
    configure_pip(machine)
    bare = machine.ssh(["python3 -c 'import ensurepip'"])
    assert bare.returncode != 0, "the machine has python3-venv, which a bare server has not"
    (machine.root / "root/steps").write_text(documented_steps())
    # As lines that a person types would, they go on in one shell; the first that fails is the end.
    return Local(machine, machine.ssh(["bash -e /root/steps"], timeout=1500))


def documented_steps() -> str:
    """The first block of commands behind the heading, word for word."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition(f"\n{_HEADING}\n")[2]
    return section.split("```\n", 2)[1]


def build_wheel(folder: Path) -> Path:
    """The wheel as `make wheel` makes it, with the evaluation release in it."""
    command = [sys.executable, str(INSTALLER / "wheel.py"), "--outdir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


def test_the_wheel_installs_its_own_machine(local: Local) -> None:
    assert local.installed.returncode == 0, (local.installed.stdout + local.installed.stderr)[
        -4000:
    ]
    assert "Traceback" not in local.installed.stderr
    assert local.site["hosts"][0]["address"] == "local"
    assert f"https://{local.site['fqdn']}/uContact/" in local.installed.stdout
    tree = local.run("readlink", "-e", "/etc/IntegraServer/current")
    assert tree.returncode == 0, tree.stderr


def test_nothing_was_built_on_the_server(local: Local) -> None:
    """The backend runs what the wheel carries, which verifies without network and without a key."""
    script = "for tool; do command -v $tool && echo $tool; done; true"
    assert local.run("bash", "-c", script, "bash", *_BUILDERS).stdout == ""
    code = "from ucontact_appliance.release.shipped import *; print(shipped_archive())"
    archive = local.run(_PYTHON, "-c", code).stdout.strip()
    alone = ("unshare", "-n", "/opt/ucontact/bin/ucontact")
    verified = local.run(*alone, "release", "verify", archive, "--json")
    assert verified.returncode == 0, verified.stderr
    row = json.loads(verified.stdout)
    assert (row["evaluation"], row["trusted_by"]) == (True, "shipped")
    assert (
        local.run("readlink", "/etc/IntegraServer/current").stdout.strip().endswith(row["version"])
    )
    assert not (local.machine.root / "var/lib/ucontact/releases").exists()


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
    assert reached == {f"{local.site['hosts'][0]['name']} is this machine"}


@pytest.mark.exhaustive
def test_a_second_install_changes_nothing(local: Local) -> None:
    done = local.ucontact("install", "--yes")
    assert done.returncode == 0, done.stderr[-4000:]
    assert "changed=0" in done.stdout


def test_the_playbooks_are_good_syntax_to_the_newest_ansible(local: Local) -> None:
    found = local.run(
        _PYTHON, "-c", "from ucontact_appliance.resources import INSTALLER; print(INSTALLER)"
    )
    installer = found.stdout.strip()
    names = sorted(path.name for path in (INSTALLER / "playbooks").glob("*.yml"))
    checked = local.run(
        *("env", f"ANSIBLE_CONFIG={installer}/ansible.cfg", "LC_ALL=C.UTF-8"),
        *("/opt/ucontact/bin/ansible-playbook", "--syntax-check", "-i", "localhost,"),
        *(f"{installer}/playbooks/{name}" for name in names),
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.count("playbook: ") == len(names)


_SENDMAIL = """\
#!/bin/sh
cat >> /root/mails
"""


def test_a_night_tells_what_changed(local: Local) -> None:
    """The timer's service, begun by hand: a mail the first night, and then for what changed."""
    program = local.machine.root / "usr/sbin/sendmail"
    program.write_text(_SENDMAIL)
    program.chmod(0o755)
    set_up = local.ucontact("doctor", "timer", "set", "--mail", "noc@example.com")
    assert set_up.returncode == 0, set_up.stderr
    unit = f"ucontact-doctor-{local.site['site']}"
    service = f"{unit}.service"
    listed = local.run("systemctl", "is-active", f"{unit}.timer").stdout
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
    assert local.ucontact("doctor", "timer", "remove").returncode == 0
    assert local.run("systemctl", "cat", service).returncode != 0


def test_a_stored_run_is_judged_without_any_network(local: Local) -> None:
    """In a network namespace of its own, where there is not even a loopback."""
    live = local.ucontact("doctor", "facts", "save", "/root/facts.json", "--json")
    alone = ("unshare", "-n", "/opt/ucontact/bin/ucontact")
    stored = local.run(*alone, "doctor", "facts", "judge", "/root/facts.json", "--json")
    assert stored.returncode == live.returncode, stored.stderr
    verdicts = [
        {row["id"]: row["verdict"] for row in json.loads(done.stdout)["findings"]}
        for done in (live, stored)
    ]
    assert verdicts[0] == verdicts[1]
    assert len(verdicts[0]) > 100
