"""Install a site: run the phases under locks and a journal, so that a run can be continued."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ucontact_appliance import __version__
from ucontact_appliance.errors import ApplianceError, UsageError
from ucontact_appliance.facts.runner import SshSettings
from ucontact_appliance.install.admission import start_anew
from ucontact_appliance.install.course import failing, hosts_of, run_phases, within
from ucontact_appliance.install.events import (
    CallMade,
    Event,
    Observer,
    PhaseForeseen,
    PhaseNotJudged,
    PhaseStarted,
    Warned,
    in_language,
)
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.journal import (
    Journal,
    Progress,
    inputs_diff,
    load_journal,
)
from ucontact_appliance.install.launcher import Launcher
from ucontact_appliance.install.log import run_log
from ucontact_appliance.install.migrations import demand_no_migrations, record_schemas
from ucontact_appliance.install.phases import INSTALL, Phase, Unpredictable
from ucontact_appliance.install.sealing import seal_state
from ucontact_appliance.install.server_lock import ServerHold, demand_known
from ucontact_appliance.install.session import SiteSession, run_connections, site_session
from ucontact_appliance.install.surveying import Surveyed
from ucontact_appliance.install.unchanged import NOTHING_DIFFERS, Servers, States, load_states
from ucontact_appliance.install.upgrade_journal import demand_no_upgrade
from ucontact_appliance.install.vendor import unpacked_asterisk, vendor_asterisk
from ucontact_appliance.language.catalogue import Translate, english
from ucontact_appliance.language.messages import _, concatenated, joined, what_of, with_note
from ucontact_appliance.moving.carry import load_places
from ucontact_appliance.moving.restore_plan import load_restore
from ucontact_appliance.planning.model import Plan, Role
from ucontact_appliance.planning.moves import DataMove, moves_for
from ucontact_appliance.planning.ownership import marks_of
from ucontact_appliance.release.store import ReleaseFiles
from ucontact_appliance.site.current import remember_site
from ucontact_appliance.site.files import private_dir
from ucontact_appliance.site.model import Site
from ucontact_appliance.site.recovery_key import (
    RecoveryKey,
    kept_recovery_key,
    load_recovery_key,
    repository_password,
)
from ucontact_appliance.site.secrets import (
    BACKUP_RECOVERY,
    Secrets,
    load_secrets,
    provided_names,
    save_secrets,
    with_generated,
)
from ucontact_appliance.state import StatePaths, state_paths


@dataclass(frozen=True)
class InstallResult:
    """Result of a finished installation; `seconds` is its wall time."""

    changed: int
    seconds: float
    log: Path
    call: str  # one line with the result of the final test call, or that none was made


# The newest install did not finish the phase, or not on these servers: check mode can't judge tasks
# that need what earlier tasks install.
NEVER_THROUGH = Unpredictable(
    _("the newest installation did not finish this phase on these servers")
)


@dataclass(frozen=True)
class PhasePreview:
    """One phase of a dry run: the number of changes, or why it is unknown."""

    id: str
    title: str
    changes: int | Unpredictable


def install(
    seen: Surveyed,
    site_file: Path,
    release: ReleaseFiles,
    observer: Observer,
    *,
    restart: bool = False,
    replace_newer: bool = False,
    abandoned: frozenset[Role] = frozenset(),
    new_ca: bool = False,
    take_over: tuple[str, ...] = (),
    full: bool = False,
    phases: tuple[Phase, ...] = INSTALL,
    translate: Translate = english,
    ssh: SshSettings | None = None,
) -> InstallResult:
    """Run the phases; continue an interrupted install at the phase that stopped it.

    Events are in the language of `translate`. With `new_ca`, the site's CA and damaged files are
    renamed first, and every phase runs. Existing installations of the components in `take_over` are
    backed up before anything is overwritten. With `full`, no phase is skipped because nothing
    differs. `ssh` has the connections of the survey, if they are still open.

    Raises PhaseFailedError with the phase, host, task and message, and UsageError with a diff when
    an interrupted install is continued on other inputs (unless `restart`), or when a server was
    installed by a run that is not known here (unless `replace_newer`).
    """
    observer = in_language(observer, translate)
    overwrites = replace_newer or new_ca
    with site_session(seen, site_file, observer, replace_newer=overwrites, ssh=ssh) as session:
        demand_no_upgrade(session.paths, site_file)
        return install_within(
            session,
            seen,
            site_file,
            release,
            observer,
            restart=restart,
            abandoned=abandoned,
            new_ca=new_ca,
            take_over=take_over,
            full=full,
            phases=phases,
            translate=translate,
        )


def install_within(
    session: SiteSession,
    seen: Surveyed,
    site_file: Path,
    release: ReleaseFiles,
    observer: Observer,
    *,
    restart: bool = False,
    abandoned: frozenset[Role] = frozenset(),
    new_ca: bool = False,
    take_over: tuple[str, ...] = (),
    full: bool = False,
    repairs: bool = True,
    migrates: bool = False,
    phases: tuple[Phase, ...] = INSTALL,
    translate: Translate = english,
) -> InstallResult:
    """Run the phases as `install` does, under the locks that the caller holds.

    Without `repairs`, an unhealthy site is a failure at once: skipped phases do not run after all.
    With `migrates`, schemas of a site with data may be changed.
    """
    paths, hold = session.paths, session.hold
    start = time.monotonic()
    calls: list[str] = []

    def hearing(event: Event) -> None:
        if isinstance(event, CallMade):
            calls.append(event.text)
        observer(event)

    if new_ca:
        kept = start_anew(seen.site, paths, marks_of(seen.cas))
        lines = [_("the site gets a new CA"), *(_("kept: {path}", path=path) for path in kept)]
        observer(Warned(joined("\n", lines)))
    secrets = _ensure_secrets(seen.site, paths, site_file)
    journal = load_journal(paths.journal)
    interrupted = _interrupted_amid_changes(journal, phases)
    anew = restart or new_ca or not stopped_midway(journal, phases)
    # After an interrupted run it is unknown what was changed and whether it works.
    unproven = journal.unproven or interrupted
    journal = _opened_journal(journal, _inputs(seen, release), site_file, anew=anew)
    journal = journal.model_copy(update={"unproven": unproven})
    moves = pending_moves(seen, abandoned)
    with run_log(paths.logs, secrets.values(), lambda text: observer(Warned(text))) as (
        log_path,
        log,
    ):
        job = Job(
            seen=seen,
            site_file=site_file,
            release=release,
            asterisk=unpacked_asterisk(seen.site.telephony, release),
            secrets=secrets,
            paths=paths,
            ssh=session.ssh,
            observer=hearing,
            log=log,
            moves=moves,
            take_over=take_over,
            launcher=Launcher(held=(session.lock,)),
            hold=hold,
            interrupted=interrupted,
            migrates=migrates,
            restore=load_restore(paths.restore),
        )
        hold.ended_by(job.processes.end)
        demand_no_migrations(job)  # before the journal: `upgrade` refuses a run that did not finish
        try:
            changed = run_phases(
                job,
                journal,
                log_path,
                phases,
                full=any((full, restart, new_ca, take_over, moves, unproven, job.restore)),
                repairs=repairs,
            )
        except BaseException:
            record_end(hold, observer, well=False)
            raise
        if changed:
            record_schemas(job)
        paths.restore.unlink(missing_ok=True)
        seal_state(job)
        record_end(hold, observer, well=True)
    remember_site(site_file)
    call = calls[-1] if calls else _("no call was made: no phase of the installation makes one")
    return InstallResult(changed, time.monotonic() - start, log_path, translate(call))


def stopped_midway(journal: Journal, phases: tuple[Phase, ...] = INSTALL) -> bool:
    """Return whether the next install continues the newest one and skips its finished phases.

    A run that stopped in preflight changed nothing, so there is nothing to continue. A run that
    reached the last phase, verify, has finished all others; they run again, because only they can
    repair what verify found.
    """
    return _interrupted_amid_changes(journal, phases) and not journal.begun(phases[-1].id)


def _interrupted_amid_changes(journal: Journal, phases: tuple[Phase, ...]) -> bool:
    """Return whether the newest install started a phase after preflight and did not finish."""
    return journal.interrupted and journal.begun_beyond(phases[0].id)


def record_end(hold: ServerHold, observer: Observer, *, well: bool) -> None:
    """Record on the servers how the run ended; a failure to record is only a warning."""
    try:
        hold.finish(well=well)
    except (ApplianceError, TimeoutError) as error:
        evidence = getattr(error, "evidence", "")
        observer(
            Warned(concatenated((what_of(error), ": ", evidence)) if evidence else what_of(error))
        )


def preview(
    seen: Surveyed,
    site_file: Path,
    release: ReleaseFiles | None,
    observer: Observer,
    *,
    restart: bool = False,
    abandoned: frozenset[Role] = frozenset(),
    full: bool = False,
    phases: tuple[Phase, ...] = INSTALL,
    translate: Translate = english,
) -> tuple[PhasePreview, ...]:
    """Return what an install would change; writes nothing here and changes nothing on servers.

    Preflight, secrets and an interrupted install's inputs are judged for real, with the errors
    that `install` raises. For a phase that never finished the number of changes is unknown.
    """
    paths = state_paths(seen.site.site)
    observer = in_language(observer, translate)
    journal = load_journal(paths.journal)
    known = load_secrets(paths.secrets)
    _demand_provided(seen.site, known, site_file)
    values = with_generated(seen.site, known)
    secrets = Secrets(values | _derived(seen.site, load_recovery_key(paths.recovery_key)))
    if not restart and stopped_midway(journal, phases):
        inputs = _inputs(seen, release)
        if release is None:  # whether it is the same can't be known yet
            inputs["release"] = journal.inputs.get("release")
        _demand_same(journal, inputs, site_file)
    moves = pending_moves(seen, abandoned)
    with run_connections(paths) as ssh:
        demand_known(seen, site_file, paths, ssh)
        job = Job(
            seen=seen,
            site_file=site_file,
            release=release,
            asterisk=vendor_asterisk(seen.site.telephony, release),
            secrets=secrets,
            paths=paths,
            ssh=ssh,
            observer=observer,
            log=lambda line: None,
            moves=moves,
        )
        every = any((full, restart, moves, journal.unproven or journal.interrupted))
        return _previewed(job, journal, phases, full=every)


def _previewed(
    job: Job, journal: Journal, phases: tuple[Phase, ...], *, full: bool
) -> tuple[PhasePreview, ...]:
    phases = tuple(phase for phase in phases if phase.needed(job))
    servers = Servers(job.site.hosts, job.ssh, States() if full else load_states(job.paths))
    rows: list[PhasePreview] = []
    for number, phase in enumerate(phases, start=1):
        job.observer(PhaseStarted(phase.id, phase.title, number, len(phases)))
        begin = time.monotonic()
        changes: int | Unpredictable = NEVER_THROUGH
        if number == 1 or (journal.finished(phase.id) and _stood(phase, job.plan, journal)):
            with failing(phase, job, begin, f"ucontact install --site {job.site_file} --dry-run"):
                differs = servers.differences(phase.id, phase.inputs(job), hosts_of(phase, job))
                same = differs == NOTHING_DIFFERS
                changes = 0 if same else phase.preview(within(job, phase))
        if isinstance(changes, Unpredictable):
            job.observer(PhaseNotJudged(phase.id, phase.title, changes.because))
        else:
            seconds = time.monotonic() - begin
            job.observer(PhaseForeseen(phase.id, phase.title, changes, seconds))
        rows.append(PhasePreview(phase.id, phase.title, changes))
    return tuple(rows)


def _stood(phase: Phase, plan: Plan, journal: Journal) -> bool:
    """Return whether the phase's hosts had the same addresses and roles in the journal's run."""
    now = plan.hosts if phase.runs_on is None else plan.carriers(phase.runs_on)
    before = journal.inputs.get("plan", {}).get("hosts", [])
    keys = ("name", "address", "roles")
    known = [tuple(host.get(key) for key in keys) for host in before]
    wanted = [host.model_dump(mode="json") for host in now]
    return all(tuple(host[key] for key in keys) in known for host in wanted)


def pending_moves(seen: Surveyed, abandoned: frozenset[Role] = frozenset()) -> tuple[DataMove, ...]:
    """Return the moves of data between servers that an install would make; changes nothing.

    `abandoned` are roles whose old server is lost: they start without their data.
    """
    places = load_places(state_paths(seen.site.site).places)
    machines = {name: found.machine_id for name, found in seen.surveys.items()}
    moves = moves_for(seen.site, seen.plan, places, machines)
    return tuple(move for move in moves if move.role not in abandoned)


def _demand_provided(site: Site, known: Secrets, site_file: Path) -> None:
    missing = [name for name in provided_names(site) if name not in known]
    if missing:
        raise UsageError(
            _("a password that somebody else issues is not stored yet"),
            evidence=", ".join(missing),
            helps=f"ucontact secrets set {missing[0]} --site {site_file}",
        )


def _ensure_secrets(site: Site, paths: StatePaths, site_file: Path) -> Secrets:
    private_dir(paths.etc)
    private_dir(paths.var)
    known = load_secrets(paths.secrets)
    _demand_provided(site, known, site_file)
    values = with_generated(site, known)
    if values != dict(known):
        save_secrets(paths.secrets, values)
    if site.backup is None:
        return Secrets(values)
    return Secrets(values | _derived(site, kept_recovery_key(paths.recovery_key)))


def _derived(site: Site, key: RecoveryKey | None) -> dict[str, str]:
    """Return what playbooks get as secrets and no file keeps: the backup's second password."""
    if site.backup is None or key is None:
        return {}
    return {BACKUP_RECOVERY: repository_password(key)}


def _inputs(seen: Surveyed, release: ReleaseFiles | None) -> dict[str, Any]:
    return {
        "appliance": __version__,
        "release": release.sha256 if release else None,
        "site": seen.site.model_dump(mode="json", exclude={"waivers"}),
        "plan": seen.plan.model_dump(mode="json", exclude={"reasons"}),
    }


def _opened_journal(
    journal: Journal, inputs: dict[str, Any], site_file: Path, *, anew: bool
) -> Journal:
    """Return the journal of this run: the interrupted one, continued, or a new one."""
    fresh = Journal(inputs=inputs, progress=Progress.STARTED)
    if anew:
        return fresh
    _demand_same(journal, inputs, site_file)
    return journal.with_progress(Progress.STARTED)


def _demand_same(journal: Journal, inputs: dict[str, Any], site_file: Path) -> None:
    """Raise UsageError, with a diff, if an interrupted install's inputs have changed."""
    difference = inputs_diff(journal.inputs, inputs)
    if difference:
        raise UsageError(
            _("an installation was interrupted, and its inputs have changed since"),
            evidence=difference,
            helps=with_note(
                f"ucontact install --site {site_file} --restart",
                _("runs all phases on the current inputs"),
            ),
        )
