"""The state of what an installation converges, as the probe prints it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ucontact_appliance.facts.runner import LocalRunner
from ucontact_appliance.facts.state import ABSENT, look_at_state, parse_state
from ucontact_appliance.planning.component_tables import phases, state_of_phase
from ucontact_appliance.resources import INSTALLER, ROLES

_KINDS = {"path", "tree", "account", "group", "package", "table", "running"}


def look(*items: str) -> dict[str, str]:
    """The state of these on this machine."""
    return look_at_state(LocalRunner(), items)


def test_lines() -> None:
    assert parse_state("path /a b\tfile 644\nnoise\nunit x\t\n") == {
        "path /a b": "file 644",
        "unit x": "",
    }


def _write(path: Path) -> None:
    path.write_text("other")


def _same_size_and_time(path: Path) -> None:
    known = path.stat()
    path.write_text("TEXT")
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))


def _mode(path: Path) -> None:
    path.chmod(0o600)


def _replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_text("text")
    other.replace(path)


def _link(path: Path) -> None:
    path.rename(path.with_suffix(".kept"))
    path.symlink_to(path.with_suffix(".kept"))


@pytest.mark.parametrize("change", [_write, _same_size_and_time, _mode, _replace, _link, os.remove])
def test_every_change_of_a_file_shows(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "file"
    path.write_text("text")
    items = (f"path {path}", f"tree {tmp_path}")
    before = look(*items)
    assert look(*items) == before
    change(path)
    after = look(*items)
    assert [item for item in items if after[item] == before[item]] == []


def test_of_a_folder_its_entries_do_not_count_but_in_a_tree(tmp_path: Path) -> None:
    items = (f"path {tmp_path}", f"tree {tmp_path}")
    before = look(*items)
    (tmp_path / "more").write_text("")
    after = look(*items)
    assert [after[item] == before[item] for item in items] == [True, False]
    tmp_path.chmod(0o711)
    assert look(items[0])[items[0]] != after[items[0]]


def test_what_is_not_there_is_absent() -> None:
    items = ("path /nonexistent/a b", "package no-such-package", "unit no-such-unit.service")
    found = look(*items)
    assert found["path /nonexistent/a b"] == found["package no-such-package"] == ABSENT
    assert "tree /nonexistent" in look("tree /nonexistent")


def test_what_cant_be_asked_is_never_the_same() -> None:
    items = ("account no-such-account", "group no-such-group", "running nonsense")
    first, second = look(*items), look(*items)
    assert all(first[item].startswith("unknown ") for item in items)
    assert [item for item in items if first[item] == second[item]] == []


def test_an_asterisk_that_stops_answering_cant_be_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "asterisk"
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def state(script: str) -> str:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return look("running asterisk")["running asterisk"]

    assert re.fullmatch("[0-9a-f]{64}", state('echo "answer to $2"'))
    assert state("echo m.so 1 Running") == state("echo m.so 2 Running")
    assert state('test "$2" != "dialplan show" && echo it').startswith("unknown ")
    assert state("exit 1").startswith("unknown ")


@pytest.mark.skipif(shutil.which("getent") is None, reason="not run: no getent here")
def test_accounts_and_groups() -> None:
    found = look("account root", "group root")
    assert all(re.fullmatch("[0-9a-f]{64}", state) for state in found.values())
    assert found == look("account root", "group root")


def test_the_probe_is_a_posix_script() -> None:
    script = INSTALLER / "probes" / "state.sh"
    done = subprocess.run(["sh", "-n", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_table_has_only_kinds_that_the_probe_knows() -> None:
    rows = [row for phase in phases() for row in state_of_phase(phase)]
    assert {row.partition(" ")[0] for row in rows} <= _KINDS
    named = {row.removeprefix("running ") for row in rows if row.startswith("running ")}
    script = (INSTALLER / "probes" / "state.sh").read_text()
    assert named == {"kernel", "mysql", "asterisk", "spool"}
    assert all(name in script for name in named)


_PHASE_OF_ROLE = {
    role["role"]: path.stem
    for path in (INSTALLER / "playbooks").glob("*.yml")
    for play in yaml.safe_load(path.read_text(encoding="utf-8"))
    for role in play["roles"]
}
_REPORTING = {"apt_packages", "etc_tree", "release_tree", "systemd_units"}
# Tasks that change nothing themselves, or whose work is a row of another task or of the table.
_OTHERS = {
    "ansible.builtin.assert",
    "ansible.builtin.command",
    "ansible.builtin.debug",
    "ansible.builtin.import_tasks",
    "ansible.builtin.include_tasks",
    "ansible.builtin.meta",
    "ansible.builtin.script",
    "ansible.builtin.shell",
    "ansible.builtin.stat",
    "ansible.builtin.systemd_service",
    "ansible.builtin.uri",
    "ansible.builtin.wait_for",
    "ansible.builtin.wait_for_connection",
}
# By role and module: the items of the table that those tasks converge.
_BY_TABLE = {
    ("baseline", "ansible.builtin.blockinfile"): {"path /etc/hosts"},
    ("baseline", "ansible.builtin.group"): {"group ucontact-tls"},
    ("baseline", "ansible.builtin.hostname"): {"path /etc/hostname", "running kernel"},
    ("baseline", "ansible.builtin.user"): {"account integra"},
    ("firewall", "etc_tree, temporary"): {
        "path /etc/nftables.d/ucontact.nft",
        "table inet ucontact",
    },
    ("certificates", "etc_tree, temporary"): {"tree /etc/ssl/ucontact"},
    ("database", "ansible.builtin.user"): {"account mysql"},
    ("database", "mysql_site"): {"running mysql"},
    ("packages", "ansible.builtin.copy"): {"path /var/lib/ucontact-asterisk"},
    ("stun", "ansible.builtin.user"): {"account turnserver"},
    ("telephony", "ansible.builtin.user"): {"account asterisk"},
    ("integraserver", "ansible.builtin.copy"): {
        "path /var/cache/integraserver-release.manifest.json",
        "path /var/cache/integraserver-release.tar.gz",
    },
}
_KEYWORDS = {"name", "when", "register", "vars", "tags", "loop", "loop_control", "notify"}
_KEYWORDS |= {"changed_when", "failed_when", "check_mode", "environment", "until", "retries"}
_KEYWORDS |= {"delay", "diff", "ignore_unreachable", "any_errors_fatal", "throttle"}


def modules_of(role: str) -> set[str]:
    """The modules of a role's tasks."""
    tasks = [
        task
        for path in (ROLES / role / "tasks").glob("*.yml")
        for task in yaml.safe_load(path.read_text(encoding="utf-8"))
    ]
    # What a task moves away later is not what it manages.
    temporary = {"etc_tree" for task in tasks if task.get("etc_tree", {}).get("temporary")}
    found = {key for task in tasks for key in task if key not in _KEYWORDS}
    return found | {f"{name}, temporary" for name in temporary}


@pytest.mark.parametrize("role", sorted(_PHASE_OF_ROLE))
def test_whatever_a_role_converges_is_looked_at(role: str) -> None:
    """A task reports what it manages, or has its items in a component's `state`."""
    table = set(state_of_phase(_PHASE_OF_ROLE[role]))
    silent = modules_of(role) - _REPORTING - _OTHERS
    assert silent == {module for known, module in _BY_TABLE if known == role}
    for module in silent:
        assert _BY_TABLE[role, module] <= table


def test_every_role_is_known() -> None:
    assert {path.name for path in ROLES.iterdir() if path.is_dir()} == set(_PHASE_OF_ROLE)


@pytest.mark.parametrize("role", sorted(_PHASE_OF_ROLE))
def test_every_table_of_nftables_is_looked_at(role: str) -> None:
    table = state_of_phase(_PHASE_OF_ROLE[role])
    for path in (ROLES / role / "templates").rglob("*.nft.j2"):
        for name in re.findall(r"^table (inet \w+)", path.read_text(), re.MULTILINE):
            assert f"table {name}" in table
