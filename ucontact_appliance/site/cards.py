"""Telephony cards of `site.yml` (R13): spans of E1 or T1, and analogue ports, by DAHDI.

DAHDI numbers spans and channels in the order of the cards, so the order of the rows counts.
"""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator, model_validator

from ucontact_appliance.language.messages import _
from ucontact_appliance.site.values import (
    Extension,
    Name,
    SiteModel,
    quoted_digits,
    refuse_repeated,
    refused_at,
)

_MOST_PORTS = 256


class CardModel(str, Enum):
    """The makers of R13."""

    DIGIUM = "digium"
    SANGOMA = "sangoma"
    XORCOM = "xorcom"


class Line(str, Enum):
    """What a span carries: 31 or 24 channels of 64 kbit/s (ITU-T G.704)."""

    E1 = "e1"
    T1 = "t1"

    @property
    def channels(self) -> int:
        """Channels of a span, the signalling channel included."""
        return 31 if self is Line.E1 else 24


class DigitalSignalling(str, Enum):
    """How calls are signalled on a span; `unused` keeps its channels' numbers."""

    PRI = "pri"
    MFCR2 = "mfcr2"
    UNUSED = "unused"


class AnalogueSignalling(str, Enum):
    """What is at the port: an exchange (FXO), a telephone (FXS), or nothing."""

    FXO = "fxo"
    FXS = "fxs"
    UNUSED = "unused"


class Start(str, Enum):
    """How a line is seized; kewlstart also tells the end of a call."""

    KEWLSTART = "kewlstart"
    LOOPSTART = "loopstart"
    GROUNDSTART = "groundstart"


class SwitchType(str, Enum):
    """The exchange's kind of ISDN, by Asterisk's names."""

    EUROISDN = "euroisdn"
    NATIONAL = "national"
    NI1 = "ni1"
    DMS100 = "dms100"
    ESS4 = "4ess"
    ESS5 = "5ess"
    QSIG = "qsig"


class Framing(str, Enum):
    """How a span's frames are built, by DAHDI's names."""

    CCS = "ccs"
    CAS = "cas"
    ESF = "esf"
    D4 = "d4"


class Coding(str, Enum):
    """A span's line code, by DAHDI's names."""

    HDB3 = "hdb3"
    B8ZS = "b8zs"
    AMI = "ami"


class Category(str, Enum):
    """Which subscriber calls, by OpenR2's names."""

    NATIONAL = "national_subscriber"
    NATIONAL_PRIORITY = "national_priority_subscriber"
    INTERNATIONAL = "international_subscriber"
    INTERNATIONAL_PRIORITY = "international_priority_subscriber"


class Variant(str, Enum):
    """A country's MFC-R2, by OpenR2's names (`r2test -l`)."""

    AR = "ar"
    BR = "br"
    CN = "cn"
    CO = "co"
    CZ = "cz"
    EC = "ec"
    ID = "id"
    ITU = "itu"
    MX = "mx"
    PH = "ph"
    VE = "ve"


class Mfcr2(SiteModel):
    """MFC-R2 of a telephone company; what is left out is the country's."""

    variant: Variant | None = Field(
        None, description="such as ar, br, mx or itu. Default: that of 'country'"
    )
    max_ani: Annotated[int, Field(ge=0, le=80)] | None = Field(
        None, description="most digits of the caller's number. Default: that of 'country'"
    )
    max_dnis: Annotated[int, Field(ge=1, le=80)] | None = Field(
        None, description="most digits of the called number. Default: that of 'country'"
    )
    get_ani_first: bool = Field(
        False, description="ask for the caller's number before the called one"
    )
    category: Category = Field(Category.NATIONAL, description="category of our calls")
    allow_collect_calls: bool = Field(False, description="accept collect calls (Brazil)")
    double_answer: bool = Field(False, description="answer twice, to refuse collect calls (Brazil)")
    forced_release: bool = Field(False, description="end calls by forced release (Brazil)")
    mfback_timeout: Annotated[int, Field(ge=500, le=20000)] | None = Field(
        None, description="longest wait for a tone in milliseconds. Default: the variant's"
    )
    metering_pulse_timeout: Annotated[int, Field(ge=10, le=2000)] | None = Field(
        None, description="longest metering pulse in milliseconds. Default: the variant's"
    )


