"""A site CA's certificate on a server tells whose installation it is."""

from __future__ import annotations

from tests.unit.certs import issue
from ucontact_appliance.planning.certificates import spki_pin
from ucontact_appliance.planning.ownership import SiteMark, marks_of


def test_the_mark_of_a_ca_whatever_the_file_holds() -> None:
    root = issue("A root", authority=True)
    broken = b"-----BEGIN CERTIFICATE-----\n----\n"
    found = marks_of({"one": root.pem, "two": None, "three": b"", "four": broken})
    mark = found["one"]
    assert mark is not None
    assert mark.pin == spki_pin(root.pem)
    assert len(mark.fingerprint) == 64
    assert (found["two"], found["three"], found["four"]) == (None, SiteMark(), SiteMark())
