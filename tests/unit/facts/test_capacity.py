"""The benchmark's outputs, recorded on a rehearsal machine."""

from __future__ import annotations

import json

import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.facts.capacity import parse_calls, parse_run, parse_translations


def test_measured_translations() -> None:
    costs = parse_translations(recorded("asterisk_translations-sid"))
    assert costs["alaw>slin8"] == 8
    assert costs["slin8>gsm"] == 587
    assert costs["opus>slin8"] == 1261
    assert costs["slin8>opus"] == 3748
    # A direct translator is measured; a path over others is none.
    assert "alaw>opus" not in costs


def test_what_asterisk_prints_by_default_is_a_table_of_constants() -> None:
    """Why the benchmark asks for `comp`: each step to another codec "costs" the same there."""
    costs = parse_translations(recorded("asterisk_translation_constants-sid"))
    assert costs["slin8>gsm"] == costs["slin8>opus"] == costs["slin8>alaw"] == 6000


def test_asterisk_16_has_no_measured_table_but_tells_what_it_translates() -> None:
    assert parse_translations(recorded("asterisk_translations-bullseye")) == {}
    pairs = set(parse_translations(recorded("asterisk_translation_constants-bullseye")))
    assert {"alaw>slin8", "slin8>alaw", "slin8>gsm", "opus>slin8", "slin8>opus"} <= pairs


def test_an_older_name_of_the_same_samples() -> None:
    text = "     ulaw alaw slin\nulaw - 9 7\nalaw 9 - 8\nslin 6 6 -\n"
    assert parse_translations(text)["alaw>slin8"] == 8


def test_a_translator_that_can_not_be_measured_has_no_cost() -> None:
    text = "     ulaw alaw g729\nulaw - 9 999999\nalaw 9 - -\ng729 6 6 -\n"
    costs = parse_translations(text)
    assert "ulaw>g729" not in costs
    assert costs["g729>alaw"] == 6


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("40 active channels\n20 of 200 max active calls (10.00% of capacity)\n3 calls", 20),
        ("0 active channels\n0 active calls\n0 calls processed\n", 0),
        ("2 active channels\n1 active call\n1 call processed\n", 1),
        ("Unable to connect to remote asterisk (does /run/asterisk/asterisk.ctl exist?)", None),
    ],
)
def test_calls_that_are_up(text: str, calls: int | None) -> None:
    assert parse_calls(text) == calls


def test_a_run() -> None:
    text = recorded("capacity_run-sid")
    run = parse_run(text)
    assert (run.cores, run.threads, run.processor) == (2, 2, "AMD EPYC")
    assert run.mhz == pytest.approx(2445.424)
    assert len(run.relay_us) == len(run.compute_ms) == 7
    disk = json.loads(text)["disk"]
    assert run.mb_per_second == pytest.approx(disk["bytes"] / 1e6 / disk["seconds"])
    assert run.fsync_p99_ms == max(disk["fsync_ms"])


def test_a_full_disk_has_no_figures() -> None:
    run = parse_run(json.dumps(json.loads(recorded("capacity_run-sid")) | {"disk": {"full": True}}))
    assert run.mb_per_second is run.fsync_p99_ms is None


@pytest.mark.parametrize("text", ["", "no", "[]", "{}", '{"disk": 3}', '{"disk": {"full": true}}'])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own message or ours
        parse_run(text)
