"""One run of `ucontact doctor`: on the site, or on the facts that an earlier run stored."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from ucontact_appliance.checks.model import Calls, Finding
from ucontact_appliance.cli.console import err, translated
from ucontact_appliance.cli.doctor_view import warn
from ucontact_appliance.cli.options import require_root, site_file
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.source import FactSource
from ucontact_appliance.findings.changes import Changes
from ucontact_appliance.findings.offline import judge_snapshot, load_snapshot
from ucontact_appliance.language.messages import _
from ucontact_appliance.operate.examination import examine, save_facts
from ucontact_appliance.operate.history import By, keep_run
from ucontact_appliance.operate.installed import Installed, load_installed
from ucontact_appliance.report.changed import moment
from ucontact_appliance.site.model import Site


@dataclass(frozen=True)
class DoctorRun:
    """A finished run: site, when it began (aware), findings, and how long it took in seconds."""

    site: Site
    time: datetime
    findings: tuple[Finding, ...]
    seconds: float
    changes: Changes | None = None


def installed_site(site: Path | None) -> Installed:
    """Return the installed site. Raises UsageError unless run by root, and what loading raises."""
    require_root()
    return load_installed(site_file(site))


def calls_of(deep: bool) -> Calls:
    """Return the real calls that a run started by a person places."""
    return Calls.DEEP if deep else Calls.NONE


def check_up(
    site: Path | None, *, deep: bool, only: list[str] | None, facts_file: Path | None = None
) -> DoctorRun:
    """Run the checks on the installed site, and save the run unless `only` limits it."""
    here, names, calls = installed_site(site), tuple(only or ()), calls_of(deep)
    run = run_here(here, calls=calls, only=names, facts_file=facts_file)
    if not names:  # partial runs can't be compared
        keep(here, run, calls=calls)
    return run


def run_here(
    here: Installed, *, calls: Calls, only: tuple[str, ...] = (), facts_file: Path | None = None
) -> DoctorRun:
    """Run the checks on the installed site; store what was read in `facts_file`, if given."""
    began_at, began = datetime.now(timezone.utc), time.monotonic()
    read: dict[str, FactSource] = {}
    with err.status(translated(_("checking {site} …", site=here.site.site))) as status:
        findings = examine(
            here,
            calls=calls,
            only=only,
            on_finding=lambda finding: status.update(translated(finding.title)),
            on_facts=read.update,
            on_notice=warn,
        )
    if facts_file is not None:
        for left_out in save_facts(here, read, began_at, facts_file, deep=calls is Calls.DEEP):
            warn(_("not stored: {what}", what=left_out))
    return DoctorRun(here.site, began_at, findings, time.monotonic() - began)


def run_stored(path: Path, only: tuple[str, ...]) -> DoctorRun:
    """Judge the facts stored in that file, without looking at the site."""
    began = time.monotonic()
    snapshot = load_snapshot(path)
    warn(
        _(
            "judging the stored facts of {site} from {time}",
            site=snapshot.site.site,
            time=moment(snapshot.time),
        )
    )
    findings = judge_snapshot(snapshot, only)
    return DoctorRun(snapshot.site, snapshot.time, findings, time.monotonic() - began)


def keep(here: Installed, run: DoctorRun, *, calls: Calls, by: By = "hand") -> None:
    """Save the run. A failure only warns: the doctor must report a full disk, not fail on it."""
    try:
        keep_run(here.paths.doctor, here.site, run.time, run.findings, calls=calls, by=by)
    except UnreachableError as error:
        warn(
            _(
                "this run was not saved: {what}: {evidence}",
                what=error.what,
                evidence=error.evidence,
            )
        )
