"""A vendor's packages in the module `apt_packages`, on a host with a small apt and dpkg."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.unit.modules.utilities import module_utility
from ucontact_appliance.facts import vendor as facts
from ucontact_appliance.resources import INSTALLER

_PATH = INSTALLER / "plugins" / "modules" / "apt_packages.py"
OWN, THEIRS, NEXT = "1:22.10-1", "8:13.35-1+vendor1", "8:13.35-1+vendor2"
NAMES = ["asterisk", "tzdata"]


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module's code, with the places that it looks at in a folder."""
    commands = module_utility("ucontact_apt")
    monkeypatch.setattr(commands, "LISTS", str(tmp_path / "lists"))
    spec = importlib.util.spec_from_file_location("apt_packages", _PATH)
    assert spec is not None
    assert spec.loader is not None
    code = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(code)
    for name in ("STATES", "POLICY", "POLICY_ASIDE"):
        monkeypatch.setattr(code, name, str(tmp_path / name.lower()))
    (tmp_path / "lists/partial").mkdir(parents=True)
    (tmp_path / "lists/main_Packages").write_text("")
    return code


@dataclass
class Host:
    """What AnsibleModule is to the code: `own` is the distribution's, `archive` the vendor's."""

    there: dict[str, str] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=lambda: {"asterisk": OWN, "tzdata": "2026a"})
    archive: dict[str, str] = field(default_factory=dict)
    needed: tuple[str, ...] = ("asterisk", "asterisk-modules", "libc6")
    check_mode: bool = False
    told: list[str] = field(default_factory=list)

    def run_command(
        self,
        words: Sequence[str],
        environ_update: dict[str, str] | None = None,
        cwd: str | None = None,
    ) -> tuple[int, str, str]:
        verbs = " ".join(words[:2])
        if verbs in ("apt-get update", "apt-get download", "apt-get install"):
            self.told.append(verbs)
            self._act(verbs, words, cwd)
            return 0, "", ""
        return 0, self._answer(verbs, words), ""

    def _answer(self, verbs: str, words: Sequence[str]) -> str:
        """What a command says that changes nothing."""
        taken = [name for name in self.archive if name in words]
        answers = {
            "dpkg-deb --show": lambda: Path(words[2]).read_text(),
            "dpkg-query --show": lambda: self._query(words),
            "apt-cache madison": lambda: "".join(
                f"  {name} | {version} | uri\n"
                for name, version in self.own.items()
                if name == words[-1]
            ),
            "apt-cache pkgnames": lambda: "\n".join(self.archive),
            "apt-cache depends": lambda: "".join(f"{n}\n  Depends: x\n" for n in self.needed),
            "apt-cache policy": lambda: "".join(
                f"{name}:\n  Installed: (none)\n  Candidate: {self.archive[name]}\n"
                for name in taken
            ),
        }
        return answers[verbs]()

    def _query(self, words: Sequence[str]) -> str:
        form = words[words.index("--showformat") + 1]
        form = form.replace("${Status}", "install ok installed")
        rows = [(n, self.there[n]) for n in words[words.index("--") + 1 :] if n in self.there]
        return "".join(form.replace("${Package}", n).replace("${Version}", v) for n, v in rows)

    def _act(self, verbs: str, words: Sequence[str], cwd: str | None) -> None:
        if verbs == "apt-get download":
            assert cwd is not None
            for name in (name for name in self.archive if name in words):
                (Path(cwd) / f"{name}.deb").write_text(f"{name}\t{self.archive[name]}\n")
        if verbs == "apt-get install" and "--simulate" not in words:
            for word in words[words.index("--") + 1 :]:
                self._install(word)

    def _install(self, word: str) -> None:
        if word.startswith("/"):
            name, version = Path(word).read_text().split()
        else:
            name, _, version = word.partition("=")
            version = version or self.own[name]
        self.there[name] = version


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def vendor(tmp_path: Path) -> dict[str, Any]:
    """The module's argument, with a package of the vendor."""
    (tmp_path / "vendor/packages").mkdir(parents=True)
    wanted = {"name": "asterisk", "pin": str(tmp_path / "pin"), "folder": str(tmp_path / "vendor")}
    return {**wanted, "files": [a_package(tmp_path, "asterisk", THEIRS)], "archive": None}


