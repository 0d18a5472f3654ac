"""Trunks and routes of `site.yml`: the lines to telephony providers, and which call takes which."""

from __future__ import annotations

import re
from enum import Enum
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from ucontact_appliance.language.messages import _
from ucontact_appliance.site.values import (
    Account,
    HostName,
    InternationalNumber,
    Name,
    Port,
    SiteModel,
    quoted_digits,
    refuse_repeated,
    refused_at,
)

# The account of a `wss` trunk is the name of sections in pjsip_trunks.conf.
_ENDPOINT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
# Names of other sections of PJSIP's configuration, in lower case.
_RESERVED = re.compile(
    r"(global|system|extension(-login|-contacts)?|trunk(-.*)?|webrtc-trunk|transport-.*"
    r"|anonymous|artificial|default_outbound_endpoint)"
)
Prefix = Annotated[str, BeforeValidator(quoted_digits), Field(pattern=r"^[0-9]{1,4}$")]


class TrunkTransport(str, Enum):
    """How SIP travels to the provider (R04); `dahdi`: no SIP, but lines on a card (R13)."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"
    WSS = "wss"
    DAHDI = "dahdi"


class Codec(str, Enum):
    """R06, the voice codecs that providers speak, and R24's."""

    ALAW = "alaw"
    ULAW = "ulaw"
    OPUS = "opus"


class TrunkModel(str, Enum):
    """What is at the other end of a trunk (R13); data/gateways.yml says how each one behaves."""

    PROVIDER = "provider"
    DINSTAR = "dinstar"
    KHOMP = "khomp"
    GATEWAY = "gateway"


class Dtmf(str, Enum):
    """How digits travel in a call, by Asterisk's names (dtmf_mode of an endpoint)."""

    RFC4733 = "rfc4733"
    INFO = "info"
    INBAND = "inband"
    AUTO = "auto"


class Fax(str, Enum):
    """How faxes travel: by T.38, as G.711 audio, or not provided for."""

    T38 = "t38"
    PASS_THROUGH = "pass-through"
    OFF = "off"


def _fax(value: object) -> object:
    """YAML reads an unquoted `off` as false."""
    return Fax.OFF.value if value is False else value


class NumberFormat(str, Enum):
    """The form in which a provider expects the called number."""

    AS_DIALLED = "as-dialled"
    E164 = "e164"
    E164_DIGITS = "e164-digits"


_G711 = frozenset({Codec.ALAW, Codec.ULAW})


class Trunk(SiteModel):
    """A line to the telephony provider (R04). Its password is `telephony.trunks.<name>`."""

    name: Name = Field(description="short name; the password is the secret telephony.trunks.NAME")
    host: HostName | None = Field(
        None, description="the provider's address or name; required, except for wss and dahdi"
    )
    port: Port | None = Field(None, description="5060, or 5061 for tls, when left out")
    transport: TrunkTransport = Field(
        TrunkTransport.UDP,
        description="udp, tcp or tls; wss for SIP over WebRTC, where the provider connects to us "
        "and registers with 'username'; dahdi for lines on telephony cards, which 'cards' names",
    )
    username: Account | None = Field(
        None, description="account name, when the provider gives one; required for wss"
    )
    register_account: bool = Field(
        False, alias="register", description="whether we register with the provider"
    )
    srtp: bool = Field(
        False, description="encrypt media to the provider (SDES); wss always has DTLS-SRTP"
    )
    codecs: tuple[Codec, ...] = Field(
        (Codec.ALAW, Codec.ULAW), description="in order of preference"
    )
    prefix: Prefix = Field(
        "9",
        description="digits that an agent dials before an outside number; each trunk has its own",
    )
    max_calls: Annotated[int, Field(ge=1, le=10000)] | None = Field(
        None,
        description="concurrent calls that the provider allows, both directions; a further call "
        "takes the next trunk of its route. Default: no limit",
    )
    number_format: NumberFormat = Field(
        NumberFormat.AS_DIALLED,
        description="form of the called number: 'as-dialled', 'e164' (+59824001234) or "
        "'e164-digits' (59824001234). The latter two need 'country'",
    )
    caller_id: InternationalNumber | None = Field(
        None,
        description="number that outgoing calls show, such as '+59824001234'. Default: the "
        "extension's number",
    )
    hide_caller_id: bool = Field(
        False, description="ask the provider not to show the number (RFC 3323)"
    )
    busy_is_overload: bool = Field(
        False,
        description="the provider answers 486 when its lines are full: try the next trunk then too",
    )
    model: TrunkModel = Field(
        TrunkModel.PROVIDER,
        description="what is at the other end: provider, dinstar, khomp, or gateway for any other "
        "SIP gateway",
    )
    dtmf: Dtmf | None = Field(
        None,
        description="how digits travel: rfc4733, info, inband, or auto (rfc4733 if the other end "
        "offers it, else inband). Default: the model's",
    )
    fax: Annotated[Fax, BeforeValidator(_fax)] | None = Field(
        None,
        description="how faxes travel: t38, pass-through (as G.711 audio) or off. Default: the "
        "model's, and off where media is encrypted",
    )
    test_number: (
        Annotated[str, BeforeValidator(quoted_digits), Field(pattern=r"^\+?[0-9*#]{2,32}$")] | None
    ) = Field(
        None,
        description="a number that `ucontact doctor --deep` may call through this trunk: one that "
        "answers by itself, such as the provider's own test number; the call lasts 3 s",
    )

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True
    )

    @property
    def connects_to_us(self) -> bool:
        """Whether the provider opens the connection: Asterisk can't open WebSockets for SIP."""
        return self.transport is TrunkTransport.WSS

    @property
    def encrypts_media(self) -> bool:
        """Whether all its media is SRTP; T.38 has no encryption."""
        return self.srtp or self.connects_to_us

    @property
    def is_sip(self) -> bool:
        """Whether its calls are SIP; the others are on the lines of a telephony card."""
        return self.transport is not TrunkTransport.DAHDI

    @property
    def endpoint(self) -> str:
        """The name of the trunk's endpoint in PJSIP.

        Asterisk finds the endpoint of a `wss` trunk by its account, so it has the account's name.
        """
        if self.connects_to_us and self.username:
            return self.username
        return f"trunk-{self.name}"

    @model_validator(mode="after")
    def _keys_fit_the_transport(self) -> Trunk:
        if not self.is_sip:
            return _without_sip(self)
        if not self.connects_to_us:
            if self.host is None:
                raise refused_at("unknown", _("is missing"), ("host",))
            return self
        given = {"host": self.host, "port": self.port, "register": self.register_account}
        for key, value in given.items():
            if value:
                message = _(
                    "transport 'wss' takes no '{key}': the provider connects to this site", key=key
                )
                raise refused_at("unknown", message, (key,))
        if self.srtp:
            message = _("transport 'wss' takes no 'srtp': its media always has DTLS-SRTP")
            raise refused_at("unknown", message, ("srtp",))
        if self.username is None:
            message = _(
                "transport 'wss' needs 'username', the account that the provider logs in with"
            )
            raise refused_at("unknown", message, ("transport",))
        if not _ENDPOINT.fullmatch(self.username):
            message = _(
                "{username!r}: the account of a wss trunk has 1 to 32 letters, digits, '.', '_' "
                "and '-', and begins with a letter or digit",
                username=self.username,
            )
            raise refused_at("unknown", message, ("username",))
        if _RESERVED.fullmatch(self.username.lower()):
            message = _("{username!r} is a reserved name; choose another", username=self.username)
            raise refused_at("unknown", message, ("username",))
        return self

    @model_validator(mode="after")
    def _keys_fit_the_media(self) -> Trunk:
        if self.fax is Fax.T38 and self.encrypts_media:
            message = _(
                "T.38 has no encryption: with 'srtp' or 'wss' write 'pass-through' or 'off'"
            )
            raise refused_at("unknown", message, ("fax",))
        audio = [
            key
            for key, chosen in (
                ("dtmf", self.dtmf is Dtmf.INBAND),
                ("fax", self.fax is Fax.PASS_THROUGH),
            )
            if chosen
        ]
        if audio and not _G711.issuperset(self.codecs):
            message = _("needs 'codecs' with alaw and ulaw only: other codecs distort the tones")
            raise refused_at("unknown", message, (audio[0],))
        return self


