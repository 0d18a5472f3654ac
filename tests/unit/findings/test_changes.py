"""What changed between two runs: by check and host, by state alone."""

from __future__ import annotations

from datetime import date, datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.checks.model import AppliedWaiver, Finding, Severity, Verdict
from ucontact_appliance.findings.changes import ChangeKind, EarlierFinding, compare, state_of


def finding(
    check_id: str = "a.b",
    verdict: Verdict = Verdict.PASS,
    *,
    host: str = "one",
    blocked_by: str | None = None,
    waived: AppliedWaiver | None = None,
) -> Finding:
    return Finding(
        check_id,
        "title",
        verdict,
        Severity.HIGH,
        (),
        host,
        "seen",
        "",
        "",
        "mend",
        blocked_by,
        0.1,
        waived,
    )


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        ("pass", Verdict.FAIL, ChangeKind.WORSE),
        ("warn", Verdict.FAIL, ChangeKind.WORSE),
        ("error", Verdict.FAIL, ChangeKind.WORSE),
        ("pass", Verdict.SKIP, ChangeKind.WORSE),
        ("waived", Verdict.WARN, ChangeKind.WORSE),
        ("fail", Verdict.WARN, ChangeKind.BETTER),
        ("blocked", Verdict.PASS, ChangeKind.BETTER),
        ("skip", Verdict.PASS, ChangeKind.BETTER),
    ],
)
def test_worse_and_better(before: str, now: Verdict, kind: ChangeKind) -> None:
    (change,) = compare(
        [EarlierFinding("a.b", "one", "title", before)], [finding(verdict=now)]
    ).rows
    assert (change.kind, change.before, change.now) == (kind, before, now.value)


def test_new_and_gone_by_check_and_host() -> None:
    changes = compare(
        [
            EarlierFinding("a.b", "one", "title", "pass"),
            EarlierFinding("c.d", "one", "other", "fail"),
        ],
        [finding(), finding(host="two", verdict=Verdict.FAIL)],
    )
    assert [(row.kind, row.id, row.host) for row in changes.rows] == [
        (ChangeKind.NEW, "a.b", "two"),
        (ChangeKind.GONE, "c.d", "one"),
    ]
    assert changes.rows[1].now is None


def test_a_finding_behind_a_cause_is_blocked_and_a_waived_one_waived() -> None:
    assert state_of(finding(verdict=Verdict.SKIP, blocked_by="x.y")) == "blocked"
    waived = AppliedWaiver("known", date(2027, 1, 1))
    assert state_of(finding(verdict=Verdict.FAIL, waived=waived)) == "waived"


def test_the_worst_comes_first() -> None:
    before = [EarlierFinding(name, "one", "", "pass") for name in ("a.a", "b.b")]
    before.append(EarlierFinding("c.c", "one", "", "fail"))
    now = [
        finding("a.a", Verdict.WARN),
        finding("b.b", Verdict.FAIL),
        finding("c.c"),
        finding("d.d", Verdict.FAIL),
    ]
    assert [row.id for row in compare(before, now).rows] == ["b.b", "a.a", "d.d", "c.c"]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(Verdict)), unique_by=lambda p: p[0])
)
def test_a_run_compared_with_itself_has_no_changes(run: list[tuple[str, Verdict]]) -> None:
    now = [finding(name, verdict) for name, verdict in run]
    before = [EarlierFinding(f.id, f.host, f.title, state_of(f)) for f in now]
    since = datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert compare(before, now, since).rows == ()
