"""Restore the newest backup into a throw-away machine, and file what came of it.

The copy is made by `ucontact restore` in a process of its own, whose state is in a folder of the
drill. Whatever ends a drill, the next one first removes what is left of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psutil

from ucontact_appliance import __version__
from ucontact_appliance.clients.restic import Repository, demand_restic
from ucontact_appliance.errors import UsageError
from ucontact_appliance.evidence.filing import demand_reportable, file_drill, new_folder
from ucontact_appliance.facts.drill import DrillRecord, drill_history
from ucontact_appliance.lab import isolation, layout, machines
from ucontact_appliance.lab.commands import require_tools
from ucontact_appliance.lab.records import Machine, MachineSpec
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.moving.restore_plan import Restore
from ucontact_appliance.moving.restore_source import find_restore, sealed_state
from ucontact_appliance.operate import drill_copy
from ucontact_appliance.operate.drill_network import archives, blocked_addresses
from ucontact_appliance.operate.drill_source import storage_account, storage_of
from ucontact_appliance.operate.installed import Installed
from ucontact_appliance.planning.drill import left_out, needed_disk_mb, site_of_drill
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.files import private_dir, write_private
from ucontact_appliance.site.loader import parse_site
from ucontact_appliance.site.recovery_key import (
    RecoveryKey,
    load_recovery_key,
    repository_password,
)
from ucontact_appliance.site.sealed_state import SiteState, unseal
from ucontact_appliance.state import StatePaths

_SUITE = "sid"
_ENDING_SECONDS = 60.0  # a killed drill's restore ends within that

Say = Callable[[str], None]


@dataclass(frozen=True)
class DrillResult:
    """What came of a drill, its signed document, and the machine if it was kept."""

    record: DrillRecord
    document: dict[str, Any]
    folder: Path
    kept: Machine | None


def run_drill(here: Installed, *, keep: bool, say: Say) -> DrillResult:
    """Restore the newest backup, file the result, and remove the copy, unless it is to be kept.

    Raises UsageError or UnreachableError before anything begins where this machine can't run it.
    """
    key = _demand_possible(here)
    with _alone(here.paths) as lock, storage_account(here):
        _sweep(here, say)
        folder = private_dir(here.paths.drill)
        try:
            address, ssh_key = storage_of(here, folder)
            repository = Repository(address, repository_password(key), ssh_key)
            restore = find_restore(repository, None, say)
            saved = unseal(sealed_state(repository, restore), key)
            _demand_space(restore)
            began = time.monotonic()
            machine = _isolated_machine(here, saved, say)
            site_file = _write_site(here, saved, machine, folder)
            copy = drill_copy.Copy(folder, site_file, restore, key, lock)
            trouble = drill_copy.restore_copy(copy, say)
            made = _filed(here, restore, copy, trouble, round(time.monotonic() - began))
        except BaseException:
            _sweep(here, say)
            raise
        if not keep:
            _sweep(here, say)
    record, document, report = made
    return DrillResult(record, document, report, machine if keep else None)


def machine_name(site: str) -> str:
    """Return the name of the drill's machine: the same each time, so that the next one finds it."""
    return f"drill-{hashlib.sha256(site.encode()).hexdigest()[:8]}"


def _demand_possible(here: Installed) -> RecoveryKey:
    """Raise UsageError where the site or this machine lacks something; return the recovery key."""
    if here.site.backup is None:
        raise UsageError(
            _("the site {site} has no backups", site=here.site.site),
            evidence=_("{path} has no section 'backup'", path=here.site_file),
            helps=_("add it (docs/backup.md), then: {command}", command="ucontact install"),
        )
    require_tools()
    demand_restic()
    demand_reportable(here.paths)
    needed = int(load_data("backup")["drill"]["memory_mb"])
    free = psutil.virtual_memory().available // 1_000_000
    if free < needed:
        raise UsageError(
            _("this machine has too little memory for a drill"),
            evidence=_("available: {free} MB; needed: {needed} MB", free=free, needed=needed),
            helps=_("run it from a larger machine: ucontact adopt ADDRESS"),
        )
    key = load_recovery_key(here.paths.recovery_key)
    if key is None:
        raise UsageError(
            _("the recovery key {path} is missing", path=here.paths.recovery_key),
            helps="ucontact install",
        )
    return key


