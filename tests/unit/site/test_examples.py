"""The examples in inventory/ are sites that can be planned."""

from __future__ import annotations

import pytest

from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.resources import ROOT
from ucontact_appliance.site.loader import load_site


@pytest.mark.parametrize("size", ["small", "medium", "big"])
def test_an_example_has_the_size_that_it_is_named_for(size: str) -> None:
    site = load_site(ROOT / "inventory" / f"{size}.yml")
    assert make_plan(site, {}).size.value == size
