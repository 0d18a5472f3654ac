"""`site.yml` as a typed model: the one file a customer keeps.

Unknown keys, wrong types and duplicate addresses are rejected; `loader` turns each error into a
message with the key, the line and the nearest valid name. The documentation and `ucontact init`
show every field's description.
"""

from __future__ import annotations

import typing
from enum import Enum
from typing import Annotated, Any

from pydantic import BaseModel, Field, field_validator, model_validator

from ucontact_appliance.language.messages import _
from ucontact_appliance.site.asterisk_source import AsteriskSource
from ucontact_appliance.site.backup import Backup
from ucontact_appliance.site.qos import Qos
from ucontact_appliance.site.telephony import Telephony
from ucontact_appliance.site.values import (
    LOCAL,
    Address,
    FeatureCode,
    FilePath,
    Fqdn,
    InterfaceName,
    Ip,
    Name,
    Network,
    Port,
    ReleasePath,
    SiteModel,
    SiteName,
    User,
    refuse_repeated,
    refused_at,
)
from ucontact_appliance.site.waivers import Attestation, Waiver

EVALUATION = "evaluation"  # the release that is built here, and needs no path


class Host(SiteModel):
    """A server and how to reach it."""

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
        """The command prefix that gives its login user root's privileges."""
        return () if self.user == "root" else ("sudo", "-n", "--")


class CertificateSource(str, Enum):
    """Who signs the portal's certificate."""

    PRIVATE_CA = "private-ca"
    FILES = "files"


class Certificate(SiteModel):
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
            raise ValueError(_("source 'files' needs both 'chain' and 'key'"))
        if self.source is CertificateSource.PRIVATE_CA and (self.chain or self.key or self.ca):
            raise ValueError(_("'chain', 'key' and 'ca' require source 'files'"))
        return self


class NetworkProfile(str, Enum):
    """Where agents are, which decides the network path of media (R03)."""

    LAN = "lan"
    NAT = "nat"
    PUBLIC = "public"


class NetworkSettings(SiteModel):
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
    never_ban: tuple[Network, ...] = Field(
        (),
        description="networks whose addresses fail2ban never bans, such as a monitoring server's",
    )
    vlan_interface: InterfaceName | None = Field(
        None,
        description="the telephony server's VLAN interface, such as eth0.100: 'cos' of 'qos' "
        "leaves through it",
    )
    qos: Qos = Field(default_factory=Qos)

    @field_validator("never_ban")
    @classmethod
    def _somebody_can_be_banned(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            if network.endswith("/0"):
                raise ValueError(
                    _("{network!r} is everybody: nobody would be banned", network=network)
                )
        return networks

    @model_validator(mode="after")
    def _nat_needs_an_address(self) -> NetworkSettings:
        if self.profile is NetworkProfile.NAT and not self.public_address:
            raise ValueError(_("profile 'nat' needs 'public_address'"))
        return self


class Recordings(SiteModel):
    """How long recordings are kept, and how many calls are video (R25)."""

    retention_days: Annotated[int, Field(ge=1, le=3650)] = Field(90, description="days kept")
    keep_free_percent: Annotated[int, Field(ge=0, le=50)] = Field(
        10,
        description="percentage of the disk that stays free: the oldest recordings are deleted "
        "before, but none of the last day; 0 switches this off",
    )
    video: bool = Field(
        False,
        description="whether calls with video between extensions are recorded as .webm too; each "
        "then takes a second leg inside the telephony server",
    )
    video_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="the part of the calls that are video calls, 0 to 1"
    )
    encryption: bool = Field(
        False,
        description="whether recordings are encrypted on the telephony server's disk, minutes "
        "after their call; the portal and the operator's commands decrypt them",
    )
    pause_code: FeatureCode | None = Field(
        None,
        description="what agents dial during a call to silence its recording, such as *7: while a "
        "card number is read out. Default: agents can't",
    )
    resume_code: FeatureCode | None = Field(
        None, description="what agents dial to record again, such as *8; needs pause_code"
    )

    @model_validator(mode="after")
    def _codes_are_a_pair(self) -> Recordings:
        pause, resume = self.pause_code, self.resume_code
        if (pause is None) != (resume is None):
            raise ValueError(_("'pause_code' and 'resume_code' need each other"))
        if pause and resume and (pause.startswith(resume) or resume.startswith(pause)):
            raise ValueError(_("'pause_code' and 'resume_code' must not begin with each other"))
        return self


