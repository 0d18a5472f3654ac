"""Rotate one generated secret of an installed site.

An extension's new secret is applied to the running telephony server within seconds, by the same
tasks of its role that write it at installation, without ending calls. It is stored when the server
has accepted a login with it. Until then the secrets file keeps the old secret, which is restored on
the server if anything fails. Any other secret is only stored; the next install applies it. So is
that of an extension with a hardphone: the install writes it for Asterisk and into the phone's file.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from ucontact_appliance.errors import ApplianceError, PhaseFailedError, UsageError
from ucontact_appliance.facts.login import login_status
from ucontact_appliance.facts.managed import look as look_at_files
from ucontact_appliance.facts.runner import runner_for, shared_connections
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.install.events import Event, Warned
from ucontact_appliance.install.job import Job
from ucontact_appliance.install.journal import Journal, load_journal
from ucontact_appliance.install.launcher import Launcher
from ucontact_appliance.install.leftovers import sweep_leftovers
from ucontact_appliance.install.lock import install_lock
from ucontact_appliance.install.log import run_log
from ucontact_appliance.install.managed import load_record, remember_rewritten
from ucontact_appliance.install.plays import play_tagged
from ucontact_appliance.install.run import stopped_midway
from ucontact_appliance.install.server_lock import hold_servers
from ucontact_appliance.install.surveying import look
from ucontact_appliance.language.messages import _, joined, mapped, what_of, with_note
from ucontact_appliance.operate.installed import Installed, load_installed
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.moves import carrier
from ucontact_appliance.redact import redactor
from ucontact_appliance.site.secrets import (
    Secrets,
    fresh_value,
    load_secrets,
    provided_names,
    required_names,
    save_secrets,
)

Say = Callable[[str], None]

FILE = "/etc/asterisk/pjsip_extensions.conf"
_EXTENSION = "telephony.extensions."
_TAG = "telephony_extensions"
_RETRY_SECONDS = 60.0
# Asterisk may still be reloading; five wrong passwords within ten minutes cause a ban.
_ATTEMPTS = 2
_PAUSE_SECONDS = 1.0
_ACCEPTED = 200
# Private keys, which are kept outside the secrets file: replacing one has further consequences.
_KEYS = {
    "ca": _("every PC that trusts the site's CA would reject the portal until it has the new root"),
    "portal": _(
        "browsers have pinned it: delete portal.key in the site's pki folder and "
        "install; the backup key, also pinned, then replaces it"
    ),
    "hpkp-backup": _("browsers have pinned it: they would reject a new one when it is needed"),
    "recordings": _("recordings that are encrypted for it could not be played any more"),
    "report": _("auditors have its public key: reports signed with another key would not verify"),
}


class AppliedWhen(Enum):
    """When the servers start to use a new secret."""

    NOW = "now"  # they do already: a login with it was accepted
    NEXT_INSTALL = "next install"


@dataclass(frozen=True)
class RotatedSecret:
    """A secret with a new, stored value, and the host that already uses it, if any."""

    name: str
    taken: AppliedWhen
    host: str = ""


def rotate(name: str, site_file: Path, say: Say) -> RotatedSecret:
    """Give the secret of that name a new value.

    Raises UsageError for a secret that can't be rotated, or not now. Raises PhaseFailedError or
    UnreachableError when the server did not accept the new value: the old one then stays valid.
    """
    here = load_installed(site_file)
    _demand_generated(name, here)
    with install_lock(here.paths.lock) as lock:
        # Another command may have changed the secrets before the lock was acquired.
        here = replace(here, secrets=load_secrets(here.paths.secrets))
        _demand_generated(name, here)
        journal = load_journal(here.paths.journal)
        _demand_whole(journal, here)
        fresh = Secrets({**here.secrets, name: fresh_value(name)})
        if not name.startswith(_EXTENSION) or _has_phone(name, here):
            save_secrets(here.paths.secrets, fresh)
            return RotatedSecret(name, AppliedWhen.NEXT_INSTALL)
        _demand_same_extensions(journal, here)
        return _on_the_server(name, here, fresh, lock, say)


def _demand_generated(name: str, here: Installed) -> None:
    """Raise UsageError for a secret without a generated value, with reason and remedy."""
    at = f"--site {here.site_file}"
    if name in provided_names(here.site):
        raise UsageError(
            _("{name} is issued by the provider, not generated here", name=name),
            helps=with_note(
                f"ucontact secrets set {name} {at}", _("with the provider's new password")
            ),
        )
    key = name.removeprefix("pki/").removesuffix(".key")
    if key in _KEYS:
        raise UsageError(
            _("this command does not replace the key {key!r}", key=key), evidence=_KEYS[key]
        )
    if name not in required_names(here.site):
        known = ", ".join(sorted(required_names(here.site)))
        raise UsageError(
            _("the site {site} has no generated secret {name!r}", site=here.site.site, name=name),
            evidence=_("it has: {known}", known=known),
            helps=f"ucontact secrets list {at}",
        )
    if name not in here.secrets:
        raise UsageError(
            _("{name} is not installed yet", name=name),
            helps=with_note(f"ucontact install {at}", _("generates its secret")),
        )


def _has_phone(name: str, here: Installed) -> bool:
    return name.removeprefix(_EXTENSION) not in here.site.telephony.softphones


def _demand_whole(journal: Journal, here: Installed) -> None:
    """Raise UsageError after an interrupted install: continued, it would not apply the secret."""
    if stopped_midway(journal):
        raise UsageError(
            _(
                "the newest installation of {site} was interrupted; no secret was changed",
                site=here.site.site,
            ),
            evidence=_("journal {path}", path=here.paths.journal),
            helps=with_note(
                f"ucontact install --site {here.site_file}", _("continues it; then try again")
            ),
        )


def _demand_same_extensions(journal: Journal, here: Installed) -> None:
    """Raise UsageError if site.yml's extensions or phones differ from the installed ones.

    The file written here has all extensions, and only an install creates new ones' secrets.
    """
    before = journal.inputs.get("site", {}).get("telephony", {})
    installed = before.get("extensions", [])
    phones = [phone.model_dump(mode="json") for phone in here.site.telephony.phones]
    if list(here.site.telephony.extensions) != installed or phones != before.get("phones", []):
        raise UsageError(
            _(
                "the extensions or phones in site.yml differ from the installed ones; no secret "
                "was changed"
            ),
            evidence=_("installed: {names}", names=", ".join(installed) or _("none")),
            helps=with_note(f"ucontact install --site {here.site_file}", _("then try again")),
        )


def _on_the_server(
    name: str, here: Installed, fresh: Secrets, lock: int, say: Say
) -> RotatedSecret:
    """Write the secret, load it, verify it by a login, and store it, in this order."""
    paths = here.paths
    record = load_record(paths, here.site_file)

    def observer(event: Event) -> None:
        if isinstance(event, Warned):
            say(event.text)

    with (
        shared_connections(paths.known_hosts, retry_seconds=_RETRY_SECONDS) as ssh,
        run_log(paths.logs, (*here.secrets.values(), fresh[name]), say) as (log_path, log),
        ExitStack() as held,
    ):
        sweep_leftovers()
        seen = replace(look(here.site, paths), plan=here.plan)
        hold = held.enter_context(hold_servers(seen, here.site_file, paths, ssh, say))
        job = Job(
            seen=seen,
            site_file=here.site_file,
            release=None,
            secrets=fresh,
            paths=paths,
            ssh=ssh,
            observer=observer,
            log=log,
            launcher=Launcher(held=(lock,)),
            hold=hold,
        )
        host = carrier(here.site, here.plan, Role.TELEPHONY)
        log(f"a new secret for {name}")
        try:
            play_tagged(job, "telephony", _TAG)
            files = _proved(name, job)
            save_secrets(paths.secrets, fresh)
        except BaseException as error:
            log(f"not taken over: {type(error).__name__}")
            old = replace(job, secrets=here.secrets)
            clean = redactor((*here.secrets.values(), fresh[name]))
            raise _taken_back(name, old, error, clean, log_path) from error
        remember_rewritten(paths, record, host.name, files)
        log(f"taken over by {host.name}, and stored")
    return RotatedSecret(name, AppliedWhen.NOW, host.name)


def _proved(name: str, job: Job) -> dict[str, str]:
    """Return the written file's fingerprint if a login works; else raise PhaseFailedError."""
    number = name.removeprefix(_EXTENSION)
    host = carrier(job.site, job.plan, Role.TELEPHONY)
    roots = str(job.paths.pki / "portal-ca.pem")
    with runner_for(host, job.ssh) as runner:
        reach = ProbeContext(job.site, host, runner)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                status = login_status(reach, number, job.secrets[name], roots)
            except asyncio.TimeoutError as error:  # its own class before Python 3.11
                raise TimeoutError(f"{host.name}: REGISTER") from error
            if status == _ACCEPTED:
                return look_at_files(runner, (FILE,))
            if attempt < _ATTEMPTS:
                time.sleep(_PAUSE_SECONDS)
    raise PhaseFailedError(
        _(
            "Asterisk on {name} does not accept the new secret of {number}",
            name=host.name,
            number=number,
        ),
        evidence=_("REGISTER with the new secret was answered with {status}", status=status),
        helps=f"ucontact doctor --only asterisk --site {job.site_file}",
    )


