from __future__ import annotations

from tests.unit.facts.outputs import recorded
from ucontact_appliance.facts.unit import parse_unit


def test_running_unit_on_two_releases() -> None:
    for name, record in (("mysql", "unit_mysql-sid"), ("coturn", "unit_coturn-bullseye")):
        found = parse_unit(f"{name}.service", recorded(record))
        assert (found.loaded, found.active, found.sub) == ("loaded", "active", "running")
        assert found.enabled == "enabled"
        assert f"systemctl show {name}.service" in found.evidence


def test_stopped_unit() -> None:
    found = parse_unit("coturn.service", recorded("unit_stopped-sid"))
    assert (found.loaded, found.active) == ("loaded", "inactive")


def test_missing_unit() -> None:
    found = parse_unit("none.service", recorded("unit_missing-bullseye"))
    assert found.loaded == "not-found"
    assert found.enabled == ""