_SIP_KEYS = (
    "host",
    "port",
    "username",
    "register_account",
    "srtp",
    "codecs",
    "model",
    "dtmf",
    "fax",
)


def _without_sip(trunk: Trunk) -> Trunk:
    """The trunk of a card, which has no keys of SIP and dials digits only."""
    for name in _SIP_KEYS:
        field = Trunk.model_fields[name]
        if getattr(trunk, name) != field.default:  # by value: a stored site has every key
            key = field.alias or name
            message = _(
                "transport 'dahdi' takes no '{key}': its lines are those of a card", key=key
            )
            raise refused_at("unknown", message, (key,))
    if trunk.number_format is NumberFormat.E164:
        message = _("'+' can't be dialled on a line; write 'e164-digits' or 'as-dialled'")
        raise refused_at("unknown", message, ("number_format",))
    return trunk


class RouteTrunk(SiteModel):
    """A trunk of a route, chosen as RFC 2782 chooses a server."""

    trunk: Name = Field(description="name of the trunk")
    priority: Annotated[int, Field(ge=1, le=100)] = Field(
        1, description="trunks with the lowest number are tried first"
    )
    weight: Annotated[int, Field(ge=1, le=1000)] = Field(
        1, description="share of the calls among trunks of the same priority"
    )


class OutboundRoute(SiteModel):
    """Outgoing calls over several trunks: a call that one does not take goes to the next."""

    name: Name = Field(description="short name")
    prefix: Prefix = Field(description="digits that an agent dials before an outside number")
    trunks: tuple[RouteTrunk, ...] = Field(min_length=1, description="the trunks, with their order")

    @field_validator("trunks")
    @classmethod
    def _trunks_are_unique(cls, trunks: tuple[RouteTrunk, ...]) -> tuple[RouteTrunk, ...]:
        refuse_repeated([one.trunk for one in trunks], "trunk")
        return trunks


class Emergency(SiteModel):
    """Emergency numbers: dialled without a prefix, through any trunk, past every limit."""

    numbers: tuple[
        Annotated[str, BeforeValidator(quoted_digits), Field(pattern=r"^[0-9]{2,6}$")], ...
    ] = Field((), description="such as ['911']. Default: those of 'country'")
    trunks: tuple[Name, ...] = Field(
        (), description="trunks in the order in which they are tried. Default: all, as listed"
    )

    @field_validator("numbers", "trunks")
    @classmethod
    def _values_are_unique(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        refuse_repeated(values)
        return values
