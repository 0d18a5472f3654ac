"""How DAHDI numbers spans and channels, and what Asterisk needs to know of each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sites import small_site
from ucontact_appliance.planning.cards import CardLines, card_lines, modules_of, ranges
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.cards import CardModel, Variant

TRUNKS = [
    {"name": "sip", "host": "192.0.2.50", "prefix": "9"},
    {"name": "a", "transport": "dahdi", "prefix": "8"},
    {"name": "b", "transport": "dahdi", "prefix": "7"},
]


def planned(*cards: dict[str, Any], country: str | None = "AR") -> CardLines:
    used = {
        row.get("trunk")
        for card in cards
        for row in [*card.get("spans", []), *card.get("ports", [])]
    }
    trunks = [trunk for trunk in TRUNKS if trunk["name"] in used | {"sip"}]
    telephony = {"country": country, "trunks": trunks, "cards": list(cards)}
    found = card_lines(small_site(telephony=telephony).telephony)
    assert found is not None
    return found


def test_a_site_without_cards_has_no_lines() -> None:
    assert card_lines(small_site().telephony) is None


def test_spans_and_channels_are_numbered_over_all_cards() -> None:
    found = planned(
        {
            "name": "e1",
            "model": "digium",
            "driver": "wct4xxp",
            "spans": [
                {"signalling": "pri", "trunk": "a"},
                {"signalling": "unused"},
                {"signalling": "mfcr2", "trunk": "a"},
                {"signalling": "pri", "trunk": "a", "channels": 10, "network_side": True},
            ],
        },
        {
            "name": "x",
            "model": "xorcom",
            "ports": [
                {"signalling": "fxo", "count": 4, "trunk": "b"},
                {"signalling": "unused", "count": 2},
                {"signalling": "fxs", "extensions": ["7001"], "start": "loopstart"},
            ],
        },
    )
    assert [(one.number, one.timing, one.framing, one.crc4) for one in found.spans] == [
        (1, 1, "ccs", True),
        (3, 3, "cas", False),
        (4, 0, "ccs", True),
    ]
    assert [(one.key, one.channels) for one in found.channels] == [
        ("bchan", "1-15,17-31"),
        ("dchan", "16"),
        ("cas", "63-77,79-93:1101"),
        ("bchan", "94-103"),
        ("dchan", "109"),
        ("fxsks", "125-128"),
        ("fxols", "131"),
    ]
    assert found.groups == {"a": 1, "b": 2}
    assert [one.signalling for one in found.sections] == [
        "pri_cpe",
        "mfcr2",
        "pri_net",
        "fxs_ks",
        "fxo_ls",
    ]
    assert found.sections[-1].extension == "7001"
    assert found.modules == ("dahdi", "wct4xxp", "xpp_usb")
    assert found.zone == "ar"


def test_a_t1_has_its_own_defaults() -> None:
    found = planned(
        {
            "name": "t",
            "model": "digium",
            "spans": [{"signalling": "pri", "line": "t1", "trunk": "a"}],
        },
        country="US",
    )
    (span,) = found.spans
    assert (span.framing, span.coding, span.crc4) == ("esf", "b8zs", False)
    assert [(one.key, one.channels) for one in found.channels] == [
        ("bchan", "1-23"),
        ("dchan", "24"),
    ]
    assert found.sections[0].options == {"switchtype": "national"}


@pytest.mark.parametrize(
    ("country", "variant", "ani"),
    [("AR", "ar", "20"), ("BR", "br", "20"), ("MX", "mx", "10"), ("UY", "itu", "8")],
)
def test_mfcr2_is_that_of_the_country(country: str, variant: str, ani: str) -> None:
    found = planned(
        {"name": "e", "model": "digium", "spans": [{"signalling": "mfcr2", "trunk": "a"}]},
        country=country,
    )
    options = found.sections[0].options
    assert options["mfcr2_variant"] == variant
    assert options["mfcr2_max_ani"] == ani
    assert options["mfcr2_max_dnis"] == "4"


def test_what_site_yml_says_of_mfcr2_goes_first() -> None:
    given = {"max_ani": 0, "get_ani_first": True, "mfback_timeout": 1500}
    found = planned(
        {
            "name": "e",
            "model": "digium",
            "spans": [{"signalling": "mfcr2", "trunk": "a", "mfcr2": given}],
        }
    )
    options = found.sections[0].options
    assert options["mfcr2_max_ani"] == "0"
    assert options["mfcr2_get_ani_first"] == "yes"
    assert options["mfcr2_mfback_timeout"] == "1500"
    assert options["mfcr2_metering_pulse_timeout"] == "-1"


def test_the_tables_know_each_maker_and_only_known_variants() -> None:
    table = load_data("telephony_lines")
    assert table["drivers"].keys() == {model.value for model in CardModel}
    known = {variant.value for variant in Variant}
    assert {row["variant"] for row in table["mfcr2"].values()} <= known
    assert {"AR", "BR", "MX", "UY"} <= table["mfcr2"].keys()
    assert all(len(zone) == 2 for zone in table["tones"].values())


def test_ranges() -> None:
    assert ranges([]) == ""
    assert ranges([1, 2, 3, 5, 7, 8]) == "1-3,5,7-8"


def test_a_makers_modules_are_loaded_once() -> None:
    card = {"name": "e", "model": "digium", "spans": [{"signalling": "pri", "trunk": "a"}]}
    found = planned(card, card | {"name": "f"})
    assert len(found.modules) == len(set(found.modules))
    assert "wcte43x" in found.modules
    assert modules_of([]) == ("dahdi",)
