"""QoS marks of `site.yml` (R07): DSCP and 802.1p priority per kind of traffic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from ucontact_appliance.language.messages import _
from ucontact_appliance.site.values import SiteModel, refused_at

# RFC 2474, RFC 2597, RFC 3246, RFC 5865; Asterisk and nftables have the same names, except
# voice-admit.
DSCP_NAMES: Mapping[str, int] = {
    **{f"cs{number}": number * 8 for number in range(8)},
    **{f"af{c}{drop}": c * 8 + drop * 2 for c in range(1, 5) for drop in range(1, 4)},
    "ef": 46,
}
_MOST = 63


def _dscp(value: object) -> object:
    """The number of a DSCP's name, whatever its case; a number in quotes is a number."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(_not_a_dscp(value))
    if isinstance(value, str):
        text = value.strip().lower()
        if text in DSCP_NAMES:
            return DSCP_NAMES[text]
        if not text.isascii() or not text.isdigit():
            raise ValueError(_not_a_dscp(value))
        value = int(text)
    if not 0 <= value <= _MOST:
        raise ValueError(_not_a_dscp(value))
    return value


def _not_a_dscp(value: object) -> str:
    return _(
        "{value!r} is no DSCP; write a name (cs0 to cs7, af11 to af43, ef) or a number, 0 to 63",
        value=value,
    )


Dscp = Annotated[int, BeforeValidator(_dscp)]
Cos = Annotated[int, Field(ge=0, le=7, strict=True)]


class AudioMarks(SiteModel):
    """Marks of audio."""

    tos: Dscp = Field(46, description="DSCP: a name such as ef, or 0 to 63. Default: ef (46)")
    cos: Cos = Field(5, description="802.1p priority, 0 to 7; it leaves the server only in a VLAN")


class VideoMarks(SiteModel):
    """Marks of video."""

    tos: Dscp = Field(34, description="DSCP. Default: af41 (34)")
    cos: Cos = Field(4, description="802.1p priority")


class SignallingMarks(SiteModel):
    """Marks of SIP: over UDP, TCP, TLS and secure WebSockets."""

    tos: Dscp = Field(24, description="DSCP. Default: cs3 (24)")
    cos: Cos = Field(3, description="802.1p priority")


class TextMarks(SiteModel):
    """Marks of text, which are those of signalling: Asterisk sends text as SIP MESSAGE."""

    tos: Dscp | None = Field(None, description="DSCP; only that of 'signalling' is possible")
    cos: Cos | None = Field(None, description="802.1p priority; only that of 'signalling'")


class Qos(SiteModel):
    """QoS marks on what the telephony server sends (R07); defaults are those of RFC 4594."""

    signalling: SignallingMarks = Field(default_factory=SignallingMarks)
    audio: AudioMarks = Field(default_factory=AudioMarks)
    video: VideoMarks = Field(default_factory=VideoMarks)
    text: TextMarks = Field(default_factory=TextMarks)

    @model_validator(mode="after")
    def _text_is_marked_as_signalling(self) -> Qos:
        """Asterisk sends text in the connection of the signalling: no mark tells them apart."""
        for key in ("tos", "cos"):
            wanted, carried = getattr(self.text, key), getattr(self.signalling, key)
            if wanted is not None and wanted != carried:
                message = _(
                    "text can't have a mark of its own: Asterisk sends it as SIP MESSAGE within "
                    "signalling, which has {key} {carried}; write the same value or leave it out",
                    key=key,
                    carried=carried,
                )
                raise refused_at("unknown", message, ("text", key))
        return self
