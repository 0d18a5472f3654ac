"""`site.yml` as a typed model: the one file a customer keeps.

Unknown keys, wrong types and duplicate addresses are refused; `loader` turns each refusal into a
message with the key, the line and the nearest right name. Every field's description is what the
documentation and `ucontact init` show.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import typing
from collections.abc import Sequence
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ucontact_appliance.printable import has_control

LOCAL = "local"
WAIVERS_CHECK = "site.waivers"  # watches over the exceptions: itself it can't be one
KNOWN_CHECKS = "known_checks"  # in the validation's context: the ids that may be waived
KNOWN_CONTROLS = "known_controls"  # there too: what a person may vouch for
EVALUATION = "evaluation"  # the release that is built here, and needs no path
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


def _fqdn(value: str) -> str:
    """A host name with at least one dot (RFC 1123 labels), in lower case."""
    name = value.lower().rstrip(".")
    labels = name.split(".")
    if len(labels) < 2 or len(name) > 253 or not all(_LABEL.fullmatch(part) for part in labels):
        raise ValueError(f"{value!r} is no full host name, such as contact.example.com")
    if labels[-1].isdigit():
        raise ValueError(f"{value!r} is an address; the portal needs a name")
    return name


def _name(value: str) -> str:
    if not _LABEL.fullmatch(value):
        raise ValueError(f"{value!r}: use small letters, digits and '-' only")
    return value


def _site_name(value: str) -> str:
    """A name that is no folder of the appliance's own state."""
    if value in ("lab", "releases", "publishers"):
        raise ValueError(f"{value!r} is a name that the appliance keeps for itself")
    return _name(value)


def ip_address(value: str) -> str:
    """The IP address, in its usual form. Raises ValueError, also for one with a zone (`%eth0`).

    What stands behind the `%` is free text, and means something on one machine only (RFC 4007).
    """
    if "%" in value:
        raise ValueError(f"{value!r} has a zone; write the address alone")
    return str(ipaddress.ip_address(value))


def _ip(value: str) -> str:
    try:
        return ip_address(value)
    except ValueError:
        raise ValueError(f"{value!r} is no IP address") from None


def _address(value: str) -> str:
    if value == LOCAL:
        return value
    try:
        return ip_address(value)
    except ValueError:
        raise ValueError(f"{value!r} is neither an IP address nor the word 'local'") from None


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError as error:
        raise ValueError(f"{value!r} is no network such as 192.168.10.0/24 ({error})") from None


def _quoted(value: object) -> object:
    """Refuse a bare number: YAML reads 0100 as 64, so digits are safe only in quotes."""
    if isinstance(value, int):
        raise ValueError(f"write the digits in quotes, such as '6001' (it reads as {value})")
    return value


def _extension(value: str) -> str:
    if not re.fullmatch(r"[0-9]{2,8}", value):
        raise ValueError(f"{value!r}: an extension has 2 to 8 digits")
    return value


def _host(value: str) -> str:
    """An IP address or a host name: nothing that could carry configuration with it."""
    try:
        return ip_address(value)
    except ValueError:
        return _fqdn(value)


def _path(value: Path) -> Path:
    """A path that no command could take for an option."""
    if str(value).startswith("-"):
        raise ValueError(f"{str(value)!r} begins with '-'; write ./{value} or the whole path")
    return value


def _release(value: str) -> str:
    _path(Path(value))
    return value


def _user(value: str) -> str:
    """An account's name as ssh may be given it: it can't begin with '-'."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}", value):
        raise ValueError(
            f"{value!r} is no account name: letters, digits, '_', '.', '@' and '-', no '-' first"
        )
    return value


FilePath = Annotated[Path, AfterValidator(_path)]
ReleasePath = Annotated[str, AfterValidator(_release)]
User = Annotated[str, AfterValidator(_user)]
Account = Annotated[str, Field(pattern=r"^[A-Za-z0-9._+][A-Za-z0-9._+-]{0,63}$")]
HostName = Annotated[str, AfterValidator(_host)]
Fqdn = Annotated[str, AfterValidator(_fqdn)]
Name = Annotated[str, AfterValidator(_name)]
SiteName = Annotated[str, AfterValidator(_site_name)]
Address = Annotated[str, AfterValidator(_address)]
Ip = Annotated[str, AfterValidator(_ip)]
Network = Annotated[str, AfterValidator(_network)]
Extension = Annotated[str, BeforeValidator(_quoted), AfterValidator(_extension)]
Port = Annotated[int, Field(ge=1, le=65535)]


def _refuse_repeated(values: Sequence[str], key: str | None = None) -> None:
    """Refuse a value that stands twice; `at` leads the loader to the second one's line."""
    for index, value in enumerate(values):
        if value in values[:index]:
            raise PydanticCustomError(
                "repeated",
                "{value} stands there twice",
                {"value": repr(value), "at": (index, key) if key else (index,)},
            )


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    @field_validator("*", mode="before")
    @classmethod
    def _text_is_printable(cls, value: object) -> object:
        """Control characters mean nothing here, and a terminal or a file would obey them."""
        if isinstance(value, str) and has_control(value):
            raise ValueError("control characters can't be in it")
        return value


