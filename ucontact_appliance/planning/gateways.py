"""How Asterisk speaks with the other end of each trunk (R13, data/gateways.yml)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from ucontact_appliance.resources import load_data
from ucontact_appliance.site.trunks import Dtmf, Fax, Trunk, TrunkModel, TrunkTransport

_Value = TypeVar("_Value")


class _GatewayRow(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sourced(_GatewayRow, Generic[_Value]):
    """A value of the table, and where it is from."""

    value: _Value
    source: Annotated[str, Field(min_length=1)]


class GatewayRow(_GatewayRow):
    """A model's row; data/gateways.yml says what each column means."""

    dtmf: Sourced[Dtmf]
    fax: Sourced[Fax]
    t38_error_correction: Sourced[Literal["none", "fec", "redundancy"]]
    t38_max_datagram: Sourced[Annotated[int, Field(ge=0, le=1400)]]
    inband_progress: Sourced[bool]
    qualify_seconds: Sourced[Annotated[int, Field(ge=10, le=300)]]
    port: Sourced[Annotated[int, Field(ge=1, le=65535)]]


@dataclass(frozen=True)
class TrunkSettings:
    """Options of a trunk's endpoint and AOR in PJSIP, by Asterisk's names.

    `port` is None for SIP over TLS, whose own port applies, and over WebSockets.
    """

    dtmf_mode: str
    t38_udptl: bool
    t38_udptl_ec: str
    t38_udptl_maxdatagram: int
    inband_progress: bool
    qualify_frequency: int
    port: int | None


@cache
def gateways() -> dict[TrunkModel, GatewayRow]:
    """The table, by model."""
    rows = load_data("gateways")["models"]
    return {TrunkModel(name): GatewayRow.model_validate(row) for name, row in rows.items()}


def trunk_settings(trunk: Trunk) -> TrunkSettings:
    """The model's values, unless site.yml has its own."""
    row = gateways()[trunk.model]
    plain = trunk.transport in (TrunkTransport.UDP, TrunkTransport.TCP)
    return TrunkSettings(
        dtmf_mode=(trunk.dtmf or row.dtmf.value).value,
        t38_udptl=fax_of(trunk) is Fax.T38,
        t38_udptl_ec=row.t38_error_correction.value,
        t38_udptl_maxdatagram=row.t38_max_datagram.value,
        inband_progress=row.inband_progress.value,
        qualify_frequency=row.qualify_seconds.value,
        port=trunk.port or (row.port.value if plain else None),
    )


def fax_of(trunk: Trunk) -> Fax:
    """How faxes travel on this trunk."""
    if trunk.fax is not None:
        return trunk.fax
    return Fax.OFF if trunk.encrypts_media else gateways()[trunk.model].fax.value


def some_t38(trunks: Sequence[Trunk]) -> bool:
    """Whether a trunk has T.38, whose packets have ports of their own (UDPTL)."""
    return any(fax_of(trunk) is Fax.T38 for trunk in trunks)
