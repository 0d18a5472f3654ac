"""Skip phases whose inputs and servers are unchanged since their last successful run.

The state is read first, with one command per server; Ansible then runs only where it differs.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from ucontact_appliance.facts.runner import SshSettings, runner_for
from ucontact_appliance.facts.state import look_at_state
from ucontact_appliance.install.events import TaskResult
from ucontact_appliance.install.inputs import enough_tags
from ucontact_appliance.install.job import Job
from ucontact_appliance.planning.component_tables import state_of_phase
from ucontact_appliance.planning.systems import packages_of_phase
from ucontact_appliance.planning.tables import SystemRow
from ucontact_appliance.site.files import write_private
from ucontact_appliance.site.model import Host
from ucontact_appliance.state import StatePaths

if TYPE_CHECKING:
    from ucontact_appliance.install.phases import Phase

SCHEMA = 1
_MOST_NAMED = 5


class PhaseState(BaseModel):
    """A phase after its last successful run: digests of its inputs, and each host's state."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    inputs: dict[str, str]
    hosts: dict[str, dict[str, str]]


class States(BaseModel):
    """The recorded states of a site's phases, by id; an unfinished or running phase has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA
    phases: dict[str, PhaseState] = {}


def load_states(paths: StatePaths) -> States:
    """Return the recorded states; none, so that every phase runs, if they can't be read."""
    try:
        return States.model_validate_json(paths.states.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        return States()


@dataclass(frozen=True)
class PhaseDifferences:
    """Why a phase has to run: names of changed inputs, and other reasons as text."""

    inputs: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return one line with the first 5 reasons and the number of further ones."""
        words = [*(f"input {name}" for name in self.inputs), *self.others]
        more = len(words) - _MOST_NAMED
        return ", ".join(words[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


NOTHING_DIFFERS = PhaseDifferences()


def differences(
    recorded: PhaseState | None, inputs: Mapping[str, str], seen: Mapping[str, Mapping[str, str]]
) -> PhaseDifferences:
    """Return why the phase has to run. `seen` are its hosts' states."""
    if recorded is None:
        return PhaseDifferences(others=("it has no good run on record",))
    if recorded.hosts.keys() != seen.keys():
        return PhaseDifferences(others=("its servers are others",))
    others = inputs.keys() ^ recorded.inputs.keys()
    others |= {name for name in inputs if inputs[name] != recorded.inputs.get(name)}
    items = (
        f"{host}: {item}"
        for host, items in recorded.hosts.items()
        for item, state in items.items()
        if seen[host].get(item) != state
    )
    return PhaseDifferences(tuple(sorted(others)), tuple(items))


class TaskSelection(Enum):
    """Which tasks of a phase were run."""

    NONE = "none"
    SOME = "some"
    ALL = "all"


@dataclass(frozen=True)
class CompletedPhase:
    """A finished phase: which of its tasks ran, and the number of changes."""

    tasks: TaskSelection
    changed: int = 0


class Servers:
    """The servers' states as read in this run; thread-safe, because phases run in parallel."""

    def __init__(self, hosts: Iterable[Host], ssh: SshSettings, states: States) -> None:
        self._hosts = {host.name: host for host in hosts}
        self._ssh = ssh
        self._states = states
        self._seen: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def differences(
        self, phase: str, inputs: Mapping[str, str] | None, hosts: Collection[str]
    ) -> PhaseDifferences:
        """Return why the phase has to run. Raises UnreachableError for an unreachable host."""
        if inputs is None:
            return PhaseDifferences(others=("it is never skipped",))
        return differences(self._states.phases.get(phase), inputs, self._seen_of(hosts))

    def _seen_of(self, names: Collection[str]) -> dict[str, dict[str, str]]:
        # One query per server reads the recorded items of all phases.
        with self._lock:
            missing = [name for name in names if name not in self._seen]
            self._seen |= self._looked_at({name: self._known(name) for name in missing})
            return {name: self._seen[name] for name in names}

    def has_record(self, phase: str) -> bool:
        """Return whether the phase has a record; without one it has to run."""
        with self._lock:
            return phase in self._states.phases

    def forget(self, names: Collection[str]) -> None:
        """Discard the states of hosts that were changed, so that they are read again on demand."""
        with self._lock:
            for name in names:
                self._seen.pop(name, None)

    def record(self, paths: StatePaths, phase: str, state: PhaseState) -> None:
        """Record the state of a finished phase."""
        with self._lock:
            self._save(paths, {**self._states.phases, phase: state})

    def drop(self, paths: StatePaths, phase: str) -> PhaseState | None:
        """Remove the record of a phase that starts; return the removed record."""
        with self._lock:
            phases = dict(self._states.phases)
            recorded = phases.pop(phase, None)
            if recorded is not None:
                self._save(paths, phases)
            return recorded

    def _save(self, paths: StatePaths, phases: dict[str, PhaseState]) -> None:
        self._states = States(phases=phases)
        write_private(paths.states, self._states.model_dump_json(indent=1) + "\n")

    def after(self, inputs: Mapping[str, str], items: Mapping[str, Collection[str]]) -> PhaseState:
        """Read and return a phase's current state."""
        return PhaseState(inputs=dict(inputs), hosts=self._looked_at(items))

    def _known(self, name: str) -> set[str]:
        phases = self._states.phases.values()
        return {item for phase in phases for item in phase.hosts.get(name, {})}

    def _looked_at(self, items: Mapping[str, Collection[str]]) -> dict[str, dict[str, str]]:
        def one(name: str) -> dict[str, str]:
            with runner_for(self._hosts[name], self._ssh) as runner:
                return look_at_state(runner, items[name])

        with ThreadPoolExecutor(max_workers=max(1, len(items))) as pool:
            return dict(zip(items, pool.map(one, items), strict=True))


def run_where_different(
    phase: Phase,
    job: Job,
    servers: Servers,
    hosts: Collection[str],
    results: Sequence[TaskResult],
    *,
    full: bool,
) -> CompletedPhase:
    """Run the phase, and record its state when it has finished.

    `results` are its tasks' results, added during the run by the observer of `job`. Unless the run
    is `full`, nothing runs if nothing differs. If only certain inputs differ, only the tasks that
    suffice for these run. Raises the phase's errors; its record is removed then.
    """
    inputs = phase.inputs(job)
    if inputs is None:
        return CompletedPhase(TaskSelection.ALL, phase.run(job))
    if not full:
        different = servers.differences(phase.id, inputs, hosts)
        if different == NOTHING_DIFFERS:
            return CompletedPhase(TaskSelection.NONE)
        tags = () if different.others else enough_tags(phase.id, different.inputs)
        job = replace(job, tags=tags)
        job.log(f"differs: {different}")
    recorded = servers.drop(job.paths, phase.id)
    try:
        changed = phase.run(job)
    finally:
        servers.forget(hosts)
    managed = {host: _managed(phase.id, job.system(host)) for host in hosts}
    if job.tags and recorded is not None:  # the other tasks report nothing this time
        for host in hosts:
            managed[host].update(recorded.hosts[host])
    for result in results:
        managed.setdefault(result.host, set()).update(result.manages)
    # Computed again: the certificates that had to be issued first are part of the inputs.
    servers.record(job.paths, phase.id, servers.after(phase.inputs(job) or inputs, managed))
    return CompletedPhase(TaskSelection.SOME if job.tags else TaskSelection.ALL, changed)


def renew_record(job: Job, phase: str, item: str) -> None:
    """Read one recorded item of a phase again, which a later phase has changed."""
    states = load_states(job.paths)
    recorded = states.phases.get(phase)
    if recorded is None:
        return
    servers = Servers(job.site.hosts, job.ssh, states)
    now = servers.after({}, dict.fromkeys(recorded.hosts, (item,))).hosts
    hosts = {host: {**items, **now[host]} for host, items in recorded.hosts.items()}
    servers.record(job.paths, phase, recorded.model_copy(update={"hosts": hosts}))


def _managed(phase: str, system: SystemRow) -> set[str]:
    """Return the items its tasks do not report: components' `state` and configured packages."""
    packages = (f"package {name}" for name in packages_of_phase(phase, system))
    return {*state_of_phase(phase), *packages}
