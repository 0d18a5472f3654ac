"""Measured capacity on screen and in JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.test_cli import SITE, Command, ucontact
from tests.unit.measurements import TRANSLATIONS, a_measurement
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.operate.installed import save_plan
from ucontact_appliance.planning.capacity_model import Measurement
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.files import write_private
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.state import state_paths

__all__ = ["ucontact"]  # the fixture


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    path = tmp_path / "site.yml"
    path.write_text(SITE.replace("192.0.2.10", "local"), encoding="utf-8")
    return path


def keep(measured: Measurement) -> None:
    write_private(state_paths("demo").capacity, measured.model_dump_json())


def test_a_plan_without_a_measurement_names_the_way_to_one(
    ucontact: Command, site_file: Path
) -> None:
    answer = ucontact("plan", "--site", str(site_file))
    assert answer.code == 0
    assert "ucontact profile --benchmark" in answer.out
    assert json.loads(ucontact("plan", "--site", str(site_file), "--json").out)["capacity"] is None


def test_a_plan_shows_what_was_measured(ucontact: Command, site_file: Path) -> None:
    keep(a_measurement(host="one"))
    answer = ucontact("plan", "--site", str(site_file))
    assert "Measured capacity of one" in answer.out
    assert "50% of the processor kept free" in answer.out
    assert "maxcalls" in answer.out
    rows = json.loads(ucontact("plan", "--site", str(site_file), "--json").out)["capacity"]
    assert [row["kind"] for row in rows["carried"]] == [
        "plain",
        "recorded",
        "opus",
        "opus_recorded",
    ]
    assert rows["measured"]["host"] == "one"
    for row in rows["carried"]:
        assert row["calls"]["low"] <= row["calls"]["likely"] <= row["calls"]["high"]


def test_what_is_doubtful_is_said(ucontact: Command, site_file: Path) -> None:
    costs = {pair: cost for pair, cost in TRANSLATIONS.items() if "opus" not in pair}
    keep(a_measurement(host="other", calls_up=3, translations_us=costs))
    said = ucontact("plan", "--site", str(site_file)).out
    assert "no host other" in said
    assert "3 calls were active" in said
    assert "lacks a codec" in said
    assert "DTLS-SRTP" in said


def test_a_broken_measurement_is_told(ucontact: Command, site_file: Path) -> None:
    write_private(state_paths("demo").capacity, "{")
    answer = ucontact("plan", "--site", str(site_file))
    assert answer.code == UnreachableError.exit_code
    assert "ucontact profile --benchmark" in answer.err


def test_only_an_installed_site_is_measured(ucontact: Command, site_file: Path) -> None:
    answer = ucontact("profile", "--benchmark", "--site", str(site_file))
    assert (answer.code, answer.out) == (2, "")
    assert "ucontact install" in answer.err


def test_a_host_without_asterisk_is_told(
    ucontact: Command, site_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    save_plan(state_paths("demo"), make_plan(load_site(site_file), {}))
    state_paths("demo").etc.mkdir(parents=True)
    monkeypatch.setenv("PATH", str(tmp_path))  # there is no asterisk
    answer = ucontact("profile", "--benchmark", "--site", str(site_file))
    assert answer.code == 3
    assert "Asterisk on one does not respond" in answer.err
    assert "ucontact doctor" in answer.err
    assert not state_paths("demo").capacity.exists()
