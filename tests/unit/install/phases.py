"""Installations of phases that only write down that they ran, on servers that are not there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.unit.sites import small_site
from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.facts.survey import Survey
from ucontact_appliance.install.events import Event
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.phases import Phase, Unpredictable
from ucontact_appliance.install.run import install
from ucontact_appliance.install.surveying import Surveyed
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.release.store import ReleaseFiles

RELEASE = ReleaseFiles(archive=Path("a.tar.gz"), manifest=Path("manifest.json"), sha256="0" * 64)


@dataclass(frozen=True)
class Recorded:
    """A phase that writes down that it ran."""

    id: str
    ran: list[str]
    act: Callable[[Job], int] = lambda job: 1
    title: str = "A phase"
    wanted: bool = True
    runs_on: Role | None = None
    after: tuple[str, ...] = ()
    alone: bool = True
    previewed: int | Unpredictable = 7
    made_of: str | None = None

    def inputs(self, job: Job) -> Mapping[str, str] | None:
        return None if self.made_of is None else {"site.a": self.made_of}

    def needed(self, job: Job) -> bool:
        return self.wanted

    def run(self, job: Job) -> int:
        self.ran.append(self.id)
        return self.act(job)

    def preview(self, job: Job) -> int | Unpredictable:
        return self.previewed


def fail(job: Job) -> int:
    raise PhaseFailedError("host one: Start it", evidence="the real message")


class Unheld:
    """The locks of servers that there are none of (tests/unit/install/test_server_lock.py)."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def ended_by(self, end: Callable[[], None]) -> None:
        self.told.append("ended_by")

    def demand(self) -> None:
        return

    def begin(self) -> None:
        self.told.append("begin")

    def finish(self, *, well: bool) -> None:
        self.told.append("well" if well else "not well")


def seen(agents: int = 10) -> Surveyed:
    site = small_site(agents=agents)
    survey = Survey("debian", "", "Debian sid", 8192)
    return Surveyed(site, {"one": survey}, {"one": "192.0.2.10"}, make_plan(site, {}))


def installed(
    site_file: Path, phases: tuple[Phase, ...], agents: int = 10, **options: bool
) -> list[Event]:
    events: list[Event] = []
    install(seen(agents), site_file, RELEASE, events.append, phases=phases, **options)
    return events
