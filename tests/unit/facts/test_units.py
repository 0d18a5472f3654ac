"""The services' units as systemd shows them, and the accounts of their processes."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.checks.subjects import FakeRunner
from tests.unit.sites import small_site
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.facts.units import ServiceUnit, parse_units, service_units

TEXT = """\
---- units
MainPID=0
User=
Id=ucontact-firewall.service
LoadState=loaded
FragmentPath=/etc/systemd/system/ucontact-firewall.service
DropInPaths=

MainPID=812
User=root
Id=asterisk.service
LoadState=loaded
FragmentPath=/lib/systemd/system/asterisk.service
DropInPaths=/etc/systemd/system/asterisk.service.d/ucontact.conf \
/etc/systemd/system/asterisk.service.d/zz.conf \
/run/systemd/system.control/asterisk.service.d/50-MemoryMax.conf

MainPID=790
User=turnserver
Id=coturn.service
LoadState=loaded
FragmentPath=/lib/systemd/system/coturn.service
DropInPaths=/etc/systemd/system/coturn.service.d/ucontact.conf

Id=ucontact-retention.timer
LoadState=loaded
FragmentPath=/etc/systemd/system/ucontact-retention.timer
DropInPaths=

MainPID=0
User=
Id=none.service
LoadState=not-found
FragmentPath=
DropInPaths=
---- accounts
812 root
790 turnserver
"""


def test_each_unit_has_its_files_and_its_processs_account() -> None:
    firewall, asterisk, coturn, timer, none = parse_units(TEXT).units
    assert (firewall.account, timer.account, none.account) == ("", "", "")
    assert (none.loaded, none.files) == ("not-found", ())
    assert timer.files == ("/etc/systemd/system/ucontact-retention.timer",)
    assert coturn.account == "turnserver"
    assert asterisk == ServiceUnit(
        "asterisk.service",
        "loaded",
        "/lib/systemd/system/asterisk.service",
        (
            "/etc/systemd/system/asterisk.service.d/ucontact.conf",
            "/etc/systemd/system/asterisk.service.d/zz.conf",
            "/run/systemd/system.control/asterisk.service.d/50-MemoryMax.conf",
        ),
        "root",
    )


def test_a_process_that_ended_in_between_has_no_account() -> None:
    gone = TEXT.replace("812 root", "812 ")
    assert parse_units(gone).units[1].account == ""


@pytest.mark.parametrize(
    "text", ["", "---- units\nFailed to connect to bus: No such file or directory\n---- accounts\n"]
)
def test_without_systemd_there_are_no_units_and_the_answer_says_why(text: str) -> None:
    found = parse_units(text)
    assert (found.units, found.evidence) == ((), text.strip())


SYSTEMCTL = r"""#!/bin/sh
printf 'MainPID=%s\nId=%s\nLoadState=loaded\n\n' PID "$2"
printf 'MainPID=0\nId=%s\nLoadState=loaded\n' "$3"
"""


def test_one_round_trip_asks_systemd_and_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "systemctl").write_text(SYSTEMCTL.replace("PID ", f"{os.getpid()} "))
    (tmp_path / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    asked: list[Sequence[str]] = []

    def answer(argv: Sequence[str]) -> Completed:
        asked.append(argv)
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        return Completed(tuple(argv), 0, done.stdout, done.stderr, 0.0)

    site = small_site()
    reach = ProbeContext(site, site.hosts[0], FakeRunner(answer))  # type: ignore[arg-type]
    found = service_units(reach, ("a.service", "b.service"))
    me = pwd.getpwuid(os.geteuid()).pw_name
    assert [(unit.name, unit.account) for unit in found.units] == [
        ("a.service", me),
        ("b.service", ""),
    ]
    assert len(asked) == 1