class Host(_Model):
    """One server and the way to it."""

    name: Name = Field(description="short name of the server, its own hostname too")
    address: Address = Field(
        description="IP address, or 'local' when the machine that installs is the server"
    )
    user: User = Field("root", description="who to log in as over ssh; needs root's rights")
    port: Port = Field(22, description="ssh port")
    key: FilePath | None = Field(
        None, description="ssh private key; the agent's keys when left out (*)"
    )

    @property
    def is_local(self) -> bool:
        """Whether the machine that installs is this server."""
        return self.address == LOCAL

    @property
    def as_root(self) -> tuple[str, ...]:
        """Words before a command that give its login root's rights."""
        return () if self.user == "root" else ("sudo", "-n", "--")


class CertificateSource(str, Enum):
    """Who signs the portal's certificate."""

    PRIVATE_CA = "private-ca"
    FILES = "files"


class Certificate(_Model):
    """The certificate for the portal (443) and for signalling (8089)."""

    source: CertificateSource = Field(
        CertificateSource.PRIVATE_CA,
        description="'private-ca': made here, for closed sites; 'files': the customer's own",
    )
    chain: FilePath | None = Field(
        None, description="PEM: the certificate, then its intermediates (*)"
    )
    key: FilePath | None = Field(None, description="PEM: the private key of the certificate (*)")
    ca: FilePath | None = Field(None, description="PEM: the root, when it is no public one (*)")

    @model_validator(mode="after")
    def _files_belong_to_files(self) -> Certificate:
        if self.source is CertificateSource.FILES and not (self.chain and self.key):
            raise ValueError("source 'files' needs both 'chain' and 'key'")
        if self.source is CertificateSource.PRIVATE_CA and (self.chain or self.key or self.ca):
            raise ValueError("'chain', 'key' and 'ca' go with source 'files'")
        return self


class NetworkProfile(str, Enum):
    """Where agents are: decides how media finds its way (R03)."""

    LAN = "lan"
    NAT = "nat"
    PUBLIC = "public"


class NetworkSettings(_Model):
    """How agents, providers and administrators reach the site."""

    profile: NetworkProfile = Field(
        NetworkProfile.LAN,
        description="'lan': agents reach the servers directly; 'nat': the servers are behind a "
        "router that forwards to them; 'public': the servers have public addresses",
    )
    public_address: Ip | None = Field(None, description="the router's address, for 'nat'")
    agents: tuple[Network, ...] = Field(
        ("0.0.0.0/0",), description="networks that may use the portal, signalling and media"
    )
    providers: tuple[Network, ...] = Field(
        ("0.0.0.0/0",), description="networks that SIP trunks and gateways call from"
    )
    admins: tuple[Network, ...] = Field(
        ("0.0.0.0/0",), description="networks that may open ssh; the installer's is always kept"
    )

    @model_validator(mode="after")
    def _nat_needs_an_address(self) -> NetworkSettings:
        if self.profile is NetworkProfile.NAT and not self.public_address:
            raise ValueError("profile 'nat' needs 'public_address'")
        return self


class TrunkTransport(str, Enum):
    """How SIP travels to the provider (R04)."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"


class Codec(str, Enum):
    """R06, the voice codecs that providers speak, and R24's."""

    ALAW = "alaw"
    ULAW = "ulaw"
    OPUS = "opus"


