"""The Ansible module `systemd_units`, against a systemctl that remembers what it was told."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.unit.modules.running import run_module
from ucontact_appliance.resources import INSTALLER

MODULE = INSTALLER / "plugins" / "modules" / "systemd_units.py"
_SYSTEMCTL = """\
#!{python}
import json, pathlib, sys
folder = pathlib.Path({folder!r})
words = [word for word in sys.argv[1:] if word not in ("--no-pager", "--", "--quiet")]
units = json.loads((folder / "units.json").read_text())
verb, names = words[0], [word for word in words[1:] if not word.startswith("--")]
if verb == "show":
    for name in names:
        state = dict(Id=name, LoadState="not-found", ActiveState="inactive", UnitFileState="",
                     NeedDaemonReload="no")
        state.update(units.get(name, {{}}))
        print("".join(f"{{key}}={{value}}\\n" for key, value in state.items()))
    sys.exit()
with (folder / "told").open("a") as told:
    told.write(" ".join(words) + "\\n")
if verb == "daemon-reload":
    units = {{name: dict(unit, NeedDaemonReload="no") for name, unit in units.items()}}
    units.update(json.loads((folder / "unread.json").read_text()))
for name in names:
    unit = units.setdefault(name, {{}})
    if verb == "is-enabled":
        sys.exit(0 if unit.get("boots") else 1)
    if verb == "status":
        print(name + ": the last line")
    if verb == "unmask":
        unit.update(LoadState="loaded", UnitFileState="disabled")
    if verb == "enable":
        unit.update(UnitFileState="enabled", boots=True)
    if verb in ("start", "restart"):
        if unit.get("breaks"):
            sys.exit("Job for " + name + " failed")
        unit.update(ActiveState="active")
(folder / "units.json").write_text(json.dumps(units))
"""
RUNS = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}
STOPPED = {**RUNS, "ActiveState": "inactive"}


@dataclass(frozen=True)
class Server:
    """A host with some units."""

    folder: Path

    def has(self, **units: dict[str, Any]) -> None:
        named = {f"{name}.service": unit for name, unit in units.items()}
        (self.folder / "units.json").write_text(json.dumps(named))

    def told(self) -> list[str]:
        path = self.folder / "told"
        return path.read_text().splitlines() if path.exists() else []

    def answer(self, *names: str, check: bool = False, **more: Any) -> dict[str, Any]:
        arguments = {
            "units": [f"{name}.service" for name in names],
            "_ansible_check_mode": check,
            **more,
        }
        path = f"{self.folder}:{os.environ['PATH']}"
        return run_module(MODULE, arguments, {**os.environ, "PATH": path})


@pytest.fixture
def server(tmp_path: Path) -> Server:
    program = tmp_path / "systemctl"
    program.write_text(_SYSTEMCTL.format(python=sys.executable, folder=str(tmp_path)))
    program.chmod(0o755)
    (tmp_path / "unread.json").write_text("{}")
    return Server(tmp_path)


def test_units_that_run_are_left_alone(server: Server) -> None:
    server.has(
        a=RUNS, b={**RUNS, "UnitFileState": "static"}, c={**RUNS, "ActiveState": "reloading"}
    )
    found = server.answer("a", "b", "c")
    assert (found["changed"], found["changes"]) == (False, [])
    assert server.told() == []


def test_all_that_do_not_run_are_enabled_and_started_at_once(server: Server) -> None:
    server.has(a=STOPPED, b={**STOPPED, "UnitFileState": "disabled"}, c=RUNS)
    found = server.answer("a", "b", "c")
    assert found["changes"] == ["enabled b.service", "started a.service", "started b.service"]
    assert server.told() == ["enable b.service", "start a.service b.service"]
    assert server.answer("a", "b", "c")["changed"] is False


def test_a_masked_unit_is_given_back(server: Server) -> None:
    server.has(a={"LoadState": "masked", "ActiveState": "inactive", "UnitFileState": "masked"})
    found = server.answer("a")
    assert found["changes"] == ["unmasked a.service", "enabled a.service", "started a.service"]
    assert server.told() == ["unmask a.service", "enable a.service", "start a.service"]


def test_what_is_to_be_restarted_is_restarted_where_it_runs(server: Server) -> None:
    server.has(a=RUNS, b=STOPPED)
    found = server.answer("a", "b", restarted=["a.service", "b.service"])
    assert found["changes"] == ["started b.service", "restarted a.service"]
    assert server.told() == ["start b.service", "restart a.service"]


def test_a_file_that_systemd_has_not_read_is_read_first(server: Server) -> None:
    server.has(a={**RUNS, "NeedDaemonReload": "yes"})
    assert server.answer("a")["changed"] is False
    assert server.told() == ["daemon-reload"]


def test_a_new_file_is_found(server: Server) -> None:
    server.has()
    (server.folder / "unread.json").write_text(json.dumps({"a.service": STOPPED}))
    assert server.answer("a")["changes"] == ["started a.service"]
    assert server.told() == ["daemon-reload", "start a.service"]


def test_a_unit_that_is_not_there_is_named(server: Server) -> None:
    server.has(a=RUNS)
    found = server.answer("a", "b")
    assert (found["failed"], found["msg"]) == (True, "there is no unit b.service on this host")


def test_a_unit_of_an_init_script_is_asked_for_apart(server: Server) -> None:
    server.has(a={**RUNS, "UnitFileState": "generated"})
    assert server.answer("a")["changes"] == ["enabled a.service"]
    assert server.told() == ["is-enabled a.service", "enable a.service"]
    server.has(a={**RUNS, "UnitFileState": "generated", "boots": True})
    assert server.answer("a")["changed"] is False


def test_a_unit_that_does_not_come_up_is_told_with_its_last_words(server: Server) -> None:
    server.has(a={**STOPPED, "breaks": True})
    found = server.answer("a")
    assert found["failed"] is True
    assert found["msg"] == (
        "Job for a.service failed\na.service does not run:\na.service: the last line"
    )


def test_a_dry_run_tells_and_does_nothing(server: Server) -> None:
    server.has(a={"LoadState": "masked", "ActiveState": "inactive", "UnitFileState": "masked"})
    found = server.answer("a", "b", check=True)
    assert found["changes"] == [
        "unmasked a.service",
        "enabled a.service",
        "enabled b.service",
        "started a.service",
        "started b.service",
    ]
    assert [line for line in server.told() if not line.startswith("is-enabled")] == []


def test_units_may_be_enabled_alone(server: Server) -> None:
    server.has(a={**STOPPED, "UnitFileState": "disabled"})
    assert server.answer("a", started=False)["changes"] == ["enabled a.service"]