class Span(SiteModel):
    """A span of a card, E1 or T1."""

    signalling: DigitalSignalling = Field(
        description="pri (ISDN), mfcr2, or unused: keep the numbers of its channels free"
    )
    line: Line = Field(Line.E1, description="e1 (31 channels) or t1 (24)")
    framing: Framing | None = Field(
        None, description="ccs, cas, esf or d4. Default: ccs for pri, cas for mfcr2, esf for t1"
    )
    coding: Coding | None = Field(
        None, description="hdb3, b8zs or ami. Default: hdb3 for e1, b8zs for t1"
    )
    crc4: bool | None = Field(
        None, description="CRC4 of an E1, as the provider has it. Default: with pri only"
    )
    timing: Annotated[int, Field(ge=0, le=255)] | None = Field(
        None,
        description="1: the card takes its clock from this span, 2: from this one if the first is "
        "lost, and so on; 0: it gives the clock. Default: the span's place on the card, or 0 with "
        "'network_side'",
    )
    line_build_out: Annotated[int, Field(ge=0, le=7)] = Field(
        0, description="DAHDI's number for the cable's length; 0: up to 40 m"
    )
    d_channel: Annotated[int, Field(ge=1, le=31)] | None = Field(
        None, description="signalling channel of a pri. Default: 16 of an e1, 24 of a t1"
    )
    channels: Annotated[int, Field(ge=1, le=30)] | None = Field(
        None, description="voice channels that the provider gives, from the first. Default: all"
    )
    switch_type: SwitchType | None = Field(
        None, description="kind of ISDN. Default: euroisdn for e1, national for t1"
    )
    network_side: bool = Field(
        False, description="we are the exchange, as in front of another PBX (pri_net)"
    )
    mfcr2: Mfcr2 = Field(default_factory=Mfcr2)
    trunk: Name | None = Field(
        None, description="the trunk of its channels, one with transport dahdi"
    )

    @model_validator(mode="after")
    def _keys_fit(self) -> Span:
        self._demand_the_trunk()
        self._demand_the_line()
        pri = self.signalling is DigitalSignalling.PRI
        for key in ("d_channel", "switch_type", "network_side"):
            if getattr(self, key) and not pri:
                message = _("'{key}' goes with signalling 'pri' only", key=key)
                raise refused_at("unknown", message, (key,))
        r2 = self.signalling is DigitalSignalling.MFCR2
        if self.mfcr2 != Mfcr2() and not r2:
            message = _("'{key}' goes with signalling 'mfcr2' only", key="mfcr2")
            raise refused_at("unknown", message, ("mfcr2",))
        return self

    def _demand_the_trunk(self) -> None:
        if self.signalling is DigitalSignalling.UNUSED:
            if self.trunk is not None:
                raise refused_at("unknown", _("an unused span has no trunk"), ("trunk",))
        elif self.trunk is None:
            raise refused_at("unknown", _("is missing"), ("trunk",))

    def _demand_the_line(self) -> None:
        e1 = self.line is Line.E1
        if self.signalling is DigitalSignalling.MFCR2 and not e1:
            raise refused_at("unknown", _("MFC-R2 needs an e1"), ("line",))
        framings = {Framing.CCS, Framing.CAS} if e1 else {Framing.ESF, Framing.D4}
        codings = {Coding.HDB3, Coding.AMI} if e1 else {Coding.B8ZS, Coding.AMI}
        for key, value, known in (
            ("framing", self.framing, framings),
            ("coding", self.coding, codings),
        ):
            if value is not None and value not in known:
                message = _(
                    "{value!r} is not for {line}; write {known}",
                    value=value.value,
                    line=self.line.value,
                    known=", ".join(sorted(one.value for one in known)),
                )
                raise refused_at("unknown", message, (key,))
        needed = {DigitalSignalling.PRI: Framing.CCS, DigitalSignalling.MFCR2: Framing.CAS}
        if e1 and self.framing and self.framing is not needed.get(self.signalling, self.framing):
            message = _(
                "{signalling} on an e1 has the framing {framing}",
                signalling=self.signalling.value,
                framing=needed[self.signalling].value,
            )
            raise refused_at("unknown", message, ("framing",))
        if self.crc4 and not e1:
            raise refused_at("unknown", _("a t1 has no CRC4"), ("crc4",))
        if self.channels and self.channels >= self.line.channels:
            message = _("a t1 has {count} voice channels", count=self.line.channels - 1)
            raise refused_at("unknown", message, ("channels",))
        if self.d_channel and self.d_channel > self.line.channels:
            message = _("a t1 has {count} channels", count=self.line.channels)
            raise refused_at("unknown", message, ("d_channel",))


