"""Tests on machines apply the role telephony with every secret that it requires."""

from __future__ import annotations

import yaml

from tests.e2e.support import TELEPHONY_SECRETS
from ucontact_appliance.resources import ROLES


def test_the_machines_get_every_required_secret() -> None:
    text = (ROLES / "telephony/meta/argument_specs.yml").read_text(encoding="utf-8")
    options = yaml.safe_load(text)["argument_specs"]["main"]["options"]
    required = {name for name, option in options.items() if option.get("required")}
    assert set(TELEPHONY_SECRETS) == required - {"telephony_extensions"}
