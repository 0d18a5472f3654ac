import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.facts.trunk_calls import parse_half, parse_trunk_call, trunk_call

_PLACE = "Local/5550100m0123456789abtrunk@test-trunk-carrier"


def test_the_half_that_dials_is_found_in_a_real_listing() -> None:
    text = recorded("trunk_test_channels-sid")
    assert parse_half(text, _PLACE) == f"{_PLACE}-00000008;2"
    assert parse_half(text, "Local/5550100mffffffffffff@test-trunk-carrier") == ""
    assert parse_half("", _PLACE) == ""


def test_the_outcome_of_a_real_call_is_read() -> None:
    found = parse_trunk_call("carrier", "5550100", recorded("trunk_test_channel-sid"), "asked")
    assert (found.outcome, found.status, found.reason) == ("ANSWER", 200, "OK")
    assert found.answered_after == pytest.approx(0.004)
    assert found.talked == pytest.approx(3.003)
    assert found.evidence.startswith("asked\noutcome=ANSWER")


def test_a_refusal_has_its_sip_answer_and_no_time() -> None:
    text = "      Variables:\noutcome=BUSY\nsip_response=SIP 486 Busy Here\nDIALEDTIME=2\n"
    found = parse_trunk_call("carrier", "1", text, "")
    assert (found.outcome, found.status, found.reason) == ("BUSY", 486, "Busy Here")
    assert found.answered_after is None


def test_older_asterisks_tell_whole_seconds() -> None:
    text = "outcome=ANSWER\nDIALEDTIME=7\nANSWEREDTIME=3\n"
    assert parse_trunk_call("carrier", "1", text, "").answered_after == 4.0


def test_a_call_that_was_not_seen_has_no_outcome() -> None:
    found = parse_trunk_call("carrier", "1", "", "No such application")
    assert (found.outcome, found.status, found.answered_after) == ("", 0, None)
    assert found.evidence == "No such application"


@pytest.mark.parametrize(
    ("trunk", "number"),
    [("carrier", "12 application System"), ("carrier", "1m2"), ("a b", "12"), ("carrier", "")],
)
def test_nothing_but_a_number_and_a_name_reaches_asterisk(trunk: str, number: str) -> None:
    with pytest.raises(ValueError, match="no number"):
        trunk_call(None, trunk, number)  # type: ignore[arg-type]
