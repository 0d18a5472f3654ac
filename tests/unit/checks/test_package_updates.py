"""Packages of services are held, and their security updates are known."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.package_updates import judge_held, judge_updates
from ucontact_appliance.facts.package_updates import (
    PackageHold,
    PackageUpdate,
    PackageUpdates,
)
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.systems import held_packages, system_row

NOW = datetime(2026, 11, 30, tzinfo=timezone.utc)
LISTED = int(NOW.timestamp())
FIX = PackageUpdate("nginx", "1", "2", security=True)
OTHER = PackageUpdate("coturn", "1", "2", security=False)


def test_a_package_that_is_not_held_is_named_with_its_remedy() -> None:
    held, loose = PackageHold("asterisk", "1", True), PackageHold("nginx", "2", False)
    assert judge_held((held,)).verdict is Verdict.PASS
    found = judge_held((held, loose))
    assert (found.verdict, found.observed) == (Verdict.FAIL, "not held: nginx")
    assert found.remedy == "{ssh} apt-mark hold nginx"
    assert "nginx 2 install" in found.evidence


def test_a_security_update_warns() -> None:
    found = judge_updates(PackageUpdates(LISTED, (FIX, OTHER)), NOW)
    assert (found.verdict, found.observed) == (Verdict.WARN, "security updates wait: nginx")
    assert "nginx 1 -> 2 (security)" in found.evidence


def test_other_updates_are_only_counted() -> None:
    found = judge_updates(PackageUpdates(LISTED, (OTHER,)), NOW)
    assert (found.verdict, found.observed) == (
        Verdict.PASS,
        "no security update; 1 other update waits",
    )
    assert judge_updates(PackageUpdates(LISTED, ()), NOW).observed == "no update waits"


def test_without_fresh_lists_nothing_is_known() -> None:
    assert judge_updates(PackageUpdates(0, ()), NOW).verdict is Verdict.SKIP
    old = judge_updates(PackageUpdates(LISTED, ()), NOW + timedelta(days=20))
    assert (old.verdict, old.observed) == (Verdict.SKIP, "apt's package lists are 20 days old")
    assert judge_updates(PackageUpdates(0, (FIX,)), NOW).verdict is Verdict.WARN


def test_what_carries_calls_is_held_and_tools_are_not() -> None:
    row = system_row("debian", "")
    assert row is not None
    held = held_packages(row, tuple(Role))
    for name in ("asterisk", "nginx", "mysql-server-core", "openjdk-8-jre-headless", "coturn"):
        assert name in held
    assert not {"openssl", "curl", "ca-certificates", "tzdata", "chrony"} & set(held)
