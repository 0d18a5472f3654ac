"""The documentation of site.yml is the model's own."""

from __future__ import annotations

from ucontact_appliance.site.reference import reference


def test_every_key_is_explained() -> None:
    rows = [line for line in reference().splitlines() if line.startswith("| `")]
    assert len(rows) > 30
    assert not [row for row in rows if row.endswith("|  |")]
