"""Record the files an installation wrote, so that the doctor can detect later changes."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import ValidationError

from ucontact_appliance.damage import why
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.managed import InstallationRecord, look
from ucontact_appliance.facts.runner import SshSettings, runner_for
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.planning.component_tables import managed_paths
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.site.files import write_private
from ucontact_appliance.site.model import Host, Site
from ucontact_appliance.state import StatePaths


def remember_written(site: Site, plan: Plan, paths: StatePaths, ssh: SshSettings) -> None:
    """Save the fingerprint of every managed file of every host on this machine (file mode 0600).

    Raises UnreachableError when a host can't be reached.
    """

    def one(host: Host) -> dict[str, str]:
        with runner_for(host, ssh) as runner:
            return look(runner, managed_paths(plan.host(host.name)))

    names = [host.name for host in site.hosts]
    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        hosts = dict(zip(names, pool.map(one, site.hosts), strict=True))
    write_private(paths.managed, InstallationRecord(hosts=hosts).model_dump_json(indent=1) + "\n")


def load_record(paths: StatePaths, site_file: Path) -> InstallationRecord:
    """Return the recorded files per host; empty before the first complete installation.

    Raises UnreachableError when the record exists but can't be read.
    """
    try:
        return InstallationRecord.model_validate_json(paths.managed.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return InstallationRecord(hosts={})
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise UnreachableError(
            _("the record of what was installed, {managed}, can't be read", managed=paths.managed),
            evidence=why(error),
            helps=with_note(f"ucontact install --yes --site {site_file}", _("writes it again")),
        ) from error


def remember_rewritten(
    paths: StatePaths, record: InstallationRecord, host: str, files: Mapping[str, str]
) -> None:
    """Update the record of these files of one host; its other files keep their entries."""
    known = record.hosts.get(host)
    if known is not None:
        hosts = {**record.hosts, host: {**known, **files}}
        write_private(
            paths.managed, InstallationRecord(hosts=hosts).model_dump_json(indent=1) + "\n"
        )
