"""`ucontact upgrade --appliance`: the order of its steps, and what is in use after each end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.unit.release.samples import KEY
from tests.unit.release.test_wheel import make
from ucontact_appliance import __version__
from ucontact_appliance.cli import rollback, upgrade_appliance
from ucontact_appliance.cli.main import app
from ucontact_appliance.cli.upgrade_appliance import ApplianceOrder
from ucontact_appliance.errors import ApplianceError, PhaseFailedError, UsageError
from ucontact_appliance.release.trust import TrustedKeys
from ucontact_appliance.release.wheel import sign_wheel
from ucontact_appliance.upgrading.points import RestorePoint

NEWER = "99.0.0"
OPTIONS = ("--drain=5", "--packages")


@dataclass
class Machine:
    """The machine that installs: what was done, and how the other version's commands end."""

    folder: Path
    done: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=lambda: [0, 0])

    def noted(self, what: str) -> Callable[..., Path]:
        def note(*words: object) -> Path:
            self.done.append(what)
            return self.folder / "opt/ucontact.new"

        return note

    def run(self, words: Sequence[str]) -> int:
        self.done.append(" ".join(words[2:]))
        return self.statuses.pop(0)

    def upgrade(self, version: str = NEWER, *, dry_run: bool = False) -> bool:
        wheel = make(self.folder, version)
        sign_wheel(wheel, KEY)
        order = ApplianceOrder(wheel, None, OPTIONS)
        site = Path("/root/site.yml")
        return upgrade_appliance.upgrade_appliance(site, order, yes=True, dry_run=dry_run)


FORESEEN = "upgrade --dry-run --site /root/site.yml --drain=5 --packages"
UPGRADED = "upgrade --yes --site /root/site.yml --drain=5 --packages"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    prefix = tmp_path / "opt/ucontact"
    trust = TrustedKeys(publishers=(KEY.public_key(),))
    monkeypatch.setattr(upgrade_appliance, "load_trust", lambda: trust)
    monkeypatch.setattr(upgrade_appliance, "demand_environment", lambda: prefix)
    monkeypatch.setattr(upgrade_appliance, "build_next", made.noted("build"))
    monkeypatch.setattr(upgrade_appliance, "take_into_use", made.noted("use"))
    monkeypatch.setattr(upgrade_appliance, "drop", made.noted("drop"))
    monkeypatch.setattr(upgrade_appliance, "_run", made.run)
    return made


