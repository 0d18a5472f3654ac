"""Told to end, a command cleans up as it does after Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ucontact_appliance.cli.signals import TerminatedBySignal, orderly_end

# A command that holds a folder while it works, as an install holds its secrets.
SCRIPT = """
import signal, tempfile, time
from pathlib import Path
from ucontact_appliance.cli import main as cli

def work(standalone_mode):
    with tempfile.TemporaryDirectory(dir={folder!r}):
        Path({ready!r}).touch()
        time.sleep(60)

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored where the tests were begun by nohup
cli.app = work
cli.main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_term_and_hup_clean_up_and_have_their_exit_code(
    tmp_path: Path, number: signal.Signals
) -> None:
    folder, ready = tmp_path / "held", tmp_path / "ready"
    folder.mkdir()
    script = SCRIPT.format(folder=str(folder), ready=str(ready))
    running = subprocess.Popen(
        [sys.executable, "-c", script], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not ready.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 128 + number
    assert list(folder.iterdir()) == []
    assert f"ended by {number.name}" in said
    assert "Traceback" not in said


def test_what_is_ignored_stays_ignored_and_all_is_put_back() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with orderly_end():
            os.kill(os.getpid(), signal.SIGHUP)
        with pytest.raises(TerminatedBySignal), orderly_end():
            signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
