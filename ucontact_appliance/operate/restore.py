"""Prepare a restore on this machine: the site's state from a backup, and what is to be restored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ucontact_appliance.clients.restic import Repository
from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.moving.restore_plan import Restore, load_restore, save_restore
from ucontact_appliance.moving.restore_source import release_archive, sealed_state
from ucontact_appliance.operate.recovery import named_files, refuse_to_overwrite, write_state
from ucontact_appliance.site.editing import with_host_keys
from ucontact_appliance.site.files import private_dir, write_atomic
from ucontact_appliance.site.loader import parse_site
from ucontact_appliance.site.model import EVALUATION, Site
from ucontact_appliance.site.recovery_key import RecoveryKey
from ucontact_appliance.site.sealed_state import SiteState, unseal
from ucontact_appliance.state import StatePaths, state_paths

# The others are about servers that are gone: their host keys, where data was, what was installed.
_KEPT_VAR = ("drills.json", "reports.json")
_LEFT_ETC = ("known_hosts",)


@dataclass(frozen=True)
class Prepared:
    """The site as it will be installed, its text, and its state in the backup."""

    site: Site
    text: str
    state: SiteState
    restore: Restore

    @property
    def paths(self) -> StatePaths:
        """Where its state is on this machine."""
        return state_paths(self.state.site)


def prepare_restore(
    repository: Repository,
    restore: Restore,
    key: RecoveryKey,
    site_file: Path,
    ssh_key: Path | None,
) -> Prepared:
    """Open the state in the backup, and choose the site file; writes nothing.

    An existing `site_file` names the servers; else the saved one does. `ssh_key` replaces the keys
    that it names. Raises UsageError when it is the file of another site.
    """
    saved = unseal(sealed_state(repository, restore), key)
    given = site_file.is_file()
    text = site_file.read_text(encoding="utf-8") if given else saved.site_yml
    if ssh_key is not None and not given:
        text = with_host_keys(text, str(ssh_key))
    site = parse_site(text, str(site_file))
    named = {str(path) for path in named_files(parse_site(text))}
    if site.site != saved.site:
        raise UsageError(
            _("{path} is the file of another site", path=site_file),
            evidence=_(
                "it is of {found}, and the backup of {saved}", found=site.site, saved=saved.site
            ),
            helps=_("write the site's name into it, or leave --site out"),
        )
    state = saved.model_copy(
        update={
            "site_yml": text,
            "etc": {name: file for name, file in saved.etc.items() if name not in _LEFT_ETC},
            "var": {name: file for name, file in saved.var.items() if name in _KEPT_VAR},
            "beside": {name: file for name, file in saved.beside.items() if name in named},
        }
    )
    return Prepared(site, text, state, restore)


def begin_restore(prepared: Prepared, key: RecoveryKey, site_file: Path) -> None:
    """Write the state of the site, and what an installation has to restore; or continue with it.

    Raises UsageError where this machine has state of the site, or another restore is under way.
    """
    paths = prepared.paths
    known = load_restore(paths.restore)
    if known is None:
        refuse_to_overwrite(prepared.state, paths, site_file)
        private_dir(paths.var)
        # First: an installation must not take the site for one without data.
        save_restore(paths.restore, prepared.restore)
    elif (known.repository, known.until) != (
        prepared.restore.repository,
        prepared.restore.until,
    ):
        raise UsageError(
            _("another restore of {site} is under way", site=prepared.site.site),
            evidence=_("from {repository}", repository=known.repository),
            helps=_(
                "continue it with the same --from and --at; to give it up: rm {path}",
                path=paths.restore,
            ),
        )
    if not paths.secrets.exists():
        write_state(prepared.state, paths, site_file, prepared.text, key)


def bring_release(repository: Repository, prepared: Prepared, site_file: Path) -> Path | None:
    """Write the release of the backup where site.yml names one that is missing; its path, if so."""
    name = prepared.site.release
    path = site_file.parent / Path(name).expanduser()
    if name == EVALUATION or path.exists():
        return None
    archive = release_archive(repository, prepared.restore)
    if archive is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, archive)
    return path