def test_the_site_is_upgraded_before_the_version_is_in_use(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert machine.upgrade()
    assert machine.done == ["build", FORESEEN, UPGRADED, "use", "drop"]
    said = capsys.readouterr().err
    assert f"appliance {__version__} -> {NEWER}" in said
    assert "- A thing." in said
    assert f"the appliance is {NEWER}; {__version__} is kept in" in said


@pytest.mark.parametrize(("statuses", "commands"), [([2], 1), ([0, 4], 2), ([0, 130], 2)])
def test_a_site_that_was_not_upgraded_keeps_its_version(
    machine: Machine, statuses: list[int], commands: int
) -> None:
    machine.statuses = list(statuses)
    with pytest.raises(typer.Exit) as caught:
        machine.upgrade()
    assert caught.value.exit_code == statuses[-1]
    assert machine.done == ["build", *(FORESEEN, UPGRADED)[:commands], "drop"]


def test_what_was_killed_may_run_on(machine: Machine) -> None:
    machine.statuses = [0, -9]
    with pytest.raises(PhaseFailedError, match="was killed") as caught:
        machine.upgrade()
    assert caught.value.evidence == "SIGKILL"
    assert caught.value.helps.startswith("ucontact rollback")
    assert machine.done[-1] == UPGRADED


def test_a_dry_run_leaves_nothing(machine: Machine) -> None:
    assert machine.upgrade(dry_run=True)
    assert machine.done == ["build", FORESEEN, "drop"]


def test_an_older_version_is_refused(machine: Machine) -> None:
    with pytest.raises(UsageError, match="is older than this version") as caught:
        machine.upgrade("0.0.1")
    assert "ucontact rollback" in caught.value.helps
    assert machine.done == []


def test_the_version_in_use_goes_on_with_the_site(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(upgrade_appliance, "demand_same_content", lambda wheel: None)
    assert not machine.upgrade(__version__)
    assert machine.done == []
    assert f"the appliance is {__version__} already" in capsys.readouterr().err


def test_a_signal_is_passed_on_and_waited_for(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    script = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *words: sys.exit(7))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def start(words: Sequence[str], **options: object) -> subprocess.Popen[bytes]:
        made = popen(words, stdout=subprocess.PIPE)
        assert made.stdout is not None
        assert made.stdout.readline() == b"ready\n"
        started.append(made)
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
        return made

    monkeypatch.setattr(upgrade_appliance.subprocess, "Popen", start)
    before = signal.getsignal(signal.SIGTERM)
    assert upgrade_appliance._run([sys.executable, "-c", script]) == 7
    assert signal.getsignal(signal.SIGTERM) is before
    assert len(started) == 1


SITE = """\
site: demo
fqdn: demo.ucontact.test
agents: 10
hosts:
  - {name: one, address: 192.0.2.1}
"""


@pytest.fixture
def site_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    path = tmp_path / "site.yml"
    path.write_text(SITE)
    return path


def test_a_hash_without_a_wheel_is_refused(site_file: Path) -> None:
    words = ("upgrade", "--sha256", "0" * 64, "--yes", "--site", str(site_file))
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, ApplianceError)
    assert "--appliance" in error.helps


def test_the_options_of_the_site_go_to_the_other_version(
    site_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders: list[ApplianceOrder] = []

    def upgraded(path: Path, order: ApplianceOrder, **options: bool) -> bool:
        assert (path, options) == (site_file, {"yes": True, "dry_run": False})
        orders.append(order)
        return True

    monkeypatch.setattr("ucontact_appliance.cli.upgrade.upgrade_appliance", upgraded)
    words = ("--appliance", "/a.whl", "--release", "/r.tar.gz", "--incomplete", "--drain", "60")
    done = CliRunner().invoke(app, ("upgrade", *words, "--yes", "--site", str(site_file)))
    assert done.exit_code == 0, done.exception
    options = ("--drain=60", "--release=/r.tar.gz", "--incomplete")
    assert orders == [ApplianceOrder(Path("/a.whl"), None, options)]


def point(appliance: str) -> RestorePoint:
    return RestorePoint(
        id="20261130T204500Z",
        created=datetime(2026, 11, 30, 20, 45, tzinfo=timezone.utc),
        appliance=appliance,
        release=None,
        title="acme 5.1",
        goal="acme 5.1",
        hosts=("one",),
    )


@pytest.mark.parametrize(
    ("appliance", "kept", "told"),
    [
        (__version__, True, ""),
        ("0.0.9", True, "the appliance is 0.0.9 again"),
        ("0.0.9", False, "the appliance is still"),
    ],
)
def test_a_rollback_brings_the_appliance_back(
    site_file: Path, monkeypatch: pytest.MonkeyPatch, appliance: str, kept: bool, told: str
) -> None:
    swapped: list[Path] = []
    previous = site_file.parent / "ucontact.previous"
    monkeypatch.setattr(rollback, "interrupted_upgrade", lambda paths: None)
    monkeypatch.setattr(rollback, "find_point", lambda *words: point(appliance))
    for name in ("demand_whole", "demand_own"):
        monkeypatch.setattr(rollback, name, lambda *words: None)
    monkeypatch.setattr(rollback, "marks_of", lambda cas: None)
    monkeypatch.setattr(rollback, "look", lambda *words: type("Seen", (), {"cas": ()}))
    monkeypatch.setattr(rollback, "roll_back", lambda *words, **options: point(appliance))
    monkeypatch.setattr(rollback, "environment_of", lambda version: previous if kept else None)
    monkeypatch.setattr(rollback, "return_to", lambda path, prefix: swapped.append(path))
    done = CliRunner().invoke(app, ("rollback", "--yes", "--site", str(site_file)))
    assert done.exit_code == 0, done.exception
    assert swapped == ([previous] if "again" in told else [])
    assert told in done.output