def a_package(tmp_path: Path, name: str, version: str) -> dict[str, str]:
    path = tmp_path / "vendor/packages" / f"{name}_{version.partition(':')[2]}_amd64.deb"
    path.write_text(f"{name}\t{version}\n")
    return {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def an_archive() -> dict[str, Any]:
    key = base64.b64encode(b"a key").decode()
    return {"uri": "https://a.test/deb", "suite": "focal", "components": ["main"], "key": key}


@pytest.mark.parametrize("before", [{}, {"asterisk": OWN, "tzdata": "2026a"}])
def test_the_vendors_package_is_installed_and_pinned(
    apt: ModuleType, host: Host, vendor: dict[str, Any], before: dict[str, str]
) -> None:
    host.there = dict(before)
    lines = apt.converge(host, NAMES, [], [], vendor)
    assert host.there == {"asterisk": THEIRS, "tzdata": "2026a"}
    assert host.told == ["apt-get install"]
    assert lines[:2] == [f"installed asterisk {THEIRS}", "pinned asterisk"]
    pin = Path(vendor["pin"]).read_text()
    assert f"Package: asterisk\nPin: version {THEIRS}\nPin-Priority: 1001\n" in pin
    assert apt.converge(host, NAMES, [], [], vendor) == []
    assert host.told == ["apt-get install"]


def test_the_distributions_that_came_back_is_replaced_again(
    apt: ModuleType, host: Host, vendor: dict[str, Any]
) -> None:
    apt.converge(host, NAMES, [], [], vendor)
    host.there["asterisk"] = OWN
    assert apt.converge(host, NAMES, [], [], vendor) == [f"installed asterisk {THEIRS}"]
    assert host.there["asterisk"] == THEIRS
    Path(vendor["pin"]).unlink()
    assert apt.converge(host, NAMES, [], [], vendor) == ["pinned asterisk"]


def test_an_altered_file_is_not_installed(
    apt: ModuleType, host: Host, vendor: dict[str, Any], tmp_path: Path
) -> None:
    next((tmp_path / "vendor/packages").iterdir()).write_text(f"asterisk\t{NEXT}\n")
    with pytest.raises(apt.AptError, match=vendor["files"][0]["sha256"]):
        apt.converge(host, NAMES, [], [], vendor)
    assert not host.there
    assert not Path(vendor["pin"]).exists()


def test_files_without_asterisk_are_refused(
    apt: ModuleType, host: Host, vendor: dict[str, Any], tmp_path: Path
) -> None:
    vendor["files"] = [a_package(tmp_path, "asterisk-modules", THEIRS)]
    with pytest.raises(apt.AptError, match="none of the vendor's packages is asterisk"):
        apt.converge(host, NAMES, [], [], vendor)


def test_a_dry_run_of_files_that_are_not_copied_yet(
    apt: ModuleType, host: Host, vendor: dict[str, Any], tmp_path: Path
) -> None:
    (path,) = (tmp_path / "vendor/packages").iterdir()
    path.unlink()
    host.check_mode = True
    lines = apt.converge(host, ["tzdata"], [], [], vendor)
    assert lines[0].split() == ["installed", path.name]
    assert not Path(vendor["pin"]).exists()
    assert not host.there


def test_what_an_archive_has_and_is_needed_is_taken_from_it(
    apt: ModuleType, host: Host, vendor: dict[str, Any], tmp_path: Path
) -> None:
    vendor |= {"files": [], "archive": an_archive()}
    host.archive = {"asterisk": THEIRS, "asterisk-modules": THEIRS, "asterisk-dev": THEIRS}
    host.own["asterisk-modules"] = OWN
    apt.converge(host, NAMES, ["asterisk-opus"], [], vendor)
    assert host.there == {"asterisk": THEIRS, "asterisk-modules": THEIRS, "tzdata": "2026a"}
    assert host.told == ["apt-get update", "apt-get download", "apt-get install"]
    assert (tmp_path / "vendor/archive-key.gpg").read_bytes() == b"a key"
    assert (tmp_path / "vendor/sources/vendor.sources").read_text() == (
        "Types: deb\nURIs: https://a.test/deb\nSuites: focal\nComponents: main\n"
        f"Signed-By: {tmp_path}/vendor/archive-key.gpg\n"
    )
    (tmp_path / "vendor/lists/a_Packages").write_text("")
    assert apt.converge(host, NAMES, ["asterisk-opus"], [], vendor) == []
    assert host.told[3:] == []


def test_a_newer_version_in_the_archive_is_taken_when_its_lists_are_old(
    apt: ModuleType, host: Host, vendor: dict[str, Any], tmp_path: Path
) -> None:
    vendor |= {"files": [], "archive": an_archive()}
    host.archive = {"asterisk": THEIRS}
    apt.converge(host, NAMES, [], [], vendor)
    (tmp_path / "vendor/lists/a_Packages").write_text("")
    for folder in ("partial", ""):
        os.utime(tmp_path / "vendor/lists" / folder, (1, 1))
    host.archive = {"asterisk": NEXT}
    assert apt.converge(host, NAMES, [], [], vendor)[0] == f"installed asterisk {NEXT}"
    assert host.told.count("apt-get update") == 2
    assert [path.name for path in (tmp_path / "vendor/packages").iterdir()] == ["asterisk.deb"]
    assert NEXT in Path(vendor["pin"]).read_text()


def test_an_archive_without_asterisk_is_refused(
    apt: ModuleType, host: Host, vendor: dict[str, Any]
) -> None:
    vendor |= {"files": [], "archive": an_archive()}
    with pytest.raises(apt.AptError, match="the vendor's archive has no package asterisk"):
        apt.converge(host, NAMES, [], [], vendor)


def test_no_setting_of_the_host_makes_apt_trust_an_unsigned_archive() -> None:
    """The module and preflight's look at the archive have the same options."""
    module = set(module_utility("ucontact_vendor").ARCHIVE)
    probe = set(re.findall(r"-o ([^\s\"]+)", facts._ARCHIVE))
    assert {one.format("$folder") for one in module} <= probe
    assert probe - {one.format("$folder") for one in module} == {
        "Acquire::Retries=0",
        "Acquire::http::Timeout=8",
        "Acquire::https::Timeout=8",
    }
    assert {
        "APT::Get::AllowUnauthenticated=false",
        "Acquire::AllowInsecureRepositories=false",
        "Acquire::AllowWeakRepositories=false",
    } <= module


def test_the_distributions_returns_without_a_vendor(
    apt: ModuleType, host: Host, vendor: dict[str, Any]
) -> None:
    apt.converge(host, NAMES, [], [], vendor)
    vendor["files"] = []
    lines = apt.converge(host, NAMES, [], [], vendor)
    assert lines == [f"returned asterisk={OWN}", "pinned nothing"]
    assert host.there["asterisk"] == OWN
    assert not Path(vendor["pin"]).exists()
    assert apt.converge(host, NAMES, [], [], vendor) == []


def test_a_return_to_a_distribution_without_asterisk_is_refused(
    apt: ModuleType, host: Host, vendor: dict[str, Any]
) -> None:
    apt.converge(host, NAMES, [], [], vendor)
    vendor["files"] = []
    del host.own["asterisk"]
    with pytest.raises(apt.AptError, match=r"keep the vendor's telephony\.source"):
        apt.converge(host, NAMES, [], [], vendor)
    assert host.there["asterisk"] == THEIRS
    assert Path(vendor["pin"]).exists()


def test_without_a_vendor_nothing_is_asked(
    apt: ModuleType, host: Host, vendor: dict[str, Any]
) -> None:
    host.there = {"asterisk": OWN, "tzdata": "2026a"}
    vendor["files"] = []
    assert apt.converge(host, NAMES, [], [], vendor) == []
    assert host.told == []


def test_candidates_of_several_packages() -> None:
    policy = (
        "asterisk:\n  Installed: (none)\n  Candidate: 8:13.35-1\n  Version table:\n"
        "     8:13.35-1 500\n        500 https://a.test/deb focal/main amd64 Packages\n"
        "asterisk-dev:\n  Installed: 1\n  Candidate: (none)\n"
        "asterisk-modules:\n  Installed: (none)\n  Candidate: 8:13.35-2\n"
    )
    found = module_utility("ucontact_vendor").candidates(policy)
    assert found == {"asterisk": "8:13.35-1", "asterisk-modules": "8:13.35-2"}


def test_a_dry_run_of_an_archive_whose_lists_are_not_there(
    apt: ModuleType, host: Host, vendor: dict[str, Any], tmp_path: Path
) -> None:
    apt.converge(host, NAMES, [], [], vendor)
    host.told.clear()
    host.check_mode = True
    vendor |= {"files": [], "archive": an_archive()}
    assert apt.converge(host, NAMES, [], [], vendor) == ["installed asterisk"]
    assert host.told == []
    assert not (tmp_path / "vendor/sources").exists()
    assert host.there["asterisk"] == THEIRS


def test_an_empty_pin_of_somebody_else_is_removed_and_told_of(
    apt: ModuleType, host: Host, vendor: dict[str, Any]
) -> None:
    host.there = {"asterisk": OWN, "tzdata": "2026a"}
    vendor["files"] = []
    Path(vendor["pin"]).write_text("")
    assert apt.converge(host, NAMES, [], [], vendor) == ["pinned nothing"]
    assert not Path(vendor["pin"]).exists()
    assert apt.converge(host, NAMES, [], [], vendor) == []