class Trunk(_Model):
    """A line to the telephony provider (R04). Its password is `telephony.trunks.<name>`."""

    name: Name = Field(description="short name; the password is the secret telephony.trunks.NAME")
    host: HostName = Field(description="the provider's address or name")
    port: Port | None = Field(None, description="5060, or 5061 for tls, when left out")
    transport: TrunkTransport = Field(TrunkTransport.UDP, description="udp, tcp or tls")
    username: Account | None = Field(None, description="account name, when the provider gives one")
    register_account: bool = Field(
        False, alias="register", description="whether we register with the provider"
    )
    srtp: bool = Field(False, description="encrypt media to the provider (SDES)")
    codecs: tuple[Codec, ...] = Field(
        (Codec.ALAW, Codec.ULAW), description="in order of preference"
    )
    prefix: Annotated[str, BeforeValidator(_quoted), Field(pattern=r"^[0-9]{1,4}$")] = Field(
        "9",
        description="digits that an agent dials before an outside number; each trunk has its own",
    )
    test_number: (
        Annotated[str, BeforeValidator(_quoted), Field(pattern=r"^\+?[0-9*#]{2,32}$")] | None
    ) = Field(
        None,
        description="a number that `ucontact doctor --deep` may call through this trunk: one that "
        "answers by itself, such as the provider's own test number; the call lasts 3 s",
    )

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True
    )

    @property
    def effective_port(self) -> int:
        """The port, or the transport's usual one (RFC 3261)."""
        return self.port or (5061 if self.transport is TrunkTransport.TLS else 5060)


class Telephony(_Model):
    """Extensions and trunks."""

    extensions: tuple[Extension, ...] = Field(
        ("6001", "6002"), description="agents' numbers; each gets a secret of its own"
    )
    trunks: tuple[Trunk, ...] = Field((), description="lines to the telephony provider")

    @field_validator("extensions")
    @classmethod
    def _numbers_are_unique(cls, numbers: tuple[str, ...]) -> tuple[str, ...]:
        _refuse_repeated(numbers)
        return numbers

    @field_validator("trunks")
    @classmethod
    def _trunk_names_are_unique(cls, trunks: tuple[Trunk, ...]) -> tuple[Trunk, ...]:
        _refuse_repeated([trunk.name for trunk in trunks], "name")
        return trunks

    @field_validator("trunks")
    @classmethod
    def _prefixes_are_unique(cls, trunks: tuple[Trunk, ...]) -> tuple[Trunk, ...]:
        """Equal ones leave the choice to chance; of '9' and '90', Asterisk takes the longer."""
        prefixes = [trunk.prefix for trunk in trunks]
        for index, prefix in enumerate(prefixes):
            if prefix in prefixes[:index]:
                first = trunks[prefixes.index(prefix)].name
                raise PydanticCustomError(
                    "repeated",
                    "{prefix} is the prefix of the trunk {first} already; give each its own",
                    {"prefix": repr(prefix), "first": repr(first), "at": (index, "prefix")},
                )
        return trunks


class Recordings(_Model):
    """How long recordings are kept, and how many calls are video (R25)."""

    retention_days: Annotated[int, Field(ge=1, le=3650)] = Field(90, description="days kept")
    video_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="the part of the calls that are video calls, 0 to 1"
    )


class Web(_Model):
    """Header values that a site may set for itself (R09, R10, R11)."""

    hsts_max_age: Annotated[int, Field(ge=0)] = Field(
        63072000, description="seconds that browsers insist on HTTPS (Mozilla's guideline)"
    )
    hpkp_max_age: Annotated[int, Field(ge=2592000, le=5184000)] = Field(
        2592000, description="seconds of the retired key pin: 30 to 60 days"
    )
    xss_protection: Annotated[str, Field(pattern=r"^(0|1|1; mode=block)$")] = Field(
        "1; mode=block", description="value of the retired X-XSS-Protection header"
    )


def _written_date(value: object) -> object:
    """Refuse a number: 20270131 would be read as seconds since 1970."""
    if isinstance(value, int | float):
        raise ValueError(f"write the day as 2027-01-31 (it reads as {value})")
    return value


class Waiver(_Model):
    """An exception: a check of the doctor that may fail, for a reason and for a time."""

    check: str = Field(description="the check's id, as `ucontact doctor` shows it")
    host: Name | None = Field(None, description="only on this server; on all when left out")
    reason: Annotated[str, Field(min_length=3)] = Field(
        description="why it may fail; the report shows it to the auditor"
    )
    until: Annotated[date, BeforeValidator(_written_date)] = Field(
        description="the last day on which it holds, such as 2027-01-31; from then on it fails"
    )

    @field_validator("check")
    @classmethod
    def _names_a_check(cls, name: str, info: ValidationInfo) -> str:
        if name == WAIVERS_CHECK:
            raise ValueError(f"{name!r} watches over the exceptions, and can't be one")
        known = (info.context or {}).get(KNOWN_CHECKS)
        if known is not None and name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
            advice = f"did you mean {near[0]!r}?" if near else "`ucontact doctor` shows the ids"
            raise ValueError(f"there is no check {name!r}; {advice}")
        return name


