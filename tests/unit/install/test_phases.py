"""What a phase lets through to the screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.certs import NOW, Issued, issue
from tests.unit.findings.test_changes import finding
from tests.unit.moving.test_restore import manifest
from tests.unit.sites import small_site
from ucontact_appliance.checks.model import Calls, Finding, Verdict
from ucontact_appliance.errors import PhaseFailedError, UnreachableError, UsageError
from ucontact_appliance.facts.runner import LocalRunner, SshSettings
from ucontact_appliance.facts.survey import Survey
from ucontact_appliance.findings.registry import REACHABLE
from ucontact_appliance.install import course, judging, phases, plays
from ucontact_appliance.install.ansible import PlayResult
from ucontact_appliance.install.events import (
    CallMade,
    Event,
    Observer,
    PhaseStarted,
    TaskResult,
    Warned,
    in_language,
)
from ucontact_appliance.install.job import Job, Surveyed
from ucontact_appliance.install.takeover import Copy
from ucontact_appliance.language.choice import Language, translation
from ucontact_appliance.language.messages import _
from ucontact_appliance.moving.restore_plan import (
    Restore,
    load_restore,
    plan_restore,
    save_restore,
)
from ucontact_appliance.pki.issue import ensure_pki
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.release.store import ReleaseFiles
from ucontact_appliance.resources import INSTALLER
from ucontact_appliance.site.model import Host
from ucontact_appliance.site.recovery_key import kept_recovery_key
from ucontact_appliance.site.secrets import Secrets
from ucontact_appliance.state import StatePaths, state_paths

_BRINGS_DATA = (phases.MoveDataPhase, phases.RestoreDataPhase)
_OTHERWISE = (phases.Backend, *_BRINGS_DATA, phases.VerifyPhase)


@pytest.fixture(autouse=True)
def _no_site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No site is installed from here, whatever sites this machine has."""
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))


def a_job(observer: Observer) -> Job:
    site = small_site()
    name = site.hosts[0].name
    survey = Survey("debian", "", "Debian sid", 8192)
    surveyed = Surveyed(site, {name: survey}, {name: "192.0.2.10"}, make_plan(site, {}))
    release = ReleaseFiles(Path("a.tar.gz"), Path("manifest.json"), "0" * 64)
    secrets = Secrets({"stun.turn": "s3cr3tvalue"})
    return Job(
        surveyed,
        Path("site.yml"),
        release,
        secrets,
        state_paths(site.site),
        SshSettings(Path("known_hosts")),
        observer,
        lambda line: None,
    )


def test_preflight_tells_in_the_readers_language(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = replace(
        finding("host.cores", Verdict.FAIL),
        observed=_("no ALPN"),
        required=_("{title} {least} or later", title="Python", least="3.9"),
    )
    monkeypatch.setattr(judging, "run_checks", lambda *words, **options: (missing, missing))
    monkeypatch.setattr(plays, "ready_package_managers", lambda *words, **options: None)
    translate = translation(Language.ES)
    with pytest.raises(PhaseFailedError, match="not ready") as caught:
        phases.PreflightPhase().run(a_job(lambda event: None))
    assert "no están listos" in translate(caught.value.what)
    assert translate(caught.value.evidence).splitlines()[:2] == [
        "one: host.cores: sin ALPN; requerido: Python 3.9 o posterior",
        "  remedio: mend",
    ]
    assert "no ALPN; required: Python 3.9 or later" in caught.value.evidence


@pytest.mark.parametrize(
    ("names", "failing", "passes"),
    [
        (("mysql",), ("foreign.mysql", "ports.free"), True),
        (("mysql",), ("foreign.nginx",), False),
        (("mysql",), ("foreign.mysql", "host.memory"), False),
        ((), ("ports.free",), False),
    ],
)
def test_preflight_excuses_what_is_taken_over_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...],
    failing: tuple[str, ...],
    passes: bool,
) -> None:
    found = tuple(finding(name, Verdict.FAIL) for name in failing)
    monkeypatch.setattr(judging, "run_checks", lambda *words, **options: found)
    monkeypatch.setattr(plays, "ready_package_managers", lambda *words, **options: None)
    job = replace(a_job(lambda event: None), take_over=names)
    if passes:
        assert phases.PreflightPhase().run(job) == 0
    else:
        with pytest.raises(PhaseFailedError, match="not ready"):
            phases.PreflightPhase().run(job)


