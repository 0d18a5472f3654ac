"""An ssh server that holds connections against who opens them, and an account of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ucontact_appliance.lab.records import Machine

_DROP_IN = "/etc/ssh/sshd_config.d/00-strict.conf"
# One connection without a login, and the source is locked out for the rest of the test.
_STRICT = """\
LogLevel VERBOSE
MaxStartups 2:100:2
PerSourcePenalties noauth:600 authfail:600 invaliduser:600 grace-exceeded:600 min:1 max:600
"""
_JOURNAL = "journalctl --output=cat --no-pager --since=@{since} _SYSTEMD_UNIT=ssh.service"
_OPENED = re.compile(r"Connection from (\S+) port (\d+)", re.MULTILINE)
_LOGGED_IN = re.compile(r"Accepted publickey for root from (\S+) port (\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Connections:
    """Who connected and who logged in, by address and port; `text` is what sshd said."""

    opened: tuple[tuple[str, str], ...]
    logged_in: tuple[tuple[str, str], ...]
    text: str


def make_strict(machine: Machine) -> int:
    """Let its sshd count; the time from which on it does, in seconds since 1970."""
    write = f"printf %s '{_STRICT}' >{_DROP_IN}"
    return int(_sh(machine, f"{write} && sshd -t && systemctl reload ssh && sleep 1 && date +%s"))


def make_usual(machine: Machine) -> None:
    """Take that back."""
    _sh(machine, f"rm {_DROP_IN} && systemctl reload ssh && sleep 1")


def journal(machine: Machine, since: int) -> str:
    """What it said since then."""
    return _sh(machine, _JOURNAL.format(since=since))


def parse_connections(text: str) -> Connections:
    """From sshd's journal, whose last connection is the reader's own."""
    return Connections(
        tuple(_OPENED.findall(text))[:-1], tuple(_LOGGED_IN.findall(text))[:-1], text
    )


def _sh(machine: Machine, script: str) -> str:
    done = machine.ssh([script])
    assert done.returncode == 0, f"{script}: {done.stdout}{done.stderr}"
    return done.stdout
