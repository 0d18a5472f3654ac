"""Verdicts on keys and certificates of a server's disk."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.certs import NOW, issue
from ucontact_appliance.checks.certificates import (
    judge_backup,
    judge_current,
    judge_dates,
    judge_modes,
    judge_pair,
)
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.facts.certificates import (
    FOLDER,
    CertificatePair,
    KeyFile,
    parse_keys,
    parse_modes,
)

FQDN = "contact.example.com"
ROOT = issue("Root", authority=True)
LEAF = issue("Leaf", ROOT, names=[FQDN])
PAIR = CertificatePair(LEAF.pem.decode(), LEAF.public_pem.decode(), ROOT.pem.decode(), "")


def test_a_sound_pair() -> None:
    assert judge_pair(PAIR, (FQDN,), NOW).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("pair", "observed"),
    [
        (CertificatePair("", "", "", "cat: no such file"), "there is no certificate"),
        (
            CertificatePair(PAIR.chain, ROOT.public_pem.decode(), PAIR.roots, ""),
            "does not match the certificate",
        ),
        (CertificatePair(PAIR.chain, PAIR.public, "", ""), "it is empty"),
        (CertificatePair("nonsense", PAIR.public, PAIR.roots, ""), "no PEM block"),
        (CertificatePair(PAIR.chain, "", PAIR.roots, ""), "no private key can be read"),
    ],
)
def test_unsound_pairs(pair: CertificatePair, observed: str) -> None:
    judgement = judge_pair(pair, (FQDN,), NOW)
    assert judgement.verdict is Verdict.FAIL
    assert observed in judgement.observed


@pytest.mark.parametrize(
    ("days", "verdict"),
    [(31, Verdict.PASS), (29, Verdict.WARN), (8, Verdict.WARN), (6, Verdict.FAIL)],
)
def test_days_left(days: int, verdict: Verdict) -> None:
    leaf = issue("Leaf", ROOT, names=[FQDN], end=NOW + timedelta(days=days, hours=1))
    pair = CertificatePair(leaf.pem.decode(), "", ROOT.pem.decode(), "")
    judgement = judge_dates((PAIR, pair), NOW)
    assert judgement.verdict is verdict
    assert judgement.observed == f"CN=Leaf: {days} days left"


def test_the_root_counts_too() -> None:
    root = issue("Root", authority=True, end=NOW + timedelta(days=2))
    pair = CertificatePair(PAIR.chain, "", root.pem.decode(), "")
    assert judge_dates((pair,), NOW).verdict is Verdict.FAIL


def test_what_is_served_must_be_what_lies_on_disk() -> None:
    assert judge_current(PAIR, LEAF.der, 443).verdict is Verdict.PASS
    renewed = issue("Leaf", ROOT, names=[FQDN], key=LEAF.key)
    assert judge_current(PAIR, renewed.der, 443).verdict is Verdict.FAIL


GOOD = f"""\
drwxr-xr-x root:root {FOLDER}
-rw-r--r-- root:root {FOLDER}/portal.pem
drwxr-x--- root:ucontact-tls {FOLDER}/private
-rw-r----- root:ucontact-tls {FOLDER}/private/portal.key
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("-rw-r----- root:ucontact-tls", "-rw-r--r-- root:ucontact-tls"),
        ("-rw-r----- root:ucontact-tls", "-rw-rw---- root:ucontact-tls"),
        ("-rw-r----- root:ucontact-tls", "-rw-r----- asterisk:ucontact-tls"),
        ("-rw-r----- root:ucontact-tls", "-rw-r----- root:users"),
        ("drwxr-x---", "drwxr-xr-x"),
        ("drwxr-xr-x root:root", "drwxrwxrwx root:root"),
        ("-rw-r--r-- root:root", "-rw-r--rw- root:root"),
        ("portal.pem", "portal.key"),
    ],
)
def test_modes(old: str, new: str) -> None:
    assert judge_modes(parse_modes(GOOD)).verdict is Verdict.PASS
    assert judge_modes(parse_modes(GOOD.replace(old, new, 1))).verdict is Verdict.FAIL
    assert judge_modes(()).verdict is Verdict.FAIL


def test_the_backup_key_belongs_elsewhere() -> None:
    keys = parse_keys("AAA= /etc/ssl/private/snakeoil.key\nBBB= /etc/nginx/my key.pem\n")
    assert keys[1] == KeyFile("BBB=", "/etc/nginx/my key.pem")
    assert judge_backup(keys, "CCC=", "").verdict is Verdict.PASS
    found = judge_backup(keys, "BBB=", "")
    assert (found.verdict, found.observed) == (Verdict.FAIL, "it is in /etc/nginx/my key.pem")
    local = judge_backup(keys, "CCC=", "/etc/ucontact/demo/pki/hpkp-backup.key")
    assert local.verdict is Verdict.WARN
    assert local.remedy.startswith("mv /etc/ucontact/demo/pki/hpkp-backup.key")
