"""What `ucontact profile --benchmark` predicts, beside what real calls take of the processor."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.capacity import WAYS, Bench, a_bench, shown
from tests.e2e.conftest import MachineFactory
from tests.e2e.load import ALAW, BRIDGED
from ucontact_appliance.planning.capacity_model import table
from ucontact_appliance.state import StatePaths

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

# Predicted against measured, on a machine that runs other tests as well: neighbours alone make the
# same call dearer by half. `make bench` shows the error on a quiet one, and judges it by 20 %.
TOLERANCE = 0.50
WINDOW_SECONDS = 8.0


@pytest.fixture(scope="module")
def bench(machine_factory: MachineFactory, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The telephony role on one machine, SIPp on another."""
    return a_bench(machine_factory(), machine_factory(), tmp_path_factory.mktemp("capacity"))


@pytest.fixture(scope="module")
def document(bench: Bench) -> dict[str, Any]:
    """What the benchmark said, once."""
    return bench.benchmark()


def test_a_measurement_is_kept_and_the_plan_shows_it(
    bench: Bench, document: dict[str, Any]
) -> None:
    assert {row["kind"] for row in document["carried"]} == {kind.id for kind in table().kinds}
    var = bench.site_file.parent / "var" / "capacity"
    kept = StatePaths(var, var).capacity
    assert kept.stat().st_mode & 0o777 == 0o600
    assert json.loads(kept.read_text(encoding="utf-8")) == document["measured"]
    status, out, err = bench.ucontact("plan", "--json")
    planned = json.loads(out)
    # The lab's disk may be smaller than 90 days of recordings.
    assert status == (1 if planned["shortfalls"] else 0), err
    assert planned["capacity"] == document
    _, shown_plan, _ = bench.ucontact("plan")
    assert "Measured capacity of one" in shown_plan
    left = "ls -A /var/spool/asterisk/monitor | grep -c ucontact-benchmark || true"
    assert bench.load.target.ssh([left]).stdout.strip() == "0"


def test_it_refuses_while_calls_are_up(bench: Bench) -> None:
    bench.load.calling(0, 2, ALAW, BRIDGED)
    try:
        status, out, err = bench.ucontact("profile", "--benchmark")
        assert (status, out) == (2, "")
        assert "2 calls are active on one" in err
        assert "--force" in err
        assert bench.load.busy().calls == 2
    finally:
        bench.load.hang_up()


@pytest.mark.parametrize("kind", WAYS)
def test_the_prediction_holds(bench: Bench, document: dict[str, Any], kind: str) -> None:
    compared = bench.compare(kind, document, WINDOW_SECONDS)
    print(shown([compared]))
    assert abs(compared.error) <= TOLERANCE, shown([compared])