def _taken_back(
    name: str, job: Job, error: BaseException, clean: Callable[[str], str], log_path: Path
) -> BaseException:
    """Restore the old secret on the server; return the error to raise, with the outcome."""
    mends = f"ucontact install --site {job.site_file} --yes"
    if isinstance(error, TimeoutError):
        error = PhaseFailedError(_("a host did not respond in time"), evidence=what_of(error))
    try:
        play_tagged(job, "telephony", _TAG)
    except (ApplianceError, TimeoutError) as again:
        first = error.what if isinstance(error, ApplianceError) else _("it was interrupted")
        evidence = error.evidence if isinstance(error, ApplianceError) else ""
        return PhaseFailedError(
            _(
                "{name} was not changed, but the secret on the server may differ from "
                "the stored one: {why}",
                name=name,
                why=mapped(first, clean),
            ),
            evidence=joined(
                "\n",
                filter(
                    None,
                    (
                        mapped(evidence, clean),
                        _("then: {error}", error=mapped(what_of(again), clean)),
                        _("log: {path}", path=log_path),
                    ),
                ),
            ),
            helps=with_note(mends, _("restores the stored secret on the server")),
        )
    if not isinstance(error, ApplianceError):
        return error
    job.log("the server has the old secret again")
    return type(error)(
        _(
            "{name} keeps its secret, here and on the server: {why}",
            name=name,
            why=mapped(error.what, clean),
        ),
        evidence=joined(
            "\n",
            filter(None, (mapped(error.evidence, clean), _("log: {path}", path=log_path))),
        ),
        helps=error.helps or mends,
    )
