"""Schema of the files in data/components: everything that a component brings to a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ucontact_appliance.planning.model import Role

EVERY: Literal["every"] = "every"  # the role of a component that each host has
LOOPBACK = "loopback"
# Ports whose numbers come from site.yml or the plan; the latter two are ranges.
NamedPort = Literal["ssh", "rtp", "turn-relay"]
_SINGLE = "ssh"  # the only one of these that is no range
PortRange = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,4}-[1-9][0-9]{0,4}$")]

RoleName = Role | Literal["every"]
# Package names; by system (os.yml) if they differ.
Names = tuple[str, ...] | dict[str, tuple[str, ...]]
_Text = Annotated[str, Field(min_length=1)]
_Path = Annotated[str, Field(pattern=r"^/")]
_Item = Annotated[str, Field(pattern=r"^(path|tree|account|group|package|table|running) \S")]


class _ComponentRow(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Port(_ComponentRow):
    """A port that the firewall opens to `sources`, except on a host with the role `without`.

    `sources` are agents, providers and admins (networks of site.yml), webrtc-providers (the
    providers' networks, in a site that has a trunk with transport wss), fax-providers (the same, in
    a site that has a trunk with T.38), site (the site's other hosts that carry one of `peers`) and
    loopback (never opened). `limited_by` names the role whose
    limit of TCP connections per source address applies (tuning.yml). `opened_by` is the check
    whether the service opened the port, in addition to the check whether it runs.
    """

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    protocol: Literal["tcp", "udp"]
    port: Annotated[int, Field(ge=1, le=65535)] | NamedPort | PortRange
    without: Role | None = None
    sources: Annotated[
        tuple[
            Literal[
                "agents",
                "providers",
                "webrtc-providers",
                "fax-providers",
                "admins",
                "site",
                "loopback",
            ],
            ...,
        ],
        Field(alias="from", min_length=1),
    ]
    peers: tuple[Role, ...] = ()
    limited_by: Literal["telephony", "web", "stun"] | None = None
    purpose: Annotated[_Text, Field(alias="for")]
    requirements: Annotated[tuple[_Text, ...], Field(min_length=1)]
    opened_by: str | None = None

    @property
    def is_range(self) -> bool:
        """Whether its ports are bound per call, so that nothing listens while there is no call."""
        return isinstance(self.port, str) and self.port != _SINGLE


class ComponentListener(_ComponentRow):
    """The processes that may hold the component's ports, and the unit that starts the first one.

    `check` tests whether the service runs; if it does not, its closed port is no further finding.
    """

    processes: Annotated[tuple[_Text, ...], Field(min_length=1)]
    unit: _Text
    check: str | None = None


class PackagePreflight(_ComponentRow):
    """What preflight requires of apt: `names` (all packages if empty), in a version from `least`.

    `program` is where a build from source would be installed, which must not be overwritten.
    `maker` is an archive that can replace the distribution's. `archives` has the version in each
    system's own archive, None if it has none; for advice only, as preflight asks the server's apt.
    """

    names: Names = ()
    least: str | None = None
    because: _Text
    program: str | None = None
    maker: str | None = None
    archives: dict[str, str | None]


class ComponentPackages(_ComponentRow):
    """What apt installs: in one transaction for all roles, before any of them is configured.

    Only some archives have `if_available`. The role itself installs `installed_by_role`, as these
    packages start a service or create its data, and `if_needed`, if site.yml asks for what needs
    them. Nothing is installed while a unit of `unless` is active. apt may remove the packages in
    `replaces`. Packages of one role's components are held (apt-mark(8)), except those in `unheld`:
    replacing these interrupts nothing.
    """

    names: Names = ()
    if_available: tuple[_Text, ...] = ()
    installed_by_role: tuple[_Text, ...] = ()
    if_needed: tuple[_Text, ...] = ()
    unless: tuple[_Text, ...] = ()
    replaces: tuple[_Text, ...] = ()
    unheld: tuple[_Text, ...] = ()
    preflight: PackagePreflight | None = None

    def by_system(self) -> Iterator[tuple[str, Mapping[str, object]]]:
        """The values that differ between systems, by their key in the file."""
        if isinstance(self.names, dict):
            yield "names", self.names
        if self.preflight and isinstance(self.preflight.names, dict):
            yield "preflight.names", self.preflight.names
        if self.preflight:
            yield "preflight.archives", self.preflight.archives


class PartialRun(_ComponentRow):
    """If only these inputs of the phase differ, only the tasks with this tag run."""

    tag: _Text
    inputs: Annotated[tuple[_Text, ...], Field(min_length=1)]


class Playbook(_ComponentRow):
    """A phase of an installation with a playbook of the same name; it starts `after` other phases.

    `short_call`: the changes after which one short call suffices instead of all of `doctor --deep`;
    "all", or the changes that tasks report (for a task that reports none: its name).
    """

    title: _Text
    after: tuple[_Text, ...] = ()
    short_call: Literal["all"] | tuple[_Text, ...] = ()
    part: PartialRun | None = None


class MovePhase(_ComponentRow):
    """The phase that carries the data to another server."""

    id: _Text
    title: _Text


class Data(_ComponentRow):
    """The customer's data, which follows the role to another server (moving/stores.py).

    `there` is a folder that exists if there is any data, `room` the one whose filesystem it fills.
    `files` are `paths` below a folder; `schemas` are those of data/database.yml. `writers` are the
    units that are stopped on every server during the move.
    """

    title: _Text
    move: MovePhase
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


class OwnedFile(_ComponentRow):
    """The first of the component's files that our role writes, and a text that it contains."""

    file: _Path
    text: str


class ForeignDefinition(_ComponentRow):
    """An existing installation of the component by somebody else: its units and files.

    `generated` are files that package scripts create and no package owns, `databases` the data
    folders of MySQL or MariaDB (ours first), `files` a folder whose files our timers delete.
    """

    units: tuple[_Text, ...]
    configuration: tuple[_Path, ...]
    generated: tuple[_Path, ...] = ()
    databases: tuple[_Path, ...] = ()
    files: _Path | None = None
    ours: OwnedFile


class Component(_ComponentRow):
    """A part of the appliance, installed on the hosts of its role.

    Components, packages, checks and concurrent phases are listed by `order`. `phase` configures
    the component; one component of each phase has its `playbook`. `units` map to the account of
    their main process, empty if there is none. `managed` files are written whole, `originals` are
    changed; the first version of each is kept. `state` is what the phase manages in addition to
    what the appliance's own modules report, in the form that installer/probes/state.sh takes. The
    component is taken over by itself if it has `foreign`, or with the component `part_of`.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]
    title: _Text
    role: RoleName
    order: int
    requirements: Annotated[tuple[_Text, ...], Field(min_length=1)]
    part_of: str | None = None
    phase: str | None = None
    playbook: Playbook | None = None
    packages: ComponentPackages = ComponentPackages()
    units: dict[str, str] = {}
    listener: ComponentListener | None = None
    ports: tuple[Port, ...] = ()
    managed: tuple[_Path, ...] = ()
    originals: tuple[_Path, ...] = ()
    state: tuple[_Item, ...] = ()
    data: Data | None = None
    foreign: ForeignDefinition | None = None

    @property
    def taken_over_as(self) -> str | None:
        """The component under whose name it is taken over; None if it can't conflict with ours."""
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
    """The package names on this system."""
    return names if isinstance(names, tuple) else names[system]
