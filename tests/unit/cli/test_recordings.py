"""`ucontact recordings`: what is shown, what is refused, and the exit codes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.facts.test_recording_accesses import ACCESS
from tests.unit.operate.test_recordings import CALL, PATH, ROW
from ucontact_appliance.cli import recordings
from ucontact_appliance.cli.main import main
from ucontact_appliance.facts.indexed_recordings import RecordingFilter, parse_recordings
from ucontact_appliance.operate.installed import save_plan
from ucontact_appliance.operate.recordings import VerifiedRecording
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.loader import load_site
from ucontact_appliance.state import state_paths

SITE = "site: demo\nfqdn: c.example.com\nagents: 10\nhosts:\n  - {name: one, address: 192.0.2.10}\n"
FOUND = parse_recordings([json.dumps(ROW)])


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("UCONTACT_ETC", str(tmp_path / "etc"))
    monkeypatch.setenv("UCONTACT_VAR", str(tmp_path / "var"))
    monkeypatch.setattr(recordings, "require_root", lambda: None)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "here.yml"
    path.write_text(SITE)
    loaded = load_site(path)
    save_plan(state_paths(loaded.site), make_plan(loaded, {}))
    return str(path)


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["ucontact", "recordings", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_the_list(
    site: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[RecordingFilter] = []

    def found(here: Any, wanted: RecordingFilter) -> Any:
        asked.append(wanted)
        return FOUND

    monkeypatch.setattr(recordings.work, "find_recordings", found)
    assert run(monkeypatch, "list", "--number", "6001", "--site", site, "--json") == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["uniqueid"], shown["started"]) == (CALL, "2026-11-28T22:34:04+00:00")
    assert asked[0].number == "6001"
    assert run(monkeypatch, "list", "--site", site) == 0
    assert CALL in capsys.readouterr().out.replace("\n", "")


def test_who_asked_for_recordings(
    site: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [ACCESS]
    monkeypatch.setattr(recordings.work, "accesses", lambda here, call, limit: rows[:limit])
    assert run(monkeypatch, "accesses", CALL, "--site", site, "--json") == 0
    (shown,) = json.loads(capsys.readouterr().out)
    assert (shown["user"], shown["time"]) == ("supervisor", "2026-11-30T12:00:01+00:00")
    assert run(monkeypatch, "accesses", "--site", site) == 0
    assert "192.0.2.9" in capsys.readouterr().out
    rows.clear()
    assert run(monkeypatch, "accesses", "--site", site) == 0
    assert "nobody has asked" in capsys.readouterr().out


def test_accesses_of_what_is_no_call_are_refused(
    site: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "accesses", "1' or 1", "--site", site) == 2
    assert "1' or 1" in capsys.readouterr().err


def test_a_day_that_is_none_is_refused(
    site: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "list", "--since", "yesterday", "--site", site) == 2
    assert "--since: 'yesterday' is no day" in capsys.readouterr().err


def test_a_hold_needs_a_reason(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "hold", CALL, "--site", site) == 2


def test_a_hold_has_the_name_of_who_is_logged_in(
    site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[Sequence[str]] = []

    def hold(here: Any, call: str, reason: str, by: str) -> Any:
        held.append((call, reason, by))
        return FOUND

    monkeypatch.setattr(recordings.work, "hold", hold)
    monkeypatch.setenv("SUDO_USER", "ana")
    assert run(monkeypatch, "hold", CALL, "--reason", "case", "--site", site) == 0
    assert run(monkeypatch, "hold", CALL, "--reason", "c", "--by", "B", "--site", site) == 0
    assert held == [(CALL, "case", "ana"), (CALL, "c", "B")]


@pytest.mark.parametrize(("digest", "status"), [(ROW["sha256"], 0), ("0" * 64, 1), ("", 1)])
def test_verification_ends_with_its_result(
    site: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    digest: str,
    status: int,
) -> None:
    monkeypatch.setattr(recordings.work, "of_call", lambda here, call: FOUND)
    monkeypatch.setattr(
        recordings.work,
        "verify",
        lambda here, rows: tuple(VerifiedRecording(row, digest) for row in rows),
    )
    assert run(monkeypatch, "verify", CALL, "--site", site) == status
    shown = capsys.readouterr()
    assert (PATH in shown.err) is bool(status)


def test_without_a_call_what_is_held_is_verified(
    site: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def found(here: Any, wanted: RecordingFilter) -> Any:
        assert wanted.held
        return (replace(FOUND[0], legal_hold=True),)

    monkeypatch.setattr(recordings.work, "find_recordings", found)
    monkeypatch.setattr(
        recordings.work,
        "verify",
        lambda here, rows: tuple(VerifiedRecording(row, row.sha256) for row in rows),
    )
    assert run(monkeypatch, "verify", "--site", site, "--json") == 0
    assert json.loads(capsys.readouterr().out)[0]["intact"] is True
