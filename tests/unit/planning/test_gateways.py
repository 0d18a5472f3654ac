"""What Asterisk is told of the other end of a trunk, by its model and by site.yml (R13)."""

from __future__ import annotations

from typing import Any

import pytest

from ucontact_appliance.planning.gateways import fax_of, gateways, some_t38, trunk_settings
from ucontact_appliance.site.trunks import Fax, Trunk, TrunkModel


def trunk(**changes: Any) -> Trunk:
    return Trunk.model_validate({"name": "one", "host": "192.0.2.50", **changes})


def test_every_model_has_a_row_and_no_other_has() -> None:
    assert gateways().keys() == set(TrunkModel)


def test_a_provider_has_what_trunks_had_before_there_were_models() -> None:
    found = trunk_settings(trunk())
    assert (found.dtmf_mode, found.t38_udptl, found.inband_progress) == ("rfc4733", False, False)
    assert (found.qualify_frequency, found.port) == (30, 5060)


@pytest.mark.parametrize("model", ["dinstar", "khomp", "gateway"])
def test_a_gateway_has_its_own_values_and_site_yml_the_last_word(model: str) -> None:
    found = trunk_settings(trunk(model=model))
    assert (found.dtmf_mode, found.t38_udptl) == ("auto", True)
    assert (found.t38_udptl_ec, found.t38_udptl_maxdatagram) == ("redundancy", 400)
    chosen = trunk_settings(trunk(model=model, dtmf="info", fax="off", port=5062))
    assert (chosen.dtmf_mode, chosen.t38_udptl, chosen.port) == ("info", False, 5062)


@pytest.mark.parametrize(
    ("changes", "fax"),
    [
        ({}, Fax.OFF),
        ({"fax": "t38"}, Fax.T38),
        ({"fax": "pass-through"}, Fax.PASS_THROUGH),
        ({"model": "khomp"}, Fax.T38),
        ({"model": "khomp", "fax": False}, Fax.OFF),  # an unquoted `off`
        ({"model": "khomp", "transport": "tls", "srtp": True}, Fax.OFF),
    ],
)
def test_fax(changes: dict[str, Any], fax: Fax) -> None:
    assert fax_of(trunk(**changes)) is fax
    assert some_t38([trunk(), trunk(**changes)]) is (fax is Fax.T38)


def test_tls_has_a_port_of_its_own() -> None:
    assert trunk_settings(trunk(transport="tls")).port is None
    assert trunk_settings(trunk(transport="tls", port=5071)).port == 5071
