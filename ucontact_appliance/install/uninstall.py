"""Remove from the servers what an installation brought; data stays unless it is to go too."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.facts.runner import runner_for
from ucontact_appliance.facts.survey import Survey
from ucontact_appliance.install.events import (
    Observer,
    PhaseFailed,
    PhaseFinished,
    PhaseStarted,
)
from ucontact_appliance.install.session import site_session
from ucontact_appliance.install.surveying import Surveyed
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.planning.component import EVERY, Component
from ucontact_appliance.planning.components import components_of
from ucontact_appliance.planning.model import PlannedHost, Role
from ucontact_appliance.planning.systems import packages_of, system_row
from ucontact_appliance.planning.tables import SystemRow
from ucontact_appliance.printable import printable
from ucontact_appliance.resources import INSTALLER, load_data
from ucontact_appliance.site.current import installed_site_file
from ucontact_appliance.state import StatePaths

_SCRIPT = INSTALLER / "uninstall" / "uninstall.sh"
_SECONDS = 1800.0
_SAID = 4000
_VENDOR_PIN = "/etc/apt/preferences.d/ucontact-asterisk.pref"  # role packages
# Folders that only the appliance has; the release's and those of data are added by role.
_OURS = (
    "/etc/ssl/ucontact",
    "/etc/ucontact-backup",
    "/etc/ucontact-logrotate.d",
    "/etc/ucontact-recordings",
    "/usr/local/lib/ucontact",
    "/usr/share/ucontact",
    "/var/cache/ucontact-backup",
    "/var/lib/ucontact-asterisk",
    "/var/lib/ucontact-backup",
    "/var/lib/ucontact-phones",
    "/var/lib/ucontact-telephony",
    "/var/lib/ucontact-restore-points",
    "/var/cache/integraserver-release.tar.gz",
    "/var/cache/integraserver-release.manifest.json",
    _VENDOR_PIN,
    # Not their folder: where the site is on the machine that installs, that is the controller's.
    "/var/lib/ucontact/installation.json",
    "/var/lib/ucontact/site-state.sealed",
)
# Changed by our release alone; it has a password.
_SETTINGS = ("/etc/IntegraServer/integraserver.properties",)
# Accounts and groups that the roles create; the others come with packages.
_ACCOUNTS = ("integra", "ucontact-playback", "ucontact-tls")
# What a controller recorded of an installation that is no more; keys and reports stay.
_RECORDS = ("journal.json", "states.json", "managed.json", "plan.json", "upgrade.json")


def uninstall(
    seen: Surveyed, site_file: Path, observer: Observer, *, remove_data: bool
) -> Mapping[str, tuple[str, ...]]:
    """Uninstall every server; return what was removed, restored and kept, by host.

    Raises PhaseFailedError with the server on which a step failed; it may be repeated.
    """
    done: dict[str, tuple[str, ...]] = {}
    with site_session(seen, site_file, observer) as session:
        for number, host in enumerate(seen.site.hosts, start=1):
            title = _("Uninstall {name}", name=host.name)
            observer(PhaseStarted(host.name, title, number, len(seen.site.hosts)))
            items = "\n".join(_items(seen.plan.host(host.name), seen.surveys[host.name])) + "\n"
            words = ("remove" if remove_data else "keep",)
            with runner_for(host, session.ssh) as runner:
                script = _SCRIPT.read_text(encoding="utf-8")
                ran = runner.run(
                    ["bash", "-c", script, "uninstall.sh", *words], timeout=_SECONDS, stdin=items
                )
            lines = tuple(printable(line) for line in ran.stdout.splitlines())
            if ran.status:
                observer(PhaseFailed(host.name, title, ran.seconds))
                raise PhaseFailedError(
                    _("{name} can't be uninstalled completely", name=host.name),
                    evidence=printable((ran.stderr or ran.stdout).strip()[-_SAID:]),
                    helps=with_note(
                        f"ucontact uninstall --site {site_file}",
                        _("continues, when the cause is removed"),
                    ),
                )
            done[host.name] = lines
            count = sum(line.startswith("removed ") for line in lines)
            observer(PhaseFinished(host.name, title, count, ran.seconds))
        _forget(session.paths, site_file, remove_data=remove_data)
    return done


def _items(host: PlannedHost, found: Survey) -> tuple[str, ...]:
    """Return the lines for uninstall.sh."""
    row = system_row(found.os_id, found.os_version)
    lines: list[str] = []
    for one in components_of(EVERY, *host.roles):
        if one.phase:  # the others, such as OpenSSH, are not installed by us
            lines += _of_component(one, row)
    tree = load_data("tree")
    lines += [f"again {one.name}" for one in components_of(*host.roles) if one.data and one.foreign]
    data = [one.data for one in components_of(*host.roles) if one.data]
    folders = [entry.there if entry.kind == "files" else entry.room for entry in data]
    if Role.BACKEND in host.roles:
        lines += [f"tree {tree['root']}/{name}" for name in ("releases", "current")]
        lines += [f"tree {tree['root']}/{name}" for name in ("web", "server", "reports")]
        lines += [f"tree {path}" for path in _SETTINGS]
        folders += [str(tree["state"]), str(tree["root"])]
    lines += [f"pins {_VENDOR_PIN}", *(f"tree {path}" for path in _OURS)]
    return (*lines, *(f"data {folder}" for folder in dict.fromkeys(folders)))


def _of_component(one: Component, row: SystemRow | None) -> list[str]:
    packages = () if row is None else (*packages_of(one, row), *one.packages.if_available)
    lines = [f"package {name}" for name in (*packages, *one.packages.if_needed)]
    lines += [" ".join(("unit", unit, *packages)) for unit in one.units]
    lines += [f"path {path}" for path in one.managed]
    lines += [f"changed {path}" for path in one.originals if path not in _SETTINGS]
    for item in one.state:
        kind, _space, name = item.partition(" ")
        if kind == "table" or (kind in ("account", "group") and name in _ACCOUNTS):
            lines.append(item)
    return lines


def _forget(paths: StatePaths, site_file: Path, *, remove_data: bool) -> None:
    """Remove this machine's records of the installation; with the data, all of the site's state."""
    for name in _RECORDS:
        (paths.var / name).unlink(missing_ok=True)
    shutil.rmtree(paths.restore_points, ignore_errors=True)
    link = installed_site_file()
    if link.is_symlink() and link.resolve() == site_file.resolve():
        link.unlink()
    if remove_data:
        for folder in (paths.etc, paths.var):
            shutil.rmtree(folder, ignore_errors=True)