class Ports(SiteModel):
    """Analogue ports of a card, side by side."""

    signalling: AnalogueSignalling = Field(
        description="fxo (a line of an exchange), fxs (a telephone), or unused: keep their numbers "
        "free"
    )
    count: Annotated[int, Field(ge=1, le=_MOST_PORTS)] | None = Field(
        None, description="how many ports; with fxs as many as there are extensions"
    )
    trunk: Name | None = Field(None, description="fxo: the trunk, one with transport dahdi")
    number: (
        Annotated[str, BeforeValidator(quoted_digits), Field(pattern=r"^\+?[0-9]{2,15}$")] | None
    ) = Field(
        None,
        description="fxo: the lines' own number, for 'inbound': such a line does not tell which "
        "number was called",
    )
    extensions: tuple[Extension, ...] = Field(
        (), description="fxs: a number per port, that of the telephone there; it needs no secret"
    )
    start: Start = Field(
        Start.KEWLSTART, description="how a line is seized: kewlstart, loopstart or groundstart"
    )
    polarity_reversal: bool = Field(
        False, description="fxo: the exchange tells answer and end of a call by reversed polarity"
    )

    @property
    def size(self) -> int:
        """The number of ports."""
        return self.count or len(self.extensions)

    @field_validator("extensions")
    @classmethod
    def _extensions_are_unique(cls, numbers: tuple[str, ...]) -> tuple[str, ...]:
        refuse_repeated(numbers)
        return numbers

    @model_validator(mode="after")
    def _keys_fit(self) -> Ports:
        fits = {
            AnalogueSignalling.FXO: ("count", "trunk", "number", "start", "polarity_reversal"),
            AnalogueSignalling.FXS: ("extensions", "start"),
            AnalogueSignalling.UNUSED: ("count",),
        }[self.signalling]
        for key, field in type(self).model_fields.items():
            # By value: a stored site has every key.
            if key in ("signalling", *fits) or getattr(self, key) == field.default:
                continue
            message = _(
                "signalling '{signalling}' takes no '{key}'",
                signalling=self.signalling.value,
                key=key,
            )
            raise refused_at("unknown", message, (key,))
        required = [key for key in ("count", "trunk", "extensions") if key in fits]
        for key in required:
            if not getattr(self, key):
                raise refused_at("unknown", _("is missing"), (key,))
        return self


class TelephonyCard(SiteModel):
    """A card, or an Astribank, with its spans first and its analogue ports behind them."""

    name: Name = Field(description="short name")
    model: CardModel = Field(description="maker: digium, sangoma or xorcom")
    driver: Annotated[str, Field(pattern=r"^[a-z0-9_]{2,31}$")] | None = Field(
        None, description="kernel module, such as wcte43x. Default: all of the maker's"
    )
    spans: tuple[Span, ...] = Field((), description="E1 or T1 spans, in the order of the card")
    ports: tuple[Ports, ...] = Field((), description="analogue ports, in the order of the card")

    @model_validator(mode="after")
    def _has_lines(self) -> TelephonyCard:
        if not self.spans and not self.ports:
            raise ValueError(_("write 'spans', 'ports' or both"))
        clocks = [span.timing for span in self.spans]
        for index, timing in enumerate(clocks):
            if timing and timing in clocks[:index]:
                message = _("{timing} is already the place of another span", timing=timing)
                raise refused_at("repeated", message, ("spans", index, "timing"))
        return self
