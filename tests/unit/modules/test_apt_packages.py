"""The Ansible module `apt_packages`, on a host whose apt remembers what it was told."""

from __future__ import annotations

import importlib.util
import os
import stat
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from tests.unit.modules.utilities import module_utility
from ucontact_appliance.install.package_manager import says_locked
from ucontact_appliance.resources import INSTALLER

_PATH = INSTALLER / "plugins" / "modules" / "apt_packages.py"
LOCKED = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt)"

# What `apt-cache policy` says: of a package, and of one that others only provide; of a name that
# nobody knows it says nothing.
POLICIES = {
    "odd": "odd:\n  Installed: (none)\n  Candidate: 1:16.28.0~dfsg-0+deb11u4\n  Version table:\n",
    "provided": "provided:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n",
}


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module's code, with the places that it looks at in a folder."""
    commands = module_utility("ucontact_apt")
    spec = importlib.util.spec_from_file_location("apt_packages", _PATH)
    assert spec is not None
    assert spec.loader is not None
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    monkeypatch.setattr(commands, "LISTS", str(tmp_path / "lists"))
    for name in ("STATES", "POLICY", "POLICY_ASIDE"):
        monkeypatch.setattr(code, name, str(tmp_path / name.lower()))
    (tmp_path / "lists/partial").mkdir(parents=True)
    (tmp_path / "lists/main_Packages").write_text("")
    return code


@dataclass
class Host:
    """What AnsibleModule is to the code: it runs commands, here those of a small apt."""

    policy: Path
    there: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    check_mode: bool = False
    refuses: str = ""
    told: list[str] = field(default_factory=list)
    policies: list[str] = field(default_factory=list)

    def run_command(
        self,
        words: Sequence[str],
        environ_update: dict[str, str] | None = None,
        cwd: str | None = None,
    ) -> tuple[int, str, str]:
        verb = Path(words[0]).name
        names = [word for word in words[1:] if not word.startswith("-")]
        if verb == "dpkg-query":
            rows = [
                f"{name} {'hold' if name in self.held else 'install'} ok installed"
                for name in names
                if name in self.there
            ]
            return 1, "\n".join(rows), "no packages found matching x"
        if verb == "apt-cache":
            return 0, POLICIES.get(names[-1], ""), ""
        self.told.append(" ".join(word for word in words if word not in ("--yes", "--quiet")))
        if verb == "apt-mark" and names[0] == "hold":
            self.held |= set(names[1:])
        if self.refuses:
            return 100, "", self.refuses
        if "install" in names and "--simulate" not in words:
            assert environ_update is not None
            assert environ_update["DEBIAN_FRONTEND"] == "noninteractive"
            self.policies.append(self.policy.read_text() if self.policy.exists() else "none")
            self.there |= set(words[words.index("--") + 1 :])
        return 0, "", ""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "policy")


def installs(host: Host) -> list[str]:
    """What was to be installed, a transaction each."""
    return [line.partition(" -- ")[2] for line in host.told if "apt-get install" in line]


def test_where_all_are_there_apt_is_not_asked(apt: ModuleType, host: Host) -> None:
    host.there = {"nginx", "fail2ban"}
    assert apt.converge(host, ["nginx", "fail2ban"], [], None) == []
    assert host.told == []


def test_what_is_missing_comes_in_one_transaction(apt: ModuleType, host: Host) -> None:
    host.there = {"nftables"}
    lines = apt.converge(host, ["nginx", "nftables", "fail2ban"], [], None)
    assert lines == ["installed nginx", "installed fail2ban"]
    assert installs(host) == ["nginx fail2ban"]
    assert apt.converge(host, ["nginx", "nftables", "fail2ban"], [], None) == []


def test_packages_of_services_are_held(apt: ModuleType, host: Host) -> None:
    host.there, host.held = {"asterisk", "nginx"}, {"nginx"}
    held = ["asterisk", "nginx", "asterisk-opus"]
    host.check_mode = True
    assert apt.hold(host, held) == ["held asterisk"]
    assert host.told == []
    host.check_mode = False
    assert apt.hold(host, held) == ["held asterisk"]
    assert host.held == {"asterisk", "nginx"}
    assert apt.hold(host, held) == apt.hold(host, []) == []


def test_a_held_package_can_be_installed(apt: ModuleType, host: Host) -> None:
    apt.converge(host, ["nginx"], [], None)
    assert "--allow-change-held-packages" in host.told[-1]


@pytest.mark.parametrize("age", [60, 4000])
def test_old_lists_are_read_anew_when_something_is_missing(
    apt: ModuleType, host: Host, tmp_path: Path, age: int
) -> None:
    then = time.time() - age
    for folder in ("lists/partial", "lists"):
        os.utime(tmp_path / folder, (then, then))
    apt.converge(host, ["nginx"], [], None)
    assert [line.split()[1] for line in host.told] == (
        ["install"] if age < 3600 else ["update", "install"]
    )


