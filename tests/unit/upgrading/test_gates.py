"""Each phase is behind all before it, and fails when the checks of its components do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.unit.install.jobs import job_of
from tests.unit.install.phases import Recorded
from ucontact_appliance.checks.model import Finding, Severity, Verdict
from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.install.phases import INSTALL
from ucontact_appliance.language.messages import verbatim
from ucontact_appliance.upgrading import gates
from ucontact_appliance.upgrading.gates import (
    GatedPhase,
    Updates,
    demand_healthy_site,
    gated,
    subjects_of,
)


def finding(verdict: Verdict) -> Finding:
    return Finding(
        id="backend.service",
        title=verbatim("it runs"),
        verdict=verdict,
        severity=Severity.CRITICAL,
        requirements=(),
        host="one",
        observed=verbatim("it does not run"),
        required=verbatim(""),
        evidence="",
        remedy="restart it",
        seconds=0.1,
    )


def test_the_first_and_the_last_phase_have_no_gate() -> None:
    made = gated(INSTALL, Updates())
    assert [phase.id for phase in made] == [phase.id for phase in INSTALL]
    kinds = [isinstance(phase, GatedPhase) for phase in made]
    assert kinds == [False, *[True] * (len(made) - 2), False]
    assert made[3].after == tuple(phase.id for phase in INSTALL[:3])


def test_services_are_judged_by_their_own_checks() -> None:
    found = {phase.id: subjects_of(phase.id) for phase in INSTALL}
    assert found["backend"] == ("backend",)
    assert found["web"] == ("web",)
    assert found["database"] == ("mysql",)
    assert "asterisk" in found["telephony"]
    assert found["packages"] == ()


def judging(verdicts: Sequence[Verdict], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let the checks come to these verdicts, one run after the other; return what was asked."""
    left, asked = list(verdicts), []

    def run_checks(*words: object, only: Sequence[str], **more: object) -> tuple[Finding, ...]:
        asked.append(tuple(only))
        return (finding(left.pop(0)),)

    monkeypatch.setattr(gates, "run_checks", run_checks)
    monkeypatch.setattr(gates, "_PAUSE_SECONDS", 0.0)
    return asked


def test_a_service_has_some_time_to_come_up(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = judging([Verdict.FAIL, Verdict.ERROR, Verdict.WARN], monkeypatch)
    ran: list[str] = []
    assert GatedPhase(Recorded("backend", ran), (), Updates()).run(job_of(lambda event: None)) == 1
    assert ran == ["backend"]
    assert asked == [("backend",)] * 3


def test_a_phase_fails_with_its_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    judging([Verdict.FAIL] * 4, monkeypatch)
    with pytest.raises(PhaseFailedError) as caught:
        GatedPhase(Recorded("backend", []), (), Updates()).run(job_of(lambda event: None))
    assert "backend.service" in caught.value.evidence
    assert caught.value.helps == "restart it"


def test_a_phase_without_a_service_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = judging([], monkeypatch)
    GatedPhase(Recorded("base", []), (), Updates()).run(job_of(lambda event: None))
    assert asked == []


def kept(folder: Path, *statuses: int) -> Path:
    """An environment whose doctor ends with these statuses, one after the other; it notes runs."""
    rows = [
        {"host": "one", "id": "web.up", "verdict": "fail", "observed": "it is down"},
        {"host": "one", "id": "web.tls", "verdict": "pass", "observed": "it is well"},
    ]
    (folder / "answer").write_text(json.dumps({"findings": rows}))
    (folder / "statuses").write_text("".join(f"{status}\n" for status in statuses))
    (folder / "bin").mkdir()
    python = folder / "bin/python"
    python.write_text(
        f'#!/bin/bash\ncd {folder}; echo "$*" >>ran; read -r status <statuses; '
        "sed -i 1d statuses; cat answer; exit $status\n"
    )
    python.chmod(0o755)
    return folder


@pytest.mark.parametrize(("statuses", "good"), [((0,), True), ((1, 0), True), ((1, 3), False)])
def test_the_version_that_installed_the_site_judges_it(
    statuses: tuple[int, ...], good: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = kept(tmp_path, *statuses)
    asked: list[str] = []

    def environment_of(version: str) -> Path:
        asked.append(version)
        return prefix

    monkeypatch.setattr(gates, "environment_of", environment_of)
    monkeypatch.setattr(gates, "examined", lambda *words: pytest.fail("own checks"))
    monkeypatch.setattr(gates, "_PAUSE_SECONDS", 0.0)
    job = job_of(lambda event: None)
    if good:
        demand_healthy_site(job, "it is sick", tries=2, appliance="1.1.0")
    else:
        with pytest.raises(PhaseFailedError, match="it is sick") as caught:
            demand_healthy_site(job, "it is sick", tries=2, appliance="1.1.0")
        assert caught.value.evidence == "one: web.up: it is down"
    assert asked == ["1.1.0"]
    ran = (tmp_path / "ran").read_text().splitlines()
    assert ran == [f"{prefix}/bin/ucontact doctor --deep --json --site {job.site_file}"] * len(
        statuses
    )


def test_where_that_version_is_not_kept_own_checks_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "environment_of", lambda version: None)
    monkeypatch.setattr(gates, "_PAUSE_SECONDS", 0.0)
    left = [Verdict.FAIL, Verdict.PASS]
    monkeypatch.setattr(gates, "examined", lambda *words: (finding(left.pop(0)),))
    demand_healthy_site(job_of(lambda event: None), "it is sick", tries=2, appliance="1.1.0")
    assert left == []


def test_a_doctor_that_does_not_start_finds_nobody_healthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "environment_of", lambda version: tmp_path)
    with pytest.raises(PhaseFailedError) as caught:
        demand_healthy_site(job_of(lambda event: None), "it is sick", appliance="1.1.0")
    assert "No such file" in caught.value.evidence
