"""Known vulnerabilities of what is installed, by a feed of the tracker's shape."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ucontact_appliance.errors import ApplianceError
from ucontact_appliance.facts.components import InstalledPackage, InstalledPackages
from ucontact_appliance.report.vulnerabilities import (
    HostJudgement,
    compared,
    judge,
    judge_site,
    known_vulnerabilities,
    sources_of,
)
from ucontact_appliance.report.vulnerability_feed import (
    Feed,
    FeedError,
    SuiteStatus,
    read_feed,
)

FILE = "/srv/feed.json"
FETCHED = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)


def _row(status: str, fixed: str | None = None, **more: Any) -> dict[str, Any]:
    row = {"status": status, "urgency": "not yet assigned", **more}
    return row | ({"fixed_version": fixed} if fixed is not None else {})


FEED: dict[str, Any] = {
    "openssl": {
        "CVE-2024-0001": {
            "description": "Use after free",
            "debianbug": 1072113,
            "scope": "remote",
            "releases": {
                "bookworm": _row(
                    "resolved",
                    "3.0.14-1~deb12u1",
                    repositories={"bookworm": "3.0.17-1~deb12u2"},
                    urgency="high",
                ),
                "sid": _row("resolved", "3.2.2-1", repositories={"sid": "3.5.4-1"}),
            },
        },
        "CVE-2024-0002": {
            "releases": {"bookworm": _row("resolved", "0"), "sid": _row("resolved", "0")}
        },
        "CVE-2024-0003": {
            "scope": "local",
            "releases": {
                "bookworm": _row(
                    "open",
                    repositories={"bookworm": "3.0.17-1~deb12u2"},
                    nodsa="Minor issue",
                    nodsa_reason="postponed",
                ),
                "sid": _row("resolved", "3.4.0-1"),
            },
        },
    },
    "zlib": {
        "CVE-2023-45853": {"releases": {"bookworm": _row("open", urgency="unimportant")}},
        "CVE-2099-0001": {"releases": {"bookworm": _row("undetermined")}},
        "CVE-2099-0002": {"releases": {"trixie": _row("open")}},
    },
    "asterisk": {"CVE-2024-42365": {"releases": {"bullseye": _row("open", urgency="end-of-life")}}},
    "linux": {"CVE-2025-0001": {"releases": {"bookworm": _row("resolved", "6.1.140-1")}}},
}


def _feed(content: dict[str, Any] | None = None, *suites: str) -> Feed:
    data = json.dumps(FEED if content is None else content).encode()
    sources = {"openssl", "zlib", "asterisk", "linux"}
    return read_feed(data, FILE, FETCHED, suites=suites or ("bookworm",), sources=sources)


def _host(
    *packages: tuple[str, str, str, str], os_id: str = "debian", codename: str = "bookworm"
) -> InstalledPackages:
    """Packages: name, version, source, its version."""
    found = tuple(
        InstalledPackage(name, version, "amd64", source, source_version)
        for name, version, source, source_version in packages
    )
    return InstalledPackages(os_id, "12", "The system", codename, found)


def _openssl(version: str) -> InstalledPackages:
    return _host(("libssl3", version, "openssl", version))


def _told(judged: HostJudgement) -> list[tuple[str, str, str]]:
    return [(one.cve, one.status, one.fixed_version) for one in judged.affected]


def test_an_old_version_has_what_its_suite_mended_and_what_is_open() -> None:
    judged = known_vulnerabilities(_openssl("3.0.13-1~deb12u1"), _feed())
    assert _told(judged) == [
        ("CVE-2024-0001", "fixed-in", "3.0.14-1~deb12u1"),
        ("CVE-2024-0003", "open", ""),
    ]
    first, second = judged.affected
    assert (first.package, first.source, first.urgency, first.scope, first.description) == (
        "libssl3",
        "openssl",
        "high",
        "remote",
        "Use after free",
    )
    assert (second.no_advisory, second.no_advisory_reason) == ("Minor issue", "postponed")
    assert (judged.suite, judged.packages, judged.reason, judged.unjudged) == (
        "bookworm",
        1,
        "",
        (),
    )


@pytest.mark.parametrize("version", ["3.0.14-1~deb12u1", "3.0.17-1~deb12u2"])
def test_a_mended_version_has_only_what_is_open(version: str) -> None:
    assert _told(known_vulnerabilities(_openssl(version), _feed())) == [
        ("CVE-2024-0003", "open", "")
    ]


def test_a_version_from_elsewhere_that_has_the_newest_suites_mending_is_not_open() -> None:
    assert _told(known_vulnerabilities(_openssl("3.4.0-1~bpo12+1"), _feed())) == [
        ("CVE-2024-0003", "open", "")  # a backport is a little older than what it was made of
    ]
    assert _told(known_vulnerabilities(_openssl("3.4.0-2"), _feed())) == []


def test_a_version_of_the_suite_is_open_whatever_mended_the_newest() -> None:
    here = SuiteStatus("open", carried=("5.0-1",))
    assert judge("5.0-1", here, SuiteStatus("resolved", "4.0-1")) == "open"
    assert judge("5.0-2", here, SuiteStatus("resolved", "4.0-1")) is None
    assert judge("5.0-2", here, SuiteStatus("resolved", "0")) == "open"
    assert judge("5.0-2", here, SuiteStatus("open")) == "open"
    assert judge("5.0-2", here, None) == "open"
    assert judge("5.0-2", SuiteStatus("open"), SuiteStatus("resolved", "4.0-1")) == "open"


def test_what_is_resolved_without_a_version_is_undetermined() -> None:
    assert judge("1", SuiteStatus("resolved"), None) == "undetermined"


def test_unimportant_ones_are_told_as_such_and_undetermined_ones_apart() -> None:
    judged = known_vulnerabilities(_host(("zlib1g", "1:1.2", "zlib", "1:1.2")), _feed())
    assert [(one.cve, one.urgency) for one in judged.affected] == [
        ("CVE-2023-45853", "unimportant")
    ]
    assert [(one.cve, one.status) for one in judged.undetermined] == [
        ("CVE-2099-0001", "undetermined")
    ]


def test_nobody_mends_what_is_at_its_end_of_life() -> None:
    host = replace(
        _host(("asterisk", "1:16", "asterisk", "1:16"), codename="bullseye"), os_version="11"
    )
    judged = known_vulnerabilities(host, _feed(None, "bullseye"))
    assert [(one.status, one.urgency) for one in judged.affected] == [("open", "end-of-life")]


def test_the_versions_of_a_rebuilt_package_are_those_of_its_source() -> None:
    # A binary version can be older than its source's by an epoch, or newer by a rebuild.
    host = _host(("libssl3", "9:1-1+b2", "openssl", "3.0.13-1"))
    judged = known_vulnerabilities(host, _feed())
    assert judged.affected[0].status == "fixed-in"
    assert (judged.affected[0].version, judged.affected[0].source_version) == (
        "9:1-1+b2",
        "3.0.13-1",
    )


def test_a_signed_kernel_is_judged_as_the_one_that_was_signed() -> None:
    old = _host(("linux-image-6.1.0-1-amd64", "6.1.139-1", "linux-signed-amd64", "6.1.139+1"))
    new = _host(("linux-image-6.1.0-2-amd64", "6.1.140-1", "linux-signed-amd64", "6.1.140+1"))
    assert sources_of([old]) == {"linux"}
    assert _told(known_vulnerabilities(old, _feed())) == [
        ("CVE-2025-0001", "fixed-in", "6.1.140-1")
    ]
    assert _told(known_vulnerabilities(new, _feed())) == []


def test_each_package_of_a_source_is_told() -> None:
    host = _host(
        ("openssl", "3.0.14-1~deb12u1", "openssl", "3.0.14-1~deb12u1"),
        ("libssl3", "3.0.14-1~deb12u1", "openssl", "3.0.14-1~deb12u1"),
    )
    assert [one.package for one in known_vulnerabilities(host, _feed()).affected] == [
        "libssl3",
        "openssl",
    ]


def test_a_version_that_can_not_be_compared_is_said() -> None:
    judged = known_vulnerabilities(_openssl("three"), _feed())
    assert judged.affected == ()
    assert judged.unjudged[0] == (
        "libssl3 three, CVE-2024-0001: the version 'three' can't be compared"
    )


def test_what_could_not_be_read_of_the_packages_is_said() -> None:
    host = replace(_openssl("3.0.17-1"), unread=("dpkg-query ended with status 2",))
    assert known_vulnerabilities(host, _feed()).unjudged == ("dpkg-query ended with status 2",)


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        (_host(("a", "1", "a", "1"), os_id="ubuntu"), "no feed for Ubuntu is supported"),
        (_host(("a", "1", "a", "1"), os_id="fedora"), "no feed for The system is supported"),
        (_host(), "the host's packages are not known"),
        (_host(("a", "1", "a", "1"), codename="buster"), "does not cover buster"),
        (_host(("a", "1", "a", "1"), codename=""), "does not cover its suite"),
    ],
)
def test_a_host_that_can_not_be_judged_has_a_reason_and_no_findings(
    host: InstalledPackages, reason: str
) -> None:
    judged = known_vulnerabilities(host, _feed())
    assert reason in judged.reason
    assert (judged.affected, judged.undetermined, judged.packages) == ((), (), 0)


def test_only_what_was_asked_for_is_kept() -> None:
    data = json.dumps(FEED).encode()
    feed = read_feed(data, FILE, FETCHED, suites=["trixie"], sources=["zlib"])
    assert set(feed.entries) == {"zlib"}
    assert [entry.cve for entry in feed.entries["zlib"]] == ["CVE-2099-0002"]
    assert feed.suites == {"bookworm", "bullseye", "sid", "trixie"}


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b'{"a": {}', "it is truncated"),
        (json.dumps(FEED).encode()[:-40], "it is truncated"),
        (json.dumps(FEED).encode()[:1], "it is truncated"),
        (b"<html>Log in to the proxy</html>", "it is not the tracker's JSON"),
        (b'["openssl"]', "it is not the tracker's JSON"),
        (b"{1: {}}", "it is not the tracker's JSON"),
        (b'{"a" {}}', "it is not the tracker's JSON"),
        (b'{"a": {} "b": {}}', "it is not the tracker's JSON"),
        (b'{"a": {}} more', "it is not the tracker's JSON"),
        (b"\x1f\x8b\x08\x00", "it is not UTF-8"),
        (b"{}", "it contains no vulnerabilities"),
        (b'{"openssl": []}', "openssl has no vulnerabilities"),
        (b'{"openssl": {"CVE-1": []}}', "CVE-1 of openssl has no releases"),
        (b'{"openssl": {"CVE-1": {"releases": []}}}', "CVE-1 of openssl has no releases"),
        (b'{"openssl": {"CVE-1": {"releases": {"sid": {}}}}}', "no status in sid"),
        (b'{"openssl": {"CVE-1": {"releases": {"sid": {"status": "odd"}}}}}', "no status in sid"),
        (b'{"a": ' + b"[" * 100_000, "it is not the tracker's JSON"),
    ],
)
def test_a_damaged_feed_is_refused_with_its_file_what_is_wrong_and_what_helps(
    content: bytes, wrong: str
) -> None:
    with pytest.raises(FeedError, match=f"{re.escape(FILE)} can't be used") as caught:
        read_feed(content, FILE, FETCHED, suites=["bookworm"], sources=["openssl"])
    assert isinstance(caught.value, ApplianceError)
    assert wrong in caught.value.what
    assert FILE in caught.value.helps
    assert "security-tracker.debian.org" in caught.value.helps


def test_damage_in_a_source_that_is_not_asked_for_does_no_harm_below_its_releases() -> None:
    content = FEED | {"other": {"CVE-1": {"releases": {"bookworm": {"status": "odd"}}}}}
    assert "other" not in _feed(content).entries


@given(st.integers(min_value=0, max_value=len(json.dumps(FEED)) - 1))
@settings(max_examples=60)
def test_no_beginning_of_a_feed_is_taken_for_a_feed(length: int) -> None:
    with pytest.raises(FeedError):
        read_feed(
            json.dumps(FEED).encode()[:length], FILE, FETCHED, suites=["sid"], sources=["zlib"]
        )


@given(st.sampled_from([None, 1, "\t"]), st.sampled_from(["", "\ufeff", "\n "]))
def test_a_feeds_white_space_and_byte_order_mark_do_not_count(
    indent: int | str | None, before: str
) -> None:
    data = (before + json.dumps(FEED, indent=indent) + "\n").encode()
    feed = read_feed(data, FILE, FETCHED, suites=["bookworm"], sources=["openssl"])
    assert len(feed.entries["openssl"]) == 3


@pytest.mark.parametrize(
    ("age", "stale"),
    [
        (timedelta(0), False),
        (timedelta(days=7), False),
        (timedelta(days=7, seconds=1), True),
        (timedelta(hours=-23), False),
        (timedelta(hours=-25), True),
    ],
)
def test_a_feed_is_stale_after_a_week_or_when_it_is_from_tomorrow(
    age: timedelta, stale: bool
) -> None:
    data = json.dumps(FEED).encode()
    known = judge_site(data, FILE, FETCHED, {}, FETCHED + age)
    assert bool(known.refused) is stale


# Debian Policy 5.6.12; short, so that equal and nearly equal ones are drawn often.
_PART = st.text("0129aZ.+~", max_size=5)
_UPSTREAM = st.builds("{}{}".format, st.sampled_from("019"), _PART)
_REVISION = st.text("019a.+~", min_size=1, max_size=3)
_VERSION = st.one_of(
    _UPSTREAM,
    st.builds("{}-{}".format, _UPSTREAM, _REVISION),
    st.builds("{}:{}-{}".format, st.integers(0, 2), _UPSTREAM, _REVISION),
    st.builds("{}:{}-{}-{}".format, st.integers(0, 1), _UPSTREAM, _REVISION, _REVISION),
)


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not here to compare with")
@settings(max_examples=300, deadline=None)
@given(_VERSION, _VERSION)
def test_versions_compare_as_dpkg_compares_them(one: str, other: str) -> None:
    def holds(relation: str) -> bool:
        done = subprocess.run(["dpkg", "--compare-versions", one, relation, other], check=False)
        return done.returncode == 0

    result = compared(one, other)
    assert holds("lt" if result < 0 else "gt" if result > 0 else "eq")


@given(_VERSION, _VERSION)
def test_a_comparison_turned_round_has_the_other_sign(one: str, other: str) -> None:
    assert (compared(one, other) > 0) == (compared(other, one) < 0)
    assert compared(one, one) == 0


@pytest.mark.parametrize("text", ["", "a1", "1-", ":1", "x:1", "1:", "1_0", "1 0", "1-2:3", "1\n"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="can't be compared"):
        compared(text, "1")


@given(_VERSION, _VERSION)
def test_an_installed_version_is_affected_exactly_while_it_is_older_than_the_mended(
    installed: str, fixed: str
) -> None:
    status = judge(installed, SuiteStatus("resolved", fixed), None)
    if fixed == "0":
        assert status is None
    else:
        assert (status == "fixed-in") == (compared(installed, fixed) < 0)
