"""The package manager's state, parsed; a real lock is seen with its holder."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.facts import dpkg
from ucontact_appliance.facts.dpkg import LockHolder, PackageManager, parse_package_manager

BUSY = """\
---- holders
4711 /var/lib/dpkg/lock-frontend unattended-upgr
4711 /var/lib/dpkg/lock unattended-upgr
812 /var/lib/apt/lists/lock apt-get
---- journal
---- audit
"""
AUDIT = """\
The following packages are only half configured, probably due to problems
configuring them the first time.  The configuration should be retried using
dpkg --configure <package> or the configure menu option in dselect:
 hostname             utility to set/show the host name or domain name"""


def test_each_process_that_has_locked_apt_is_named_once() -> None:
    found = parse_package_manager(BUSY)
    assert [str(holder) for holder in found.holders] == [
        "unattended-upgr (process 4711)",
        "apt-get (process 812)",
    ]
    assert not found.unfinished


def test_what_an_interrupted_dpkg_left_is_unfinished() -> None:
    # apt tells a journal by names of digits alone; dpkg's own temporary file is none.
    text = f"---- holders\n---- journal\n0000\n0001\ntmp.i\n---- audit\n{AUDIT}\n"
    assert parse_package_manager(text) == PackageManager((), ("0000", "0001"), AUDIT)
    assert parse_package_manager(text).unfinished


def test_a_holder_of_another_namespace_has_no_number() -> None:
    found = parse_package_manager("---- holders\n-1 /var/lib/dpkg/lock \n---- journal\n---- audit")
    assert found.holders == (LockHolder(0, "", "/var/lib/dpkg/lock"),)
    assert str(found.holders[0]) == "a process of a container"


@pytest.mark.parametrize("text", ["", "---- holders\nnobody\n---- journal\n---- audit\n"])
def test_an_answer_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises((ValueError, LookupError)):
        parse_package_manager(text)


@given(st.text(max_size=200))
def test_no_answer_breaks_the_parser_otherwise(text: str) -> None:
    try:
        parse_package_manager(f"---- holders\n{text}")
    except (ValueError, LookupError):
        return


def test_the_script_names_who_holds_a_lock(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    script = dpkg._SCRIPT.replace("/var/lib/dpkg/lock-frontend", str(lock))
    holding = textwrap.dedent(f"""
        import fcntl, sys
        stream = open({str(lock)!r}, "w")
        fcntl.lockf(stream, fcntl.LOCK_EX)
        print("held", flush=True)
        sys.stdin.read()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", holding], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert holder.stdin is not None
        holder.stdin.close()
    assert f"{holder.pid} {lock} python" in said.stdout
    with lock.open("w") as stream:  # free again: nobody is named
        fcntl.lockf(stream, fcntl.LOCK_EX)
        fcntl.lockf(stream, fcntl.LOCK_UN)
        said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert str(lock) not in said.stdout
    assert os.getpid() not in [one.pid for one in parse_package_manager(said.stdout).holders]
