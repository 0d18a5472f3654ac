"""Which phases are left out, because their inputs and servers are as after their last good run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.install.phases import RELEASE, Recorded, Unheld, fail, installed, seen
from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.install import run as install_module
from ucontact_appliance.install import session, unchanged
from ucontact_appliance.install.events import (
    Event,
    PhaseUnchanged,
    TaskResult,
    Warned,
    nobody,
)
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.journal import load_journal
from ucontact_appliance.install.run import preview
from ucontact_appliance.install.unchanged import (
    NOTHING_DIFFERS,
    PhaseDifferences,
    PhaseState,
    States,
    differences,
    load_states,
    renew_record,
)
from ucontact_appliance.state import StatePaths, state_paths

_SAME = {"site.a": "1"}
_GOOD = PhaseState(inputs=_SAME, hosts={"one": {"path /etc/x": "1", "unit x": "2"}})


@pytest.mark.parametrize(
    ("recorded", "inputs", "seen", "line"),
    [
        (
            _GOOD,
            {"site.a": "1"},
            {"one": {"path /etc/x": "1", "unit x": "2", "path /etc/y": "9"}},
            "",
        ),
        (None, _SAME, {"one": {}}, "it has no good run on record"),
        (_GOOD, {"site.a": "2"}, _GOOD.hosts, "input site.a"),
        (_GOOD, {"site.b": "1"}, _GOOD.hosts, "input site.a, input site.b"),
        (_GOOD, _SAME, {**_GOOD.hosts, "two": {}}, "its servers are others"),
        (_GOOD, _SAME, {"one": {"path /etc/x": "1", "unit x": "3"}}, "one: unit x"),
        (_GOOD, {"site.a": "2"}, {"one": {"path /etc/x": "1"}}, "input site.a, one: unit x"),
    ],
)
def test_differences(
    recorded: PhaseState | None,
    inputs: Mapping[str, str],
    seen: Mapping[str, Mapping[str, str]],
    line: str,
) -> None:
    found = differences(recorded, inputs, seen)
    assert str(found) == line
    assert (found == NOTHING_DIFFERS) is (line == "")


def test_of_many_differences_the_first_are_named() -> None:
    assert str(PhaseDifferences(tuple("ab"))) == "input a, input b"
    assert str(PhaseDifferences(others=tuple("abcdefg"))) == "a, b, c, d, e and 2 more"


@pytest.mark.parametrize("text", ["", "{", '{"schema_version": 1, "phases": {"a": 3}}'])
def test_a_damaged_record_is_none(tmp_path: Path, text: str) -> None:
    paths = StatePaths(tmp_path, tmp_path)
    assert load_states(paths) == States()
    paths.states.write_text(text)
    assert load_states(paths) == States()


class Server:
    """What a look at the server finds; it notes what was asked."""

    def __init__(self) -> None:
        self.state = {"path /etc/x": "1", "unit x": "2"}
        self.asked: list[set[str]] = []

    def look(self, runner: object, items: Collection[str]) -> dict[str, str]:
        self.asked.append(set(items))
        return {item: self.state.get(item, "absent") for item in items}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server()

    @contextmanager
    def runner_for(*words: object) -> Iterator[None]:
        yield

    @contextmanager
    def hold(*words: object, **options: object) -> Iterator[Unheld]:
        yield Unheld()

    monkeypatch.setattr(session, "hold_servers", hold)
    monkeypatch.setattr(install_module, "demand_known", lambda *words: None)
    monkeypatch.setattr(unchanged, "look_at_state", made.look)
    monkeypatch.setattr(unchanged, "runner_for", runner_for)
    monkeypatch.setattr(unchanged, "state_of_phase", lambda phase: ("unit x",))
    return made


def run(
    phase: Recorded, folder: Path, monkeypatch: pytest.MonkeyPatch, **options: bool
) -> list[Event]:
    """An installation of a phase that only looks, of this one, and of one that judges."""
    monkeypatch.setenv("UCONTACT_ETC", str(folder / "etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(folder / "var"))
    return installed(
        folder / "site.yml", (Recorded("look", []), phase, Recorded("judge", [])), **options
    )


def manages(*items: str) -> Callable[[Job], int]:
    """A phase's work, whose task reports these."""

    def act(job: Job) -> int:
        job.observer(TaskResult("one", "Task", "roles/x", "ok", manages=items))
        return 0

    return act


