"""What a phase lets through to the screen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.sites import small_site
from ucontact_appliance.engine import phases
from ucontact_appliance.engine.ansible import PlayResult
from ucontact_appliance.engine.events import Event, Observer, TaskResult
from ucontact_appliance.engine.job import Job, Surveyed
from ucontact_appliance.facts.survey import Survey
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.release.store import ReleaseFiles
from ucontact_appliance.resources import INSTALLER
from ucontact_appliance.site.secrets import Secrets
from ucontact_appliance.state import state_paths


def test_what_a_task_says_is_shown_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    site = small_site()
    name = site.hosts[0].name

    def fake(*words: object, observer: Observer, **options: Any) -> PlayResult:
        observer(TaskResult(name, "Look", "roles/x.yml:1", "ignored", "login with s3cr3tvalue"))
        return PlayResult(0, {}, ())

    monkeypatch.setattr(phases, "run_playbook", fake)
    seen: list[Event] = []
    survey = Survey("debian", "", "Debian sid", 8192)
    surveyed = Surveyed(site, {name: survey}, {name: "192.0.2.10"}, make_plan(site, {}))
    release = ReleaseFiles(Path("a.tar.gz"), Path("manifest.json"), "0" * 64)
    secrets = Secrets({"stun.turn": "s3cr3tvalue"})
    job = Job(
        surveyed,
        Path("site.yml"),
        release,
        secrets,
        state_paths(site.site),
        seen.append,
        lambda line: None,
    )
    phases.Play("base", "Base system").run(job)
    assert [e.message for e in seen if isinstance(e, TaskResult)] == ["login with [secret]"]


@pytest.mark.parametrize("phase", phases.INSTALL, ids=lambda phase: phase.id)
def test_a_phase_says_which_hosts_its_playbook_runs_on(phase: phases.Phase) -> None:
    playbook = INSTALLER / "playbooks" / f"{phase.id}.yml"
    if isinstance(phase, phases.Carry):
        assert phase.runs_on is phase.role
    elif playbook.exists():
        hosts = {play["hosts"] for play in yaml.safe_load(playbook.read_text())}
        assert hosts == {phase.runs_on.value if phase.runs_on else "all"}
    else:
        assert phase.runs_on is None
