"""How long a service did not answer, from samples."""

from __future__ import annotations

import pytest

from ucontact_appliance.upgrading.watch import Sample, outage


def samples(text: str) -> list[Sample]:
    """A sample per second: "+" is good."""
    return [Sample(float(at), mark == "+") for at, mark in enumerate(text)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("--++", None),  # perhaps it can't be reached from here
        ("+", 0.0),
        ("++++", 0.0),
        ("++-+", 2.0),
        ("+---+", 4.0),
        ("+-+-+", 4.0),
        ("++--", 2.0),
    ],
)
def test_an_outage_is_between_good_samples(text: str, seconds: float | None) -> None:
    assert outage(samples(text)) == seconds
