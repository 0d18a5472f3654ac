"""The codes that pause recordings, in site.yml: what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.unit.site.test_qos import SITE
from ucontact_appliance.errors import UsageError
from ucontact_appliance.site.loader import parse_site
from ucontact_appliance.site.model import Recordings


def parsed(**recordings: Any) -> Recordings:
    return parse_site(yaml.safe_dump(SITE | {"recordings": recordings})).recordings


def test_without_codes_no_agent_can_pause() -> None:
    assert parsed().pause_code is None


def test_codes_begin_with_a_star_or_hash() -> None:
    found = parsed(pause_code="*7", resume_code="#88")
    assert (found.pause_code, found.resume_code) == ("*7", "#88")


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ({"pause_code": "*7"}, "need each other"),
        ({"resume_code": "*8"}, "need each other"),
        ({"pause_code": "*7", "resume_code": "*7"}, "must not begin with each other"),
        ({"pause_code": "*7", "resume_code": "*78"}, "must not begin with each other"),
        ({"pause_code": "77", "resume_code": "*8"}, "recordings.pause_code"),
        ({"pause_code": "*", "resume_code": "*8"}, "recordings.pause_code"),
        ({"pause_code": "*7,self,System(id)", "resume_code": "*8"}, "recordings.pause_code"),
    ],
)
def test_codes_that_would_not_work_are_refused(codes: dict[str, str], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(**codes)
    assert told in f"{caught.value} {caught.value.evidence}"