@pytest.mark.parametrize("left", [(), ("ports.free",)])
def test_a_take_over_tells_how_to_put_it_back_and_judges_again(
    monkeypatch: pytest.MonkeyPatch, left: tuple[str, ...]
) -> None:
    found = tuple(finding(name, Verdict.FAIL) for name in left)
    copy = Copy("MySQL", "one", "/var/backups/ucontact/mysql-1", "ssh one sh restore.sh")
    monkeypatch.setattr(judging, "run_checks", lambda *words, **options: found)
    monkeypatch.setattr(phases, "take_over", lambda *words: iter((copy, "nothing of NGINX")))
    events: list[Event] = []
    job = a_job(events.append)
    phase = phases.TakeOver()
    assert not phase.needed(job)
    asked = replace(job, take_over=("mysql", "nginx"))
    assert phase.needed(asked)
    if left:
        with pytest.raises(PhaseFailedError, match="not ready"):
            phase.run(asked)
    else:
        assert phase.run(asked) == 1
    told = "".join(event.text for event in events if isinstance(event, Warned))
    assert "to restore it: ssh one sh restore.sh" in told
    assert "nothing of NGINX" in told


@pytest.mark.parametrize("back", [True, False])
def test_a_host_that_was_lost_while_it_was_judged_is_judged_again_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch, back: bool
) -> None:
    lost, well = finding(REACHABLE, Verdict.FAIL), finding(REACHABLE, Verdict.PASS)
    answers = iter([(replace(lost, host="one"),), (replace(well, host="one"),)])
    settings: list[SshSettings] = []

    def judged(*words: object, ssh: SshSettings, **options: object) -> tuple[Finding, ...]:
        settings.append(ssh)
        return next(answers)

    @contextmanager
    def reached(host: Host, ssh: SshSettings) -> Iterator[LocalRunner]:
        settings.append(ssh)
        if not back:
            raise UnreachableError("host one can't be reached over ssh")
        yield LocalRunner()

    monkeypatch.setattr(judging, "run_checks", judged)
    monkeypatch.setattr(plays, "ready_package_managers", lambda *words, **options: None)
    monkeypatch.setattr(judging, "runner_for", reached)
    job = replace(a_job(lambda event: None), ssh=SshSettings(Path("k"), Path("c"), 60.0))
    if back:
        assert phases.PreflightPhase().run(job) == 0
    else:
        with pytest.raises(PhaseFailedError, match="not ready"):
            phases.PreflightPhase().run(job)
    assert [one.retry_seconds for one in settings] == ([0, 60, 0] if back else [0, 60])
    assert {one.control_dir for one in settings} == {Path("c")}


def changing(count: int) -> tuple[TaskResult, ...]:
    """As many things changed, by one task that tells them apart."""
    lines = tuple(f"content /etc/{number}" for number in range(count))
    return (TaskResult("one", "Files", "roles/x.yml:1", "changed", changes=lines),)


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """State folders of this test's own; checks that are content, and playbooks that change two."""
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    monkeypatch.setattr(judging, "run_checks", lambda *words, **options: ())
    monkeypatch.setattr(plays, "ready_package_managers", lambda *words, **options: None)
    monkeypatch.setattr(
        plays,
        "run_playbook",
        lambda *words, **options: PlayResult(0, (), changing(2)),
    )
    return tmp_path


