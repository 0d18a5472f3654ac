"""Newer packages of our services: find them, keep the installed ones, replace them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ucontact_appliance.errors import PhaseFailedError, UsageError
from ucontact_appliance.facts.host import sections
from ucontact_appliance.facts.runner import Runner, runner_for
from ucontact_appliance.install.events import TaskStarted
from ucontact_appliance.install.job import Job
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.planning.components import components_of
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.systems import held_packages, packages_of
from ucontact_appliance.printable import printable
from ucontact_appliance.site.model import Host
from ucontact_appliance.upgrading.servers import said, script

_INST = re.compile(r"^Inst (\S+)(?: \[([^\]]+)\])? \((\S+)")
_REMV = re.compile(r"^Remv (\S+)")
_DATABASE = "database"  # the phase whose packages change the format of the data


@dataclass(frozen=True)
class PackageChange:
    """A package that apt would replace; `before` is empty for one that comes along."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class PhaseUpdates:
    """The packages of one phase on one host, what apt would do for them, and their services."""

    host: str
    phase: str
    names: tuple[str, ...]
    changes: tuple[PackageChange, ...]
    units: tuple[str, ...]

    @property
    def database(self) -> bool:
        """Whether the database server changes."""
        return self.phase == _DATABASE


def find_updates(job: Job, *, refresh: bool) -> tuple[PhaseUpdates, ...]:
    """Return the updates of our services' packages; with `refresh`, lists are fetched first.

    Raises PhaseFailedError when apt can't say, or would remove a package.
    """
    return tuple(one for host in job.site.hosts for one in _on_host(job, host, refresh))


def _on_host(job: Job, host: Host, refresh: bool) -> Iterator[PhaseUpdates]:
    groups = _phases(job, host)
    lines = "".join(f"{phase} {' '.join(names)}\n" for phase, (names, _) in groups.items())
    with runner_for(host, job.ssh) as runner:
        done = script(runner, "find_updates.sh", "yes" if refresh else "no", stdin=lines)
    if done.status:
        raise PhaseFailedError(
            _("apt on {name} can't say which packages have updates", name=host.name),
            evidence=said(done),
        )
    for phase, text in sections(done.stdout).items():
        changes, removed = parse_simulation(text)
        if removed:
            raise PhaseFailedError(
                _("an update on {name} would remove packages", name=host.name),
                evidence=printable(", ".join(removed)),
            )
        if changes and phase in groups:
            names, units = groups[phase]
            yield PhaseUpdates(host.name, phase, names, changes, units)


def _phases(job: Job, host: Host) -> Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return packages and services of the host's components, by phase."""
    system, roles = job.system(host.name), job.plan.host(host.name).roles
    held = set(held_packages(system, roles))
    found: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for one in components_of(*roles):
        names = tuple(name for name in packages_of(one, system) if name in held)
        optional = tuple(name for name in one.packages.if_available if name in held)
        before, units = found.get(one.phase or "", ((), ()))
        if one.phase:
            own = (one.listener.unit,) if one.listener else ()
            found[one.phase] = ((*before, *names, *optional), (*units, *own))
    return {phase: value for phase, value in found.items() if value[0]}


def parse_simulation(text: str) -> tuple[tuple[PackageChange, ...], tuple[str, ...]]:
    """Parse apt's simulation: what it would install, and the names that it would remove."""
    changes = tuple(
        PackageChange(found[1], found[2] or "", found[3])
        for line in text.splitlines()
        if (found := _INST.match(line))
    )
    removed = tuple(found[1] for line in text.splitlines() if (found := _REMV.match(line)))
    return changes, removed


def keep_packages(
    job: Job,
    point: str,
    updates: Sequence[PhaseUpdates],
    *,
    vendor: bool = False,
    incomplete: bool = False,
) -> None:
    """Keep the installed packages in the restore point of each server; with `vendor`, Asterisk's.

    Raises UsageError for one that can't be had (unless `incomplete`), and PhaseFailedError when
    that fails; nothing was changed then.
    """
    for host in job.site.hosts:
        here = [one for one in updates if one.host == host.name]
        rows = {(c.name, c.before) for one in here for c in one.changes if c.before}
        words = ("database",) if any(one.database for one in here) else ()
        with runner_for(host, job.ssh) as runner:
            if vendor and Role.TELEPHONY in job.plan.host(host.name).roles:
                rows |= _asterisk(runner)
            if not rows:
                continue
            lines = "".join(f"{name} {version}\n" for name, version in sorted(rows))
            done = script(runner, "keep_packages.sh", point, *words, stdin=lines)
        if done.status:
            raise PhaseFailedError(
                _("the packages of {name} can't be kept; nothing was changed", name=host.name),
                evidence=said(done),
            )
        missing = printable(done.stdout.strip())
        if missing and not incomplete:
            raise UsageError(
                _(
                    "installed packages of {name} can't be had again; nothing was changed",
                    name=host.name,
                ),
                evidence=missing,
                helps=with_note(
                    _("on {name}: apt-get install dpkg-repack", name=host.name),
                    _("or --incomplete, to upgrade without a way back for these packages"),
                ),
            )


def _asterisk(runner: Runner) -> set[tuple[str, str]]:
    """Return the installed packages whose names begin with that of Asterisk, with versions."""
    words = ["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version}\\n", "asterisk*"]
    rows = (line.split(" ") for line in runner.run(words).stdout.splitlines())
    return {(row[1], row[2]) for row in rows if len(row) == 3 and row[0] == "installed"}


def replace_packages(job: Job, point: str, one: PhaseUpdates) -> int:
    """Install the newer packages and restart their services; return the number of packages.

    Raises PhaseFailedError with apt's words.
    """
    host = next(host for host in job.site.hosts if host.name == one.host)
    job.observer(TaskStarted(_("Replace packages: {names}", names=", ".join(one.names))))
    words = (point, "yes" if one.database else "no", *one.units, "--", *_present(one))
    with runner_for(host, job.ssh) as runner:
        done = script(runner, "replace_packages.sh", *words)
    for line in done.stdout.splitlines():
        job.log(f"{one.phase}: {host.name}: {printable(line)}")
    if done.status:
        raise PhaseFailedError(
            _("the packages on {name} can't be replaced", name=host.name), evidence=said(done)
        )
    return len(one.changes)


def _present(one: PhaseUpdates) -> tuple[str, ...]:
    """Return those of the phase's packages that have an update, and are installed therefore."""
    changed = {change.name.partition(":")[0] for change in one.changes}
    return tuple(name for name in one.names if name in changed) or one.names