_RecordDays = Annotated[int, Field(ge=30, le=36500)]


class Records(SiteModel):
    """How long rows about calls are kept in the database; without a value, for ever (R16)."""

    calls_days: _RecordDays | None = Field(
        None, description="days that call records and the queue log are kept. Default: for ever"
    )
    events_days: _RecordDays | None = Field(
        None, description="days that channel events are kept. Default: for ever"
    )
    accesses_days: _RecordDays | None = Field(
        None,
        description="days that rows of who asked for which recording are kept: no fewer than "
        "recordings. Default: for ever",
    )


class Web(SiteModel):
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


class DatabaseOn(str, Enum):
    """The server that has the database of a medium site (R12)."""

    BACKEND = "backend"
    TELEPHONY = "telephony"


class Site(SiteModel):
    """The content of `site.yml`."""

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
    records: Records = Field(default_factory=Records)
    backup: Backup | None = Field(
        None, description="backups of the site; none are made when left out"
    )
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
                raise refused_at(
                    "no_host",
                    _(
                        "there is no server {name!r}; this site has {names}",
                        name=waiver.host,
                        names=", ".join(names),
                    ),
                    ("waivers", index, "host"),
                )
            same = [(other.check, other.host) for other in self.waivers[:index]]
            if (waiver.check, waiver.host) in same:
                raise refused_at(
                    "repeated",
                    _(
                        "{check!r} is already waived; keep only one of these waivers",
                        check=waiver.check,
                    ),
                    ("waivers", index, "check"),
                )
        return self

    @model_validator(mode="after")
    def _trunks_lead_elsewhere(self) -> Site:
        own = {host.address: host.name for host in self.hosts}
        for index, trunk in enumerate(self.telephony.trunks):
            if trunk.host is not None and trunk.host in own:
                raise refused_at(
                    "loop",
                    _(
                        "{address} is this site's server {name}: calls and registrations would "
                        "come back; write the provider's address",
                        address=trunk.host,
                        name=own[trunk.host],
                    ),
                    ("telephony", "trunks", index, "host"),
                )
        return self

    @model_validator(mode="after")
    def _accesses_are_kept_as_long_as_recordings(self) -> Site:
        days, least = self.records.accesses_days, self.recordings.retention_days
        if days is not None and days < least:
            raise refused_at(
                "too_few",
                _(
                    "recordings are kept for {least} days: who asked for them is kept no shorter",
                    least=least,
                ),
                ("records", "accesses_days"),
            )
        return self

    @model_validator(mode="after")
    def _release_has_the_asterisk(self) -> Site:
        if self.telephony.source is AsteriskSource.RELEASE and self.release == EVALUATION:
            raise refused_at(
                "unknown",
                _(
                    "source 'release' needs a release with packages below telephony/; "
                    "the evaluation release has none"
                ),
                ("telephony", "source"),
            )
        return self

    @field_validator("hosts")
    @classmethod
    def _hosts_are_distinct(cls, hosts: tuple[Host, ...]) -> tuple[Host, ...]:
        refuse_repeated([host.name for host in hosts], "name")
        refuse_repeated([host.address for host in hosts], "address")
        return hosts


def model_in(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The section's model in a field's annotation, and whether the field is a list of it."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for inner in typing.get_args(annotation):
        found, _ = model_in(inner)
        if found is not None:
            return found, typing.get_origin(annotation) is tuple
    return None, False