def with_certificate(folder: Path, leaf: Issued) -> Job:
    """A job of a site whose customer brought that certificate."""
    for name, data in (("chain", leaf.pem), ("key", leaf.key_pem), ("ca", ROOT.pem)):
        (folder / name).write_bytes(data)
    files = {name: str(folder / name) for name in ("chain", "key", "ca")}
    site = small_site(certificate={"source": "files", **files})
    job = a_job(lambda event: None)
    return replace(job, seen=replace(job.seen, site=site))


ROOT = issue("root", authority=True, end=datetime.now(timezone.utc) + timedelta(days=999))
FQDN = small_site().fqdn


@pytest.mark.parametrize(
    ("leaf", "told"),
    [
        (issue("old", ROOT, names=[FQDN], end=NOW - timedelta(days=5)), "it expired on"),
        (
            issue("x", ROOT, names=["x.test"], end=datetime.now(timezone.utc) + timedelta(9)),
            "it is not valid for",
        ),
        (issue("self", names=[FQDN]), "self-signed"),
    ],
    ids=["expired", "other-name", "self-signed"],
)
def test_a_certificate_that_can_not_be_used_is_refused_by_preflight_and_its_rehearsal(
    own_state: Path, leaf: Issued, told: str
) -> None:
    job = with_certificate(own_state, leaf)
    for act in (phases.PreflightPhase().run, phases.PreflightPhase().preview):
        with pytest.raises(UsageError, match=r"certificate that site\.yml names") as caught:
            act(job)
        assert told in caught.value.evidence


def test_a_key_of_another_certificate_or_no_file_at_all_is_refused(own_state: Path) -> None:
    leaf = issue("leaf", ROOT, names=[FQDN], end=datetime.now(timezone.utc) + timedelta(days=9))
    job = with_certificate(own_state, leaf)
    assert phases.PreflightPhase().preview(job) == 0
    (own_state / "key").write_bytes(ROOT.key_pem)
    with pytest.raises(UsageError) as caught:
        phases.PreflightPhase().preview(job)
    assert "the key does not match the certificate" in caught.value.evidence
    (own_state / "key").unlink()
    with pytest.raises(UnreachableError, match="can't be read"):
        phases.PreflightPhase().preview(job)


@pytest.mark.parametrize("name", ["chain", "report_key"])
def test_records_that_the_report_builds_on_are_judged_before_anything(
    own_state: Path, name: str
) -> None:
    job = a_job(lambda event: None)
    path = getattr(job.paths, name)
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises((UnreachableError, UsageError), match="report") as caught:
        phases.PreflightPhase().preview(job)
    assert caught.value.helps


def test_certificates_are_counted_only_when_none_is_to_be_written_first(own_state: Path) -> None:
    job, phase = a_job(lambda event: None), phases.Certificates("certificates", "Certificates")
    told = phase.preview(job)
    assert isinstance(told, phases.Unpredictable)
    assert "ca.pem" in told.because
    assert not job.paths.pki.exists()
    ensure_pki(job.site, job.plan, job.paths, addresses=job.seen.addresses)
    assert phase.preview(job) == 2


def test_a_portal_without_a_key_whose_backup_is_elsewhere_is_refused_at_once(
    own_state: Path,
) -> None:
    job = a_job(lambda event: None)
    ensure_pki(job.site, job.plan, job.paths, addresses=job.seen.addresses)
    for name in ("portal.key", "hpkp-backup.key"):
        (job.paths.pki / name).unlink()
    with pytest.raises(UsageError, match="the backup key is kept elsewhere"):
        phases.PreflightPhase().preview(job)


def test_what_no_rehearsal_can_tell_says_why(own_state: Path) -> None:
    job = replace(a_job(lambda event: None), release=None)
    for phase in phases.INSTALL:
        if isinstance(phase, _OTHERWISE):
            told = phase.preview(job)
            assert isinstance(told, phases.Unpredictable), phase.id
            assert told.because
        elif isinstance(phase, phases.PlaybookPhase):
            assert phase.preview(job) == 2


