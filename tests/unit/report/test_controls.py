from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.report.samples import FINDINGS, finding
from ucontact_appliance.checks.model import AppliedWaiver, Finding, Verdict
from ucontact_appliance.report import controls
from ucontact_appliance.report.compose import assess
from ucontact_appliance.report.controls import (
    Control,
    ControlsError,
    assess_control,
    assess_frameworks,
    frameworks,
    load_framework,
    parse_framework,
)
from ucontact_appliance.report.model import Requirement

FILE = "data/controls/some.yml"
ROWS: dict[str, Any] = {
    "id": "some",
    "title": "Some framework",
    "version": "1.0",
    "publisher": "Somebody",
    "date": date(2026, 1, 1),
    "url": "https://example.com/",
    "controls": [
        {"id": "1.1", "title": "One", "required": "It is so", "checks": ["a.one"]},
        {"id": "1.2", "title": "Two", "required": "It is so", "look": "Look at it."},
    ],
}


def control(*checks: str, look: str = "") -> Control:
    return Control(id="1", title="t", required="r", checks=checks, look=look)


def verdict(findings: list[Finding], *checks: str, look: str = "") -> str:
    return assess_control(control(*checks, look=look), findings).verdict


def judged(check: str, word: str, **changes: Any) -> Finding:
    return finding(check, Verdict(word), **changes)


def test_a_control_without_checks_is_manual() -> None:
    assert verdict([judged("a.one", "fail")], look="Look at it.") == "manual"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pass", "pass"], "pass"),
        (["pass", "warn"], "warn"),
        (["warn", "error"], "error"),
        (["error", "fail"], "fail"),
        (["pass", "skip"], "partial"),
        (["skip", "skip"], "skip"),
    ],
)
def test_a_control_is_as_good_as_its_worst_finding(words: list[str], expected: str) -> None:
    findings = [judged("a.one", words[0]), judged("a.two", words[1]), judged("b.other", "fail")]
    assert verdict(findings, "a.one", "a.two") == expected


def test_what_passed_and_leaves_something_to_look_at_is_partial() -> None:
    assert verdict([judged("a.one", "pass")], "a.one", look="And the rest.") == "partial"


def test_what_is_left_to_look_at_does_not_hide_a_failure() -> None:
    assert verdict([judged("a.one", "fail")], "a.one", look="And the rest.") == "fail"


def test_a_check_that_left_no_finding_makes_a_control_partial() -> None:
    assert verdict([judged("a.one", "pass")], "a.one", "call.dtls") == "partial"


def test_a_control_none_of_whose_checks_left_a_finding_is_skipped() -> None:
    assert verdict([judged("a.one", "pass")], "call.dtls", look="And the rest.") == "skip"


def test_what_a_failure_elsewhere_blocks_is_an_error() -> None:
    blocked = judged("a.one", "skip", blocked_by="host.reachable")
    assert verdict([blocked], "a.one") == "error"


def test_an_exception_of_the_site_is_waived_and_not_met() -> None:
    excepted = replace(judged("a.one", "fail"), waived=AppliedWaiver("known", date(2027, 1, 1)))
    assert verdict([excepted, judged("a.two", "pass")], "a.one", "a.two") == "waived"


def test_one_server_that_fails_makes_the_control_fail() -> None:
    findings = [judged("a.one", "pass"), judged("a.one", "fail", host="two")]
    assert verdict(findings, "a.one") == "fail"


def test_the_findings_of_a_control_are_those_of_its_checks_in_their_order() -> None:
    findings = [judged("a.two", "pass"), judged("b.other", "pass"), judged("a.one", "pass")]
    found = assess_control(control("a.one", "a.two"), findings).findings
    assert [one.id for one in found] == ["a.two", "a.one"]


