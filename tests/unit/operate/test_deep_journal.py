import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.unit.sites import small_site
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.operate import deep_journal
from ucontact_appliance.operate.deep_journal import (
    DeepJournal,
    left_behind,
    new_mark,
    own_run,
    sweep,
    write_journal,
)
from ucontact_appliance.operate.installed import Installed
from ucontact_appliance.operate.traces import MarkedTraces
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.secrets import Secrets
from ucontact_appliance.state import StatePaths

_MARK = "0123456789ab"
_GONE = MarkedTraces(channels=1, contacts=0, recordings=1, rows=2)


def _site(folder: Path) -> Installed:
    site = small_site()
    paths = StatePaths(folder / "etc", folder / "var")
    return Installed(site, folder / "site.yml", make_plan(site, {}), Secrets({}), paths)


def _calls(here: Installed) -> Path:
    return here.paths.var / "calls"


def _dead(here: Installed, mark: str = _MARK, pid: int = 2**22 + 1) -> Path:
    path = write_journal(_calls(here), mark)
    path.write_text(DeepJournal(mark=mark, pid=pid, started=1.0).model_dump_json())
    return path


def test_a_mark_is_new_each_time_and_fits_an_account_code() -> None:
    assert new_mark() != new_mark()
    assert len(f"{new_mark()}trunk") <= 20


def test_a_running_process_keeps_its_journal_to_itself(tmp_path: Path) -> None:
    path = write_journal(tmp_path, _MARK)
    assert path.stat().st_mode & 0o777 == 0o600
    assert left_behind(tmp_path) == ()


def test_another_process_with_the_same_id_is_not_the_one(tmp_path: Path) -> None:
    path = write_journal(tmp_path, _MARK)
    own = DeepJournal.model_validate_json(path.read_text())
    assert own.pid == os.getpid()
    path.write_text(own.model_copy(update={"started": own.started - 60}).model_dump_json())
    ((found, journal),) = left_behind(tmp_path)
    assert (found, journal.mark) == (path, _MARK)


@pytest.mark.parametrize("text", ["", "{", '{"mark": "x"}'])
def test_a_torn_journal_still_names_its_mark(tmp_path: Path, text: str) -> None:
    path = write_journal(tmp_path, _MARK)
    path.write_text(text)
    ((_, journal),) = left_behind(tmp_path)
    assert journal.mark == _MARK


def test_other_files_are_let_alone(tmp_path: Path) -> None:
    (tmp_path / "deep-notes.json").write_text("{}")
    (tmp_path / "deep-XYZ456789abc.json").write_text("{}")
    assert left_behind(tmp_path) == ()
    assert left_behind(tmp_path / "nowhere") == ()


def test_what_a_killed_run_left_is_taken_away_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = _site(tmp_path)
    path = _dead(here)
    asked = []
    monkeypatch.setattr(
        deep_journal, "remove_run", lambda site, mark, ssh: asked.append(mark) or _GONE
    )
    (told,) = sweep(here)
    assert told == "an earlier run was killed; removed now: 1 call, 1 recording, 2 call records"
    assert asked == [_MARK]
    assert not path.exists()
    assert sweep(here) == ()


def test_while_a_server_is_out_of_reach_the_journal_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(here: Installed, mark: str, *ssh: object) -> MarkedTraces:
        raise UnreachableError("host one can't be reached")

    here = _site(tmp_path)
    path = _dead(here)
    monkeypatch.setattr(deep_journal, "remove_run", refuse)
    (told,) = sweep(here)
    assert "can't be removed yet: host one can't be reached" in told
    assert path.exists()


def test_a_run_takes_away_its_own_and_then_forgets_its_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = _site(tmp_path)
    asked = []
    monkeypatch.setattr(
        deep_journal, "remove_run", lambda site, mark, ssh: asked.append(mark) or _GONE
    )
    with own_run(here) as mark:
        assert [path.name for path in _calls(here).iterdir()] == [f"deep-{mark}.json"]
        assert asked == []
    assert asked == [mark]
    assert list(_calls(here).iterdir()) == []


def test_a_run_that_breaks_off_leaves_its_journal_to_the_next(tmp_path: Path) -> None:
    here = _site(tmp_path)
    with pytest.raises(KeyboardInterrupt), own_run(here):
        raise KeyboardInterrupt
    assert len(list(_calls(here).iterdir())) == 1


def test_what_is_removed_is_asked_of_the_right_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = _site(tmp_path)
    seen = []
    monkeypatch.setattr(
        deep_journal,
        "remove_marked",
        lambda calls, rows, mark: seen.append((calls.host.name, rows.host.name, mark)) or _GONE,
    )
    host = here.site.hosts[0]
    site = replace(here, site=SimpleNamespace(hosts=[host]))  # type: ignore[arg-type]
    assert deep_journal.remove_run(site, _MARK) == _GONE
    assert seen == [(host.name, host.name, _MARK)]
