"""Until when components are mended, and by whom."""

from __future__ import annotations

from datetime import date

import pytest

from ucontact_appliance.checks.lifecycle import judge_lifecycle
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.facts.origin import Origin, parse_origin
from ucontact_appliance.planning.systems import system_row
from ucontact_appliance.resources import load_data

ASTERISK = load_data("lifecycle")["components"]["asterisk"]
DEBIAN = parse_origin(
    "asterisk\t1:22.10.1~dfsg-1\tDebian VoIP Team <pkg-voip@alioth-lists.debian.net>\n"
)
MAKER = parse_origin("asterisk\t13.35.0\tThe vendor <packages@example.com>\n")
NONE = Origin("", "", "", "")
TODAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("version", "origin", "system", "verdict"),
    [
        ("22.10.1", DEBIAN, ("debian", "sid"), Verdict.PASS),
        ("16.28.0", DEBIAN, ("debian", "11"), Verdict.WARN),  # the system is past its end itself
        ("13.35.0", MAKER, ("ubuntu", "24.04"), Verdict.WARN),
        ("22.10.1", NONE, ("ubuntu", "24.04"), Verdict.PASS),
        ("21.4.0", NONE, ("ubuntu", "24.04"), Verdict.WARN),
        ("130.1", NONE, ("ubuntu", "24.04"), Verdict.SKIP),
        ("", NONE, ("ubuntu", "24.04"), Verdict.SKIP),
    ],
)
def test_somebody_mends_it_or_not(
    version: str, origin: Origin, system: tuple[str, str], verdict: Verdict
) -> None:
    row = system_row(*system)
    assert judge_lifecycle(ASTERISK, version, origin, row, TODAY).verdict is verdict


def test_what_a_distribution_delivered_was_mended_as_long_as_the_distribution() -> None:
    told = judge_lifecycle(ASTERISK, "16.28.0", DEBIAN, system_row("debian", "11"), TODAY)
    assert told.observed == "Asterisk 16.28.0: no security fixes since 2026-08-31"


def test_an_end_that_comes_soon_is_told() -> None:
    soon = judge_lifecycle(ASTERISK, "22.1", NONE, None, date(2029, 8, 1))
    assert soon.verdict is Verdict.WARN
    assert "until 2029-10-16" in soon.observed


def test_the_table_is_in_order() -> None:
    for component in load_data("lifecycle")["components"].values():
        series = [row["series"] for row in component["releases"]]
        assert len(series) == len(set(series))
        assert series == sorted(series, key=lambda one: [int(part) for part in one.split(".")])
        assert all(isinstance(row["until"], date) for row in component["releases"])


def test_a_mainline_branch_of_nginx_ends_with_the_stable_branch_before_it() -> None:
    rows = load_data("lifecycle")["components"]["nginx"]["releases"]
    until = {int(row["series"].partition(".")[2]): row["until"] for row in rows}
    mainline = [minor for minor in until if minor % 2 and minor - 1 in until]
    assert mainline
    assert all(until[minor] == until[minor - 1] for minor in mainline)


def test_only_debian_and_ubuntu_are_distributions() -> None:
    assert DEBIAN.distribution
    assert parse_origin("nginx\t1\tUbuntu Developers <ubuntu-devel@lists.ubuntu.com>").distribution
    assert not MAKER.distribution
    assert not parse_origin("nginx\t1\tNGINX Packaging <nginx-packaging@f5.com>").distribution
    assert parse_origin("") == NONE
