"""The first look at a host, from recorded output."""

from __future__ import annotations

from tests.unit.facts.outputs import recorded
from ucontact_appliance.facts.survey import Survey, nominal_mb, parse_survey


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
