"""A server whose Python is 2.7, as Ubuntu 16.04's is for Ansible: refused, or installed, by rights.

No Ubuntu is reachable. The refusal is seen on Debian 11 that says it is Ubuntu 16.04; the whole
site is laid down on Debian sid with Debian 11's Python 2.7, where every module runs on it.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MachineFactory
from tests.e2e.installed import ucontact
from tests.e2e.small import BEFORE_SERVICES, Small, small
from tests.e2e.support import Applied, apply_playbook
from tests.e2e.test_wrong_input import packages
from ucontact_appliance.facts.distribution import installed_versions
from ucontact_appliance.lab import layout
from ucontact_appliance.lab.mirror import debian_mirror
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.planning.systems import drives
from ucontact_appliance.release.store import ensure_evaluation
from ucontact_appliance.resources import INSTALLER
from ucontact_appliance.site.secrets import Secrets, with_generated
from ucontact_appliance.state import var_root

_ANSIBLE = installed_versions(("ansible-core",))["ansible-core"]
pytestmark = [
    pytest.mark.machine,
    pytest.mark.exhaustive,
    pytest.mark.skipif(
        not drives(_ANSIBLE, (2, 7)),
        reason=f"not run: ansible-core {_ANSIBLE} of this machine does not drive Python 2.7",
    ),
]

SERVICES = ("database", "stun", "telephony", "backend", "web")
PLAYS = (*BEFORE_SERVICES, "certificates", *SERVICES)
OWN_MODULES = ("database", "backend")  # the plays with mysql_site and release_tree
SITE = "old-python"
_INTERPRETER = "/usr/local/bin/python-of-the-test"
_USED = "/run/modules-of-the-test"
# Ansible hands a module over on standard input, as a script that names it.
_WRAPPER = f"""#!/bin/sh
module=$(mktemp) && cat > "$module" || exit
name=$(sed -n "s/.*mod_name='\\([^']*\\)'.*/\\1/p" "$module" | head -n 1)
echo "${{name##*.}}" >> {_USED}
exec < "$module"
rm "$module"
exec python2.7 "$@"
"""


@dataclass(frozen=True)
class Old:
    """A small site on a machine with Python 2.7, and what the first install's plays did."""

    site: Small
    secrets: Secrets
    inventory: dict[str, Any]

    def play(self, name: str) -> Applied:
        """Run one of the install's playbooks."""
        playbook = INSTALLER / "playbooks" / f"{name}.yml"
        return apply_playbook(playbook, self.inventory, self.secrets.tree())


@pytest.fixture(scope="module")
def old(machine_factory: MachineFactory, tmp_path_factory: pytest.TempPathFactory) -> Old:
    machine = machine_factory("sid")
    # Only for the interpreter: asterisk-opus of Debian 11 would break sid's Asterisk.
    source = machine.root / "etc/apt/sources.list.d/bullseye.list"
    source.write_text(f"deb {debian_mirror()} bullseye main\n")
    install(machine, "python2.7")
    source.unlink()
    wrapper = machine.root / _INTERPRETER.lstrip("/")
    wrapper.write_text(_WRAPPER)
    wrapper.chmod(0o755)
    site = small(machine, tmp_path_factory.mktemp("site"))
    release = ensure_evaluation(lambda text: None)
    inventory = site.inventory
    inventory["all"]["hosts"][machine.name]["ansible_python_interpreter"] = _INTERPRETER
    inventory["all"]["vars"]["controller"] |= {
        "release": str(release.archive),
        "release_manifest": str(release.manifest),
    }
    made = Old(site, Secrets(with_generated(site.subject.site, {})), inventory)
    for name in PLAYS:
        made.play(name)
    return made


def install(machine: Machine, *names: str) -> None:
    words = shlex.join(("apt-get", "install", "-qq", "-y", "--no-install-recommends", *names))
    done = machine.ssh([f"apt-get update -qq && {words}"], timeout=300)
    assert done.returncode == 0, done.stderr
    machine.ssh(["rm -rf /var/lib/apt/lists/*_*"])