class Attestation(_Model):
    """What a person vouches for, where no check can see it: named, dated, and for a time."""

    control: str = Field(
        description="a requirement such as R14, or a framework's control such as iso-27001/8.10"
    )
    statement: Annotated[str, Field(min_length=10)] = Field(
        description="what was looked at, and what was seen; the report quotes it"
    )
    by: Annotated[str, Field(min_length=3)] = Field(description="who vouches: name and office")
    seen: Annotated[date, BeforeValidator(_written_date)] = Field(
        description="the day on which it was looked at, such as 2026-10-05"
    )
    until: Annotated[date, BeforeValidator(_written_date)] = Field(
        description="the last day on which it counts; from then on somebody has to look again"
    )

    @field_validator("control")
    @classmethod
    def _names_a_control(cls, name: str, info: ValidationInfo) -> str:
        known = (info.context or {}).get(KNOWN_CONTROLS)
        if known is not None and name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
            advice = f"did you mean {near[0]!r}?" if near else "the report shows their numbers"
            raise ValueError(f"there is no control {name!r}; {advice}")
        return name

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> Attestation:
        if self.until < self.seen:
            raise ValueError(f"it ends on {self.until}, before it was seen on {self.seen}")
        return self


class DatabaseOn(str, Enum):
    """Where the database of a medium site lives (R12)."""

    BACKEND = "backend"
    TELEPHONY = "telephony"


class Site(_Model):
    """The whole of `site.yml`."""

    site: SiteName = Field(description="short name of the site, such as acme-montevideo")
    fqdn: Fqdn = Field(description="the portal's name: agents open https://<fqdn> (R01)")
    agents: Annotated[int, Field(ge=1, le=10000, strict=True)] = Field(
        description="how many agents work at the same time at most; decides the size (R12)"
    )
    hosts: tuple[Host, ...] = Field(min_length=1, max_length=3, description="the servers")
    certificate: Certificate = Field(default_factory=Certificate)
    network: NetworkSettings = Field(default_factory=NetworkSettings)
    telephony: Telephony = Field(default_factory=Telephony)
    recordings: Recordings = Field(default_factory=Recordings)
    web: Web = Field(default_factory=Web)
    database_on: DatabaseOn = Field(
        DatabaseOn.BACKEND, description="medium sites: which server carries the database (R12)"
    )
    release: ReleasePath = Field(
        EVALUATION, description="folder or archive of the release (*), or 'evaluation'"
    )

    waivers: tuple[Waiver, ...] = Field(
        (), description="exceptions: checks that may fail, each with its reason and its last day"
    )
    attestations: tuple[Attestation, ...] = Field(
        (), description="what a person vouches for, where no check of the appliance can see it"
    )

    @model_validator(mode="after")
    def _waivers_are_about_this_site(self) -> Site:
        names = [host.name for host in self.hosts]
        for index, waiver in enumerate(self.waivers):
            if waiver.host is not None and waiver.host not in names:
                raise PydanticCustomError(
                    "no_host",
                    "there is no server {name}; this site has {names}",
                    {
                        "name": repr(waiver.host),
                        "names": ", ".join(names),
                        "at": ("waivers", index, "host"),
                    },
                )
            same = [(other.check, other.host) for other in self.waivers[:index]]
            if (waiver.check, waiver.host) in same:
                raise PydanticCustomError(
                    "repeated",
                    "{check} is waived already; give it one reason and one day",
                    {"check": repr(waiver.check), "at": ("waivers", index, "check")},
                )
        return self

    @field_validator("hosts")
    @classmethod
    def _hosts_are_distinct(cls, hosts: tuple[Host, ...]) -> tuple[Host, ...]:
        _refuse_repeated([host.name for host in hosts], "name")
        _refuse_repeated([host.address for host in hosts], "address")
        return hosts


def model_in(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The section's model in a field's annotation, and whether there are many of it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for inner in typing.get_args(annotation):
        found, _ = model_in(inner)
        if found is not None:
            return found, typing.get_origin(annotation) is tuple
    return None, False
