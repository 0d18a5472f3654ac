"""A stored run is judged as on its day, and nothing is asked of anybody."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.unit.checks.subjects import check, subjects
from tests.unit.sites import small_site
from ucontact_appliance.checks.model import Judgement, Subject, Verdict, failed, passed
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.facts.stored import FactsSnapshot, Redaction, store
from ucontact_appliance.findings.offline import judge_snapshot, load_snapshot
from ucontact_appliance.findings.run import run_tasks, tasks_for
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.state import StatePaths

THEN = datetime(2026, 11, 23, 3, 30, tzinfo=timezone.utc)
STATE = StatePaths(Path("/nonexistent/etc"), Path("/nonexistent/var"))


@dataclass(frozen=True)
class Certificate:
    until: datetime


def certificate(reach: ProbeContext, name: str) -> Certificate:
    reach.runner.run(["cat", name])
    return Certificate(datetime(2026, 11, 24, tzinfo=timezone.utc))


def unstorable(reach: ProbeContext) -> object:
    return object()


def controllers(path: Path) -> bytes:
    return str(path).encode()


def _dates(subject: Subject) -> Judgement:
    until = subject.facts.get(certificate, "portal.pem").until
    return passed(str(until)) if until > subject.now else failed(f"ended on {until}")


def _any(subject: Subject) -> Judgement:
    subject.facts.get(unstorable)
    return passed("seen")


def _own(subject: Subject) -> Judgement:
    return passed(subject.facts.here(controllers, subject.state.pki).decode())


CATALOGUE = (
    check("host.reachable"),
    check("a.dates", _dates),
    check("b.unstorable", _any),
    check("c.own", _own),
    check(
        "d.never_asked", lambda subject: passed(subject.facts.get(certificate, "x").until.ctime())
    ),
)


def snapshot(**changes: Any) -> FactsSnapshot:
    """What a run of the first three checks stores, as it comes out of its file."""
    site = small_site(**changes.pop("site", {}))
    (subject,) = subjects(site)
    run_tasks(tasks_for(CATALOGUE[:4], [subject]), lambda f, host: f, lambda finding: None)
    made = FactsSnapshot(
        appliance="0.1.0",
        time=THEN,
        deep=False,
        site_file="/srv/site.yml",
        etc=str(STATE.etc),
        var=str(STATE.var),
        site=site,
        plan=make_plan(site, {}),
        secrets=(),
        facts={"one": store(subject.facts.asked(), Redaction({}))},
    ).model_copy(update=changes)
    return FactsSnapshot.model_validate_json(made.model_dump_json())


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No socket, no process, no file of a site."""

    def refuse(*words: object, **more: object) -> object:
        raise AssertionError(f"something was asked: {words}")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    events: list[tuple[str, object]] = []
    _WATCHED.append(events)
    yield
    _WATCHED.remove(events)
    assert events == []


# An audit hook stays for the life of the process (PEP 578): one, that listens when it is asked to.
_WATCHED: list[list[tuple[str, object]]] = []


def _hook(event: str, args: tuple[object, ...]) -> None:
    if not _WATCHED:
        return
    if event.startswith(("socket.", "subprocess.", "os.exec", "os.posix_spawn")) or (
        event == "open" and str(args[0]).startswith("/nonexistent")
    ):
        _WATCHED[-1].append((event, args[0]))


sys.addaudithook(_hook)


def judged(stored: FactsSnapshot) -> dict[str, Any]:
    return {finding.id: finding for finding in judge_snapshot(stored, catalogue=CATALOGUE)}


@pytest.mark.usefixtures("alone")
def test_the_same_verdicts_without_a_way_out() -> None:
    found = judged(snapshot())
    assert found["a.dates"].verdict is Verdict.PASS
    assert found["c.own"].verdict is Verdict.PASS
    assert found["c.own"].observed == "/nonexistent/etc/pki"


@pytest.mark.usefixtures("alone")
def test_what_was_not_stored_is_skipped_with_the_reason_and_never_passes() -> None:
    found = judged(snapshot())
    for name, why in (
        ("b.unstorable", "was not stored"),
        ("d.never_asked", "certificate is missing"),
    ):
        assert found[name].verdict is Verdict.SKIP
        assert found[name].observed.startswith("not in the stored facts: ")
        assert why in found[name].observed


@pytest.mark.usefixtures("alone")
def test_now_is_when_it_was_read() -> None:
    late = snapshot(time=datetime(2026, 11, 25, tzinfo=timezone.utc))
    assert judged(late)["a.dates"].verdict is Verdict.FAIL


@pytest.mark.usefixtures("alone")
def test_exceptions_hold_by_the_day_it_was_read() -> None:
    row = {"check": "a.dates", "reason": "ordered", "until": "2026-11-25"}
    late = snapshot(site={"waivers": [row]}, time=datetime(2026, 11, 25, tzinfo=timezone.utc))
    assert judged(late)["a.dates"].waived is not None


@pytest.mark.usefixtures("alone")
def test_of_an_empty_run_no_check_passes() -> None:
    found = judge_snapshot(snapshot(facts={}))
    assert len(found) > 100
    assert {f.verdict for f in found} == {Verdict.SKIP}


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("{}", UsageError, "is not a file written by `ucontact doctor facts save`"),
        ("[", UsageError, "is not a file written by `ucontact doctor facts save`"),
        (
            '{"schema_version": 2}',
            UsageError,
            "is not a file written by `ucontact doctor facts save`",
        ),
        (None, UnreachableError, "can't be read"),
    ],
)
def test_what_is_no_stored_run_is_refused(
    tmp_path: Path, text: str | None, error: type[Exception], told: str
) -> None:
    path = tmp_path / "facts.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(error, match=told):
        load_snapshot(path)


def test_a_file_of_it_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text(snapshot().model_dump_json())
    assert load_snapshot(path) == snapshot()
