import pytest

from ucontact_appliance.facts.call import parse_channel_id, parse_contacts, parse_row

_CHANNELS = (
    "PJSIP/6002-00000001!internal!6001!1!Up!Dial!PJSIP/6001!6002!!!3!9!b1!1795399410.1\n"
    "PJSIP/6001-00000002!internal!!1!Up!AppDial!(Outgoing Line)!6001!!!3!9!b1!1795399410.2\n"
    "PJSIP/6001-00000003!internal!*43!4!Up!Echo!!6001!!!3!2!!1795399416.3\n"
)
_AOR = """
      Aor:  <Aor..............................................>  <MaxContact>
    Contact:  <Aor/ContactUri............................> <Hash....> <Status> <RTT(ms)..>
==========================================================================================

      Aor:  6001                                                 5
    Contact:  6001/sip:6001@192.0.2.1:43376;transport=ws; 0a617b5d59 NonQual        -nan
"""


def test_the_echo_channel_of_the_extension_is_found_beside_its_real_call() -> None:
    assert parse_channel_id(_CHANNELS, "6001") == "1795399416.3"


@pytest.mark.parametrize("number", ["6002", "600", "7000"])
def test_nobody_elses_channel_is_taken(number: str) -> None:
    assert parse_channel_id(_CHANNELS, number) == ""


def test_contacts() -> None:
    assert parse_contacts(_AOR) == ("6001/sip:6001@192.0.2.1:43376;transport=ws;",)
    assert parse_contacts("No objects found.") == ()


def test_row() -> None:
    text = "uniqueid\tdisposition\tbillsec\n1.2\tANSWERED\t3\n"
    assert parse_row(text) == {"uniqueid": "1.2", "disposition": "ANSWERED", "billsec": "3"}
    assert parse_row("") == {}


def test_the_marked_call_is_told_from_the_extensions_own_echo_test() -> None:
    marked = (
        "PJSIP/6001-00000004!internal!*43!4!Up!Echo!!6001!0123456789abmain!!3!2!!1795399417.4\n"
    )
    both = _CHANNELS + marked
    assert parse_channel_id(both, "6001", "0123456789abmain") == "1795399417.4"
    assert parse_channel_id(marked + _CHANNELS, "6001", "0123456789abmain") == "1795399417.4"


def test_where_nothing_is_marked_yet_the_call_is_found_as_before() -> None:
    assert parse_channel_id(_CHANNELS, "6001", "0123456789abmain") == "1795399416.3"


def test_a_call_of_another_run_is_never_taken() -> None:
    other = "PJSIP/6001-00000004!internal!*43!4!Up!Echo!!6001!ffffffffffffmain!!3!2!!1795399417.4\n"
    assert parse_channel_id(other, "6001", "0123456789abmain") == ""
