"""Telephony in `site.yml`: Asterisk's source, extensions, phones, trunks, numbers, queues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import Field, field_validator, model_validator

from ucontact_appliance.language.messages import Message, _
from ucontact_appliance.site import card_rules
from ucontact_appliance.site.asterisk_source import (
    ASTERISK,
    AsteriskArchive,
    AsteriskPackage,
    AsteriskSource,
    parse_deb_name,
)
from ucontact_appliance.site.cards import TelephonyCard
from ucontact_appliance.site.inbound import (
    Announcement,
    Destination,
    Hours,
    InboundNumber,
    PauseReason,
    Queue,
)
from ucontact_appliance.site.numbering import numbering
from ucontact_appliance.site.phones import Phone
from ucontact_appliance.site.trunks import Emergency, NumberFormat, OutboundRoute, Trunk, TrunkModel
from ucontact_appliance.site.values import (
    Country,
    Extension,
    SiteModel,
    TimeZone,
    refuse_repeated,
    refused_at,
)

Place = tuple[str | int, ...]
_Row = Trunk | TelephonyCard | OutboundRoute | Hours | Announcement | Queue


class Telephony(SiteModel):
    """Extensions and trunks, incoming numbers and queues."""

    source: AsteriskSource = Field(
        AsteriskSource.DISTRIBUTION,
        description="where Asterisk comes from (R19): 'distribution' (the server's own apt), "
        "'package' (from 'packages' or 'archive') or 'release' (telephony/*.deb in it)",
    )
    packages: tuple[AsteriskPackage, ...] = Field(
        (), description="the vendor's packages of Asterisk, for source 'package'"
    )
    archive: AsteriskArchive | None = Field(
        None, description="apt archive of the vendor's Asterisk, for source 'package'"
    )
    extensions: tuple[Extension, ...] = Field(
        ("6001", "6002"), description="agents' numbers; each gets a secret of its own"
    )
    phones: tuple[Phone, ...] = Field(
        (), description="hardphones, which fetch their configuration from the portal"
    )
    trunks: tuple[Trunk, ...] = Field((), description="lines to the telephony provider")
    cards: tuple[TelephonyCard, ...] = Field(
        (),
        description="telephony cards in the telephony server, in the order in which DAHDI finds "
        "them; their lines are trunks with transport dahdi",
    )
    routes: tuple[OutboundRoute, ...] = Field(
        (), description="prefixes whose calls may take several trunks"
    )
    country: Country | None = Field(
        None,
        description="two letters (ISO 3166), such as UY: how numbers are dialled there, and its "
        "emergency numbers",
    )
    emergency: Emergency = Field(default_factory=Emergency)
    time_zone: TimeZone | None = Field(
        None,
        description="for opening hours and the clocks of phones, such as America/Montevideo. "
        "Default: the server's",
    )
    prompts: Literal["en", "es"] = Field("es", description="language of spoken prompts: en or es")
    inbound: tuple[InboundNumber, ...] = Field(
        (),
        description="numbers that providers deliver. Default: any number rings the first ten "
        "extensions",
    )
    hours: tuple[Hours, ...] = Field((), description="opening hours")
    announcements: tuple[Announcement, ...] = Field((), description="recordings for callers")
    queues: tuple[Queue, ...] = Field((), description="queues of callers")
    pause_reasons: tuple[PauseReason, ...] = Field((), description="reasons for an agent's pause")
    supervisors: tuple[Extension, ...] = Field(
        (), description="extensions that may listen to agents' calls, and speak in them"
    )

    @property
    def has_vendors_asterisk(self) -> bool:
        """Whether Asterisk is the vendor's (R19) and not the distribution's."""
        return self.source is not AsteriskSource.DISTRIBUTION

    @property
    def softphones(self) -> tuple[str, ...]:
        """The extensions without a hardphone: agents log in to them in a browser."""
        taken = {phone.extension for phone in self.phones}
        return tuple(number for number in self.extensions if number not in taken)

    @property
    def analogue_extensions(self) -> tuple[str, ...]:
        """The numbers of telephones at the FXS ports of cards."""
        return card_rules.analogue_extensions(self.cards)

    @property
    def sip_trunks(self) -> tuple[Trunk, ...]:
        """The trunks that are endpoints of PJSIP."""
        return tuple(trunk for trunk in self.trunks if trunk.is_sip)

    @property
    def emergency_numbers(self) -> tuple[str, ...]:
        """The site's own, else those of its country, else none."""
        if self.emergency.numbers or self.country is None:
            return self.emergency.numbers
        return numbering(self.country).emergency

    @field_validator("packages")
    @classmethod
    def _packages_are_an_asterisk(
        cls, rows: tuple[AsteriskPackage, ...]
    ) -> tuple[AsteriskPackage, ...]:
        names = [found[0] for row in rows if (found := parse_deb_name(row.file.name))]
        refuse_repeated(names, "file")
        if rows and ASTERISK not in names:
            raise ValueError(_("none of them is asterisk_VERSION_ARCHITECTURE.deb"))
        return rows

    @field_validator("extensions", "supervisors")
    @classmethod
    def _numbers_are_unique(cls, numbers: tuple[str, ...]) -> tuple[str, ...]:
        refuse_repeated(numbers)
        return numbers

    @field_validator("trunks", "cards", "routes", "hours", "announcements", "queues")
    @classmethod
    def _names_are_unique(cls, rows: tuple[_Row, ...]) -> tuple[_Row, ...]:
        refuse_repeated([row.name for row in rows], "name")
        return rows

    @field_validator("inbound")
    @classmethod
    def _inbound_numbers_are_unique(
        cls, rows: tuple[InboundNumber, ...]
    ) -> tuple[InboundNumber, ...]:
        refuse_repeated([row.number for row in rows], "number")
        return rows

    @field_validator("phones")
    @classmethod
    def _phones_are_unique(cls, rows: tuple[Phone, ...]) -> tuple[Phone, ...]:
        refuse_repeated([row.mac for row in rows], "mac")
        refuse_repeated([row.extension for row in rows], "extension")
        return rows

    @field_validator("pause_reasons")
    @classmethod
    def _codes_are_unique(cls, rows: tuple[PauseReason, ...]) -> tuple[PauseReason, ...]:
        refuse_repeated([row.code for row in rows], "code")
        refuse_repeated([row.name for row in rows], "name")
        return rows

    @model_validator(mode="after")
    def _source_is_whole(self) -> Telephony:
        if self.source is AsteriskSource.PACKAGE:
            if bool(self.packages) is (self.archive is not None):
                message = _("source 'package' needs either 'packages' or 'archive'")
                raise refused_at("unknown", message, ("source",))
        elif self.packages or self.archive:
            key = "packages" if self.packages else "archive"
            message = _(
                "only source 'package' has {key!r}; the source is {source!r}",
                key=key,
                source=self.source.value,
            )
            raise refused_at("unknown", message, (key,))
        return self

    @model_validator(mode="after")
    def _prefixes_are_unique(self) -> Telephony:
        """Equal ones leave the choice to chance; of '9' and '90', Asterisk takes the longer."""
        known: dict[str, str] = {}
        rows: list[tuple[Place, Trunk | OutboundRoute]] = [
            *((("trunks", at, "prefix"), trunk) for at, trunk in enumerate(self.trunks)),
            *((("routes", at, "prefix"), route) for at, route in enumerate(self.routes)),
        ]
        for place, row in rows:
            if row.prefix in known:
                message = _(
                    "{prefix!r} is already the prefix of {first!r}; give each its own",
                    prefix=row.prefix,
                    first=known[row.prefix],
                )
                raise refused_at("repeated", message, place)
            known[row.prefix] = row.name
        return self

    @model_validator(mode="after")
    def _internal_numbers_are_unique(self) -> Telephony:
        for index, queue in enumerate(self.queues):
            others = {*self.extensions, *(one.number for one in self.queues[:index])}
            if queue.number in others:
                message = _("{number!r} is taken already", number=queue.number)
                raise refused_at("repeated", message, ("queues", index, "number"))
        return self

    @model_validator(mode="after")
    def _emergency_numbers_are_free(self) -> Telephony:
        emergency = self.emergency_numbers
        own: list[tuple[Place, str]] = [
            *((("extensions", at), number) for at, number in enumerate(self.extensions)),
            *((("queues", at, "number"), one.number) for at, one in enumerate(self.queues)),
        ]
        for place, number in own:
            if number in emergency:
                message = _("{number!r} is an emergency number", number=number)
                raise refused_at("repeated", message, place)
        return self

    @model_validator(mode="after")
    def _cards_fit(self) -> Telephony:
        card_rules.refuse_wrong_trunks(self.cards, self.trunks)
        taken = {*self.extensions, *self.emergency_numbers, *(one.number for one in self.queues)}
        card_rules.refuse_taken_numbers(self.cards, taken)
        card_rules.refuse_unknown_variants(self.cards, self.country)
        if self.inbound:
            card_rules.refuse_nameless_lines(self.cards)
        return self

    @model_validator(mode="after")
    def _accounts_are_unique(self) -> Telephony:
        """An extension and a trunk that logs in here, or two such trunks, share no account."""
        known = {number: number for number in self.extensions}
        for index, trunk in enumerate(self.trunks):
            if not trunk.connects_to_us:
                continue
            if trunk.endpoint in known:
                message = _(
                    "{username!r} is already the account of {first!r}",
                    username=trunk.endpoint,
                    first=known[trunk.endpoint],
                )
                raise refused_at("repeated", message, ("trunks", index, "username"))
            known[trunk.endpoint] = trunk.name
        return self

    @model_validator(mode="after")
    def _names_exist(self) -> Telephony:
        """What a key names is defined in this section."""
        known = {
            "extension": self.extensions,
            "line": (*self.extensions, *self.analogue_extensions),
            "queue": [row.name for row in self.queues],
            "announcement": [row.name for row in self.announcements],
            "hours": [row.name for row in self.hours],
            "trunk": [row.name for row in self.trunks],
            "gateway": [row.name for row in self.trunks if row.model is not TrunkModel.PROVIDER],
        }
        for kind, name, place in self._named():
            if name not in known[kind]:
                raise refused_at("unknown", _unknown(kind, name, known[kind]), place)
        return self

    @model_validator(mode="after")
    def _one_extension_has_no_phone(self) -> Telephony:
        """The doctor's own call registers like a softphone, which a phone's extension rejects."""
        if self.phones and not self.softphones:
            message = _(
                "every extension has a phone; add one without to 'extensions': the doctor calls "
                "with it"
            )
            raise refused_at("unknown", message, ("phones", len(self.phones) - 1, "extension"))
        return self

    @model_validator(mode="after")
    def _formats_need_a_country(self) -> Telephony:
        for index, trunk in enumerate(self.trunks):
            if trunk.number_format is not NumberFormat.AS_DIALLED and self.country is None:
                message = _(
                    "{format!r} needs 'country' beside 'trunks'", format=trunk.number_format.value
                )
                raise refused_at("unknown", message, ("trunks", index, "number_format"))
        return self

    def _named(self) -> Iterator[tuple[str, str, Place]]:
        """Each reference: kind, name and place."""
        for index, number in enumerate(self.supervisors):
            yield "extension", number, ("supervisors", index)
        for index, phone in enumerate(self.phones):
            yield "extension", phone.extension, ("phones", index, "extension")
        for index, route in enumerate(self.routes):
            for at, one in enumerate(route.trunks):
                yield "trunk", one.trunk, ("routes", index, "trunks", at, "trunk")
        for index, name in enumerate(self.emergency.trunks):
            yield "trunk", name, ("emergency", "trunks", index)
        for index, inbound in enumerate(self.inbound):
            yield from _destination(inbound.to, ("inbound", index, "to"))
            if inbound.hours is not None:
                yield "hours", inbound.hours, ("inbound", index, "hours")
            yield from _destination(inbound.closed, ("inbound", index, "closed"))
        for index, queue in enumerate(self.queues):
            for at, agent in enumerate(queue.agents):
                yield "extension", agent, ("queues", index, "agents", at)
            if queue.announcement is not None:
                yield "announcement", queue.announcement, ("queues", index, "announcement")
            yield from _destination(queue.overflow, ("queues", index, "overflow"))


def _destination(found: Destination | None, place: Place) -> Iterator[tuple[str, str, Place]]:
    if found is not None:
        # A call may end at a telephone of a port too; agents and supervisors have extensions only.
        kind = "line" if found.kind == "extension" else found.kind
        yield kind, found.target, (*place, found.kind)


def _unknown(kind: str, name: str, known: Sequence[str]) -> Message:
    described = {
        "extension": _("extension"),
        "line": _("extension"),
        "queue": _("queue"),
        "announcement": _("announcement"),
        "hours": _("opening hours"),
        "trunk": _("trunk"),
        "gateway": _("trunk with the model of a gateway"),
    }[kind]
    if not known:
        return _("there is no {kind} {name!r}; none is defined", kind=described, name=name)
    return _(
        "there is no {kind} {name!r}; defined are {known}",
        kind=described,
        name=name,
        known=", ".join(known),
    )
