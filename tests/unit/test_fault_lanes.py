"""Faults side by side: each on one machine, none lost, in the catalogue's order."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.faults import lanes
from tests.faults.catalogue import FAULTS
from tests.faults.document import page, record
from tests.faults.model import Outcome

SOME = FAULTS[:7]


def _files(folder: Path, count: int) -> list[Path]:
    return [folder / f"lane-{number}.json" for number in range(1, count + 1)]


def _well(chosen, _name: str, file: Path) -> None:
    rows = [record(Outcome(fault, (), (), (), 1.0)) for fault in chosen]
    file.write_text(json.dumps(rows))


def _breaks(chosen, name: str, file: Path) -> None:
    _well(chosen[:1] if name.endswith("-2") else chosen, name, file)


def _ended(_chosen, name: str, file: Path) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        file.write_text("at work")
        if name.endswith("-2"):
            while not file.with_name("lane-1.json").exists():
                time.sleep(0.01)
            time.sleep(0.2)  # by then the parent waits for both
            os.kill(os.getppid(), signal.SIGINT)
        time.sleep(60)
    finally:
        file.write_text("tidied")


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_fault_runs_once_and_is_told_in_the_catalogues_order(count: int, tmp_path: Path):
    files = _files(tmp_path, count)
    lanes.side_by_side(SOME, files, _well)
    rows = lanes.records(files, SOME)
    assert [row["id"] for row in rows] == [fault.id for fault in SOME]
    assert not any(row["problems"] for row in rows)


def test_what_a_broken_run_did_not_reach_is_wrong(tmp_path: Path):
    files = _files(tmp_path, 2)
    lanes.side_by_side(SOME, files, _breaks)
    rows = lanes.records(files, SOME)
    lost = [row["id"] for row in rows if row["problems"]]
    assert lost == [fault.id for fault in SOME[3::2]]
    assert f"5 of {len(SOME)} faults" in page(rows)


def test_the_page_tells_what_one_remedy_mended_together():
    alone = Outcome(SOME[0], (), (), (), 1.0)
    both = Outcome(SOME[1], (), (), (), 1.0, beside=("x", "y"))
    unmended = Outcome(SOME[2], (), (), (), 1.0, mended=False)
    text = page([record(outcome) for outcome in (alone, both, unmended)])
    cells = [line.split(" | ")[3] for line in text.splitlines() if line.startswith("| ")][1:]
    assert cells == ["clears", "clears (3 at once)", "not run"]


def test_what_was_recorded_is_recalled_as_it_was(tmp_path: Path):
    outcome = Outcome(SOME[0], ("a.b",), ("mend it",), ("wrong",), 1.5, False, ("other",))
    file = tmp_path / "lane-1.json"
    file.write_text(json.dumps([record(outcome), {**record(outcome), "id": "gone"}]))
    assert lanes.recorded(file, SOME) == {SOME[0].id: outcome}
    assert lanes.recorded(tmp_path / "none", SOME) == {}


def test_an_interruption_ends_every_run_and_lets_it_tidy_up(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        lanes.side_by_side(SOME, _files(tmp_path, 2), _ended)
    assert (tmp_path / "lane-1.json").read_text() == "tidied"