def test_what_a_task_says_is_shown_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    name = small_site().hosts[0].name

    def fake(*words: object, observer: Observer, **options: Any) -> PlayResult:
        observer(TaskResult(name, "Look", "roles/x.yml:1", "ignored", "login with s3cr3tvalue"))
        return PlayResult(0, ())

    monkeypatch.setattr(plays, "run_playbook", fake)
    seen: list[Event] = []
    phases.PlaybookPhase("base", "Base system").run(a_job(seen.append))
    assert [e.message for e in seen if isinstance(e, TaskResult)] == ["login with [secret]"]


LOCKED = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4711 (apt-get)"


@pytest.mark.parametrize(
    ("messages", "runs"), [([LOCKED], 3), (["no such package"], 1), ([LOCKED, "no route"], 1)]
)
def test_a_playbook_that_met_a_lock_of_apt_runs_again_when_it_is_free(
    monkeypatch: pytest.MonkeyPatch, messages: list[str], runs: int
) -> None:
    name = small_site().hosts[0].name
    names = [name, *(f"other{number}" for number in range(1, len(messages)))]
    failed = tuple(
        TaskResult(host, "Packages", "roles/x.yml:1", "failed", message)
        for host, message in zip(names, messages, strict=True)
    )
    met = PlayResult(2, failed, changing(2))
    results = iter([met, met, PlayResult(0, (), changing(3))])
    ran: list[object] = []
    waited: list[str] = []

    def fake(*words: object, **options: Any) -> PlayResult:
        ran.append(words)
        return next(results)

    def wait(hosts: Sequence[Host], *words: object, finish: bool, **options: object) -> None:
        assert not finish
        waited.extend(host.name for host in hosts)

    monkeypatch.setattr(plays, "run_playbook", fake)
    monkeypatch.setattr(plays, "ready_package_managers", wait)
    job = a_job(lambda event: None)
    if runs > 1:
        assert phases.PlaybookPhase("base", "Base system").run(job) == 7
    else:
        with pytest.raises(PhaseFailedError, match="Packages"):
            phases.PlaybookPhase("base", "Base system").run(job)
    assert len(ran) == runs
    assert waited == [name] * (runs - 1)


@pytest.mark.parametrize("interrupted", [True, False])
def test_preflight_finishes_packages_only_after_an_interrupted_run_and_never_in_a_dry_one(
    monkeypatch: pytest.MonkeyPatch, interrupted: bool
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(judging, "run_checks", lambda *words, **options: ())
    monkeypatch.setattr(
        plays,
        "ready_package_managers",
        lambda *words, finish, **options: asked.append(finish),
    )
    job = replace(a_job(lambda event: None), interrupted=interrupted)
    phases.PreflightPhase().run(job)
    phases.PreflightPhase().preview(job)
    assert asked == [interrupted, False]


@pytest.mark.parametrize("phase", phases.INSTALL, ids=lambda phase: phase.id)
def test_a_phase_says_which_hosts_its_playbook_runs_on(phase: phases.Phase) -> None:
    playbook = INSTALLER / "playbooks" / f"{phase.id}.yml"
    if isinstance(phase, _BRINGS_DATA):
        assert phase.runs_on is phase.role
    elif playbook.exists():
        hosts = {play["hosts"] for play in yaml.safe_load(playbook.read_text())}
        assert hosts == {phase.runs_on.value if phase.runs_on else "all"}
    else:
        assert phase.runs_on is None


def before(phase: phases.Phase) -> set[str]:
    """The phases that are done when it starts."""
    by_id = {one.id: one for one in phases.INSTALL}
    return {*phase.after, *(name for other in phase.after for name in before(by_id[other]))}


@pytest.mark.parametrize(
    "phase",
    [one for one in phases.INSTALL if one.runs_on and not isinstance(one, _BRINGS_DATA)],
    ids=lambda phase: phase.id,
)
def test_no_service_starts_before_its_packages_the_firewall_and_the_certificates(
    phase: phases.Phase,
) -> None:
    assert {"packages", "base", "firewall", "certificates"} <= before(phase)


@pytest.mark.parametrize(
    ("unproven", "calls"), [(True, Calls.DEEP), (False, Calls.ECHO)], ids=["changed", "unchanged"]
)
def test_verify_places_calls_and_fails_with_what_they_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unproven: bool, calls: Calls
) -> None:
    silent = replace(
        finding("call.tone", Verdict.FAIL), observed="no audio came back", remedy="look there"
    )
    placed: list[Calls] = []
    reported: list[tuple[Finding, ...]] = []

    def examined(*words: object, calls: Calls, **options: object) -> tuple[Finding, ...]:
        placed.append(calls)
        return (silent,)

    monkeypatch.setattr(judging, "examine", examined)
    monkeypatch.setattr(phases, "remember_written", lambda *words: None)
    monkeypatch.setattr(
        phases,
        "file_report",
        lambda site, plan, surveys, evidence, **words: reported.append(evidence.findings),
    )
    events: list[Event] = []
    job = replace(a_job(events.append), unproven=unproven, paths=StatePaths(tmp_path, tmp_path))
    with pytest.raises(PhaseFailedError, match="not healthy") as caught:
        phases.VerifyPhase().run(job)
    assert placed == [calls]
    assert "call.tone: no audio came back" in caught.value.evidence
    assert caught.value.helps == "look there"
    assert CallMade("the call failed: no audio came back") in events
    assert reported == [(silent,)]


