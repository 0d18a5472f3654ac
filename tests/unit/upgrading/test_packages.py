"""What apt would replace, and that it is installed once, by its phase."""

from __future__ import annotations

import pytest

from tests.unit.install.jobs import job_of
from tests.unit.install.phases import Recorded
from tests.unit.release.samples import manifest_of
from ucontact_appliance.install.job import Job
from ucontact_appliance.upgrading import gates
from ucontact_appliance.upgrading.changes import UpgradeChanges
from ucontact_appliance.upgrading.gates import GatedPhase, Updates
from ucontact_appliance.upgrading.packages import (
    PackageChange,
    PhaseUpdates,
    _phases,
    parse_simulation,
)

# apt's own words.
SIMULATED = """\
Inst nginx-common [1.30.1-1] (1.30.2-1 Debian:unstable [all])
Inst nginx [1.30.1-1] (1.30.2-1 Debian:unstable [amd64]) []
Inst libnew1 (1.0-1 Debian:unstable [amd64])
Remv old-module [1.0] [nginx:amd64 ]
"""
NGINX = PackageChange("nginx", "1.30.1-1", "1.30.2-1")


def updates(phase: str) -> PhaseUpdates:
    return PhaseUpdates("one", phase, ("nginx",), (NGINX,), ("nginx.service",))


def test_the_simulation_names_versions_and_removals() -> None:
    changes, removed = parse_simulation(SIMULATED)
    assert changes == (
        PackageChange("nginx-common", "1.30.1-1", "1.30.2-1"),
        NGINX,
        PackageChange("libnew1", "", "1.0-1"),
    )
    assert removed == ("old-module",)
    assert parse_simulation("") == ((), ())


def test_each_phase_has_the_packages_of_its_services() -> None:
    job = job_of(lambda event: None)
    groups = _phases(job, job.site.hosts[0])
    assert groups["web"] == (("nginx",), ("nginx.service",))
    assert groups["database"][1] == ("mysql.service",)
    assert groups["backend"] == (("openjdk-8-jre-headless",), ("integraserver.service",))
    names, units = groups["telephony"]
    assert {"asterisk", "fail2ban", "odbc-mariadb"} <= set(names)
    assert "tzdata" not in names
    assert "asterisk.service" in units
    assert "packages" not in groups


def test_a_phase_installs_its_updates_once(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def replace_packages(job: Job, point: str, one: PhaseUpdates) -> int:
        done.append(f"{point} {one.phase}")
        return 1

    monkeypatch.setattr(gates, "replace_packages", replace_packages)
    monkeypatch.setattr(gates, "subjects_of", lambda phase: ())
    phase = GatedPhase(
        Recorded("web", done, made_of="same"),
        (),
        Updates("point", (updates("web"), updates("stun"))),
    )
    job = job_of(lambda event: None)
    assert phase.inputs(job) == {"site.a": "same", "package updates": "one nginx 1.30.2-1"}
    assert phase.run(job) == 2
    assert done == ["point web", "web"]
    # What is recorded of the phase does not differ for the next installation.
    assert phase.inputs(job) == {"site.a": "same"}


@pytest.mark.parametrize(("phase", "disturbs"), [("telephony", True), ("web", False)])
def test_calls_are_disturbed_by_what_carries_them(phase: str, disturbs: bool) -> None:
    manifest = manifest_of()
    changes = UpgradeChanges(manifest, manifest, (), (updates(phase),))
    assert changes.anything
    assert changes.disturbs_calls is disturbs
