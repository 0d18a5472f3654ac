"""How this machine reaches the repository of the site's backups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.operate.installed import Installed
from ucontact_appliance.site.backup import RepositoryKind
from ucontact_appliance.site.files import write_private
from ucontact_appliance.site.secrets import BACKUP_ACCESS, BACKUP_SSH_KEY

# restic's own names of the account of a storage: the user's and the password's.
_ACCOUNT = {
    RepositoryKind.S3: ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    RepositoryKind.REST: ("RESTIC_REST_USERNAME", "RESTIC_REST_PASSWORD"),
}


def storage_of(here: Installed, folder: Path) -> tuple[str, Path | None]:
    """Return the repository as this machine reaches it, and the ssh key for it.

    A key of the site's is written into `folder`. A folder of a server is reached through its sshd.
    Raises UsageError where root can't log in there.
    """
    backup = here.site.backup
    assert backup is not None
    if backup.kind is RepositoryKind.SFTP:
        key = folder / "ssh-key"
        write_private(key, here.secrets[BACKUP_SSH_KEY])
        return backup.repository, key
    if backup.kind is not RepositoryKind.FOLDER:
        return backup.repository, None
    host = here.site.hosts[0]
    if host.is_local or (Path(backup.repository) / "config").exists():
        return backup.repository, None
    if host.user != "root" or host.port != 22:
        raise UsageError(
            _("this machine can't read the repository"),
            evidence=_(
                "{folder} is a folder of {name}, and root does not log in there at port 22",
                folder=backup.repository,
                name=host.name,
            ),
            helps=_("mount the same folder here, or use a repository with sftp, s3 or rest"),
        )
    return f"sftp:root@{host.address}:{backup.repository}", host.key


@contextmanager
def storage_account(here: Installed) -> Iterator[None]:
    """Set the account of the storage for restic, as long as the context lasts."""
    backup = here.site.backup
    names = _ACCOUNT.get(backup.kind) if backup is not None else None
    if backup is None or names is None:
        yield
        return
    before = {name: os.environ.get(name) for name in names}
    os.environ |= dict(zip(names, (backup.user or "", here.secrets[BACKUP_ACCESS]), strict=True))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
