"""One cause is told, not forty symptoms."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.findings.test_changes import finding
from ucontact_appliance.checks.model import AppliedWaiver, Finding, Severity, Verdict
from ucontact_appliance.findings.causes import causes

WAIVED = AppliedWaiver("until the upgrade", date(2030, 1, 1))


def _behind(check_id: str, root: str, on: str, host: str = "one") -> Finding:
    found = finding(check_id, Verdict.SKIP, host=host, blocked_by=root)
    return replace(found, blocked_on=on)


def test_what_is_blocked_stands_behind_its_cause() -> None:
    root = finding("mysql.service", Verdict.FAIL, host="db")
    behind = [
        finding("mysql.login", Verdict.SKIP, host="db", blocked_by="mysql.service"),
        finding("backend.health", Verdict.SKIP, host="app", blocked_by="mysql.service"),
    ]
    (cause,) = causes([finding("web.page"), root, *behind])
    assert cause.finding is root
    assert cause.behind == tuple(behind)


def test_the_same_failure_on_three_hosts_is_one_cause() -> None:
    failed = [finding("host.time_sync", Verdict.FAIL, host=host) for host in ("a", "b", "c")]
    (cause,) = causes(failed)
    assert cause.hosts == ("a", "b", "c")


def test_other_failures_of_the_same_check_are_causes_of_their_own() -> None:
    one = finding("disk.free", Verdict.FAIL, host="a")
    two = replace(finding("disk.free", Verdict.FAIL, host="b"), observed="other")
    waiting = [_behind("x", "disk.free", on, host=host) for host, on in ("aa", "bb", "ab", "cb")]
    found = {cause.finding.host: cause for cause in causes([one, two, *waiting])}
    assert [f.host for f in found["a"].behind] == ["a"]
    assert [f.host for f in found["b"].behind] == ["b", "a", "c"]


def test_what_waits_for_a_waived_failure_stands_behind_the_first_that_is_not() -> None:
    waived = finding("disk.free", Verdict.FAIL, host="a", waived=WAIVED)
    one = finding("disk.free", Verdict.FAIL, host="b")
    two = replace(finding("disk.free", Verdict.FAIL, host="c"), observed="other")
    told = causes([waived, one, two, _behind("x", "disk.free", "a", host="a")])
    assert [len(cause.behind) for cause in told if cause.finding.host == "b"] == [1]


def test_the_worst_is_told_first_then_what_most_waits_for() -> None:
    low = replace(finding("low", Verdict.FAIL), severity=Severity.LOW)
    alone, many = finding("alone", Verdict.FAIL), finding("many", Verdict.ERROR)
    behind = finding("x", Verdict.SKIP, blocked_by="many")
    told = causes([low, alone, many, behind])
    assert [cause.finding.id for cause in told] == ["many", "alone", "low"]


def test_waived_failures_and_warnings_are_no_causes() -> None:
    assert causes([finding("a", Verdict.FAIL, waived=WAIVED), finding("b", Verdict.WARN)]) == ()


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from(["one", "two"]),
            st.sampled_from([Verdict.FAIL, Verdict.ERROR, Verdict.PASS]),
            st.sampled_from(["seen", "other"]),
        ),
        unique_by=lambda row: row[:2],
    ),
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["one", "two"]))),
)
def test_every_failure_is_in_one_cause_and_every_symptom_behind_one(
    rows: list[tuple[str, str, Verdict, str]], waiting: list[tuple[str, str]]
) -> None:
    found: list[Finding] = [
        replace(finding(check_id, verdict, host=host), observed=observed)
        for check_id, host, verdict, observed in rows
    ]
    roots = {f.id for f in found if f.verdict in (Verdict.FAIL, Verdict.ERROR)}
    behind = [
        finding(f"x{number}", Verdict.SKIP, host=host, blocked_by=root)
        for number, (root, host) in enumerate(waiting)
        if root in roots
    ]
    told = causes([*found, *behind])
    broken = [(f.id, f.host) for f in found if f.id in roots and f.verdict is not Verdict.PASS]
    named = [(c.finding.id, host) for c in told for host in c.hosts]
    assert sorted(named) == sorted(broken)
    assert sorted(f.id for c in told for f in c.behind) == sorted(f.id for f in behind)
