"""Generated secrets of one site: a mapping of dotted names to values, kept in one 0600 file.

Values never appear in a repr, a log or an error; only `ucontact secrets show NAME` prints one.
"""

from __future__ import annotations

import secrets as random
import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.messages import _
from ucontact_appliance.site.backup import RepositoryKind
from ucontact_appliance.site.files import write_private
from ucontact_appliance.site.model import Site

# Letters and digits only: the same value must survive INI, SIP, SQL and shell configuration.
_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 32  # 190 bits
BACKUP_PASSWORD = "backup.password"  # the servers' key of the repository
BACKUP_SSH_KEY = "backup.ssh_key"  # a private key in OpenSSH's format, of several lines
BACKUP_ACCESS = "backup.access"
BACKUP_RECOVERY = "backup.recovery"  # the repository's second key; in no file


class Secrets(Mapping[str, str]):
    """Mapping of dotted names to values, with a repr that shows neither."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<{len(self)} secrets>"

    def tree(self) -> dict[str, Any]:
        """The secrets nested by the dots of their names: what playbooks get as `secrets`."""
        root: dict[str, Any] = {}
        for name, value in self._values.items():
            *branches, leaf = name.split(".")
            node = root
            for branch in branches:
                node = node.setdefault(branch, {})
            node[leaf] = value
        return root


def required_names(site: Site) -> tuple[str, ...]:
    """The generated secrets of this site; others come from a provider (`provided_names`)."""
    return (
        "database.accounts.integra",
        "database.accounts.asterisk",
        "database.accounts.doctor",
        "telephony.ami.ucontact",
        "telephony.ami.recording",
        "telephony.ami.backend",
        "telephony.playback",
        "stun.turn",
        "backend.users.supervisor",
        *_backup_names(site),
        *map(extension_secret, site.telephony.extensions),
        *(phone_secret(phone.mac) for phone in site.telephony.phones),
    )


def _backup_names(site: Site) -> tuple[str, ...]:
    if site.backup is None:
        return ()
    sftp = site.backup.kind is RepositoryKind.SFTP
    return (BACKUP_PASSWORD, *([BACKUP_SSH_KEY] if sftp else []))


def extension_secret(number: str) -> str:
    """The name of an extension's secret, with which a softphone or a phone registers."""
    return f"telephony.extensions.{number}"


def trunk_secret(name: str) -> str:
    """The name of a trunk's password."""
    return f"telephony.trunks.{name}"


def phone_secret(mac: str) -> str:
    """The name of the password with which a phone fetches its configuration."""
    return f"telephony.phones.{mac}"


def playbook_secrets(site: Site, secrets: Secrets) -> dict[str, Any]:
    """What playbooks get as `secrets`: the tree, and `phones` with what each phone's file has.

    The web server's playbook thus depends on the extensions that have a phone, and on no other.
    """
    phones = {
        phone.mac: {
            "password": secrets.get(phone_secret(phone.mac), ""),
            "sip": secrets.get(extension_secret(phone.extension), ""),
        }
        for phone in site.telephony.phones
    }
    return secrets.tree() | {"phones": phones}


def provided_names(site: Site) -> tuple[str, ...]:
    """The secrets that come from somebody else: of trunks with an account, of backup storage."""
    trunks = (trunk_secret(trunk.name) for trunk in site.telephony.trunks if trunk.username)
    storage = [BACKUP_ACCESS] if site.backup and site.backup.needs_access else []
    return (*trunks, *storage)


def with_generated(site: Site, known: Mapping[str, str]) -> dict[str, str]:
    """`known`, plus a new value for each required name that it lacks."""
    values = dict(known)
    for name in required_names(site):
        if name not in values:
            values[name] = fresh_value(name)
    return values


def fresh_value(name: str) -> str:
    """A new value for the secret of that name."""
    return _fresh_ssh_key() if name == BACKUP_SSH_KEY else fresh_secret()


def fresh_secret() -> str:
    """A new random value."""
    return "".join(random.choice(_ALPHABET) for _ in range(_LENGTH))


def _fresh_ssh_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def load_secrets(path: Path) -> Secrets:
    """The secrets in this file; none if it does not exist yet."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Secrets({})
    except PermissionError as error:
        raise UnreachableError(
            _("the site's secrets can't be read"),
            evidence=str(error),
            helps=_("run the command as root"),
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UnreachableError(
            _("the secrets file {path} can't be read", path=path), evidence=str(error)
        ) from error
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError:
        values = None  # the parser's message would quote the file
    if not isinstance(values, dict) or not all(
        isinstance(value, str) and value for value in values.values()
    ):
        raise UsageError(
            _("the secrets file is damaged"),
            evidence=_("{path}: not a YAML mapping of names to strings", path=path),
            helps=_("restore {path} from your backup", path=path),
        )
    return Secrets({str(name): value for name, value in values.items()})


def save_secrets(path: Path, values: Mapping[str, str]) -> None:
    """Replace the file atomically, with mode 0600 from its first byte."""
    header = "# Secrets of this site. Keep a copy in a safe place; never put them in a ticket.\n"
    write_private(path, header + yaml.safe_dump(dict(sorted(values.items()))))
