"""Whether a telephony server can get the Asterisk that site.yml names."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.unit.checks.subjects import subjects
from tests.unit.facts.outputs import recorded
from tests.unit.sites import small_site
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.vendor import CHECKS, judge_archive, judge_files, judge_way_back
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.facts.vendor import VendorOffer, parse_offer, parse_way_back
from ucontact_appliance.site.asterisk_source import AsteriskArchive

# As apt 3.1 on Debian sid said it.
TRUSTED = """\
---- update
Get:1 http://192.0.2.1:8000 vendor InRelease [1,200 B]
Reading package lists...
---- policy
asterisk:
  Installed: (none)
  Candidate: 8:13.35.0-1+vendor1
  Version table:
     8:13.35.0-1+vendor1 500
---- architecture
amd64
"""
UNSIGNED = """\
---- update
Err:2 http://192.0.2.1:8000 vendor Release
E: The repository 'http://192.0.2.1:8000 vendor Release' is not signed.
---- policy
---- architecture
amd64
"""
FOREIGN = """\
---- update
Err:1 http://192.0.2.1:8000 vendor InRelease
  Sub-process /usr/bin/sqv returned an error code (1), error message is: Missing key 7AE7F6E2, ...
W: Signature verification failed: http://192.0.2.1:8000 vendor InRelease: Missing key 7AE7F6E2
E: The repository 'http://192.0.2.1:8000 vendor InRelease' is not signed.
---- policy
---- architecture
amd64
"""
BACK = """\
---- lists
current
---- pin
Package: asterisk
Pin: version 8:13.35.0-1+vendor1
---- madison
  asterisk | 1:22.10.1-2 | http://192.0.2.2/debian sid/main amd64 Packages
  asterisk | 1:22.10.1-1 | http://192.0.2.2/debian sid/main amd64 Packages
"""


def archive() -> AsteriskArchive:
    keys = {"uri": "https://a.test/deb", "suite": "focal", "components": ["main"], "key": "/k"}
    telephony = small_site(telephony={"source": "package", "archive": keys}).telephony
    assert telephony.archive is not None
    return telephony.archive


@pytest.mark.parametrize(
    ("found", "verdict", "said"),
    [
        (parse_offer(TRUSTED), Verdict.PASS, "8:13.35.0-1+vendor1 (amd64)"),
        (parse_offer(UNSIGNED), Verdict.FAIL, "apt does not trust it: The repository 'http://192"),
        (parse_offer(FOREIGN), Verdict.FAIL, "Missing key 7AE7F6E2"),
        (VendorOffer("1:13.1-1", "amd64", "", ""), Verdict.FAIL, "1:13.1-1"),
        (parse_offer(""), Verdict.FAIL, "apt finds no Asterisk"),
    ],
)
def test_an_archive(found: VendorOffer, verdict: Verdict, said: str) -> None:
    judged = judge_archive(archive(), found)
    assert judged.verdict is verdict
    assert said in judged.observed


def test_what_apt_says_is_the_evidence() -> None:
    assert "is not signed" in judge_archive(archive(), parse_offer(UNSIGNED)).evidence


@pytest.mark.parametrize(
    ("names", "verdict"),
    [
        (("asterisk_13.35-1_amd64.deb", "asterisk-config_13.35-1_all.deb"), Verdict.PASS),
        (("asterisk_13.35-1_arm64.deb",), Verdict.FAIL),
    ],
)
def test_files_are_for_the_servers_architecture(names: tuple[str, ...], verdict: Verdict) -> None:
    assert judge_files(names, "amd64").verdict is verdict


@pytest.mark.parametrize(
    ("text", "verdict", "said"),
    [
        ("", Verdict.PASS, "the vendor's is not installed"),
        (BACK, Verdict.PASS, "the distribution's 1:22.10.1-2 replaces the vendor's"),
        (BACK.partition("  asterisk |")[0], Verdict.FAIL, "Debian 12 has none to return to"),
    ],
)
def test_the_way_back(text: str, verdict: Verdict, said: str) -> None:
    judged = judge_way_back(parse_way_back(text), "Debian 12")
    assert judged.verdict is verdict
    assert said in judged.observed


@pytest.mark.parametrize(
    ("changes", "answer", "said"),
    [
        ({}, "", "the vendor's is not installed"),
        ({"telephony": {"source": "release"}, "release": "/r.tar.gz"}, "", "of the release"),
        (
            {
                "telephony": {
                    "source": "package",
                    "packages": [{"file": "/v/asterisk_13.35-1_amd64.deb", "sha256": "0" * 64}],
                }
            },
            "amd64\n",
            "1 packages",
        ),
    ],
)
def test_the_source_of_site_yml_is_judged(changes: dict[str, Any], answer: str, said: str) -> None:
    def say(argv: Sequence[str]) -> Completed:
        text = recorded("system-sid") if "os-release" in argv[-1] else answer
        return Completed(tuple(argv), 0, text, "", 0.0)

    (subject,) = subjects(small_site(**changes), say)
    (check,) = CHECKS
    judged = check.judge(subject)
    assert judged.verdict is Verdict.PASS
    assert said in judged.observed


def test_an_archive_is_asked_for_with_its_key(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(bytes([0x99]) + b"packets")
    asked: list[str] = []

    def say(argv: Sequence[str]) -> Completed:
        asked.append(argv[-1])
        return Completed(tuple(argv), 0, TRUSTED, "", 0.0)

    keys = {"uri": "https://a.test/deb", "suite": "focal", "components": ["main"], "key": str(key)}
    site = small_site(telephony={"source": "package", "archive": keys})
    (subject,) = subjects(site, say)
    (check,) = CHECKS
    assert check.judge(subject).verdict is Verdict.PASS
    words = f"https://a.test/deb focal main {base64.b64encode(key.read_bytes()).decode()}"
    assert asked[0].startswith(f"set -- {words}\n")