@given(st.lists(st.sampled_from(list(Verdict)), min_size=1, max_size=6), st.booleans())
def test_a_control_and_a_requirement_over_the_same_findings_have_one_verdict(
    verdicts: list[Verdict], left: bool
) -> None:
    look = "Look at it." if left else ""
    findings = [finding(f"a.{n}", one, "R01") for n, one in enumerate(verdicts)]
    requirement = Requirement("R01", "access", "t", "r", "effective", manual=look)
    same = assess(requirement, findings).verdict
    assert verdict(findings, *(one.id for one in findings), look=look) == same


def test_every_framework_and_control_is_assessed_in_its_order() -> None:
    made = assess_frameworks(FINDINGS)
    assert tuple(one.framework for one in made) == frameworks()
    for one in made:
        assert tuple(a.control for a in one.assessments) == one.framework.controls
    headers = {a.control.id: a for one in made for a in one.assessments}
    assert headers["Public-Key-Pins"].verdict == "fail"
    assert headers["Clear-Site-Data"].verdict == "manual"


def test_rows_become_a_framework() -> None:
    made = parse_framework(FILE, ROWS)
    assert made.controls[0].checks == ("a.one",)
    assert made.controls[1].look == "Look at it."


def drop(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda rows: rows.pop(key)


def in_first(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda rows: rows["controls"][0].update(changes)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (drop("publisher"), f"{FILE}: publisher: "),
        (drop("date"), f"{FILE}: date: "),
        (lambda rows: rows.update(version=1.0), f"{FILE}: version: "),
        (lambda rows: rows.update(url="example.com"), f"{FILE}: url: "),
        (lambda rows: rows.update(autor="x"), f"{FILE}: autor: "),
        (lambda rows: rows.update(controls=[]), f"{FILE}: controls: "),
        (in_first(checks=[]), f"{FILE}: controls.1.1: a control without checks needs 'look'"),
        (in_first(checks=[], look=" "), f"{FILE}: controls.1.1: a control without checks"),
        (in_first(checks=["a", "b", "a"]), f"{FILE}: controls.1.1: checks named twice: a"),
        (in_first(checks="a.one"), f"{FILE}: controls.1.1.checks: "),
        (in_first(checked=["a.one"]), f"{FILE}: controls.1.1.checked: "),
        (in_first(title=""), f"{FILE}: controls.1.1.title: "),
        (in_first(id="1.2"), f"{FILE}: controls listed twice: 1.2"),
        (in_first(id=1.1), f"{FILE}: controls.1.1.id: "),
        (
            in_first(status={"state": "retired", "why": "gone"}),
            f"{FILE}: controls.1.1.status.since: ",
        ),
        (
            in_first(status={"state": "old", "since": date(2020, 1, 1), "why": "gone"}),
            f"{FILE}: controls.1.1.status.state: ",
        ),
    ],
)
def test_what_is_wrong_is_told_with_file_and_key(
    spoil: Callable[[dict[str, Any]], None], told: str
) -> None:
    rows = copy.deepcopy(ROWS)
    spoil(rows)
    with pytest.raises(ControlsError) as caught:
        parse_framework(FILE, rows)
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize("rows", [None, [], "text"])
def test_a_file_that_is_no_table_is_refused_by_its_name(rows: object) -> None:
    with pytest.raises(ControlsError, match=f"^{FILE}: "):
        parse_framework(FILE, rows)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(
        ControlsError, match=r"^data/controls/none-such\.yml: there is no such file"
    ):
        load_framework("none-such")


def test_a_file_that_is_no_yaml_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "load_data", lambda name: yaml.safe_load("a: [b"))
    with pytest.raises(ControlsError, match=r"^data/controls/some\.yml: no YAML: "):
        load_framework("some")


def test_a_framework_is_called_as_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "load_data", lambda name: ROWS)
    with pytest.raises(ControlsError, match=r"^data/controls/other\.yml: id: 'some' is not"):
        load_framework("other")


def test_frameworks_can_not_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        frameworks()[0].title = "another"
