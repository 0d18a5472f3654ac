"""Named exceptions: what they cover, what they don't, and their end."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.checks.subjects import check, subjects
from tests.unit.findings.test_changes import finding
from tests.unit.sites import small_site
from ucontact_appliance.checks import waivers
from ucontact_appliance.checks.model import AppliedWaiver, Stage, Subject, Verdict, failed
from ucontact_appliance.checks.waivers import judge_waivers, waive
from ucontact_appliance.findings.document import verdict_of
from ucontact_appliance.findings.run import run_checks
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.secrets import Secrets
from ucontact_appliance.site.waivers import Waiver
from ucontact_appliance.state import StatePaths

TODAY = date(2026, 11, 23)
FAILED = finding("tls.chain", Verdict.FAIL)


def waiver(check: str = "tls.chain", host: str | None = None, days: int = 60) -> Waiver:
    until = TODAY + timedelta(days=days)
    return Waiver(check=check, host=host, reason="new one ordered", until=until)


def test_a_failure_is_waived_with_its_reason_and_keeps_its_verdict() -> None:
    (found,) = waive([FAILED], [waiver()], TODAY)
    assert found.verdict is Verdict.FAIL
    assert found.waived == AppliedWaiver("new one ordered", date(2027, 1, 22))
    assert verdict_of([found, finding()]) is Verdict.PASS


def test_it_holds_on_its_last_day_and_no_longer() -> None:
    assert waive([FAILED], [waiver(days=0)], TODAY)[0].waived
    assert waive([FAILED], [waiver(days=-1)], TODAY) == (FAILED,)


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.SKIP, Verdict.ERROR])
def test_only_what_was_judged_bad_can_be_waived(verdict: Verdict) -> None:
    assert waive([finding("tls.chain", verdict)], [waiver()], TODAY)[0].waived is None


def test_another_host_and_another_check_are_not_covered() -> None:
    other = finding("tls.chain", Verdict.FAIL, host="two")
    longer = finding("tls.chain.more", Verdict.FAIL)
    found = waive([FAILED, other, longer], [waiver(host="one")], TODAY)
    assert [f.waived is not None for f in found] == [True, False, False]


def test_what_is_behind_a_waived_failure_is_waived_with_it() -> None:
    behind = finding("web.page", Verdict.SKIP, blocked_by="tls.chain")
    found = waive([FAILED, behind], [waiver()], TODAY)
    assert found[1].waived == found[0].waived
    assert verdict_of(found) is Verdict.SKIP


def test_what_is_behind_a_failure_that_is_waived_elsewhere_only_still_counts() -> None:
    other = finding("tls.chain", Verdict.FAIL, host="two")
    behind = finding("web.page", Verdict.SKIP, blocked_by="tls.chain")
    found = waive([FAILED, other, behind], [waiver(host="one")], TODAY)
    assert found[2].waived is None


@pytest.mark.parametrize(
    ("days", "verdict"),
    [
        (-1, Verdict.FAIL),
        (0, Verdict.WARN),
        (29, Verdict.WARN),
        (30, Verdict.PASS),
        (300, Verdict.PASS),
    ],
)
def test_the_end_of_an_exception_is_told_and_then_fails(days: int, verdict: Verdict) -> None:
    found = judge_waivers([waiver(days=300), waiver("web.page", days=days)], TODAY)
    assert found.verdict is verdict
    assert "web.page until" in found.evidence
    assert "new one ordered" in found.evidence


def test_a_site_without_exceptions_passes() -> None:
    assert judge_waivers([], TODAY).verdict is Verdict.PASS


@given(st.lists(st.integers(-400, 400), min_size=1))
def test_one_ended_exception_is_enough(days: list[int]) -> None:
    found = judge_waivers([waiver(days=number) for number in days], TODAY)
    assert (found.verdict is Verdict.FAIL) == any(number < 0 for number in days)


def test_the_check_reads_the_sites_own_by_the_runs_day() -> None:
    (own,) = waivers.CHECKS
    row = {"check": "web.page", "reason": "moved", "until": "2026-11-22"}
    (subject,) = subjects(small_site(waivers=[row]))

    def on(day: int) -> Verdict:
        now = datetime(2026, 11, day, 12, tzinfo=timezone.utc)
        return own.judge(
            Subject(
                subject.site,
                subject.plan,
                subject.host,
                subject.secrets,
                subject.state,
                subject.facts,
                now=now,
            )
        ).verdict

    assert on(22) is Verdict.WARN
    assert on(23) is Verdict.FAIL


@pytest.mark.parametrize(
    ("stage", "waived"),
    [(Stage.DOCTOR, True), (Stage.PREFLIGHT, False)],
    ids=str,
)
def test_a_waiver_opens_no_way_into_an_installation(stage: Stage, waived: bool) -> None:
    row = {"check": "host.memory", "reason": "ordered", "until": "2999-01-01"}
    site = small_site(hosts=[{"name": "one", "address": "local"}], waivers=[row])
    stages = frozenset({Stage.PREFLIGHT, Stage.DOCTOR})
    (found,) = run_checks(
        site,
        make_plan(site, {}),
        Secrets({}),
        StatePaths(Path("/nonexistent/etc"), Path("/nonexistent/var")),
        Path("site.yml"),
        stages=(stage,),
        catalogue=(check("host.memory", lambda subject: failed("2 GB"), stages=stages),),
    )
    assert found.verdict is Verdict.FAIL
    assert (found.waived is not None) is waived
