"""What DAHDI and Asterisk need to know of a site's telephony cards (R13).

DAHDI numbers spans and channels in the order in which it finds the cards; site.yml has that order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ucontact_appliance.site.card_rules import lines, trunk_lines, voice_channels
from ucontact_appliance.site.cards import (
    AnalogueSignalling,
    DigitalSignalling,
    Framing,
    Line,
    Mfcr2,
    Ports,
    Span,
    Start,
    SwitchType,
    TelephonyCard,
)
from ucontact_appliance.site.telephony import Telephony
from ucontact_appliance.site.trunks import Trunk

_DEFAULT = "default"
# Idle bits of MFC-R2 that say "blocked" until Asterisk runs (ITU-T Q.421).
_IDLE = "1101"
_STARTS = {Start.KEWLSTART: "ks", Start.LOOPSTART: "ls", Start.GROUNDSTART: "gs"}


@dataclass(frozen=True)
class SpanLine:
    """A line of system.conf: `number`, `timing` and `build_out` are its first three values."""

    number: int
    timing: int
    build_out: int
    framing: str
    coding: str
    crc4: bool


@dataclass(frozen=True)
class ChannelLine:
    """Channels of the same kind: a line of system.conf, such as `bchan=1-15,17-31`."""

    key: str
    channels: str
    echo: bool


@dataclass(frozen=True)
class ChannelSection:
    """A section of chan_dahdi.conf: channels of the same trunk, or one telephone's."""

    name: str
    signalling: str
    channels: str
    trunk: str
    group: int
    number: str
    extension: str
    options: dict[str, str]


@dataclass(frozen=True)
class ExpectedSpan:
    """What a check expects of a span: its number, signalling, and the numbers of its channels."""

    card: str
    number: int
    signalling: str
    trunk: str
    timing: int
    voice: tuple[int, ...]
    d_channel: int


@dataclass(frozen=True)
class CardLines:
    """All cards of a site. `groups` are DAHDI's groups by the name of the trunk."""

    zone: str
    modules: tuple[str, ...]
    spans: tuple[SpanLine, ...]
    channels: tuple[ChannelLine, ...]
    sections: tuple[ChannelSection, ...]
    groups: dict[str, int]
    expected: tuple[ExpectedSpan, ...]
    analogue: dict[int, str]


def card_lines(telephony: Telephony) -> CardLines | None:
    """The lines of a site's cards; None for a site without cards."""
    if not telephony.cards:
        return None
    made = _Numbered(telephony)
    for card in telephony.cards:
        made.add(card)
    zones = lines()["tones"]
    return CardLines(
        zone=zones.get(telephony.country, zones[_DEFAULT]),
        modules=modules_of(telephony.cards),
        spans=tuple(made.spans),
        channels=tuple(made.channels),
        sections=tuple(made.sections),
        groups=made.groups,
        expected=tuple(made.expected),
        analogue=made.analogue,
    )


def modules_of(cards: Iterable[TelephonyCard]) -> tuple[str, ...]:
    """The kernel modules to load: those named in site.yml, else all of the makers'."""
    drivers = lines()["drivers"]
    named = (
        name
        for card in cards
        for name in ([card.driver] if card.driver else drivers[card.model.value])
    )
    return tuple(dict.fromkeys(["dahdi", *named]))


def lines_of_trunks(telephony: Telephony) -> dict[str, int]:
    """How many calls each trunk of cards takes."""
    return trunk_lines(telephony.cards)


