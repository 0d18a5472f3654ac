"""Whether Asterisk runs the modules that the product stands on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.modules import CHECKS, judge_modules
from ucontact_appliance.facts.asterisk import parse_modules, parse_snapshot
from ucontact_appliance.resources import ROLES, load_data

_GROUPS: Mapping[str, Any] = load_data("asterisk_modules")
_ALL = [module for row in _GROUPS.values() for module in row["modules"]]


def _running(suite: str) -> tuple[str, ...]:
    return parse_modules(recorded(f"asterisk_modules-{suite}"))


@pytest.mark.parametrize("suite", ["sid", "bullseye"])
def test_all_that_is_asked_for_runs_on_an_installed_server(suite: str) -> None:
    assert {f"{name}.so" for name in _ALL} <= set(_running(suite))


def test_no_module_is_asked_for_twice_or_kept_from_loading() -> None:
    unwanted = (ROLES / "telephony/defaults/main.yml").read_text(encoding="utf-8")
    assert len(_ALL) == len(set(_ALL))
    assert not [name for name in _ALL if re.search(rf"^ *- {name}\b", unwanted, re.MULTILINE)]
    assert len(CHECKS) == len(_GROUPS)


def test_one_that_does_not_run_is_named_and_loaded_without_ending_calls() -> None:
    rows = recorded("asterisk_modules-sid")
    stopped = re.sub(r"^(res_srtp\.so .*)Running", r"\1Not Running", rows, flags=re.MULTILINE)
    gone = re.sub(r"^app_mixmonitor\.so .*\n", "", stopped, flags=re.MULTILINE)
    judged = judge_modules(parse_snapshot({"modules": gone}), ["res_srtp", "app_dial"])
    assert (judged.verdict, judged.observed) == (Verdict.FAIL, "not running: res_srtp")
    assert judged.remedy == "{ssh} asterisk -rx 'module load res_srtp.so'; {install}"
    judged = judge_modules(parse_snapshot({"modules": gone}), ["app_mixmonitor", "res_srtp"])
    assert judged.observed == "not running: app_mixmonitor, res_srtp"


def test_all_running_passes() -> None:
    found = parse_snapshot({"modules": recorded("asterisk_modules-sid")})
    assert judge_modules(found, ["res_srtp", "app_dial"]).verdict is Verdict.PASS
