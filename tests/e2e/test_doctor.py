"""Doctor on an installed site: healthy, then faults that only a real call shows.

All other faults are the catalogue's, in tests/faults.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.installed import Installed, unchanged_phases

pytestmark = pytest.mark.machine

_BAD = ("fail", "error", "warn")


def _bad(findings: dict[str, dict[str, Any]]) -> set[str]:
    return {check_id for check_id, found in findings.items() if found["verdict"] in _BAD}


# Stock Asterisk where the vendor's belongs: said of every rehearsal machine.
_USUAL = {"asterisk.build"}


def test_a_fresh_site_is_healthy_and_its_call_leaves_no_trace(installed: Installed) -> None:
    status, findings = installed.doctor("--deep")
    assert _bad(findings) == _USUAL
    assert status == 0
    call = {check_id for check_id in findings if check_id.startswith("call.")}
    assert len(call) == 18
    # The site has no trunks to call through.
    assert {check_id for check_id in call if findings[check_id]["verdict"] != "pass"} == {
        "call.trunks"
    }
    installed.sh('test -z "$(find /var/spool/asterisk/monitor -type f)"')
    installed.sh("test \"$(mysql -Ne 'select count(*) from ccdata.cdr')\" = 0")
    installed.sh("asterisk -rx 'pjsip show contacts' | grep -q 'No objects found'")


@dataclass(frozen=True)
class Fault:
    """One thing broken: how, how it is mended, and exactly the checks that name it."""

    name: str
    do: str
    undo: str
    names: frozenset[str]


_EXTENSIONS = "/etc/asterisk/extensions.conf"

FAULTS = (
    Fault(
        "no echo test",
        f"cp -a {_EXTENSIONS} /root/e && sed -i 's/\\*43/*44/' {_EXTENSIONS} && "
        "asterisk -rx 'dialplan reload'",
        f"mv /root/e {_EXTENSIONS} && asterisk -rx 'dialplan reload'",
        frozenset({"asterisk.dialplan", "files.drift"}),
    ),
    Fault(
        "media blocked",
        "nft add table inet blocker && "
        "nft 'add chain inet blocker input { type filter hook input priority -5; }' && "
        "nft add rule inet blocker input udp dport 10000-20000 drop",
        "nft delete table inet blocker",
        frozenset({"call.dtls", "firewall.foreign"}),
    ),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_named_by_its_check_and_no_other(installed: Installed, fault: Fault) -> None:
    installed.sh(fault.do)
    try:
        status, findings = installed.doctor("--deep")
    finally:
        installed.sh(fault.undo)
    assert _bad(findings) - _USUAL == fault.names
    for check_id in fault.names:
        assert findings[check_id]["observed"]
        assert findings[check_id]["remedy"]
    blocked = {f["blocked_by"] for f in findings.values() if f["blocked_by"]}
    assert blocked <= fault.names
    hard = any(findings[check_id]["verdict"] in ("fail", "error") for check_id in fault.names)
    assert status == (1 if hard else 0)


def test_an_install_that_changes_nothing_ends_with_a_call_and_runs_all_where_that_fails(
    installed: Installed,
) -> None:
    media = next(fault for fault in FAULTS if fault.name == "media blocked")
    installed.sh(media.do)
    try:
        done = installed.ucontact("install", "--yes")
    finally:
        installed.sh(media.undo)
    assert done.returncode == 4, done.stdout + done.stderr
    skipped, ran = done.stderr.split(
        "the site is not healthy although nothing else differs: running all phases"
    )
    assert unchanged_phases(skipped) > 0  # not telephony: a fault was injected and mended there
    assert unchanged_phases(ran) == 0
    assert set(re.findall(r"changed=(\d+)", ran)) == {"0"}
    assert "the call failed: " in done.stderr
    assert re.search(r"call\.dtls: (?:ICE|media) not connected: ", done.stderr)
    assert "installed" not in done.stdout


def test_after_all_faults_are_mended_the_site_is_healthy_again(installed: Installed) -> None:
    _, findings = installed.doctor()
    assert _bad(findings) == _USUAL


def test_an_unknown_check_is_wrong_usage_with_the_nearest_name(installed: Installed) -> None:
    done = installed.ucontact("doctor", "--only", "host.hostnam")
    assert done.returncode == 2
    assert "host.hostname" in done.stderr
