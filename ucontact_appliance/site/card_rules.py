"""What cards of `site.yml` and the rest of `telephony` have to agree on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import Any

from ucontact_appliance.language.messages import Message, _
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.cards import (
    AnalogueSignalling,
    DigitalSignalling,
    Span,
    TelephonyCard,
)
from ucontact_appliance.site.trunks import Trunk
from ucontact_appliance.site.values import refused_at

Place = tuple[str | int, ...]


@cache
def lines() -> dict[str, Any]:
    """data/telephony_lines.yml."""
    table: dict[str, Any] = load_data("telephony_lines")
    return table


def analogue_extensions(cards: Sequence[TelephonyCard]) -> tuple[str, ...]:
    """The numbers of the telephones at FXS ports, in the order of the ports."""
    return tuple(number for card in cards for row in card.ports for number in row.extensions)


def voice_channels(span: Span) -> int:
    """How many calls a span takes; none if it is unused."""
    if span.signalling is DigitalSignalling.UNUSED:
        return 0
    return span.channels or span.line.channels - 1


def trunk_lines(cards: Sequence[TelephonyCard]) -> dict[str, int]:
    """The number of calls that each trunk of cards takes, by its name."""
    found: dict[str, int] = {}
    for card in cards:
        for span in card.spans:
            if span.trunk:
                found[span.trunk] = found.get(span.trunk, 0) + voice_channels(span)
        for row in card.ports:
            if row.trunk:
                found[row.trunk] = found.get(row.trunk, 0) + row.size
    return found


def refuse_wrong_trunks(cards: Sequence[TelephonyCard], trunks: Sequence[Trunk]) -> None:
    """Each channel has a trunk of cards, each such trunk a channel, and no more calls than those.

    Places are below `telephony`.
    """
    by_card = {trunk.name for trunk in trunks if not trunk.is_sip}
    for name, place in _named(cards):
        if name not in by_card:
            raise refused_at("unknown", _unknown(name, by_card), place)
    found = trunk_lines(cards)
    for index, trunk in enumerate(trunks):
        if trunk.is_sip:
            continue
        if trunk.name not in found:
            message = _("{name!r} has no lines; name it as 'trunk' below 'cards'", name=trunk.name)
            raise refused_at("unknown", message, ("trunks", index, "transport"))
        if trunk.max_calls and trunk.max_calls > found[trunk.name]:
            message = _("{name!r} has {count} lines", name=trunk.name, count=found[trunk.name])
            raise refused_at("unknown", message, ("trunks", index, "max_calls"))


def refuse_taken_numbers(cards: Sequence[TelephonyCard], taken: Collection[str]) -> None:
    """A telephone at a port has a number that nobody else has."""
    known = set(taken)
    for card_index, card in enumerate(cards):
        for index, row in enumerate(card.ports):
            for at, number in enumerate(row.extensions):
                if number in known:
                    place = ("cards", card_index, "ports", index, "extensions", at)
                    raise refused_at(
                        "repeated", _("{number!r} is taken already", number=number), place
                    )
                known.add(number)


def refuse_nameless_lines(cards: Sequence[TelephonyCard]) -> None:
    """With `inbound`, an analogue line needs its number: a call on it tells none."""
    for card_index, card in enumerate(cards):
        for index, row in enumerate(card.ports):
            if row.signalling is AnalogueSignalling.FXO and row.number is None:
                message = _(
                    "is missing: 'inbound' decides by the number, and these lines tell none"
                )
                raise refused_at(
                    "unknown", message, ("cards", card_index, "ports", index, "number")
                )


def refuse_unknown_variants(cards: Sequence[TelephonyCard], country: str | None) -> None:
    """MFC-R2 has a variant and lengths: its own, or those of the country."""
    known = lines()["mfcr2"]
    for card_index, card in enumerate(cards):
        for index, span in enumerate(card.spans):
            if span.signalling is not DigitalSignalling.MFCR2 or country in known:
                continue
            for key in ("variant", "max_ani", "max_dnis"):
                if getattr(span.mfcr2, key) is None:
                    message = _(
                        "is missing; only for {countries} is there a default by 'country'",
                        countries=", ".join(sorted(known)),
                    )
                    place = ("cards", card_index, "spans", index, "mfcr2", key)
                    raise refused_at("unknown", message, place)


def _named(cards: Sequence[TelephonyCard]) -> Iterator[tuple[str, Place]]:
    for card_index, card in enumerate(cards):
        for index, span in enumerate(card.spans):
            if span.trunk:
                yield span.trunk, ("cards", card_index, "spans", index, "trunk")
        for index, row in enumerate(card.ports):
            if row.trunk:
                yield row.trunk, ("cards", card_index, "ports", index, "trunk")


def _unknown(name: str, known: Collection[str]) -> Message:
    if not known:
        return _("there is no trunk {name!r} with transport 'dahdi'; add it to 'trunks'", name=name)
    return _(
        "there is no trunk {name!r} with transport 'dahdi'; defined are {known}",
        name=name,
        known=", ".join(sorted(known)),
    )
