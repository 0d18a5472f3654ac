"""The log of a run: complete, without secrets, and never the reason why an install ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ucontact_appliance.install.log import run_log


def test_lines_are_there_at_once_with_their_secrets_replaced(tmp_path: Path) -> None:
    with run_log(tmp_path / "logs", ["s3cr3tvalue"], print) as (path, log):
        log("password s3cr3tvalue \udcff")
        assert "password [secret]" in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_told_once_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    full = os.open("/dev/full", os.O_WRONLY)
    monkeypatch.setattr("ucontact_appliance.install.log.os.open", lambda *words: full)
    with run_log(tmp_path, [], told.append) as (path, log):
        for number in range(3):
            log(f"line {number}")
    assert told == [f"the log {path} can't be written: No space left on device"]


def test_a_line_after_the_end_goes_nowhere(tmp_path: Path) -> None:
    told: list[str] = []
    with run_log(tmp_path, [], told.append) as (path, log):
        log("in time")
    log("too late")
    assert path.read_text().endswith("in time\n")
    assert told == []