def test_without_any_lists_they_are_read(apt: ModuleType, host: Host, tmp_path: Path) -> None:
    (tmp_path / "lists/main_Packages").unlink()
    (tmp_path / "lists/lock").write_text("")
    apt.converge(host, ["nginx"], [], None)
    assert [line.split()[1] for line in host.told] == ["update", "install"]


def test_what_only_some_releases_have_is_installed_there(apt: ModuleType, host: Host) -> None:
    assert apt.converge(host, ["nginx"], ["odd", "provided", "unknown"], None) == [
        "installed nginx",
        "installed odd",
    ]
    assert installs(host) == ["nginx odd"]
    host.there.remove("odd")  # by somebody's hand
    assert apt.converge(host, ["nginx"], ["odd", "provided"], None) == ["installed odd"]


@pytest.mark.parametrize("theirs", ["", "#!/bin/sh\n# the customer's\nexit 0\n"])
def test_no_service_starts_meanwhile(
    apt: ModuleType, host: Host, tmp_path: Path, theirs: str
) -> None:
    policy = tmp_path / "policy"
    if theirs:
        policy.write_text(theirs)
    apt.converge(host, ["nginx"], [], [])
    (during,) = host.policies
    assert during.endswith("exit 101\n")
    assert (policy.read_text() if policy.exists() else "") == theirs
    assert not (tmp_path / "policy_aside").exists()


@pytest.mark.parametrize("theirs", ["", "#!/bin/sh\n# the customer's\nexit 0\n"])
@pytest.mark.parametrize("missing", [True, False])
def test_the_policy_of_a_killed_run_is_removed(
    apt: ModuleType, host: Host, tmp_path: Path, missing: bool, theirs: str
) -> None:
    policy, aside = tmp_path / "policy", tmp_path / "policy_aside"
    with apt.starting_only([]):
        left = policy.read_text()
        assert stat.S_IMODE(policy.stat().st_mode) == 0o755
    policy.write_text(left)
    if theirs:
        aside.write_text(theirs)
    host.there = set() if missing else {"nginx"}
    host.check_mode = True
    assert apt.converge(host, ["nginx"], [], [])[0] == f"removed the leftover {policy}"
    assert policy.read_text() == left
    host.check_mode = False
    assert apt.converge(host, ["nginx"], [], [])[0] == f"removed the leftover {policy}"
    assert (policy.read_text() if policy.exists() else "") == theirs
    assert not aside.exists()
    assert apt.converge(host, ["nginx"], [], []) == []


@pytest.mark.parametrize(
    ("unit", "status"),
    [("chrony", 0), ("chrony.service", 0), ("logrotate.timer", 0), ("nginx", 101), ("", 101)],
)
def test_only_the_named_units_start(
    apt: ModuleType, tmp_path: Path, unit: str, status: int
) -> None:
    policy = tmp_path / "policy"
    with apt.starting_only(["chrony", "logrotate"]):
        done = subprocess.run([policy, unit, "start"], check=False)
    assert done.returncode == status


def test_services_may_start(apt: ModuleType, host: Host) -> None:
    apt.converge(host, ["nginx"], [], None)
    assert host.policies == ["none"]


def test_a_package_that_came_along_is_marked_as_wanted(
    apt: ModuleType, host: Host, tmp_path: Path
) -> None:
    host.there = {"nginx", "fail2ban"}
    (tmp_path / "states").write_text(
        "Package: nginx\nArchitecture: amd64\nAuto-Installed: 1\n\n"
        "Package: fail2ban\nArchitecture: amd64\nAuto-Installed: 0\n\n"
    )
    assert apt.converge(host, ["nginx", "fail2ban"], [], None) == ["kept nginx"]
    assert host.told == ["apt-mark manual nginx"]


def test_a_dry_run_only_simulates(apt: ModuleType, host: Host, tmp_path: Path) -> None:
    host.check_mode = True
    then = time.time() - 9999
    for folder in ("lists/partial", "lists"):
        os.utime(tmp_path / folder, (then, then))
    assert apt.converge(host, ["nginx"], [], []) == ["installed nginx"]
    (line,) = host.told
    assert "--simulate" in line
    assert not host.there
    assert not (tmp_path / "policy").exists()


def test_what_apt_says_is_told_and_the_policy_goes(
    apt: ModuleType, host: Host, tmp_path: Path
) -> None:
    host.refuses = LOCKED
    with pytest.raises(apt.AptError) as caught:
        apt.converge(host, ["nginx"], [], [])
    assert str(caught.value) == f"apt-get install: {LOCKED}"
    assert not (tmp_path / "policy").exists()


def test_a_lock_that_it_tells_of_is_waited_for() -> None:
    assert says_locked(f"apt-get install: {LOCKED}")
