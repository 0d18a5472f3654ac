"""The order of an upgrade: kept, changed, proved; on failure back, by itself or by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.unit.install.phases import RELEASE, Recorded, Unheld, fail, seen
from tests.unit.release.samples import manifest_of
from ucontact_appliance import __version__
from ucontact_appliance.errors import PhaseFailedError, UsageError
from ucontact_appliance.install import run as install_run
from ucontact_appliance.install import session
from ucontact_appliance.install.events import nobody
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.journal import load_journal, save_journal
from ucontact_appliance.install.phases import Phase
from ucontact_appliance.install.run import install
from ucontact_appliance.install.upgrade_journal import (
    UpgradeStage,
    load_upgrade,
    save_upgrade,
)
from ucontact_appliance.state import StatePaths, state_paths
from ucontact_appliance.upgrading import gates, returning, rollback, run
from ucontact_appliance.upgrading.changes import UpgradeChanges, demand_installed
from ucontact_appliance.upgrading.points import load_points
from ucontact_appliance.upgrading.rollback import recover, roll_back
from ucontact_appliance.upgrading.run import UpgradeOrder, upgrade
from ucontact_appliance.upgrading.watch import Interruption

OLD, NEW = manifest_of(version="5.1"), manifest_of(version="5.2")
TEXT = """\
site: demo  # ours
fqdn: demo.ucontact.test
agents: 10
hosts:
  - {name: one, address: 192.0.2.10}
