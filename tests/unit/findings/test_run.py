"""Running: each check on its own, dependants blocked by the root, nothing holds the run up."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.checks.subjects import FakeRunner, big_site, check, subjects
from tests.unit.sites import small_site
from ucontact_appliance.checks.model import (
    Check,
    Finding,
    Judgement,
    Stage,
    Subject,
    Verdict,
    failed,
    passed,
    skipped,
)
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.facts.runner import Completed, SshSettings
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.findings import run
from ucontact_appliance.findings.registry import REACHABLE
from ucontact_appliance.findings.run import run_checks, run_tasks, select, tasks_for
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.model import Host, Site
from ucontact_appliance.site.secrets import Secrets
from ucontact_appliance.state import StatePaths


def _run(checks: list[Check], site: Site | None = None) -> dict[tuple[str, str], Finding]:
    findings = run_tasks(
        tasks_for(checks, subjects(site)), lambda finding, host: finding, lambda finding: None
    )
    assert len({(f.host, f.id) for f in findings}) == len(findings)
    return {(finding.host, finding.id): finding for finding in findings}


def _one(checks: list[Check]) -> dict[str, Finding]:
    return {check_id: finding for (_, check_id), finding in _run(checks).items()}


def _fail(subject: Subject) -> Judgement:
    return failed("bad")


def test_a_dependant_is_blocked_by_the_root_not_by_its_neighbour() -> None:
    found = _one([check("c", passed_, "b"), check("b", passed_, "a"), check("a", _fail)])
    assert found["a"].verdict is Verdict.FAIL
    assert (found["b"].verdict, found["b"].blocked_by) == (Verdict.SKIP, "a")
    assert (found["c"].verdict, found["c"].blocked_by) == (Verdict.SKIP, "a")


def passed_(subject: Subject) -> Judgement:
    return passed("good")


def test_what_can_not_be_seen_blocks_nobody() -> None:
    found = _one([check("a", lambda s: skipped("not from here")), check("b", passed_, "a")])
    assert found["b"].verdict is Verdict.PASS


def test_an_exception_is_an_error_of_that_check_alone() -> None:
    def broken(subject: Subject) -> Judgement:
        raise KeyError("surprise")

    found = _one([check("a", broken), check("b")])
    assert (found["a"].verdict, found["a"].observed) == (Verdict.ERROR, "KeyError: 'surprise'")
    assert "Traceback" not in found["a"].evidence
    assert found["b"].verdict is Verdict.PASS


def test_a_hung_check_is_an_error_after_its_own_time_and_frees_its_place() -> None:
    release = threading.Event()
    released: list[str] = []

    def hang(subject: Subject) -> Judgement:
        release.wait(30)
        released.append("late")
        return passed("late")

    hung = [check(f"hung{n}", hang, timeout=0.3) for n in range(10)]
    found = _one([*hung, check("good"), check("after", passed_, "hung0")])
    assert released == []  # none of them came to its end before
    release.set()
    assert found["hung0"].verdict is Verdict.ERROR
    assert found["hung0"].observed == "no answer within 0.3 s"
    assert found["after"].blocked_by == "hung0"
    assert found["good"].verdict is Verdict.PASS


def test_who_waits_for_a_hung_probe_times_out_too() -> None:
    release = threading.Event()

    def probe(reach: ProbeContext) -> int:
        release.wait(30)
        return 1

    def ask(subject: Subject) -> Judgement:
        return passed(str(subject.facts.get(probe)))

    found = _one([check("a", ask, timeout=0.3), check("b", ask, timeout=0.3), check("c")])
    release.set()
    assert [found[name].verdict for name in "abc"] == [Verdict.ERROR, Verdict.ERROR, Verdict.PASS]


def test_no_more_than_so_many_at_once_on_a_host() -> None:
    now, most, lock = 0, 0, threading.Lock()

    def count(subject: Subject) -> Judgement:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        return passed("counted")

    _one([check(f"c{n}", count) for n in range(30)])
    assert 1 < most <= 8


def test_the_deep_call_waits_until_the_others_are_through() -> None:
    order: list[str] = []

    def slow(subject: Subject) -> Judgement:
        time.sleep(0.1)
        order.append("slow")
        return passed("slow")

    def deep(subject: Subject) -> Judgement:
        order.append("deep")
        return passed("deep")

    _one([check("deep", deep, stages=frozenset({Stage.DEEP})), check("slow", slow)])
    assert order == ["slow", "deep"]


def test_roles_choose_hosts_and_needs_cross_them() -> None:
    checks = [
        check("db", _fail, role=Role.DATABASE),
        check("rest", passed_, "db", role=Role.BACKEND),
        check("all"),
    ]
    found = _run(checks, big_site())
    assert found["db", "db"].verdict is Verdict.FAIL
    blocked = found["app", "rest"]
    assert (blocked.blocked_by, blocked.blocked_on) == ("db", "db")
    assert {host for host, check_id in found if check_id == "all"} == {"tel", "app", "db"}
    assert ("tel", "rest") not in found


def test_an_unreachable_host_is_one_failure_that_blocks_its_own_checks_only() -> None:
    def reach(subject: Subject) -> Judgement:
        return failed("no way") if subject.host.name == "app" else passed("hello")

    found = _run([check(REACHABLE, reach), check("a")], big_site())
    assert (found["app", "a"].blocked_by, found["app", "a"].blocked_on) == (REACHABLE, "app")
    assert found["tel", "a"].verdict is Verdict.PASS


def test_a_circle_of_needs_is_refused_instead_of_waited_for() -> None:
    with pytest.raises(ValueError, match="depend on each other in a cycle"):
        _one([check("a", passed_, "b"), check("b", passed_, "a")])


@settings(max_examples=40)
@given(st.data())
def test_every_check_yields_one_finding_and_blocked_ones_name_a_failed_root(
    data: st.DataObject,
) -> None:
    count = data.draw(st.integers(1, 8))
    verdicts = data.draw(
        st.lists(st.sampled_from([*Verdict, None]), min_size=count, max_size=count)
    )
    needs = [
        data.draw(st.sets(st.integers(0, n - 1), max_size=3)) if n else set() for n in range(count)
    ]

    def judging(verdict: Verdict | None) -> Callable[[Subject], Judgement]:
        def judge(subject: Subject) -> Judgement:
            if verdict is None:
                raise RuntimeError("broken")
            return Judgement(verdict, verdict.value)

        return judge

    checks = [
        check(f"c{n}", judging(verdicts[n]), *(f"c{m}" for m in sorted(needs[n])))
        for n in range(count)
    ]
    order = data.draw(st.permutations(checks))
    found = _one(list(order))
    assert set(found) == {one.id for one in checks}
    broken = (Verdict.FAIL, Verdict.ERROR)
    for n in range(count):
        finding = found[f"c{n}"]
        if finding.blocked_by is None:
            assert finding.verdict is (verdicts[n] or Verdict.ERROR)
            assert not any(
                found[f"c{m}"].verdict in broken or found[f"c{m}"].blocked_by for m in needs[n]
            )
        else:
            root = found[finding.blocked_by]
            assert finding.verdict is Verdict.SKIP
            assert root.verdict in broken
            assert root.blocked_by is None


_TREE = (
    check(REACHABLE, stages=frozenset(Stage)),
    check("tls.trust"),
    check("tls.name", passed_, "tls.trust"),
    check("disk.space", stages=frozenset({Stage.DOCTOR, Stage.PREFLIGHT})),
    check("call.tone", passed_, "tls.name", stages=frozenset({Stage.DEEP})),
)


@pytest.mark.parametrize(
    ("stages", "only", "ids"),
    [
        ((Stage.PREFLIGHT,), (), {REACHABLE, "disk.space"}),
        ((Stage.DOCTOR,), ("tls.name",), {REACHABLE, "tls.trust", "tls.name"}),
        ((Stage.DOCTOR,), ("tls",), {REACHABLE, "tls.trust", "tls.name"}),
        ((Stage.DOCTOR,), ("tls.",), {REACHABLE, "tls.trust", "tls.name"}),
        ((Stage.DEEP,), ("call.tone",), {REACHABLE, "tls.trust", "tls.name", "call.tone"}),
    ],
)
def test_select(stages: tuple[Stage, ...], only: tuple[str, ...], ids: set[str]) -> None:
    assert {one.id for one in select(_TREE, stages, only)} == ids


def test_an_unknown_id_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        select(_TREE, (Stage.DOCTOR,), ("disk.spac",))
    assert "disk.space" in caught.value.evidence
    assert caught.value.helps == "ucontact doctor --only disk.space"


@pytest.mark.parametrize("name", ["di", "", "."])
def test_a_part_of_a_word_is_no_beginning_of_an_id(name: str) -> None:
    with pytest.raises(UsageError, match="no check"):
        select(_TREE, (Stage.DOCTOR,), (name,))


def test_a_check_of_another_stage_is_refused_with_the_way_to_it() -> None:
    with pytest.raises(UsageError) as caught:
        select(_TREE, (Stage.DOCTOR,), ("call.tone",))
    assert "--deep" in caught.value.helps


def _site_run(catalogue: list[Check], secrets: dict[str, str], site: Site) -> tuple[Finding, ...]:
    return run_checks(
        site,
        make_plan(site, {}),
        Secrets(secrets),
        StatePaths(Path("/nonexistent/etc"), Path("/nonexistent/var")),
        Path("/srv/my site/site.yml"),
        stages=(Stage.DOCTOR,),
        catalogue=catalogue,
    )


def test_findings_hide_secrets_and_fill_remedies_in() -> None:
    def leak(subject: Subject) -> Judgement:
        return failed("pw s3cretvalue", "not s3cretvalue", "$ echo s3cretvalue")

    site = small_site(hosts=[{"name": "one", "address": "local"}])
    remedy = '{ssh} echo {"a": "{x}"}; {install}'
    (finding,) = _site_run([check("a", leak, remedy=remedy)], {"x.y": "s3cretvalue"}, site)
    assert "s3cretvalue" not in repr(finding)
    assert finding.remedy == (
        'echo {"a": "{x}"}; ucontact install --site \'/srv/my site/site.yml\' --yes'
    )


def test_a_good_finding_needs_no_remedy() -> None:
    site = small_site(hosts=[{"name": "one", "address": "local"}])
    (finding,) = _site_run([check("a")], {}, site)
    assert finding.remedy == ""


def test_an_error_of_the_appliance_keeps_its_words() -> None:
    def lost(subject: Subject) -> Judgement:
        raise UnreachableError("gone", evidence="connection reset", helps="ping it")

    found = _one([check("a", lost)])["a"]
    assert (found.observed, found.evidence, found.remedy) == ("gone", "connection reset", "ping it")


def test_a_fact_of_another_host_needs_no_connection_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[str] = []

    @contextmanager
    def opens(host: Host, ssh: SshSettings) -> Iterator[FakeRunner]:
        opened.append(host.name)
        yield FakeRunner(lambda argv: Completed(tuple(argv), 0, host.name, "", 0.1))

    def asks_the_database(subject: Subject) -> Judgement:
        return passed(subject.facts.get(lambda reach: reach.runner_on("db").run(["true"]).stdout))

    monkeypatch.setattr(run, "runner_for", opens)
    findings = _site_run([check("a", asks_the_database)], {}, big_site())
    assert {finding.observed for finding in findings} == {"db"}
    assert opened == ["tel", "app", "db"]
