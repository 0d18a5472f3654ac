"""The list of checks that people read is that of the registry."""

from __future__ import annotations

from tests.checks_reference import reference
from ucontact_appliance.findings.registry import CHECKS


def test_every_check_has_one_row() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) == len(CHECKS)
    assert {row.split("`")[1] for row in rows} == {check.id for check in CHECKS}
