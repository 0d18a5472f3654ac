"""The servers' part of a restore point: their files, units and release, in a folder of root's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.facts.runner import Completed, Runner, SshSettings, runner_for
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.planning.component import EVERY, Component
from ucontact_appliance.planning.components import components_of
from ucontact_appliance.planning.model import Plan, PlannedHost, Role
from ucontact_appliance.printable import printable
from ucontact_appliance.resources import INSTALLER, load_data
from ucontact_appliance.site.model import Host, Site

POINTS = "/var/lib/ucontact-restore-points"
_SCRIPTS = INSTALLER / "restore_points"
_SECONDS = 1800.0
_SAID = 4000
# The server's copy of the release, by which an installation sees whether it has the release.
_RELEASE_COPIES = (
    "/var/cache/integraserver-release.tar.gz",
    "/var/cache/integraserver-release.manifest.json",
)

_UNITS = Path("/etc/systemd/system")
_VENDOR_PIN = "/etc/apt/preferences.d/ucontact-asterisk.pref"  # role packages


def kept_items(host: PlannedHost, written: Collection[str] = ()) -> tuple[str, ...]:
    """Return the lines for keep.sh: each file with the units that read it, then the units.

    `written` are the files of the newest installation: an older appliance may have had others.
    """
    found = components_of(EVERY, *host.roles)
    paths = [
        " ".join(("path", path, *_running(one)))
        for one in found
        for path in (*one.managed, *one.originals)
    ]
    if Role.BACKEND in host.roles:
        paths += [f"path {path}" for path in _RELEASE_COPIES]
    if Role.TELEPHONY in host.roles:
        paths.append(f"path {_VENDOR_PIN}")
    known = {path for one in found for path in (*one.managed, *one.originals)}
    former = [path for path in written if path not in known]
    paths += [f"path {path}" for path in former]
    units = dict.fromkeys(unit for one in found for unit in one.units)
    units |= dict.fromkeys(
        path.name for path in map(Path, former) if path.parent == _UNITS and "@" not in path.name
    )
    return (*paths, *(f"unit {unit}" for unit in units))


def _running(one: Component) -> tuple[str, ...]:
    """Return the component's units, except services that a timer starts."""
    return tuple(
        unit for unit in one.units if f"{unit.removesuffix('.service')}.timer" not in one.units
    )


def keep_servers(
    site: Site,
    plan: Plan,
    point: str,
    ssh: SshSettings,
    written: Mapping[str, Collection[str]],
) -> None:
    """Make the restore point on every server. Raises PhaseFailedError; nothing was changed then.

    `written` are the files that the newest installation wrote, by host.
    """
    root = str(load_data("tree")["root"])

    def keep(host: Host, runner: Runner) -> None:
        planned = plan.host(host.name)
        words = (point, root if Role.BACKEND in planned.roles else "")
        items = "\n".join(kept_items(planned, written.get(host.name, ()))) + "\n"
        done = script(runner, "keep.sh", *words, stdin=items)
        if done.status:
            raise PhaseFailedError(
                _("no restore point can be made on {name}; nothing was changed", name=host.name),
                evidence=said(done),
                helps=with_note(
                    _("free disk space in {folder} on {name}", folder=POINTS, name=host.name),
                    _("then run the same command again"),
                ),
            )

    _each(site.hosts, ssh, keep)


def return_servers(
    hosts: Sequence[Host], point: str, ssh: SshSettings, log: Callable[[str], None]
) -> Mapping[str, tuple[str, ...]]:
    """Bring the servers back to the restore point; return what was changed, by host.

    Raises PhaseFailedError with the server on which a step failed. May be repeated.
    """
    changes: dict[str, tuple[str, ...]] = {}

    def go_back(host: Host, runner: Runner) -> None:
        done = script(runner, "go_back.sh", point)
        lines = tuple(printable(line) for line in done.stdout.splitlines())
        for line in lines:
            log(f"{host.name}: {line}")
        if done.status:
            raise PhaseFailedError(
                _(
                    "{name} can't be brought back to the restore point {point}",
                    name=host.name,
                    point=point,
                ),
                evidence=said(done),
            )
        changes[host.name] = lines

    _each(hosts, ssh, go_back)
    return changes


def drop_servers(hosts: Sequence[Host], points: Sequence[str], ssh: SshSettings) -> None:
    """Remove the servers' part of these restore points."""
    folders = [f"{POINTS}/{point}" for point in points]

    def drop(_host: Host, runner: Runner) -> None:
        runner.run(["rm", "-rf", "--", *folders], timeout=_SECONDS)

    if folders:
        _each(hosts, ssh, drop)


def _each(hosts: Sequence[Host], ssh: SshSettings, act: Callable[[Host, Runner], None]) -> None:
    """Act on all servers side by side; raise the first error when all have ended."""

    def one(host: Host) -> None:
        with runner_for(host, ssh) as runner:
            act(host, runner)

    with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
        for done in [pool.submit(one, host) for host in hosts]:
            done.result()


def script(runner: Runner, name: str, *words: str, stdin: str = "") -> Completed:
    """Run one of installer/restore_points on the server."""
    text = (_SCRIPTS / name).read_text(encoding="utf-8")
    return runner.run(["bash", "-c", text, name, *words], timeout=_SECONDS, stdin=stdin)


def said(done: Completed) -> str:
    """Return the last words of a command that failed."""
    return printable((done.stderr or done.stdout).strip()[-_SAID:])
