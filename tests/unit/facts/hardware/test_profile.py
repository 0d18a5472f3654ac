"""The probe itself, run on this machine: what it reads, writes and takes away."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.hardware.profile import far_profile, here_profile, host_profiles
from ucontact_appliance.facts.hardware.records import (
    Card,
    ClockDiscipline,
    Cpu,
    Disk,
    Filesystem,
    InstalledMemory,
    Nic,
    Route,
    WriteLatency,
)
from ucontact_appliance.facts.runner import LocalRunner
from ucontact_appliance.resources import INSTALLER, ROOT
from ucontact_appliance.site.model import Host

_PARTS = (Card, ClockDiscipline, Cpu, Disk, Filesystem, InstalledMemory, Nic, Route, WriteLatency)
PROBE = INSTALLER / "probes" / "hardware.py"


def test_psutil_and_netifaces_agree_with_the_far_probe_on_this_machine() -> None:
    here = here_profile(LocalRunner())
    far = far_profile(LocalRunner(), pythons=(sys.executable,))
    assert here.cpu.threads == far.cpu.threads == psutil.cpu_count()
    assert here.cpu.cores == far.cpu.cores
    assert here.memory == far.memory
    # File systems and interfaces of other tests' machines come and go between the two looks.
    mounts = [{row.mount: replace(row, free_mb=0) for row in p.filesystems} for p in (here, far)]
    assert "/" in mounts[0].keys() & mounts[1].keys()
    for mount in mounts[0].keys() & mounts[1].keys():
        assert mounts[0][mount] == mounts[1][mount]
    routed = {route.interface for route in (here.route4, here.route6) if route}
    assert [nic for nic in here.nics if nic.name in routed] == [
        nic for nic in far.nics if nic.name in routed
    ]
    assert here.route4 == far.route4


def test_the_probe_prints_one_document_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, PROBE, "5", "3", f"database={folder}/mysql", f"recordings={folder}"],
        capture_output=True,
        text=True,
        check=True,
    )
    (row,) = json.loads(done.stdout)["writes"]
    assert (row["uses"], row["folder"], row["error"]) == (
        ["database", "recordings"],
        str(folder),
        "",
    )
    assert len(row["seconds"]) == 5
    assert list(folder.iterdir()) == []


def test_a_probe_that_is_stopped_takes_its_file_away(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, PROBE, "1000000", "30", f"x={tmp_path}"]) as running:
        deadline = time.monotonic() + 20
        while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert list(tmp_path.iterdir())
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_a_probe_takes_away_what_a_killed_one_left_and_nothing_else(tmp_path: Path) -> None:
    old, young, other = (
        tmp_path / name for name in (".ucontact-profile-a", ".ucontact-profile-b", "data")
    )
    for path in (old, young, other):
        path.write_text("x")
    for path in (old, other):
        os.utime(path, (0, 0))
    words = [sys.executable, PROBE, "1", "1", f"x={tmp_path}"]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    assert sorted(tmp_path.iterdir()) == [young, other]


def test_every_key_of_the_document_is_explained() -> None:
    explained = (ROOT / "docs" / "profile.md").read_text(encoding="utf-8")
    document = asdict(here_profile(LocalRunner()))
    keys = {*document, *(key for kind in _PARTS for key in kind.__dataclass_fields__)}
    assert [key for key in sorted(keys) if f"`{key}`" not in explained] == []


def test_a_host_without_python_is_told() -> None:
    with pytest.raises(UnreachableError) as caught:
        far_profile(LocalRunner(), pythons=("python-that-is-not-there",))
    assert "none of these is there: python-that-is-not-there" in caught.value.evidence
    assert "python3-minimal" in caught.value.helps


def test_hosts_out_of_reach_are_told_beside_the_others(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        hosts = [
            Host(name="here", address="local"),
            Host(name="away", address="127.0.0.1", port=closed.getsockname()[1]),
        ]
        found = host_profiles(hosts, tmp_path / "known_hosts")
    assert list(found) == ["here", "away"]
    assert not isinstance(found["here"], UnreachableError)
    away = found["away"]
    assert isinstance(away, UnreachableError)
    assert "host away (127.0.0.1) can't be reached" in away.what
