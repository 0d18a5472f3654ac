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
