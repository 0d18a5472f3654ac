"""The benchmark: what it asks, when it refuses, what it leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.unit.facts.outputs import recorded
from tests.unit.measurements import a_measurement
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.operate.benchmark import measure
from ucontact_appliance.operate.measurement import load_measurement
from ucontact_appliance.site.files import write_private
from ucontact_appliance.state import StatePaths

CODECS = "core show translation comp 10"
CALLS = "core show channels count"
RUN = recorded("capacity_run-sid")


@dataclass
class Host:
    """A host that answers from a table; what it was asked is kept."""

    calls: str = "0 active channels\n0 of 200 max active calls\n9 calls processed\n"
    codecs: str = recorded("asterisk_translations-sid")
    constants: str = ""
    run_says: str = RUN
    run_status: int = 0
    slow: bool = False
    asked: list[str] = field(default_factory=list)

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 10.0,
        stdin: str | None = None,
        limit: int = 0,
    ) -> Completed:
        self.asked.append(argv[2] if argv[0] == "asterisk" else " ".join(argv))
        if self.slow:
            raise TimeoutError("no answer within 60 s")
        answers = {
            CALLS: self.calls,
            CODECS: self.codecs,
            "core show translation": self.constants,
            "core show version": "Asterisk 22.1 x",
        }
        if argv[0] == "asterisk":
            return Completed(tuple(argv), 0, answers[argv[2]], "", 0.1)
        assert stdin is not None
        assert "def main" in stdin
        return Completed(tuple(argv), self.run_status, self.run_says, "", 0.1)

    @contextmanager
    def forward(self, port: int) -> Iterator[int]:
        yield port


def said(host: Host, *, force: bool = False) -> list[str]:
    steps: list[str] = []
    measure(host, "one", "--site site.yml", steps.append, force=force)
    return steps


def test_codecs_and_processor_are_measured_in_turn() -> None:
    host = Host()
    steps: list[str] = []
    found = measure(host, "one", "--site site.yml", steps.append)
    assert host.asked == [
        CALLS,
        *[CODECS, "python3 - 2"] * 5,
        "python3 - 1 /var/spool/asterisk/monitor",
        "core show version",
        CALLS,
    ]
    assert len(steps) == 6
    assert found.asterisk == "22.1"
    assert found.translations_us["slin8>gsm"] == (587.0,) * 5
    assert len(found.relay_us) == len(found.compute_ms) == 5 * len(json.loads(RUN)["relay_us"])
    assert found.calls_up == 0


def test_an_asterisk_that_can_not_time_its_codecs_tells_what_it_has() -> None:
    constants = recorded("asterisk_translation_constants-sid")
    found = measure(Host(codecs="Usage: …", constants=constants), "one", "", lambda step: None)
    assert found.translations_us == {}
    assert {"slin8>gsm", "slin8>opus"} <= set(found.untimed)


def test_calls_that_are_up_stop_it_before_anything_is_loaded() -> None:
    host = Host(calls="4 active channels\n2 of 60 max active calls\n")
    with pytest.raises(UsageError, match="2 calls are active on one") as refused:
        said(host)
    assert host.asked == [CALLS]
    assert "--benchmark --site site.yml --force" in refused.value.helps


def test_force_measures_all_the_same_and_says_so() -> None:
    host = Host(calls="4 active channels\n2 of 60 max active calls\n")
    assert measure(host, "one", "", lambda step: None, force=True).calls_up == 2


@pytest.mark.parametrize(
    ("host", "what"),
    [
        (Host(calls="Unable to connect to remote asterisk"), "does not respond"),
        (Host(codecs="No such command"), "did not report"),
        (Host(run_status=127, run_says=""), "returned no figures"),
        (Host(run_says="Killed"), "returned no figures"),
        (Host(run_says=json.dumps(json.loads(RUN) | {"disk": {"full": True}})), "is full"),
        (Host(slow=True), "did not respond in time"),
    ],
)
def test_what_can_not_be_measured_is_told_with_a_command(host: Host, what: str) -> None:
    with pytest.raises(UnreachableError, match=what) as failed:
        said(host)
    assert failed.value.helps


def test_a_measurement_is_found_again(tmp_path: Path) -> None:
    paths = StatePaths(tmp_path / "etc", tmp_path / "var")
    assert load_measurement(paths) is None
    measured = a_measurement()
    write_private(paths.capacity, measured.model_dump_json())
    assert load_measurement(paths) == measured


@pytest.mark.parametrize("text", ["", "{}", '{"host": 3}'])
def test_a_broken_measurement_is_named(tmp_path: Path, text: str) -> None:
    paths = StatePaths(tmp_path / "etc", tmp_path / "var")
    write_private(paths.capacity, text)
    with pytest.raises(UnreachableError, match=r"capacity\.json can't be read"):
        load_measurement(paths)
