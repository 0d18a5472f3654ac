"""The judge of hardphones' configuration, and that the doctor's call leaves phones alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.checks.subjects import subjects
from tests.unit.sites import small_site
from ucontact_appliance.checks import provisioning, sip
from ucontact_appliance.checks.call import caller
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.facts.asterisk import snapshot
from ucontact_appliance.facts.provisioning import PhoneAnswers
from ucontact_appliance.site.secrets import Secrets

GOOD = PhoneAnswers("805ec0112233", "https://x/provision/805ec0112233.cfg", 401, 200, 401, True)
SITE = small_site(
    telephony={
        "extensions": ["6003", "6001"],
        "phones": [{"mac": "805ec0112233", "model": "yealink", "extension": "6003"}],
    }
)
SOFT = {
    "media_encryption": "dtls",
    "use_avpf": "true",
    "ice_support": "true",
    "rtcp_mux": "true",
    "media_use_received_transport": "true",
    "dtls_cert_file": "/x",
    "allow": "(opus|alaw|vp8)",
}
HARD = {
    "transport": "transport-tls",
    "media_encryption": "sdes",
    "media_encryption_optimistic": "false",
    "use_avpf": "false",
    "ice_support": "false",
    "allow": "(opus|alaw)",
}


@pytest.mark.parametrize(
    ("change", "verdict", "told"),
    [
        ({}, Verdict.PASS, "phones checked: 1"),
        ({"anonymous": 200}, Verdict.FAIL, "805ec0112233: 200 without a login"),
        ({"anonymous": 404}, Verdict.FAIL, "805ec0112233: 404 without a login"),
        ({"own": 401}, Verdict.FAIL, "805ec0112233: 401 with its own login"),
        ({"own_content": False}, Verdict.FAIL, "805ec0112233: the file has another password"),
        ({"foreign": 200}, Verdict.FAIL, "200 at another phone's path with its login"),
        ({"foreign": 404}, Verdict.FAIL, "404 at another phone's path with its login"),
        ({"own": 429}, Verdict.SKIP, "429, too many requests: retry in a minute"),
    ],
)
def test_provisioning(change: dict[str, Any], verdict: Verdict, told: str) -> None:
    judged = provisioning.judge_provisioning([replace(GOOD, **change)])
    assert judged.verdict is verdict
    assert told in str(judged.observed)


def test_without_phones_nothing_is_asked() -> None:
    (subject,) = subjects()
    assert provisioning.CHECKS[0].judge(subject).verdict is Verdict.SKIP


def test_the_doctors_call_takes_no_phones_extension() -> None:
    (subject,) = subjects(SITE)
    secrets = Secrets({f"telephony.extensions.{one}": one for one in ("6001", "6003")})
    state = subject.facts.get(snapshot)
    assert state.contacts == ()
    assert caller(replace(subject, secrets=secrets))[:2] == ("6001", "6001")


@pytest.mark.parametrize(
    ("soft", "hard", "verdict"),
    [
        ({}, {}, Verdict.PASS),
        ({}, {"media_encryption": "no"}, Verdict.FAIL),
        ({}, {"media_encryption_optimistic": "true"}, Verdict.FAIL),
        ({}, {"transport": "transport-udp"}, Verdict.FAIL),
        ({"media_encryption": "sdes"}, {}, Verdict.FAIL),
    ],
)
def test_a_phones_endpoint_is_judged_by_its_own_settings(
    soft: dict[str, str], hard: dict[str, str], verdict: Verdict
) -> None:
    endpoints = {"6001": SOFT | soft, "6003": HARD | hard}
    assert sip.judge_media(endpoints, {"6003"}).verdict is verdict


def test_a_phone_needs_no_video() -> None:
    endpoints = {"6001": SOFT, "6003": HARD}
    judged = sip.judge_codecs(endpoints, ["opus", "alaw"], ["vp8"], {"6003"})
    assert judged.verdict is Verdict.PASS
    assert sip.judge_codecs(endpoints, ["opus", "alaw"], ["vp8"]).verdict is Verdict.FAIL
