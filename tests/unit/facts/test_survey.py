"""The first look at a host, from recorded output."""

from __future__ import annotations

import base64

import pytest

from tests.unit.certs import issue
from tests.unit.facts.outputs import recorded
from ucontact_appliance.facts.survey import Survey, nominal_mb, parse_ca, parse_survey


def test_a_machine_of_debian_sid() -> None:
    assert parse_survey(recorded("survey-sid")) == Survey(
        os_id="debian",
        os_version="",
        os_name="Debian GNU/Linux forky/sid",
        memory_mb=24576,
        machine_id="6242f8a300ad42468a8fbe73f3aaec06",
        threads=2,
        disk_free_mb=74173,
        disk_total_mb=258019,
        came_from="10.203.17.1",
    )


def test_memory_is_counted_as_it_was_bought() -> None:
    assert nominal_mb(7969177) == 8192  # "8 GB" that reads 7.6 GiB


def in_base64(content: bytes) -> str:
    return f"= {base64.b64encode(content).decode()}\n"


def test_the_ca_of_an_installation_is_read_whatever_it_is() -> None:
    root = issue("A root", authority=True)
    assert parse_ca(in_base64(root.pem)) == root.pem
    assert parse_ca("\n") is None
    assert parse_ca(in_base64(b"")) == b""
    with pytest.raises(ValueError, match=r"base64|padding"):
        parse_ca("= no base64!\n")


def test_an_answer_with_a_ca_in_it_is_still_one_answer() -> None:
    parts = recorded("survey-sid").split("----\n")
    root = issue("A root", authority=True)
    parts[5] = in_base64(root.pem)
    seen = parse_survey("----\n".join(parts))
    assert seen.ca == root.pem
