"""Types of single values in `site.yml`: each rejects invalid values with a reason."""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from ucontact_appliance.language.messages import Message, _
from ucontact_appliance.printable import has_control
from ucontact_appliance.site.numbering import supported_countries

LOCAL = "local"
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def _fqdn(value: str) -> str:
    """A host name with at least one dot (RFC 1123 labels), in lower case."""
    name = value.lower().rstrip(".")
    labels = name.split(".")
    if len(labels) < 2 or len(name) > 253 or not all(_LABEL.fullmatch(part) for part in labels):
        raise ValueError(
            _(
                "{value!r} is not a fully qualified host name, such as contact.example.com",
                value=value,
            )
        )
    if labels[-1].isdigit():
        raise ValueError(_("{value!r} is an address; the portal needs a name", value=value))
    return name


def _name(value: str) -> str:
    if not _LABEL.fullmatch(value):
        raise ValueError(_("{value!r}: use lowercase letters, digits and '-' only", value=value))
    return value


def _site_name(value: str) -> str:
    """A name that is not a folder of the appliance's own state."""
    if value in ("lab", "releases", "publishers"):
        raise ValueError(_("{value!r} is a name reserved by the appliance", value=value))
    return _name(value)


def ip_address(value: str) -> str:
    """The IP address in canonical form. Raises ValueError, also for one with a zone (`%eth0`).

    A zone is free text, and is valid on one machine only (RFC 4007).
    """
    if "%" in value:
        raise ValueError(_("{value!r} has a zone; write the address without it", value=value))
    return str(ipaddress.ip_address(value))


def _ip(value: str) -> str:
    try:
        return ip_address(value)
    except ValueError:
        raise ValueError(_("{value!r} is not an IP address", value=value)) from None


def _address(value: str) -> str:
    if value == LOCAL:
        return value
    try:
        return ip_address(value)
    except ValueError:
        raise ValueError(
            _("{value!r} is neither an IP address nor the word 'local'", value=value)
        ) from None


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise ValueError(
            _(
                "{value!r} is not a network such as 192.168.10.0/24 ({error})",
                value=value,
                error=error,
            )
        ) from None


def quoted_digits(value: object) -> object:
    """Reject a bare number: YAML reads 0100 as 64, so digits need quotes."""
    if isinstance(value, int):
        raise ValueError(
            _("write the digits in quotes, such as '6001' (it is read as {value})", value=value)
        )
    return value


def _extension(value: str) -> str:
    if not re.fullmatch(r"[0-9]{2,8}", value):
        raise ValueError(_("{value!r}: an extension has 2 to 8 digits", value=value))
    return value


def _country(value: str) -> str:
    if value not in supported_countries():
        raise ValueError(
            _("{value!r} is no country code; write two capital letters, such as UY", value=value)
        )
    return value


def _time_zone(value: str) -> str:
    if value not in zoneinfo.available_timezones():
        raise ValueError(
            _("{value!r} is no time zone; write a name such as America/Montevideo", value=value)
        )
    return value


def host_name(value: str) -> str:
    """An IP address or a host name: nothing that could inject configuration."""
    try:
        return ip_address(value)
    except ValueError:
        return _fqdn(value)


def _path(value: Path) -> Path:
    """A path that no command could parse as an option."""
    if str(value).startswith("-"):
        raise ValueError(
            _(
                "{value!r} begins with '-'; write ./{path} or the absolute path",
                value=str(value),
                path=value,
            )
        )
    return value


def plain_path(path: Path) -> Path:
    """A path that a playbook gets: nothing in it may be a template."""
    if not re.fullmatch(r"[\w./~ @+-]+", str(path)):
        raise ValueError(
            _("{path!r}: use letters, digits, spaces and ./~@_+- only", path=str(path))
        )
    return path


def _release(value: str) -> str:
    _path(Path(value))
    return value


def user_name(value: str) -> str:
    """An account name for ssh: it can't start with '-', so that it is no option."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}", value):
        raise ValueError(
            _(
                "{value!r} is not an account name: use letters, digits, '_', '.', '@' "
                "and '-', and no '-' first",
                value=value,
            )
        )
    return value


FilePath = Annotated[Path, AfterValidator(_path)]
ReleasePath = Annotated[str, AfterValidator(_release)]
User = Annotated[str, AfterValidator(user_name)]
Account = Annotated[str, Field(pattern=r"^[A-Za-z0-9._+][A-Za-z0-9._+-]{0,63}$")]
HostName = Annotated[str, AfterValidator(host_name)]
Fqdn = Annotated[str, AfterValidator(_fqdn)]
Name = Annotated[str, AfterValidator(_name)]
SiteName = Annotated[str, AfterValidator(_site_name)]
Address = Annotated[str, AfterValidator(_address)]
Ip = Annotated[str, AfterValidator(_ip)]


def _interface(value: str) -> str:
    """A name that Linux accepts for an interface, without what a shell would read."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}", value):
        raise ValueError(
            _("{value!r} is no name of a network interface, such as eth0.100", value=value)
        )
    return value


InterfaceName = Annotated[str, AfterValidator(_interface)]
Network = Annotated[str, AfterValidator(_network)]
Extension = Annotated[str, BeforeValidator(quoted_digits), AfterValidator(_extension)]
Country = Annotated[str, AfterValidator(_country)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
# E.164: a plus and at most 15 digits.
InternationalNumber = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]
# Dialled during a call. A menu of the other party's asks for digits, seldom for a star.
FeatureCode = Annotated[str, Field(pattern=r"^[*#][0-9*#]{1,4}$")]
Port = Annotated[int, Field(ge=1, le=65535)]


def refuse_repeated(values: Sequence[str], key: str | None = None) -> None:
    """Reject a duplicate value; `at` gives the loader the line of the second one."""
    for index, value in enumerate(values):
        if value in values[:index]:
            at = (index, key) if key else (index,)
            raise refused_at("repeated", _("{value!r} occurs twice", value=value), at)


def refused_at(
    kind: Literal["repeated", "no_host", "unknown", "loop", "too_few"],
    message: Message,
    at: tuple[str | int, ...],
) -> PydanticCustomError:
    """A validation error with its position (`at`) below the section that was judged."""
    return PydanticCustomError(kind, "{message}", {"message": message, "at": at})


class SiteModel(BaseModel):
    """A section of `site.yml`: unknown keys are rejected, and values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    @field_validator("*", mode="before")
    @classmethod
    def _text_is_printable(cls, value: object) -> object:
        """Reject control characters: a terminal or a configuration file would interpret them."""
        if isinstance(value, str) and has_control(value):
            raise ValueError(_("must not contain control characters"))
        return value