"""


@dataclass
class World:
    """A site without servers: what was done, and what is to happen."""

    site_file: Path
    phases: tuple[Phase, ...] = ()
    done: list[str] = field(default_factory=list)
    sick: list[str] = field(default_factory=list)  # what the health checks say, one after the other
    judges: list[str] = field(default_factory=list)  # whose checks were asked
    broken: list[str] = field(default_factory=list)  # what goes wrong on the servers

    @property
    def paths(self) -> StatePaths:
        return state_paths("demo")

    @property
    def stage(self) -> UpgradeStage | None:
        journal = load_upgrade(self.paths.upgrade)
        return journal.stage if journal else None

    def act(self, what: str) -> Callable[..., None]:
        def acted(*words: object) -> None:
            self.done.append(what)
            if what in self.broken:
                raise PhaseFailedError(f"{what} failed", evidence="the server's own words")

        return acted

    def upgrade(self, release: str | None = "/srv/acme-5.2.tar.gz") -> Any:
        order = UpgradeOrder(release)
        return upgrade(seen(), self.site_file, RELEASE, order, nobody)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    site_file = tmp_path / "site.yml"
    site_file.write_text(TEXT)
    made = World(site_file)

    @contextmanager
    def hold(*words: object, **options: object) -> Iterator[Unheld]:
        yield Unheld()

    @contextmanager
    def watching(*words: object) -> Iterator[Callable[[], Interruption]]:
        yield lambda: Interruption(3.0, None)

    def healthy(job: Job, what: str, *, tries: int = 1, appliance: str) -> None:
        made.done.append("judge")
        if made.sick and made.sick.pop(0):
            raise PhaseFailedError(what, evidence="a check")
        made.judges.append(appliance)

    monkeypatch.setattr(session, "hold_servers", hold)
    for module in (run, returning):
        monkeypatch.setattr(module, "demand_healthy_site", healthy)
    for module in (install_run, run):
        monkeypatch.setattr(module, "seal_state", lambda job: None)
        monkeypatch.setattr(module, "unpacked_asterisk", lambda *words: None)
    monkeypatch.setattr(run, "keep_servers", made.act("keep"))
    monkeypatch.setattr(run, "keep_packages", lambda *words, **options: None)
    monkeypatch.setattr(returning, "return_servers", made.act("return"))
    for module in (run, rollback):
        monkeypatch.setattr(module, "drop_servers", lambda hosts, points, ssh: None)
    monkeypatch.setattr(run, "watching", watching)
    monkeypatch.setattr(run, "demand_installed", lambda job: load_journal(made.paths.journal))
    monkeypatch.setattr(run, "upgrade_changes", lambda job, **options: UpgradeChanges(OLD, NEW, ()))
    monkeypatch.setattr(gates, "subjects_of", lambda phase: ())
    made.phases = (
        Recorded("look", made.done),
        Recorded("work", made.done),
        Recorded("prove", made.done),
    )
    monkeypatch.setattr(run, "gated", lambda phases, updates: made.phases)
    install(seen(), site_file, RELEASE, nobody, phases=made.phases)
    made.done.clear()
    return made


def failing(world: World, act: Callable[[Job], int] = fail) -> None:
    look, _work, last = world.phases
    world.phases = (look, Recorded("work", world.done, act), last)


def test_a_good_upgrade(world: World) -> None:
    done = world.upgrade()
    assert world.done == ["judge", "keep", "look", "work", "prove"]
    assert world.stage is UpgradeStage.DONE
    assert world.site_file.read_text() == f"{TEXT}release: /srv/acme-5.2.tar.gz\n"
    assert done.interruption == Interruption(3.0, None)
    (point,) = load_points(world.paths)
    assert (point.title, point.goal, point.release) == ("acme 5.1", "acme 5.2", None)


def test_a_failed_phase_brings_everything_back(world: World) -> None:
    before = world.paths.journal.read_bytes()
    failing(world)
    with pytest.raises(PhaseFailedError) as caught:
        world.upgrade()
    assert world.done == ["judge", "keep", "look", "work", "return", "judge"]
    assert world.stage is UpgradeStage.RETURNED
    assert world.site_file.read_text() == TEXT
    assert world.paths.journal.read_bytes() == before
    assert "the site is back at acme 5.1, and healthy" in caught.value.what
    assert "host one: Start it" in caught.value.what
    assert "the real message" in caught.value.evidence
    assert caught.value.exit_code == 4
    install(seen(), world.site_file, RELEASE, nobody, phases=world.phases[:1])


def test_ctrl_c_brings_everything_back(world: World) -> None:
    def interrupted(job: Job) -> int:
        raise KeyboardInterrupt

    failing(world, interrupted)
    with pytest.raises(KeyboardInterrupt):
        world.upgrade()
    assert world.done[-2:] == ["return", "judge"]
    assert world.stage is UpgradeStage.RETURNED


def test_a_sick_site_is_not_upgraded(world: World) -> None:
    world.sick = ["yes"]
    with pytest.raises(PhaseFailedError, match="nothing was changed"):
        world.upgrade()
    assert world.done == ["judge"]
    assert world.stage is None


def test_without_a_restore_point_nothing_is_changed(world: World) -> None:
    world.broken = ["keep"]
    with pytest.raises(PhaseFailedError, match="keep failed"):
        world.upgrade()
    assert world.done == ["judge", "keep"]
    assert world.stage is UpgradeStage.RETURNED
    assert load_points(world.paths) == ()


def test_a_way_back_that_fails_is_gone_again_by_hand(world: World) -> None:
    failing(world)
    world.broken = ["return"]
    with pytest.raises(PhaseFailedError) as caught:
        world.upgrade()
    assert "going back failed too: return failed" in caught.value.what
    assert "the real message" in caught.value.evidence
    assert "the server's own words" in caught.value.evidence
    assert caught.value.helps.startswith(f"ucontact rollback --site {world.site_file}")
    assert world.stage is UpgradeStage.RETURNING
    with pytest.raises(UsageError, match="was interrupted") as refused:
        install(seen(), world.site_file, RELEASE, nobody, phases=world.phases)
    assert "ucontact rollback" in refused.value.helps

    world.broken = []
    world.done.clear()
    done = recover(seen(), world.site_file, nobody)
    assert done is not None
    assert done.point is not None
    assert world.done == ["return", "judge"]
    assert world.stage is UpgradeStage.RETURNED
    assert recover(seen(), world.site_file, nobody) is None


def test_a_site_that_is_back_but_sick_is_reported(world: World) -> None:
    failing(world)
    world.sick = ["", "yes"]
    with pytest.raises(PhaseFailedError, match="the site is back, but not healthy"):
        world.upgrade()
    assert world.stage is UpgradeStage.RETURNED  # an installation may repair it


@pytest.mark.parametrize(
    ("stage", "acts", "release"),
    [
        (UpgradeStage.PREPARING, [], ""),
        (UpgradeStage.CHANGING, ["return", "judge"], ""),
        (UpgradeStage.RETURNING, ["return", "judge"], ""),
        (UpgradeStage.PROVED, [], "release: /srv/acme-5.2.tar.gz\n"),
    ],
)
def test_an_interrupted_upgrade_is_ended(
    world: World, stage: UpgradeStage, acts: list[str], release: str
) -> None:
    world.upgrade()
    world.site_file.write_text(TEXT)
    journal = load_upgrade(world.paths.upgrade)
    assert journal is not None
    save_upgrade(world.paths.upgrade, journal.at(stage))
    world.done.clear()
    done = recover(seen(), world.site_file, nobody)
    assert done is not None
    assert done.finished is (stage is UpgradeStage.PROVED)
    assert world.done == acts
    assert world.site_file.read_text() == TEXT + release
    assert world.stage in (UpgradeStage.DONE, UpgradeStage.RETURNED)


def test_back_by_hand(world: World) -> None:
    world.upgrade()
    world.site_file.write_text(world.site_file.read_text().replace("agents: 10", "agents: 11"))
    world.done.clear()
    point = roll_back(seen(), world.site_file, None, nobody)
    assert point.title == "acme 5.1"
    assert world.done == ["return", "judge"]
    # Later changes of site.yml stay; `ucontact apply` installs them.
    assert world.site_file.read_text() == TEXT.replace("agents: 10", "agents: 11")
    assert world.stage is UpgradeStage.RETURNED


def test_a_newer_appliance_leaves_the_judgement_to_the_one_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter(("20261130T204500Z", "20261130T204501Z"))
    monkeypatch.setattr(run, "new_id", lambda now: next(names))
    journal = load_journal(world.paths.journal)
    before = journal.model_copy(update={"inputs": {**journal.inputs, "appliance": "0.0.9"}})
    save_journal(world.paths.journal, before)
    world.upgrade(None)
    assert load_journal(world.paths.journal).appliance == __version__
    world.upgrade(None)
    newest, first = load_points(world.paths)
    assert (newest.appliance, first.appliance) == (__version__, "0.0.9")
    roll_back(seen(), world.site_file, first.id, nobody)
    assert world.judges == ["0.0.9", __version__, "0.0.9"]
    assert load_journal(world.paths.journal) == before


def test_two_restore_points_are_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    names = iter(f"20261130T20450{number}Z" for number in range(4))
    monkeypatch.setattr(run, "new_id", lambda now: next(names))
    for _again in range(4):
        world.upgrade(None)
    assert [one.id[-2] for one in load_points(world.paths)] == ["3", "2"]


def test_only_what_is_installed_is_upgraded(world: World) -> None:
    class Fake:
        paths, site, site_file, moves = world.paths, seen(12).site, world.site_file, ()

    with pytest.raises(UsageError, match="changes that are not installed") as caught:
        demand_installed(Fake())  # type: ignore[arg-type]
    assert "+agents: 12" in caught.value.evidence
    Fake.site = seen().site.model_copy(update={"release": "/srv/acme-5.2.tar.gz"})
    assert demand_installed(Fake()) == load_journal(world.paths.journal)  # type: ignore[arg-type]
