"""The deep doctor's calls on an installed small site, and what is left of one that was killed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.installed import Installed
from ucontact_appliance.checks import call_codecs, call_ice, call_marks, call_quality, call_trunks
from ucontact_appliance.state import var_root

pytestmark = pytest.mark.machine

_MYSQL = "mysql --protocol=socket --socket=/run/mysqld/mysqld.sock --batch --skip-column-names"


def _journals(site: Installed) -> list[Path]:
    return sorted((var_root() / site.machine.name / "calls").glob("deep-*.json"))


def _traces(site: Installed, mark: str) -> dict[str, str]:
    """What bears the mark on the server: channels, contacts, call records, recordings."""
    query = f"select uniqueid from ccdata.cdr where accountcode like '{mark}%'"
    contacts = "asterisk -rx 'database show registrar/contact'"
    return {
        "channels": site.sh(f"asterisk -rx 'core show channels concise' | grep {mark} || true"),
        "contacts": site.sh(f"{contacts} | grep {mark} || true"),
        "rows": site.sh(f'{_MYSQL} -e "{query}"'),
        "recordings": _recordings(site),
    }


def _recordings(site: Installed) -> str:
    return site.sh("find /var/spool/asterisk/monitor -type f -name '*.gsm' | sort")


def test_every_call_of_the_deep_doctor_is_made_and_leaves_nothing(installed: Installed) -> None:
    before = _recordings(installed)
    _, findings = installed.doctor("--deep", "--only", "call")
    modules = (call_quality, call_codecs, call_ice, call_marks, call_trunks)
    found = {one.id: findings[one.id] for module in modules for one in module.CHECKS}
    verdicts = {name: finding["verdict"] for name, finding in found.items()}
    assert verdicts == {
        **dict.fromkeys(verdicts, "pass"),
        "call.trunks": "skip",  # the site has none
    }, {name: finding["observed"] for name, finding in found.items()}
    for codec in ("opus", "alaw", "ulaw"):
        assert re.search(rf"{codec}: (100|9[5-9])% intact", found["call.speech"]["observed"])
    assert f"relay {installed.machine.address}:" in found["call.relay"]["observed"]
    assert "srflx" in found["call.stun"]["observed"]
    assert "EF (46)" in found["call.marks"]["observed"]
    assert "CS3 (24)" in found["call.signalling_marks"]["observed"]
    assert _journals(installed) == []
    assert _recordings(installed) == before


def test_a_killed_deep_run_is_swept_by_the_next_run(installed: Installed) -> None:
    before = _recordings(installed)
    words = [sys.executable, "-m", "ucontact_appliance", "doctor", "--deep", "--only", "call.tone"]
    doctor = subprocess.Popen(
        [*words, "--site", str(installed.site_file)],
        env=installed.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + 60
        mark = ""
        while not (mark and _traces(installed, mark)["channels"]):
            assert time.monotonic() < end, "no call of the doctor is up"
            assert doctor.poll() is None
            written = (json.loads(path.read_text())["mark"] for path in _journals(installed))
            mark = next(written, "")
            time.sleep(0.2)
    finally:
        doctor.send_signal(signal.SIGKILL)
        doctor.wait()
    assert _traces(installed, mark)["channels"]
    assert _traces(installed, mark)["recordings"] != before
    assert _journals(installed)
    done = installed.ucontact("doctor", "--only", "ports.wss")
    assert done.returncode == 0, done.stderr
    assert "an earlier run was killed; removed now: 1 call, " in done.stderr
    left = _traces(installed, mark)
    assert (left["channels"], left["contacts"], left["rows"]) == ("", "", "")
    assert left["recordings"] == before
    assert _journals(installed) == []
    # The record may still have been on its way: it must not come after the sweep.
    time.sleep(5)
    assert _traces(installed, mark)["rows"] == ""
