"""The rules that keep a machine away from addresses. A machine itself: tests/e2e/test_drill.py."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from ucontact_appliance.lab.isolation import rules

MADE = rules("drill-1a", "10.203.17.10", ["192.0.2.11", "192.0.2.10"], [("198.51.100.1", 443)])


def test_answers_pass_before_anything_is_dropped_and_nothing_passes_after() -> None:
    limits = MADE[MADE.index("chain limits") : MADE.index("chain forward")].splitlines()[1:-1]
    assert [line.strip() for line in limits] == [
        "ct state established,related accept",
        "ip daddr { 192.0.2.10, 192.0.2.11 } counter drop",
        "meta l4proto { tcp, udp } th dport 53 accept",
        "ip daddr 198.51.100.1 tcp dport 443 accept",
        "counter drop",
        "}",
    ]


def test_the_site_can_not_reach_the_machine_either() -> None:
    assert "ip saddr { 192.0.2.10, 192.0.2.11 } ip daddr 10.203.17.10 counter drop" in MADE


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("nft") is None, reason="nft checks rules as root only"
)
@pytest.mark.parametrize("blocked", [["192.0.2.10"], []])
def test_nft_takes_them(blocked: list[str]) -> None:
    text = rules("drill-1a", "10.203.17.10", blocked, [])
    done = subprocess.run(
        ["nft", "--check", "-f", "-"], input=text, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
