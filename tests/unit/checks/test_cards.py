"""Verdicts on telephony cards: the card, the kernels, Secure Boot, and the lines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.checks.subjects import subjects
from tests.unit.sites import small_site
from ucontact_appliance.checks import card_lines as lines
from ucontact_appliance.checks import cards
from ucontact_appliance.checks.model import Judgement, Verdict
from ucontact_appliance.facts.cards import CardKernel, DahdiSpan, FoundCards, LineState
from ucontact_appliance.facts.hardware.records import Card
from ucontact_appliance.facts.packages import AptPackages, Package
from ucontact_appliance.planning.cards import CardLines, card_lines
from ucontact_appliance.site.cards import CardModel, TelephonyCard

SITE: dict[str, Any] = {
    "country": "AR",
    "trunks": [
        {"name": "a", "transport": "dahdi", "prefix": "8"},
        {"name": "b", "transport": "dahdi", "prefix": "7"},
    ],
    "cards": [
        {
            "name": "e1",
            "model": "digium",
            "spans": [
                {"signalling": "pri", "trunk": "a"},
                {"signalling": "mfcr2", "trunk": "a"},
            ],
        },
        {
            "name": "x",
            "model": "xorcom",
            "ports": [{"signalling": "fxo", "count": 2, "trunk": "b"}],
        },
    ],
}
TELEPHONY = small_site(telephony=SITE).telephony
CARDS: tuple[TelephonyCard, ...] = TELEPHONY.cards
DIGIUM = Card("Digium", "TE235", "pci", "d161:800e", "05:08.0", "wcte43x", "PCI 05:08.0")
XORCOM = Card("Xorcom", "Astribank 2", "usb", "e4e4:1162", "1-1", "", "USB 1-1")
KERNEL = CardKernel(
    running="6.1.0-9-amd64",
    installed=("6.1.0-9-amd64", "6.1.0-18-amd64"),
    built=frozenset({"6.1.0-9-amd64", "6.1.0-18-amd64"}),
    loaded=frozenset({"dahdi", "wcte43x"}),
    secure_boot=False,
    signer="DKMS module signing key",
    enrolled=None,
    container=False,
    evidence="the kernels",
)


def verdict(judged: Judgement) -> tuple[Verdict, str]:
    return judged.verdict, str(judged.observed)


def test_a_site_without_cards_is_not_judged_and_nobody_is_asked() -> None:
    (subject,) = subjects()
    for check in (*cards.CHECKS, *lines.CHECKS):
        judged = check.judge(subject)
        assert verdict(judged) == (Verdict.SKIP, "the site has no telephony cards"), check.id


def test_cards_are_counted_by_their_maker() -> None:
    assert cards.judge_present(FoundCards((DIGIUM, XORCOM), False), CARDS).verdict is Verdict.PASS
    judged = cards.judge_present(FoundCards((DIGIUM,), False), CARDS)
    assert verdict(judged) == (Verdict.FAIL, "xorcom: 0 of 1 found")
    assert cards.judge_present(FoundCards((), True), CARDS).verdict is Verdict.SKIP


def test_packages_of_cards() -> None:
    known = {
        name: Package(name, "", "1:3.4.0-1", "")
        for name in ("dahdi", "dahdi-linux", "dahdi-dkms", "asterisk-dahdi")
    }
    assert cards.judge_packages(AptPackages("own", known)).verdict is Verdict.PASS
    known.pop("asterisk-dahdi")
    judged = cards.judge_packages(AptPackages("own", known))
    assert verdict(judged) == (Verdict.FAIL, "apt knows no package asterisk-dahdi")
    assert cards.judge_packages(AptPackages("none", {})).verdict is Verdict.SKIP


def test_the_running_kernel_needs_the_module() -> None:
    assert cards.judge_module(KERNEL, CARDS).verdict is Verdict.PASS
    judged = cards.judge_module(replace(KERNEL, built=frozenset()), CARDS)
    assert verdict(judged) == (Verdict.FAIL, "kernel 6.1.0-9-amd64 has no DAHDI")
    judged = cards.judge_module(replace(KERNEL, loaded=frozenset({"wcte43x"})), CARDS)
    assert verdict(judged) == (Verdict.FAIL, "not loaded: dahdi")
    assert "restart asterisk.service" in judged.remedy
    assert cards.judge_module(replace(KERNEL, container=True), CARDS).verdict is Verdict.SKIP


def test_a_card_of_sangoma_needs_wanpipe() -> None:
    sangoma = CARDS[0].model_copy(update={"model": CardModel.SANGOMA})
    judged = cards.judge_module(KERNEL, [sangoma])
    assert verdict(judged) == (Verdict.FAIL, "not loaded: wanpipe")


def test_a_kernel_without_the_module_is_found_before_the_reboot() -> None:
    assert cards.judge_next_kernel(KERNEL, CARDS).verdict is Verdict.PASS
    judged = cards.judge_next_kernel(replace(KERNEL, built=frozenset({KERNEL.running})), CARDS)
    assert verdict(judged) == (
        Verdict.FAIL,
        "kernel 6.1.0-18-amd64 is installed without DAHDI",
    )
    assert "dkms autoinstall -k 6.1.0-18-amd64" in judged.remedy
    assert cards.judge_next_kernel(replace(KERNEL, installed=()), CARDS).verdict is Verdict.SKIP


def test_the_name_of_a_kernel_stays_out_of_a_command_where_it_could_be_one() -> None:
    odd = "6.9;reboot"
    judged = cards.judge_next_kernel(replace(KERNEL, installed=(odd,)), CARDS)
    assert judged.verdict is Verdict.FAIL
    assert odd not in judged.remedy


def test_kernels_are_ordered_by_number() -> None:
    releases = ["6.1.0-18-amd64", "6.1.0-9-amd64", "5.10.0-30-amd64", "7.2.13+deb14-amd64"]
    assert sorted(releases, key=cards.kernel_order) == [
        "5.10.0-30-amd64",
        "6.1.0-9-amd64",
        "6.1.0-18-amd64",
        "7.2.13+deb14-amd64",
    ]


@pytest.mark.parametrize(
    ("changes", "wanted", "told"),
    [
        ({"secure_boot": None}, Verdict.PASS, "Secure Boot is off"),
        ({"signer": ""}, Verdict.FAIL, "Secure Boot is on, and DAHDI's module has no signature"),
        (
            {"enrolled": False},
            Verdict.FAIL,
            "Secure Boot is on, and the key of DKMS is not enrolled",
        ),
        (
            {"enrolled": None},
            Verdict.WARN,
            "Secure Boot is on, and DKMS has no key that is enrolled",
        ),
        (
            {"enrolled": True},
            Verdict.PASS,
            "Secure Boot is on; the key of DKMS module signing key is enrolled",
        ),
    ],
)
def test_secure_boot(changes: dict[str, Any], wanted: Verdict, told: str) -> None:
    found = replace(KERNEL, secure_boot=True)
    assert verdict(cards.judge_secure_boot(replace(found, **changes), CARDS)) == (wanted, told)


def planned() -> CardLines:
    found = card_lines(TELEPHONY)
    assert found is not None
    return found


def state(**changes: Any) -> LineState:
    voice = [one for span in planned().expected for one in span.voice]
    made = LineState(
        spans=(
            DahdiSpan(1, "TE2 Span 1", (), True, 31),
            DahdiSpan(2, "TE2 Span 2", (), False, 31),
            DahdiSpan(3, "Xorcom XPD #00/00: FXO", ("RED",), False, 8),
        ),
        channels=frozenset([*voice, 63, 64]),
        pri={1: "Provisioned, Up, Active"},
        r2=dict.fromkeys(planned().expected[1].voice, "IDLE"),
        texts={},
    )
    return replace(made, **changes)


def test_lines_in_service() -> None:
    for judge in (
        lines.judge_channels,
        lines.judge_alarms,
        lines.judge_signalling,
        lines.judge_timing,
    ):
        assert judge(state(), planned()).verdict is Verdict.PASS, judge


def test_missing_channels_are_named() -> None:
    judged = lines.judge_channels(state(channels=state().channels - {17, 18, 63}), planned())
    assert verdict(judged) == (Verdict.FAIL, "3 of 62 channels are missing: 17-18,63")


@pytest.mark.parametrize(
    ("alarm", "told"),
    [
        ("RED", "span 2: RED, no signal or no frames arrive: cable, or the far end is off"),
        ("YELLOW", "span 2: YELLOW, the far end gets no frames from here: cable, framing or CRC4"),
        ("UNCONFIGURED", "span 2: UNCONFIGURED, not in service"),
    ],
)
def test_an_alarm_is_explained(alarm: str, told: str) -> None:
    spans = (state().spans[0], replace(state().spans[1], alarms=(alarm,)))
    assert verdict(lines.judge_alarms(state(spans=spans), planned())) == (Verdict.FAIL, told)


def test_a_missing_span_is_an_alarm() -> None:
    judged = lines.judge_alarms(state(spans=state().spans[:1]), planned())
    assert verdict(judged) == (Verdict.FAIL, "span 2 is missing")


def test_a_d_channel_that_is_down() -> None:
    said = "Provisioned, In Alarm, Down, Active"
    judged = lines.judge_signalling(state(pri={1: said}), planned())
    assert verdict(judged) == (Verdict.FAIL, f"span 1: {said}")
    judged = lines.judge_signalling(state(pri={}), planned())
    assert verdict(judged) == (Verdict.FAIL, "span 1: unknown to Asterisk")


def test_lines_that_the_far_end_blocks() -> None:
    voice = planned().expected[1].voice
    judged = lines.judge_signalling(state(r2=dict.fromkeys(voice, "BLOCK")), planned())
    assert verdict(judged) == (Verdict.FAIL, "span 2: the far end blocks all lines")
    judged = lines.judge_signalling(state(r2=state().r2 | {32: "BLOCK"}), planned())
    assert verdict(judged) == (Verdict.WARN, "span 2: 32 blocked")


def test_the_clock_comes_from_the_provider() -> None:
    masters = (replace(state().spans[0], master=False), *state().spans[1:])
    judged = lines.judge_timing(state(spans=masters), planned())
    assert verdict(judged) == (Verdict.WARN, "no span gives the clock")
    third = (*masters[:2], replace(masters[2], master=True))
    judged = lines.judge_timing(state(spans=third), planned())
    assert verdict(judged) == (Verdict.WARN, "the clock comes from span 3")


def test_analogue_lines_have_no_spans_to_judge() -> None:
    site = SITE | {"cards": SITE["cards"][1:], "trunks": SITE["trunks"][1:]}
    alone = card_lines(small_site(telephony=site).telephony)
    for judge in (lines.judge_alarms, lines.judge_signalling):
        assert judge(state(), alone).verdict is Verdict.SKIP
