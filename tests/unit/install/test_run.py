"""The order of phases: journalled, continued, refused on changed inputs."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.install.phases import RELEASE, Recorded, Unheld, fail, installed, seen
from tests.unit.install.test_phases import a_restore
from tests.unit.sites import small_site
from ucontact_appliance.errors import PhaseFailedError, UnreachableError, UsageError
from ucontact_appliance.install import run as module
from ucontact_appliance.install import session
from ucontact_appliance.install.events import (
    CallMade,
    Event,
    PhaseFailed,
    PhaseFinished,
    PhaseForeseen,
    PhaseNotJudged,
    PhaseSkipped,
    PhaseStarted,
    Warned,
    nobody,
)
from ucontact_appliance.install.job import Job, Surveyed
from ucontact_appliance.install.journal import Journal, Progress, load_journal, save_journal
from ucontact_appliance.install.phases import Phase, Unpredictable
from ucontact_appliance.install.run import NEVER_THROUGH, install, preview
from ucontact_appliance.moving.restore_plan import save_restore
from ucontact_appliance.planning.model import PlannedHost, Role
from ucontact_appliance.site.model import Host
from ucontact_appliance.site.secrets import load_secrets, save_secrets
from ucontact_appliance.state import state_paths


@pytest.fixture
def site_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    path = tmp_path / "site.yml"
    path.write_text("site: demo\n")
    return path


@pytest.fixture(autouse=True)
def held(monkeypatch: pytest.MonkeyPatch) -> Unheld:
    """No server is there to be locked."""
    made = Unheld()

    @contextmanager
    def hold(*words: object, **options: object) -> Iterator[Unheld]:
        yield made

    monkeypatch.setattr(session, "hold_servers", hold)
    monkeypatch.setattr(module, "demand_known", lambda *words: None)
    return made


def test_a_run_is_recorded_on_the_servers_behind_preflight_and_at_its_end(
    site_file: Path, held: Unheld
) -> None:
    look = Recorded("look", [], lambda job: len(held.told))
    work = Recorded("work", [], lambda job: held.told.append("work") or 0)
    installed(site_file, (look, work))
    assert held.told == ["ended_by", "begin", "work", "well"]
    held.told.clear()
    with pytest.raises(PhaseFailedError):
        installed(site_file, (Recorded("look", [], fail), work))
    assert held.told == ["ended_by", "not well"]


def test_phases_run_in_order_and_are_journalled(site_file: Path) -> None:
    ran: list[str] = []
    events = installed(site_file, (Recorded("a", ran), Recorded("b", ran)))
    assert ran == ["a", "b"]
    assert [e.changed for e in events if isinstance(e, PhaseFinished)] == [1, 1]
    journal = load_journal(state_paths("demo").journal)
    assert not journal.interrupted
    assert [e.id for e in journal.phases] == ["a", "b"]


def test_a_second_install_runs_everything_again(site_file: Path) -> None:
    ran: list[str] = []
    for _ in range(2):
        installed(site_file, (Recorded("a", ran), Recorded("b", ran)))
    assert ran == ["a", "b", "a", "b"]


def test_a_failure_tells_phase_message_log_and_the_command_that_continues(site_file: Path) -> None:
    ran: list[str] = []
    with pytest.raises(PhaseFailedError) as caught:
        installed(site_file, (Recorded("a", ran), Recorded("b", ran, fail, "Second phase")))
    error = caught.value
    assert "Second phase" in error.what
    assert "host one: Start it" in error.what
    assert "the real message" in error.evidence
    assert f"log: {state_paths('demo').logs}" in error.evidence
    assert f"ucontact install --site {site_file}" in error.helps


def test_what_helps_is_told_before_the_command_that_continues(site_file: Path) -> None:
    command = f"ucontact install --site {site_file} --yes"

    def told(helps: str) -> str:
        def failing(job: Job) -> int:
            raise PhaseFailedError("no", helps=helps)

        with pytest.raises(PhaseFailedError) as caught:
            installed(site_file, (Recorded("a", [], failing), Recorded("b", [])))
        return caught.value.helps

    goes_on = f"{command}  # continues with this phase"
    assert told("") == goes_on
    assert told("free some disk") == f"free some disk\nthen: {goes_on}"
    assert told(f"use another server, then: {command}") == f"use another server, then: {goes_on}"


def test_an_interrupted_install_continues_with_the_phase_that_stopped_it(site_file: Path) -> None:
    ran: list[str] = []
    first, second, last = Recorded("look", ran), Recorded("b", ran), Recorded("judge", ran)
    with pytest.raises(PhaseFailedError):
        installed(site_file, (first, second, Recorded("c", ran, fail), last))
    events = installed(site_file, (first, second, Recorded("c", ran), last))
    # The first phase only looks, and looks again.
    assert ran == ["look", "b", "c", "look", "c", "judge"]
    assert [e.id for e in events if isinstance(e, PhaseSkipped)] == ["b"]


def test_what_the_last_phase_finds_wrong_is_mended_by_all_the_others(site_file: Path) -> None:
    ran: list[str] = []
    look, work = Recorded("look", ran), Recorded("b", ran)
    with pytest.raises(PhaseFailedError) as caught:
        installed(site_file, (look, work, Recorded("judge", ran, fail)))
    assert caught.value.helps.endswith("  # runs all phases again")
    events = installed(site_file, (look, work, Recorded("judge", ran)), agents=12)
    assert ran == ["look", "b", "judge"] * 2
    assert not [e for e in events if isinstance(e, PhaseSkipped)]
    assert not load_journal(state_paths("demo").journal).interrupted


def test_a_kill_leaves_a_journal_that_continues(site_file: Path) -> None:
    ran: list[str] = []

    def killed(job: Job) -> int:
        raise KeyboardInterrupt

    look, work, last = Recorded("look", ran), Recorded("b", ran), Recorded("judge", ran)
    with pytest.raises(KeyboardInterrupt):
        installed(site_file, (look, work, Recorded("c", ran, killed), last))
    journal = load_journal(state_paths("demo").journal)
    assert journal.interrupted
    installed(site_file, (look, work, Recorded("c", ran), last))
    assert ran == ["look", "b", "c", "look", "c", "judge"]


def test_changed_inputs_are_refused_with_a_diff_and_taken_with_restart(site_file: Path) -> None:
    ran: list[str] = []
    look, last = Recorded("look", ran), Recorded("judge", ran)
    with pytest.raises(PhaseFailedError):
        installed(site_file, (look, Recorded("a", ran, fail), last))
    with pytest.raises(UsageError) as caught:
        installed(site_file, (look, Recorded("a", ran), last), agents=12)
    assert "+  agents: 12" in caught.value.evidence
    assert "--restart" in caught.value.helps
    installed(site_file, (look, Recorded("a", ran), last), agents=12, restart=True)
    assert ran == ["look", "a", "look", "a", "judge"]


def test_a_waiver_is_no_input_of_an_install(site_file: Path) -> None:
    ran: list[str] = []
    look, last = Recorded("look", ran), Recorded("judge", ran)
    with pytest.raises(PhaseFailedError):
        installed(site_file, (look, Recorded("a", ran, fail), last))
    row = {"check": "host.memory", "reason": "ordered", "until": "2999-01-01"}
    waiving = replace(seen(), site=small_site(waivers=[row]))
    install(
        waiving, site_file, RELEASE, lambda event: None, phases=(look, Recorded("a", ran), last)
    )
    assert ran == ["look", "a", "look", "a", "judge"]


def test_inputs_mended_after_a_failed_preflight_need_no_restart(site_file: Path) -> None:
    ran: list[str] = []
    with pytest.raises(PhaseFailedError):
        installed(site_file, (Recorded("look", ran, fail), Recorded("a", ran)))
    installed(site_file, (Recorded("look", ran), Recorded("a", ran)), agents=12)
    assert ran == ["look", "look", "a"]


def test_a_plan_that_preflight_refuses_replaces_nothing(site_file: Path) -> None:
    look, work = Recorded("look", []), Recorded("a", [])
    installed(site_file, (look, work))
    before = state_paths("demo").plan.read_bytes()
    with pytest.raises(PhaseFailedError):
        installed(site_file, (Recorded("look", [], fail), work), agents=12)
    assert state_paths("demo").plan.read_bytes() == before
    installed(site_file, (look, work), agents=12)
    assert json.loads(state_paths("demo").plan.read_text())["agents"] == 12


def test_a_release_for_upgrade_alone_leaves_the_site_installed(
    site_file: Path, held: Unheld, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    installed(site_file, (Recorded("look", ran), Recorded("a", ran)))
    before = load_journal(state_paths("demo").journal)

    def refuse(job: Job) -> None:
        raise UsageError("the release has 1 migration")

    monkeypatch.setattr(module, "demand_no_migrations", refuse)
    with pytest.raises(UsageError, match="1 migration"):
        installed(site_file, (Recorded("look", ran), Recorded("a", ran)))
    assert ran == ["look", "a"]
    assert load_journal(state_paths("demo").journal) == before
    assert held.told[-1] == "ended_by"  # nothing was recorded on the servers


def test_a_journal_that_cant_be_written_hides_no_failure(
    site_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, journal: Journal) -> None:
        if any(e.error for e in journal.phases):
            raise UnreachableError(f"{path} can't be written", evidence="No space left on device")
        save_journal(path, journal)

    monkeypatch.setattr("ucontact_appliance.install.course.save_journal", full)
    events: list[Event] = []
    with pytest.raises(PhaseFailedError, match="host one: Start it"):
        install(seen(), site_file, RELEASE, events.append, phases=(Recorded("a", [], fail),))
    assert any(isinstance(e, Warned) and "No space left" in e.text for e in events)


def test_a_host_out_of_reach_keeps_its_exit_code(site_file: Path) -> None:
    def unreachable(job: Job) -> int:
        raise UnreachableError("host one can't be reached")

    with pytest.raises(UnreachableError, match="A phase"):
        installed(site_file, (Recorded("a", [], unreachable),))


def test_a_time_out_names_its_phase_and_continues(site_file: Path) -> None:
    def hangs(job: Job) -> int:
        raise TimeoutError("systemctl stop mysql: no answer within 60 s")

    with pytest.raises(UnreachableError, match="phase 'A phase' failed") as caught:
        installed(site_file, (Recorded("a", [], hangs), Recorded("b", [])))
    assert "no answer within 60 s" in caught.value.evidence
    assert "ucontact install" in caught.value.helps
    assert load_journal(state_paths("demo").journal).phases[0].progress is Progress.FAILED


def test_secrets_are_made_once_and_never_logged(site_file: Path) -> None:
    values: list[str] = []

    def tell(job: Job) -> int:
        values.append(job.secrets["stun.turn"])
        job.log(f"password {job.secrets['stun.turn']}")
        return 0

    for _ in range(2):
        installed(site_file, (Recorded("a", [], tell),))
    assert len(set(values)) == 1
    logs = "".join(path.read_text() for path in state_paths("demo").logs.iterdir())
    assert "password" in logs
    assert values[0] not in logs
    assert values[0] not in json.dumps(load_journal(state_paths("demo").journal).inputs)


def test_a_failure_shows_no_secret(site_file: Path) -> None:
    shown: list[str] = []

    def leak(job: Job) -> int:
        shown.append(job.secrets["stun.turn"])
        told = f"refused: {shown[0]}"
        raise UnreachableError(told, evidence=told, helps=told)

    with pytest.raises(UnreachableError) as caught:
        installed(site_file, (Recorded("a", [], leak),))
    error = caught.value
    assert "refused: [secret]" in error.what
    assert shown[0] not in error.what + error.evidence + error.helps
    journal = state_paths("demo").journal.read_text()
    assert "refused" in journal
    assert shown[0] not in journal


def test_a_phase_that_is_not_needed_is_neither_run_nor_numbered(site_file: Path) -> None:
    ran: list[str] = []
    events = installed(site_file, (Recorded("a", ran), Recorded("b", ran, wanted=False)))
    assert ran == ["a"]
    assert [e.total for e in events if isinstance(e, PhaseStarted)] == [1]


def test_a_preview_writes_nothing(site_file: Path) -> None:
    ran: list[str] = []
    rows = preview(
        seen(), site_file, RELEASE, nobody, phases=(Recorded("a", ran), Recorded("b", ran))
    )
    assert [row.changes for row in rows] == [7, NEVER_THROUGH]
    assert ran == []
    assert sorted(p.name for p in site_file.parent.iterdir()) == ["site.yml"]


def test_a_preview_tells_a_phase_without_numbers_from_one_that_was_never_through(
    site_file: Path,
) -> None:
    look, work = Recorded("look", []), Recorded("a", [])
    judge = Recorded("judge", [], previewed=Unpredictable("no site"))
    with pytest.raises(PhaseFailedError):
        installed(site_file, (look, work, Recorded("b", [], fail), judge))
    rows = preview(seen(), site_file, RELEASE, nobody, phases=(look, work, judge))
    assert [row.changes for row in rows] == [7, 7, NEVER_THROUGH]
    installed(site_file, (look, work, Recorded("b", []), judge))
    rows = preview(seen(), site_file, RELEASE, nobody, phases=(look, work, judge))
    assert [row.changes for row in rows] == [7, 7, Unpredictable("no site")]


def test_a_preview_knows_a_phase_only_on_the_servers_that_it_was_through_on(
    site_file: Path,
) -> None:
    look, everywhere = Recorded("look", []), Recorded("a", [])
    talking = Recorded("b", [], runs_on=Role.TELEPHONY)
    before = seen()
    first = before.plan.hosts[0]
    more = before.site.model_copy(
        update={"hosts": (*before.site.hosts, Host(name="two", address="192.0.2.11"))}
    )
    after = replace(before, site=more)
    alone = replace(before, plan=before.plan.model_copy(update={"hosts": (first,)}))
    install(alone, site_file, RELEASE, nobody, phases=(look, everywhere, talking))

    def changes(*hosts: PlannedHost) -> list[int | Unpredictable]:
        grown = replace(after, plan=after.plan.model_copy(update={"hosts": hosts}))
        rows = preview(grown, site_file, RELEASE, nobody, phases=(look, everywhere, talking))
        return [row.changes for row in rows[1:]]

    added = PlannedHost(name="two", address="192.0.2.11", roles=(Role.DATABASE,))
    assert changes(first) == [7, 7]
    assert changes(first, added) == [NEVER_THROUGH, 7]
    elsewhere = first.model_copy(update={"address": "192.0.2.12"})
    assert changes(elsewhere) == [NEVER_THROUGH] * 2
    lighter = first.model_copy(update={"roles": (Role.TELEPHONY, Role.BACKEND)})
    assert changes(lighter, added) == [NEVER_THROUGH] * 2


def test_a_preview_says_of_each_phase_whether_it_was_judged(site_file: Path) -> None:
    look = Recorded("look", [])
    unknown = Recorded("a", [], previewed=Unpredictable("no release"))
    installed(site_file, (look, unknown))
    events: list[Event] = []
    phases = (look, unknown, Recorded("b", []))
    preview(seen(), site_file, None, events.append, phases=phases)
    assert [type(e) for e in events] == [PhaseStarted, PhaseForeseen] + [
        PhaseStarted,
        PhaseNotJudged,
    ] * 2
    told = [e.because for e in events if isinstance(e, PhaseNotJudged)]
    assert told == ["no release", NEVER_THROUGH.because]


def with_trunk() -> Surveyed:
    """A site with a trunk whose account has a password."""
    site = small_site(
        telephony={"trunks": [{"name": "acme", "host": "sip.example.net", "username": "me"}]}
    )
    return replace(seen(), site=site)


def test_a_preview_refuses_a_trunk_without_its_password_as_an_install_does(
    site_file: Path,
) -> None:
    phases = (Recorded("a", []),)
    with pytest.raises(UsageError) as refused:
        install(with_trunk(), site_file, RELEASE, nobody, phases=phases)
    with pytest.raises(UsageError) as caught:
        preview(with_trunk(), site_file, RELEASE, nobody, phases=phases)
    assert (caught.value.what, caught.value.evidence) == (
        refused.value.what,
        "telephony.trunks.acme",
    )
    assert caught.value.helps == f"ucontact secrets set telephony.trunks.acme --site {site_file}"
    save_secrets(state_paths("demo").secrets, {"telephony.trunks.acme": "given one"})
    assert preview(with_trunk(), site_file, RELEASE, nobody, phases=phases)[0].changes == 7


def test_a_preview_refuses_changed_inputs_of_an_interrupted_install_as_an_install_does(
    site_file: Path,
) -> None:
    phases = (Recorded("look", []), Recorded("a", []), Recorded("b", [], fail), Recorded("c", []))
    with pytest.raises(PhaseFailedError):
        installed(site_file, phases)
    # The same inputs go on, and a release that is not looked up yet is no other one.
    for release in (RELEASE, None):
        assert preview(seen(), site_file, release, nobody, phases=phases)[0].changes == 7
    with pytest.raises(UsageError, match="inputs have changed") as caught:
        preview(seen(agents=11), site_file, RELEASE, nobody, phases=phases)
    assert "agents: 11" in caught.value.evidence
    assert preview(seen(agents=11), site_file, RELEASE, nobody, restart=True, phases=phases)


def test_a_failed_phase_is_seen_by_the_observer(site_file: Path) -> None:
    events: list[Event] = []
    with pytest.raises(PhaseFailedError):
        install(seen(), site_file, RELEASE, events.append, phases=(Recorded("a", [], fail),))
    assert any(isinstance(e, PhaseFailed) for e in events)


def spread(site_file: Path, *phases: Recorded) -> list[Event]:
    """An install on three servers, a role each."""
    before = seen()
    hosts = tuple(
        PlannedHost(name=role.value, address=f"192.0.2.{number}", roles=(role,))
        for number, role in enumerate(Role, start=10)
    )
    plan = before.plan.model_copy(update={"hosts": hosts})
    named = tuple(Host(name=host.name, address=host.address) for host in hosts)
    site = before.site.model_copy(update={"hosts": named})
    surveys = {host.name: before.surveys["one"] for host in hosts}
    events: list[Event] = []
    three = replace(before, site=site, plan=plan, surveys=surveys)
    install(three, site_file, RELEASE, events.append, phases=phases)
    return events


def test_phases_on_different_servers_run_at_the_same_time(site_file: Path) -> None:
    ran: list[str] = []
    both = threading.Barrier(2, timeout=30)  # neither comes through alone

    def meet(job: Job) -> int:
        both.wait()
        return 1

    events = spread(
        site_file,
        Recorded("look", ran),
        Recorded("a", ran, meet, runs_on=Role.TELEPHONY),
        Recorded("b", ran, meet, runs_on=Role.BACKEND),
        Recorded("judge", ran),
    )
    assert (ran[0], sorted(ran[1:3]), ran[3]) == ("look", ["a", "b"], "judge")
    assert sum(e.changed for e in events if isinstance(e, PhaseFinished)) == 4
    assert not load_journal(state_paths("demo").journal).interrupted


def test_beside_a_failure_what_is_at_work_comes_to_its_end_and_stays_done(site_file: Path) -> None:
    ran: list[str] = []
    failed = threading.Event()

    def fails(job: Job) -> int:
        failed.set()
        return fail(job)

    def waits(job: Job) -> int:
        assert failed.wait(30)
        return 1

    look, last = Recorded("look", ran), Recorded("judge", ran)
    slow = Recorded("b", ran, waits, runs_on=Role.BACKEND)
    after = Recorded("c", ran, runs_on=Role.BACKEND)
    with pytest.raises(PhaseFailedError, match="host one: Start it"):
        spread(
            site_file, look, Recorded("a", ran, fails, runs_on=Role.TELEPHONY), slow, after, last
        )
    assert sorted(ran) == ["a", "b", "look"]
    ran.clear()
    spread(site_file, look, Recorded("a", ran, runs_on=Role.TELEPHONY), slow, after, last)
    assert sorted(ran) == ["a", "c", "judge", "look"]


def test_the_last_phase_is_told_whether_anything_is_unproven(site_file: Path) -> None:
    told: list[bool] = []

    def judge(job: Job) -> int:
        told.append(job.unproven)
        return 0

    def phases(act: Callable[[Job], int], last: Callable[[Job], int] = judge) -> tuple[Phase, ...]:
        return (
            Recorded("look", [], lambda job: 0),
            Recorded("b", [], act),
            Recorded("judge", [], last),
        )

    def unhealthy(job: Job) -> int:
        judge(job)
        return fail(job)

    installed(site_file, phases(lambda job: 3))  # something changed
    installed(site_file, phases(lambda job: 0))  # nothing did
    assert told == [True, False]
    with pytest.raises(PhaseFailedError):
        installed(site_file, phases(fail))  # what a failed phase changed nobody knows
    with pytest.raises(PhaseFailedError):  # preflight alone takes that away from nobody
        installed(site_file, (Recorded("look", [], fail), *phases(lambda job: 0)[1:]), restart=True)
    with pytest.raises(PhaseFailedError):
        installed(site_file, phases(lambda job: 0, unhealthy))
    installed(
        site_file, phases(lambda job: 0)
    )  # the calls of the run before did not come to their end
    installed(site_file, phases(lambda job: 0))
    assert told == [True, False, True, True, False]


def test_an_install_that_was_killed_in_a_phase_has_something_to_prove(site_file: Path) -> None:
    def killed(job: Job) -> int:
        raise KeyboardInterrupt

    told: list[bool] = []
    look = Recorded("look", [], lambda job: 0)
    with pytest.raises(KeyboardInterrupt):
        installed(site_file, (look, Recorded("b", [], killed), Recorded("judge", [])))
    judge = Recorded("judge", [], lambda job: told.append(job.unproven) or 0)
    installed(site_file, (look, Recorded("b", [], lambda job: 0), judge))
    assert told == [True]


def test_an_install_tells_what_came_of_its_call(site_file: Path) -> None:
    def judge(job: Job) -> int:
        job.observer(CallMade("a real call was heard"))
        return 0

    def told(act: Callable[[Job], int]) -> str:
        phases = (Recorded("look", []), Recorded("judge", [], act))
        return install(seen(), site_file, RELEASE, nobody, phases=phases).call

    assert told(judge) == "a real call was heard"
    assert told(lambda job: 0).startswith("no call was made: ")


def test_a_restore_stays_under_way_until_an_install_is_complete(site_file: Path) -> None:
    path = state_paths("demo").restore
    path.parent.mkdir(parents=True, exist_ok=True)
    save_restore(path, a_restore())
    seen: list[bool] = []

    def look(job: Job) -> int:
        seen.append(job.restore is not None)
        return 0

    phases = (Recorded("look", [], look), Recorded("work", []), Recorded("judge", [], fail))
    with pytest.raises(PhaseFailedError):
        installed(site_file, phases)
    assert path.exists()
    installed(site_file, (*phases[:2], Recorded("judge", [])))
    assert not path.exists()
    installed(site_file, (*phases[:2], Recorded("judge", [])))
    assert seen == [True, True, False]


def test_a_damaged_record_of_a_restore_is_no_site_without_data(site_file: Path) -> None:
    path = state_paths("demo").restore
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{")
    ran: list[str] = []
    with pytest.raises(UnreachableError, match="record of the restore"):
        installed(site_file, (Recorded("look", ran), Recorded("work", ran)))
    assert ran == []


def test_the_recovery_key_opens_the_repository_too(site_file: Path) -> None:
    got: list[tuple[str, ...]] = []

    def look(job: Job) -> int:
        got.append(tuple(name for name in job.secrets if name.startswith("backup")))
        return 0

    backup = {"repository": "/mnt/backup"}
    site = small_site(backup=backup)
    with_backup = replace(seen(10), site=site)
    phases = (Recorded("look", [], look), Recorded("work", []))
    install(with_backup, site_file, RELEASE, nobody, phases=phases)
    assert set(got[0]) == {"backup.password", "backup.recovery"}
    assert "backup.recovery" not in load_secrets(state_paths("demo").secrets)