def test_a_later_change_by_another_phase_is_recorded(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    jobs: list[Job] = []

    def act(job: Job) -> int:
        jobs.append(job)
        return manages("path /etc/x")(job)

    phase = Recorded("work", ran, act, made_of="a")
    run(phase, tmp_path, monkeypatch)
    server.state |= {"unit x": "migrated", "path /etc/x": "edited"}
    renew_record(jobs[0], "work", "unit x")
    renew_record(jobs[0], "unknown", "unit x")
    found = load_states(jobs[0].paths).phases
    assert found.keys() == {"work"}
    assert found["work"].hosts == {"one": {"path /etc/x": "1", "unit x": "migrated"}}
    server.state["path /etc/x"] = "1"
    run(phase, tmp_path, monkeypatch)
    assert ran == ["work"]


def test_a_phase_runs_again_only_where_something_differs(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    phase = Recorded("work", ran, manages("path /etc/x"), made_of="a")
    run(phase, tmp_path, monkeypatch)
    assert ran == ["work"]
    assert server.asked[-1] == {"path /etc/x", "unit x"}
    events = run(phase, tmp_path, monkeypatch)
    assert ran == ["work"]
    assert [e.id for e in events if isinstance(e, PhaseUnchanged)] == ["work"]
    for item in ("path /etc/x", "unit x"):
        server.state[item] = "changed"
        run(phase, tmp_path, monkeypatch)
        run(phase, tmp_path, monkeypatch)
    assert ran == ["work"] * 3
    run(replace(phase, made_of="b"), tmp_path, monkeypatch)
    assert ran == ["work"] * 4


def test_where_only_some_inputs_differ_the_tasks_for_them_run_and_the_rest_stays_on_record(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags: list[tuple[str, ...]] = []
    monkeypatch.setattr(unchanged, "enough_tags", lambda phase, names: ("some",) if names else ())

    def act(job: Job) -> int:
        tags.append(job.tags)
        if not job.tags:
            manages("path /etc/x")(job)
        return 1

    phase = Recorded("work", [], act, made_of="a")
    run(phase, tmp_path, monkeypatch)
    run(replace(phase, made_of="b"), tmp_path, monkeypatch)
    assert tags == [(), ("some",)]
    assert server.asked[-1] == {"path /etc/x", "unit x"}
    server.state["path /etc/x"] = "changed"
    run(replace(phase, made_of="c"), tmp_path, monkeypatch)
    run(replace(phase, made_of="d"), tmp_path, monkeypatch, full=True)
    assert tags == [(), ("some",), (), ()]


def test_where_the_site_is_unhealthy_the_other_tasks_run_too(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags: list[tuple[str, ...]] = []
    monkeypatch.setattr(unchanged, "enough_tags", lambda phase, names: ("some",) if names else ())

    def act(job: Job) -> int:
        tags.append(job.tags)
        return 1

    phase = Recorded("work", [], act, made_of="a")
    run(phase, tmp_path, monkeypatch)

    def judge(job: Job) -> int:
        return 0 if len(tags) == 3 else fail(job)

    phases = (Recorded("look", []), replace(phase, made_of="b"), Recorded("judge", [], judge))
    installed(tmp_path / "site.yml", phases)
    assert tags == [(), ("some",), ()]


def test_a_full_run_leaves_nothing_out(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    for _ in range(2):
        run(Recorded("work", ran, made_of="a"), tmp_path, monkeypatch, full=True)
    assert ran == ["work"] * 2


def test_what_an_earlier_phase_changes_is_looked_at_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def act(job: Job) -> int:
        server.state["unit x"] += "."
        return 1

    first, second = Recorded("a", ran, act, made_of="1"), Recorded("b", ran, made_of="1")
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    phases = (Recorded("look", []), first, second, Recorded("judge", []))
    installed(tmp_path / "site.yml", phases)
    installed(tmp_path / "site.yml", (phases[0], replace(first, made_of="2"), *phases[2:]))
    assert ran == ["a", "b", "a", "b"]


def test_after_a_failure_every_phase_runs(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    phase = Recorded("work", ran, made_of="a")
    run(phase, tmp_path, monkeypatch)
    server.state["unit x"] = "changed"
    with pytest.raises(PhaseFailedError):
        run(replace(phase, act=fail), tmp_path, monkeypatch)
    server.state["unit x"] = "2"
    run(phase, tmp_path, monkeypatch)
    assert ran == ["work"] * 3


def test_where_the_site_is_unhealthy_all_that_was_left_out_runs(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    phase = Recorded("work", ran, made_of="a")
    run(phase, tmp_path, monkeypatch)

    def judge(job: Job) -> int:
        return 0 if ran.count("work") == 2 else fail(job)

    phases = (Recorded("look", ran), phase, Recorded("judge", ran, judge))
    events = installed(tmp_path / "site.yml", phases)
    assert ran == ["work", "look", "judge", "work", "judge"]
    assert "running all phases" in next(e.text for e in events if isinstance(e, Warned))
    assert not load_journal(state_paths("demo").journal).interrupted


def test_a_site_that_stays_unhealthy_fails_once(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    phase = Recorded("work", ran, made_of="a")
    run(phase, tmp_path, monkeypatch)
    with pytest.raises(PhaseFailedError):
        installed(
            tmp_path / "site.yml", (Recorded("look", []), phase, Recorded("judge", ran, fail))
        )
    assert ran == ["work", "judge", "work", "judge"]


def test_a_preview_judges_only_what_differs(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase = Recorded("work", [], made_of="a")
    run(phase, tmp_path, monkeypatch)
    phases = (Recorded("look", [], previewed=0), phase)

    def foreseen(**options: bool) -> list[object]:
        rows = preview(seen(), tmp_path / "site.yml", RELEASE, nobody, phases=phases, **options)
        return [row.changes for row in rows]

    assert foreseen() == [0, 0]
    assert foreseen(full=True) == [0, 7]
    server.state["unit x"] = "changed"
    assert foreseen() == [0, 7]
