"""One connection per host for the survey and the run, or one for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.install.phases import Unheld, seen
from ucontact_appliance.facts.runner import Completed, SshRunner, SshSettings
from ucontact_appliance.install import session, surveying
from ucontact_appliance.install.events import nobody
from ucontact_appliance.state import state_paths


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[SshSettings]:
    """The connections by which the servers' locks are held."""
    found: list[SshSettings] = []

    @contextmanager
    def holds(*words: object, **options: object) -> Iterator[Unheld]:
        found.extend(word for word in words if isinstance(word, SshSettings))
        yield Unheld()

    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    monkeypatch.setattr(session, "hold_servers", holds)
    return found


def test_a_session_uses_the_connections_of_the_survey_and_leaves_them_open(
    held: list[SshSettings], tmp_path: Path
) -> None:
    given = SshSettings(tmp_path / "known", tmp_path, 60.0)
    (tmp_path / "socket").touch()
    with session.site_session(seen(), tmp_path / "site.yml", nobody, ssh=given) as opened:
        assert opened.ssh is given
    assert held == [given]
    assert (tmp_path / "socket").exists()


def test_without_them_it_opens_its_own(held: list[SshSettings], tmp_path: Path) -> None:
    with session.site_session(seen(), tmp_path / "site.yml", nobody) as opened:
        folder = opened.ssh.control_dir
        assert folder is not None
        assert folder.is_dir()
    assert held == [opened.ssh]
    assert not folder.exists()


def test_a_survey_takes_the_runs_connections_and_does_not_wait_for_lost_hosts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    used: list[SshSettings] = []

    @contextmanager
    def opens(host: object, ssh: SshSettings) -> Iterator[SshRunner]:
        used.append(ssh)
        yield SshRunner(site.hosts[0], tmp_path / "known", tmp_path)

    site = seen().site
    monkeypatch.setattr(surveying, "runner_for", opens)
    monkeypatch.setattr(surveying, "survey", lambda runner: Completed((), 0, "", "", 0.0))
    given = SshSettings(tmp_path / "known", tmp_path, 60.0)
    surveying.look_at_hosts(site, state_paths(site.site), given)
    assert used == [SshSettings(tmp_path / "known", tmp_path, 0.0)]