def _demand_space(restore: Restore) -> None:
    octets = {role: drill_copy.octets_of(role, one) for role, one in restore.manifests.items()}
    needed = needed_disk_mb(octets)
    folder = private_dir(layout.lab_root())
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < needed:
        raise UsageError(
            _("this machine has too little disk space for a drill"),
            evidence=_(
                "{folder} has {free} MB free; the copy needs {needed} MB",
                folder=folder,
                free=free,
                needed=needed,
            ),
            helps=with_note("ucontact lab list", _("then: ucontact lab down NAME")),
        )


def _isolated_machine(here: Installed, saved: SiteState, say: Say) -> Machine:
    sites = (here.site, parse_site(saved.site_yml))
    machine = machines.up(MachineSpec(machine_name(here.site.site), _SUITE), say)
    allowed = archives(machine, sites)
    blocked = blocked_addresses(sites)
    isolation.isolate(machine.root.parent, machine.address, blocked, allowed.endpoints)
    allowed.pin(machine)
    say(
        _(
            "{machine} reaches the archive of packages only; blocked: {blocked}",
            machine=machine.name,
            blocked=", ".join(blocked) or _("none"),
        )
    )
    return machine


def _write_site(here: Installed, saved: SiteState, machine: Machine, folder: Path) -> Path:
    """Write site.yml of the copy, and the files that it names; return its path."""
    files = {name: f"files/{number}-{Path(name).name}" for number, name in enumerate(saved.beside)}
    for name, new in files.items():
        write_private(folder / new, saved.beside[name].data)
    # No backup has the packages of the vendor's Asterisk: those of this machine.
    given = {one.file.name: str(one.file) for one in here.site.telephony.packages}
    for one in parse_site(saved.site_yml).telephony.packages:
        files[str(one.file)] = given.get(one.file.name, str(one.file))
    host = {"name": machine.name, "address": machine.address, "key": str(layout.ssh_key())}
    until = (datetime.now(timezone.utc) + timedelta(days=365)).date()
    text = site_of_drill(saved.site_yml, host, files, until)
    path = folder / "site.yml"
    write_private(path, text)
    parse_site(text, str(path))
    return path


def _filed(
    here: Installed, restore: Restore, copy: drill_copy.Copy, trouble: str, seconds: int
) -> tuple[DrillRecord, dict[str, Any], Path]:
    """Write the signed result into the chain of reports, and take note of it for the doctor."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    manifests = {one.run: one for one in restore.manifests.values()}
    folder = new_folder(here.paths.reports)
    record = DrillRecord(
        time=now,
        good=not trouble,
        backup=min(one.ended for one in manifests.values()),
        seconds=seconds,
        report=folder.name,
        trouble=trouble,
    )
    document = {
        "schema": 1,
        "site": here.site.site,
        "time": now.isoformat(),
        "verdict": "good" if record.good else "failed",
        "trouble": trouble,
        "seconds": seconds,
        "appliance": __version__,
        "system": _SUITE,
        "repository": restore.repository,
        "backups": drill_copy.backups(restore),
        "compared": drill_copy.compared(restore) if record.good else None,
        "left_out": [str(told) for told in left_out(here.site)],
        "findings": drill_copy.findings(copy, here.site.site),
    }
    file_drill(here.site, document, folder=folder, paths=here.paths)
    history = drill_history(str(here.paths.drills)).with_drill(record)
    write_private(here.paths.drills, history.model_dump_json(indent=1) + "\n")
    return record, json.loads(json.dumps(document)), folder


def _sweep(here: Installed, say: Say) -> None:
    """Remove the drill's machine, its rules and its folder, whoever left them."""
    name = machine_name(here.site.site)
    if name in {machine.name for machine in machines.listed()}:
        machines.down([name], say)
    if here.paths.drill.exists():
        shutil.rmtree(here.paths.drill)


@contextmanager
def _alone(paths: StatePaths) -> Iterator[int]:
    """Hold the lock of the site's drills; yield its descriptor, which the restore inherits."""
    path = private_dir(paths.var) / "drill.lock"
    deadline = time.monotonic() + _ENDING_SECONDS
    with path.open("a+") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                stream.seek(0)
                holder = stream.read().strip()
                alive = holder.isdigit() and psutil.pid_exists(int(holder))
                if alive or time.monotonic() > deadline:
                    raise UsageError(
                        _("another drill of this site is running"),
                        evidence=_("process {pid}", pid=holder),
                        helps=_("wait until it ends"),
                    ) from None
                time.sleep(0.5)
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield stream.fileno()
