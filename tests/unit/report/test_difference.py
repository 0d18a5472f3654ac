"""What changed between two reports."""

from __future__ import annotations

from typing import Any

from ucontact_appliance.report.difference import Turn, differences


def _finding(check_id: str, verdict: str, **more: Any) -> dict[str, Any]:
    row = {"id": check_id, "host": "one", "title": "title", "verdict": verdict}
    return {**row, "blocked_by": None, "waived": None, **more}


def _document(findings: list[dict[str, Any]], version: str = "1", r01: str = "pass") -> Any:
    return {
        "requirements": [{"id": "R01", "title": "Portal", "verdict": r01}],
        "versions": [{"check": "web.version", "host": "one", "observed": version}],
        "findings": findings,
    }


def test_nothing_changed_is_nothing_told() -> None:
    same = _document([_finding("a", "pass")])
    assert differences(same, same) == ()


def test_each_change_is_told_with_its_turn() -> None:
    old = _document(
        [
            _finding("a", "pass"),
            _finding("b", "fail"),
            _finding("c", "pass"),
            _finding("e", "warn"),
        ],
        r01="pass",
    )
    new = _document(
        [
            _finding("a", "fail"),
            _finding("b", "pass"),
            _finding("d", "pass"),
            _finding("e", "skip", blocked_by="a"),
        ],
        version="2",
        r01="fail",
    )
    told = {(one.kind, one.id): one.turn for one in differences(old, new)}
    assert told == {
        ("requirement", "R01"): Turn.WORSE,
        ("version", "web.version"): Turn.CHANGED,
        ("finding", "a"): Turn.WORSE,
        ("finding", "b"): Turn.BETTER,
        ("finding", "c"): Turn.GONE,
        ("finding", "d"): Turn.NEW,
        ("finding", "e"): Turn.CHANGED,
    }


def test_a_waiver_is_no_pass() -> None:
    old = _document([_finding("a", "fail", waived={"reason": "x"})])
    (one,) = differences(old, _document([_finding("a", "pass")]))
    assert (one.before, one.now, one.turn) == ("waived", "pass", Turn.BETTER)