class _Numbered:
    """Spans and channels numbered one after the other."""

    def __init__(self, telephony: Telephony) -> None:
        by_card: list[Trunk] = [trunk for trunk in telephony.trunks if not trunk.is_sip]
        self.groups = {trunk.name: index for index, trunk in enumerate(by_card, 1)}
        self.spans: list[SpanLine] = []
        self.channels: list[ChannelLine] = []
        self.sections: list[ChannelSection] = []
        self.expected: list[ExpectedSpan] = []
        self.analogue: dict[int, str] = {}
        self._country = telephony.country
        self._span = self._channel = 0

    def add(self, card: TelephonyCard) -> None:
        """Number a card's spans and ports."""
        for place, span in enumerate(card.spans, 1):
            self._span += 1
            if span.signalling is not DigitalSignalling.UNUSED:
                self._add_span(card, place, span)
            self._channel += span.line.channels
        if card.ports:
            # One span on the cards of Digium and Sangoma; an Astribank has one per module. Nothing
            # of these numbers is needed for analogue lines.
            self._span += 1
        for row, ports in enumerate(card.ports, 1):
            self._add_ports(f"{card.name}-ports-{row}", ports)
            self._channel += ports.size

    def _add_span(self, card: TelephonyCard, place: int, span: Span) -> None:
        e1 = span.line is Line.E1
        pri = span.signalling is DigitalSignalling.PRI
        name = f"{card.name}-{place}"
        timing = span.timing
        if timing is None:
            timing = 0 if span.network_side else place
        digital = Framing.CCS if pri else Framing.CAS
        framing = span.framing or (digital if e1 else Framing.ESF)
        crc4 = pri and e1 if span.crc4 is None else span.crc4
        coding = span.coding.value if span.coding else "hdb3" if e1 else "b8zs"
        self.spans.append(
            SpanLine(self._span, timing, span.line_build_out, framing.value, coding, crc4)
        )
        # Timeslot 16 of an E1 with MFC-R2 carries the ABCD bits of the others.
        apart = span.d_channel or (16 if e1 else 24)
        numbers = [one for one in range(1, span.line.channels + 1) if one != apart]
        voice = tuple(self._channel + one for one in numbers[: voice_channels(span)])
        shown = ranges(voice)
        if pri:
            self.channels += [
                ChannelLine("bchan", shown, True),
                ChannelLine("dchan", str(self._channel + apart), False),
            ]
        else:
            self.channels.append(ChannelLine("cas", f"{shown}:{_IDLE}", True))
        trunk = span.trunk or ""
        self.sections.append(
            ChannelSection(
                name=name,
                signalling=_signalling(span),
                channels=shown,
                trunk=trunk,
                group=self.groups[trunk],
                number="",
                extension="",
                options=_isdn(span) if pri else _r2(span.mfcr2, self._country),
            )
        )
        self.expected.append(
            ExpectedSpan(
                card=card.name,
                number=self._span,
                signalling=span.signalling.value,
                trunk=trunk,
                timing=timing,
                voice=voice,
                d_channel=self._channel + apart if pri else 0,
            )
        )

    def _add_ports(self, name: str, ports: Ports) -> None:
        if ports.signalling is AnalogueSignalling.UNUSED:
            return
        numbers = [self._channel + one for one in range(1, ports.size + 1)]
        # DAHDI names a port by what it speaks to: a port for an exchange's line is signalled FXS.
        exchange = ports.signalling is AnalogueSignalling.FXO
        side = "fxs" if exchange else "fxo"
        start = _STARTS[ports.start]
        self.channels.append(ChannelLine(f"{side}{start}", ranges(numbers), True))
        signalling = f"{side}_{start}"
        for at, number in enumerate(numbers):
            self.analogue[number] = signalling
            if not exchange:
                self.sections.append(_telephone(name, signalling, number, ports.extensions[at]))
        if exchange:
            self.sections.append(
                ChannelSection(
                    name=name,
                    signalling=signalling,
                    channels=ranges(numbers),
                    trunk=ports.trunk or "",
                    group=self.groups[ports.trunk or ""],
                    number=ports.number or "",
                    extension="",
                    options=_exchange_line(ports),
                )
            )


def _telephone(name: str, signalling: str, channel: int, extension: str) -> ChannelSection:
    return ChannelSection(
        name=f"{name}-{extension}",
        signalling=signalling,
        channels=str(channel),
        trunk="",
        group=0,
        number="",
        extension=extension,
        options={},
    )


def _signalling(span: Span) -> str:
    if span.signalling is DigitalSignalling.MFCR2:
        return "mfcr2"
    return "pri_net" if span.network_side else "pri_cpe"


def _isdn(span: Span) -> dict[str, str]:
    default = SwitchType.EUROISDN if span.line is Line.E1 else SwitchType.NATIONAL
    return {"switchtype": (span.switch_type or default).value}


def _r2(given: Mfcr2, country: str | None) -> dict[str, str]:
    known: dict[str, Any] = lines()["mfcr2"].get(country, {})
    variant = given.variant.value if given.variant else known["variant"]
    ani = known["max_ani"] if given.max_ani is None else given.max_ani
    options = {
        "variant": variant,
        "max_ani": str(ani),
        "max_dnis": str(given.max_dnis or known["max_dnis"]),
        "get_ani_first": _yes(given.get_ani_first),
        "category": given.category.value,
        "allow_collect_calls": _yes(given.allow_collect_calls),
        "double_answer": _yes(given.double_answer),
        "forced_release": _yes(given.forced_release),
        "mfback_timeout": str(given.mfback_timeout or -1),
        "metering_pulse_timeout": str(given.metering_pulse_timeout or -1),
    }
    return {f"mfcr2_{name}": value for name, value in options.items()}


def _exchange_line(ports: Ports) -> dict[str, str]:
    reversal = _yes(ports.polarity_reversal)
    return {
        "answeronpolarityswitch": reversal,
        "hanguponpolarityswitch": reversal,
        # Without the exchange's signal, a line is free again when it plays the busy tone.
        "busydetect": _yes(not ports.polarity_reversal),
    }


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def ranges(numbers: Iterable[int]) -> str:
    """Ascending numbers as DAHDI and Asterisk write them, such as `1-15,17-31`."""
    return ",".join(
        str(first) if first == last else f"{first}-{last}" for first, last in _runs(numbers)
    )


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    first = last = -1
    for number in numbers:
        if number != last + 1 or first < 0:
            if first >= 0:
                yield first, last
            first = number
        last = number
    if first >= 0:
        yield first, last