def test_a_whole_site_is_laid_down_by_python_2_7(old: Old) -> None:
    used = set(old.site.sh(f"sort -u {_USED}").split())
    # Our own, and those of Ansible's whose code differs most between the two Pythons.
    own = {"apt_packages", "etc_tree", "mysql_site", "release_tree", "systemd_units"}
    theirs = {"blockinfile", "command", "copy", "file", "stat", "uri", "user"}
    assert own | theirs <= used


def test_the_site_answers(old: Old) -> None:
    health = old.site.sh(
        "curl --silent --show-error --fail --cacert /etc/ssl/ucontact/portal-ca.pem "
        f"https://{old.site.subject.site.fqdn}/Integra/resources/health"
    )
    assert '"ccrepo"' in health
    assert "6001" in old.site.sh("asterisk -rx 'pjsip show endpoints'")


def test_a_second_run_by_python_2_7_changes_nothing(old: Old) -> None:
    for name in (play for play in PLAYS if play not in OWN_MODULES):
        again = old.play(name)
        assert again.changed == 0, (name, again.changed_names)


def test_what_was_spoilt_is_mended_by_python_2_7(old: Old) -> None:
    spoil = (
        "DROP DATABASE ccrepo; ALTER TABLE ccdata.cdr DROP COLUMN userfield; "
        "CREATE USER ''@'localhost'; REVOKE INSERT ON ccdata.cdr FROM 'asterisk'@'127.0.0.1'; "
        "ALTER USER 'doctor'@'127.0.0.1' IDENTIFIED BY 'by hand'"
    )
    old.site.sh(f"mysql -e {shlex.quote(spoil)}")
    old.site.sh("rm /etc/IntegraServer/current/web/IntegraPortalWS.war")
    for name in OWN_MODULES:
        assert old.play(name).changed >= 1
        again = old.play(name)
        assert again.changed == 0, (name, again.changed_names)
    shown = old.site.sh("mysql -Ne \"show columns from ccdata.cdr like 'userfield'\"")
    assert shown.startswith("userfield")
    old.site.sh("test -s /etc/IntegraServer/current/web/IntegraPortalWS.war")


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    yield {**os.environ, "UCONTACT_ETC": str(tmp_path / "etc")}
    shutil.rmtree(var_root() / SITE, ignore_errors=True)


def test_preflight_says_all_that_such_a_server_lacks_and_changes_nothing(
    tmp_path: Path, environment: dict[str, str], machine_factory: MachineFactory
) -> None:
    machine = machine_factory("bullseye", ubuntu="16.04")
    site = tmp_path / "site.yml"
    site.write_text(
        f"site: {SITE}\nfqdn: demo.ucontact.test\nagents: 10\nhosts:\n"
        f"  - {{name: server, address: {machine.address}, key: {layout.ssh_key()}}}\n"
    )

    def refused() -> str:
        look = "ls -A /var/tmp /var/lib/apt/lists"
        before = packages(machine), machine.ssh([look]).stdout
        done = ucontact("install", "--yes", "--site", str(site), env=environment)
        assert done.returncode == 4, done.stderr
        assert "Traceback" not in done.stderr
        assert (packages(machine), machine.ssh([look]).stdout) == before
        return " ".join(done.stderr.split())

    said = refused()
    assert "host.python: /usr/bin/python2.7 is missing" in said
    # By what apt has there: this Debian 11 has NGINX 1.18 and Asterisk 16, but no MySQL and Java 8.
    assert "packages.mysql: apt knows no package mysql-server-5.7 for Ubuntu 16.04" in said
    assert "packages.java: apt knows no package openjdk-8-jre-headless for Ubuntu 16.04" in said
    assert said.count("packages.") == 2
    install(machine, "python2.7")
    # As a build by `make install` would leave it, with no package that owns it.
    machine.ssh(["install -m 755 /bin/true /usr/sbin/asterisk"])
    said = refused()
    assert "host.python" not in said
    assert "packages.asterisk: /usr/sbin/asterisk belongs to no package" in said
