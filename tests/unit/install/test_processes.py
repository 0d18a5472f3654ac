"""What ends a run ends all that it started."""

from __future__ import annotations

import subprocess
import threading

import pytest

from ucontact_appliance.install import processes as module
from ucontact_appliance.install.processes import Processes


def watch(processes: Processes, command: str) -> tuple[threading.Thread, subprocess.Popen[str]]:
    """That shell command, waited for in a thread of its own, once it is ready or gone."""
    process = subprocess.Popen(
        ["sh", "-c", command], text=True, stdout=subprocess.PIPE, start_new_session=True
    )

    def wait() -> None:
        with processes.watched(process):
            process.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    return thread, process


def test_all_are_told_to_end() -> None:
    processes = Processes()
    watched = [watch(processes, "echo ready; sleep 600") for _ in range(2)]
    processes.end()
    for thread, process in watched:
        thread.join(timeout=10)
        assert process.returncode == -15


def test_one_that_does_not_listen_is_ended_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STOP_SECONDS", 0.2)
    processes = Processes()
    thread, process = watch(processes, "trap '' TERM; echo ready; while :; do sleep 0.1; done")
    processes.end()
    thread.join(timeout=10)
    assert process.returncode == -9


def test_one_that_starts_after_the_end_ends_too() -> None:
    processes = Processes()
    processes.end()
    thread, process = watch(processes, "echo ready; sleep 600")
    thread.join(timeout=10)
    assert process.returncode == -15
