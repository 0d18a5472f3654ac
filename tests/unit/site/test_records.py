"""How long rows about calls are kept, in site.yml: what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.unit.site.test_qos import SITE
from ucontact_appliance.errors import UsageError
from ucontact_appliance.site.loader import parse_site
from ucontact_appliance.site.model import Records


def parsed(**records: Any) -> Records:
    return parse_site(yaml.safe_dump(SITE | {"records": records})).records


def test_without_days_all_are_kept() -> None:
    found = parsed()
    assert (found.calls_days, found.events_days, found.accesses_days) == (None, None, None)


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ({"calls_days": 29}, "records.calls_days"),
        ({"events_days": "always"}, "records.events_days"),
        ({"accesses_days": 89}, "recordings are kept for 90 days"),
        ({"call_days": 90}, "calls_days"),
    ],
)
def test_what_is_refused(records: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as refused:
        parsed(**records)
    assert told in f"{refused.value} {refused.value.evidence} {refused.value.helps}"


def test_accesses_as_long_as_recordings() -> None:
    assert parsed(accesses_days=90).accesses_days == 90
