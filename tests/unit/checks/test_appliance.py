"""The appliance's own command line, as its checks see it."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType, SimpleNamespace
from typing import cast

import pytest
import typer

from ucontact_appliance.checks.appliance import COMMANDS, judge_commands
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.facts.distribution import known_commands


def test_the_three_commands_are_there() -> None:
    assert judge_commands(known_commands(COMMANDS)).verdict is Verdict.PASS


def test_without_a_command_line_one_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ucontact_appliance.cli.main", raising=False)
    assert judge_commands(known_commands(COMMANDS)).verdict is Verdict.PASS


def test_the_command_line_that_runs_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    app = typer.Typer()
    app.command("install")(lambda: None)
    app.command("other")(lambda: None)
    line = SimpleNamespace(app=app)
    monkeypatch.setitem(sys.modules, "ucontact_appliance.cli.main", cast("ModuleType", line))
    assert known_commands(("install", "other", "absent")) == ("install", "other")


def test_a_command_whose_module_lacks_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    importlib.import_module("ucontact_appliance.cli.main")
    monkeypatch.setitem(sys.modules, "ucontact_appliance.cli.report", cast("ModuleType", None))
    judged = judge_commands(known_commands(COMMANDS))
    assert (judged.verdict, judged.observed) == (Verdict.FAIL, "not available: report")


def test_a_command_that_stands_on_something_that_lacks_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    importlib.import_module("ucontact_appliance.cli.main")
    monkeypatch.delitem(sys.modules, "ucontact_appliance.cli.report", raising=False)
    monkeypatch.setitem(sys.modules, "ucontact_appliance.report.verify", cast("ModuleType", None))
    judged = judge_commands(known_commands(COMMANDS))
    assert (judged.verdict, judged.observed) == (Verdict.FAIL, "not available: report")


@pytest.mark.parametrize("lost", COMMANDS)
def test_a_command_that_is_lost_is_named(lost: str) -> None:
    judged = judge_commands([name for name in COMMANDS if name != lost])
    assert (judged.verdict, judged.observed) == (Verdict.FAIL, f"not available: {lost}")


def test_a_command_line_that_does_not_start() -> None:
    judged = judge_commands(())
    assert judged.verdict is Verdict.FAIL
    assert "does not start" in judged.evidence
