from __future__ import annotations

from ucontact_appliance.checks.bans import judge_banned
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.facts.asterisk import Jail


def test_a_banned_machine_of_the_site_is_named_and_let_in_again() -> None:
    found = Jail(True, "/var/log/asterisk/security", ("192.0.2.7", "10.0.0.2"), "")
    assert judge_banned(found, {"10.0.0.3": "web"}).verdict is Verdict.PASS
    judged = judge_banned(found, {"10.0.0.2": "web", "10.0.0.3": "db"})
    assert judged.verdict is Verdict.FAIL
    assert "10.0.0.2 (web)" in judged.observed
    assert judged.remedy == "ucontact bans lift 10.0.0.2 --site {site}"
