"""A component as its file in data/components describes it: all that it brings to a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ucontact_appliance.planning.model import Role

EVERY: Literal["every"] = "every"  # the role of a component that each host has
LOOPBACK = "loopback"
# Ports that site.yml or the plan numbers; the latter two are ranges.
NamedPort = Literal["ssh", "rtp", "turn-relay"]
_RANGES = frozenset({"rtp", "turn-relay"})

RoleName = Role | Literal["every"]
# Package names; by system (os.yml) where they differ.
Names = tuple[str, ...] | dict[str, tuple[str, ...]]
_Text = Annotated[str, Field(min_length=1)]
_Path = Annotated[str, Field(pattern=r"^/")]
_Item = Annotated[str, Field(pattern=r"^(path|tree|account|group|package|table|running) \S")]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Port(_Row):
    """A port that the firewall opens to `sources`; `without`: not on a host with that role.

    Sources are agents, providers and admins (networks of site.yml), site (the site's other hosts
    that carry one of `peers`) and loopback (never opened). `limited_by` is whose limit of TCP
    connections per source address holds (tuning.yml). `opened_by` is the check that says whether
    the service opened it, beside the one that says whether it runs.
    """

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    protocol: Literal["tcp", "udp"]
    port: Annotated[int, Field(ge=1, le=65535)] | NamedPort
    without: Role | None = None
    sources: Annotated[
        tuple[Literal["agents", "providers", "admins", "site", "loopback"], ...],
        Field(alias="from", min_length=1),
    ]
    peers: tuple[Role, ...] = ()
    limited_by: Literal["telephony", "web", "stun"] | None = None
    purpose: Annotated[_Text, Field(alias="for")]
    requirements: Annotated[tuple[_Text, ...], Field(min_length=1)]
    opened_by: str | None = None

    @property
    def is_range(self) -> bool:
        """Whether its ports are bound call by call: nothing listens while nobody talks."""
        return self.port in _RANGES


class Listener(_Row):
    """What holds the component's ports: processes by name, and the unit that starts the first.

    `check` says whether it runs at all: a port of a service that does not is no news.
    """

    processes: Annotated[tuple[_Text, ...], Field(min_length=1)]
    unit: _Text
    check: str | None = None


class Preflight(_Row):
    """What preflight requires of apt: `names` (all packages if empty), in a version from `least`.

    `program` is what a build by hand would have put there: it must not be overwritten. `maker` is
    an archive that can stand in for the distribution's. `archives` has each system's version, None
    where its own archive has none; apt on the very server is asked, these say where to look.
    """

    names: Names = ()
    least: str | None = None
    because: _Text
    program: str | None = None
    maker: str | None = None
    archives: dict[str, str | None]


class Packages(_Row):
    """What apt installs: in one transaction for all roles, before any of them is configured.

    `if_available` only some archives have. Those `installed_by_role` are left to the role, as they
    start a service or make its data. Nothing is installed where a unit of `unless` is active; what
    `replaces` names may be removed for it.
    """

    names: Names = ()
    if_available: tuple[_Text, ...] = ()
    installed_by_role: tuple[_Text, ...] = ()
    unless: tuple[_Text, ...] = ()
    replaces: tuple[_Text, ...] = ()
    preflight: Preflight | None = None

    def by_system(self) -> Iterator[tuple[str, Mapping[str, object]]]:
        """What differs between systems, by its key in the file."""
        if isinstance(self.names, dict):
            yield "names", self.names
        if self.preflight and isinstance(self.preflight.names, dict):
            yield "preflight.names", self.preflight.names
        if self.preflight:
            yield "preflight.archives", self.preflight.archives


class Part(_Row):
    """If only these inputs of the phase differ, only the tasks with the tag run."""

    tag: _Text
    inputs: Annotated[tuple[_Text, ...], Field(min_length=1)]


class Playbook(_Row):
    """The phase of an installation that has a playbook of its name, and starts `after` others.

    `short_call`: after which changes one short call is enough, in place of all of `doctor --deep`;
    "all", or what the tasks report (a task that reports nothing: its name).
    """

    title: _Text
    after: tuple[_Text, ...] = ()
    short_call: Literal["all"] | tuple[_Text, ...] = ()
    part: Part | None = None


class Move(_Row):
    """The phase that carries the data to another server."""

    id: _Text
    title: _Text


class Data(_Row):
    """The customer's data, which follows the role to another server (moving/stores.py).

    `there` is a folder that exists where there is any, `room` the one that it grows in. `files` are
    `paths` below a folder; `schemas` those of data/database.yml. `writers` are the units, on every
    server, that stand still meanwhile.
    """

    title: _Text
    move: Move
    kind: Literal["files", "schemas"]
    there: _Path
    room: _Path
    below: _Path = "/"
    paths: tuple[_Text, ...] = ()
    writers: Annotated[tuple[_Text, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _says_which_files(self) -> Data:
        if (self.kind == "files") is not bool(self.paths):
            raise ValueError("paths: the kind 'files' needs them, and no other has any")
        return self


class Ours(_Row):
    """A file that our role writes before any other of the component, and a text that is in it."""

    file: _Path
    text: str


class Foreign(_Row):
    """What somebody else may have of the component: its units and where its files are.

    `generated` are files that packages' scripts make and no package owns, `databases` data folders
    of MySQL's or MariaDB's, ours first, `files` a folder whose files our timers delete.
    """

    units: tuple[_Text, ...]
    configuration: tuple[_Path, ...]
    generated: tuple[_Path, ...] = ()
    databases: tuple[_Path, ...] = ()
    files: _Path | None = None
    ours: Ours


class Component(_Row):
    """A part of the appliance, by the role that its hosts have.

    Lists of components, packages and checks go by `order`; so do phases that may run side by side.
    `phase` configures it; one of the components of a phase has its `playbook`. `units` come with
    the account of their main process, empty without a process. `managed` files are written whole,
    `originals` are changed: the first of each is kept. `state` is what its phase converges beside
    what the appliance's own modules report, as installer/probes/state.sh takes it. It is taken over
    from somebody else by itself, if it has `foreign`, or as a `part_of` another.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    title: _Text
    role: RoleName
    order: int
    requirements: Annotated[tuple[_Text, ...], Field(min_length=1)]
    part_of: str | None = None
    phase: str | None = None
    playbook: Playbook | None = None
    packages: Packages = Packages()
    units: dict[str, str] = {}
    listener: Listener | None = None
    ports: tuple[Port, ...] = ()
    managed: tuple[_Path, ...] = ()
    originals: tuple[_Path, ...] = ()
    state: tuple[_Item, ...] = ()
    data: Data | None = None
    foreign: Foreign | None = None

    @property
    def taken_over_as(self) -> str | None:
        """The component by whose name it is taken over; None: nothing of it can be in our way."""
        return self.part_of or (self.name if self.foreign else None)

    @model_validator(mode="after")
    def _holds_together(self) -> Component:
        wrong = next(self._wrong(), None)
        if wrong:
            raise ValueError(wrong)
        return self

    def _wrong(self) -> Iterator[str]:
        installs = self.playbook or self.units or self.managed or self.state or self.packages.names
        listening = [port.id for port in self.ports if not port.is_range]
        if installs and not self.phase:
            yield "phase: something is installed, and no phase does it"
        if listening and not self.listener:
            yield f"listener: the port {listening[0]} needs one"
        if self.listener and self.phase and self.listener.unit not in self.units:
            yield f"listener.unit: {self.listener.unit} is not among the units"
        if self.role == EVERY and (self.data or self.foreign or self.packages.preflight):
            yield "role: only a component of one role has 'data', 'foreign' or 'preflight'"
        if self.part_of and self.foreign:
            yield "part_of: a component with 'foreign' is taken over by itself"


def on_system(names: Names, system: str) -> tuple[str, ...]:
    """The package names on the system of that name."""
    return names if isinstance(names, tuple) else names[system]
