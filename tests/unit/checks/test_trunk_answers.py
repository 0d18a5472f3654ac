"""A trunk that does not work, explained by what its provider answered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.trunks import judge_trunks
from ucontact_appliance.facts.asterisk import Contact, parse_snapshot
from ucontact_appliance.facts.host import sections
from ucontact_appliance.facts.trunk_answers import parse_answers
from ucontact_appliance.site.trunks import Trunk, TrunkTransport

NOW = "2026-11-30 18:06:05"
REGISTRATION = "WARNING[230] res_pjsip_outbound_registration.c: "
# Recorded on a rehearsal machine (Asterisk 22.10), and the forms of its source.
SILENT = (
    f"[2026-11-30 18:05:58] {REGISTRATION}No response received from "
    "'sip:10.203.17.1:5099;transport=tls' on registration attempt to 'sip:100@10.203.17.1', "
    "retrying in '30'"
)
TLS = "ERROR[235] res_pjsip/pjsip_transport_events.c: Transport 'transport-tls' to remote "
UNTRUSTED = (
    f"[2026-11-30 18:05:57] {TLS}'10.203.17.1' - 10.203.17.1:5099 - The certificate is untrusted"
)
EXPIRED = (
    f"[2026-11-30 18:05:57] {TLS}'10.203.17.1' - 10.203.17.1:5099 - "
    "The certificate has expired or not yet valid"
)
OLDER = f"[2026-11-30 18:05:57] {TLS}'10.203.17.1' - The certificate has expired or not yet valid"
FATAL = (
    f"[2026-11-30 18:05:58] {REGISTRATION}'401' fatal response received from 'sip:10.203.17.1:5060'"
    " on registration attempt to 'sip:100@10.203.17.1', retrying in '300' seconds"
)
FORBIDDEN = FATAL.replace("'401' fatal", "403 Forbidden fatal")
TEMPORAL = (
    f"[2026-11-30 18:05:58] {REGISTRATION}Temporal response '503' received from "
    "'sip:10.203.17.1:5060' on registration attempt to 'sip:100@10.203.17.1', retrying in '30'"
)

ACCOUNT = Trunk(name="carrier", host="10.203.17.1", username="100", register_account=True)
SECURE = ACCOUNT.model_copy(update={"port": 5099, "transport": TrunkTransport.TLS})
REMEDY = "ucontact secrets set telephony.trunks.carrier"


@pytest.mark.parametrize(
    ("trunk", "lines", "told"),
    [
        (ACCOUNT, [FATAL], "carrier: the provider refuses the account with SIP 401"),
        (ACCOUNT, [FORBIDDEN], "carrier: the provider refuses the account with SIP 403"),
        (ACCOUNT, [TEMPORAL], "carrier: the provider answers REGISTER with SIP 503"),
        (ACCOUNT, [FATAL, TEMPORAL], "carrier: the provider answers REGISTER with SIP 503"),
        (SECURE, [SILENT], "carrier: the provider does not answer REGISTER"),
        (
            SECURE,
            [EXPIRED, EXPIRED, SILENT],
            "carrier: the provider's certificate is refused: The certificate has expired or not "
            "yet valid",
        ),
        (
            SECURE,
            [OLDER],
            "carrier: the provider's certificate is refused: The certificate has expired or not "
            "yet valid",
        ),
        (
            SECURE,
            [UNTRUSTED, EXPIRED],
            "carrier: the provider's certificate is refused: The certificate is untrusted, The "
            "certificate has expired or not yet valid",
        ),
        (ACCOUNT, [FATAL.replace("100@", "200@")], "carrier is unavail; carrier is rejected"),
        (ACCOUNT, [SILENT], "carrier is unavail; carrier is rejected"),  # another port's
        (ACCOUNT, [FATAL.replace("18:05", "17:45")], "carrier is unavail; carrier is rejected"),
        (
            ACCOUNT,
            ["no line of the log", "[x] '401' fatal"],
            "carrier is unavail; carrier is rejected",
        ),
    ],
)
def test_what_the_provider_answered(trunk: Trunk, lines: list[str], told: str) -> None:
    found = replace(
        parse_snapshot(sections(recorded("asterisk_snapshot-sid"))),
        contacts=(Contact("trunk-carrier", "sip:10.203.17.1", "Unavail"),),
        registrations={"trunk-carrier": "Rejected"},
    )
    judged = judge_trunks(found, (trunk,), parse_answers([NOW, *lines]))
    assert (judged.verdict, judged.observed) == (Verdict.FAIL, told)
    assert any(line in judged.evidence for line in lines) == ("unavail" not in told)
    assert judged.remedy.startswith(REMEDY) == ("refuses the account" in told)


def test_a_trunk_that_works_needs_no_explanation() -> None:
    found = replace(
        parse_snapshot(sections(recorded("asterisk_snapshot-sid"))),
        contacts=(Contact("trunk-carrier", "sip:10.203.17.1", "Avail"),),
        registrations={"trunk-carrier": "Registered"},
    )
    judged = judge_trunks(found, (ACCOUNT,), parse_answers([NOW, FATAL]))
    assert judged.verdict is Verdict.PASS


@pytest.mark.parametrize("text", ["", "no time", f"{NOW}\n"])
def test_without_a_time_or_lines_there_is_no_answer(text: str) -> None:
    assert parse_answers(text.splitlines()) == ()