def test_an_observer_hears_in_the_readers_language() -> None:
    heard: list[Event] = []
    tell = in_language(heard.append, translation(Language.ES))
    tell(PhaseStarted("web", _("Web server"), 1, 2))
    tell(Warned("another program's words"))
    assert heard == [PhaseStarted("web", "Servidor web", 1, 2), Warned("another program's words")]


def a_restore(*done: Role) -> Restore:
    return Restore(repository="/r", manifests=plan_restore([manifest(2)], None), done=done)


def test_data_is_restored_once_and_only_in_a_restore() -> None:
    job = a_job(lambda event: None)
    restoring = [one for one in phases.INSTALL if isinstance(one, phases.RestoreDataPhase)]
    assert [one.role for one in restoring] == [Role.DATABASE, Role.TELEPHONY, Role.BACKEND]
    assert not any(one.needed(job) for one in restoring)
    under_way = replace(job, restore=a_restore(Role.DATABASE))
    assert [one.needed(under_way) for one in restoring] == [False, True, True]


def test_data_comes_after_its_roles_playbook_and_before_the_next_service_starts() -> None:
    ids = [phase.id for phase in phases.INSTALL]
    for name in ("database", "telephony", "backend"):
        assert 0 < ids.index(f"restore-{name}") - ids.index(name) <= 2
    job = replace(a_job(lambda event: None), restore=a_restore())
    every = {host.name for host in job.plan.hosts}
    for phase in phases.INSTALL:
        assert course._turn(phase, job).servers == every
        assert course._turn(phase, job).alone


def test_a_restored_role_is_recorded_after_its_playbook_ran(
    own_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    job = replace(a_job(lambda event: None), restore=a_restore())
    phase = next(one for one in phases.INSTALL if one.id == "restore-database")
    with pytest.raises(UsageError, match="recovery key"):
        phase.run(job)
    job.paths.etc.mkdir(parents=True, exist_ok=True)
    job.paths.var.mkdir(parents=True, exist_ok=True)
    kept_recovery_key(job.paths.recovery_key)
    save_restore(job.paths.restore, a_restore())

    def restored(*words: Any) -> str:
        order.append("restored")
        return "done"

    def played(_job: Job, name: str, **options: Any) -> int:
        found = load_restore(job.paths.restore)
        assert found is not None
        assert found.done == ()
        order.append(f"played {name}")
        return 3

    monkeypatch.setattr(phases, "restore_role", restored)
    monkeypatch.setattr(phases, "play", played)
    assert phase.run(job) == 4
    assert order == ["restored", "played database"]
    found = load_restore(job.paths.restore)
    assert found is not None
    assert found.done == (Role.DATABASE,)
