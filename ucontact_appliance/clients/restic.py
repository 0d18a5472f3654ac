"""restic on this machine, with a repository of backups that another machine made."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.messages import _, with_note
from ucontact_appliance.site.backup import RepositoryKind, repository_kind

LEAST = (0, 11)  # the first that writes folders as tar
_SECONDS = 600.0
_MOST_SHOWN = 1500
_USER, _PASSWORD = "RESTIC_REST_USERNAME", "RESTIC_REST_PASSWORD"


@dataclass(frozen=True)
class Repository:
    """A repository (in the form of site.yml), its password, and the ssh key of an sftp server.

    A storage's account comes from the environment, by restic's own names.
    """

    address: str
    password: str = field(repr=False)
    ssh_key: Path | None = None

    def command(self, *words: str) -> list[str]:
        """The arguments of a call; without locks, as a restore changes nothing there."""
        return ["restic", "--no-lock", "--no-cache", *self._options(), *words]

    def environment(self) -> dict[str, str]:
        """The environment of a call, which has the password."""
        known = {"RESTIC_REPOSITORY": _with_account(self.address, os.environ)}
        return {**os.environ, **known, "RESTIC_PASSWORD": self.password, "LC_ALL": "C"}

    def read(self, *words: str) -> bytes:
        """The output of a call. Raises UnreachableError or UsageError with restic's words."""
        try:
            done = subprocess.run(
                self.command(*words),
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise UnreachableError(
                _("the repository {address} does not answer", address=self.address)
            ) from error
        if done.returncode:
            raise self.failure(done.stderr.decode(errors="replace"))
        return done.stdout

    def snapshots(self, tag: str) -> list[dict[str, Any]]:
        """The snapshots with that tag, newest first."""
        found = json.loads(self.read("snapshots", "--json", "--tag", tag) or b"null") or []
        return sorted(found, key=lambda one: str(one["time"]), reverse=True)

    def file(self, snapshot: str, path: str) -> bytes:
        """The content of a small file of a snapshot."""
        return self.read("dump", snapshot, path)

    def failure(self, words: str) -> UnreachableError | UsageError:
        """The error for a person, with restic's words as evidence."""
        told = words.replace(self.password, "[secret]").strip()[-_MOST_SHOWN:]
        secret = os.environ.get(_PASSWORD, "")
        if secret:
            told = told.replace(quote(secret, safe=""), "[secret]").replace(secret, "[secret]")
        if "wrong password" in words or "no key found" in words:
            return UsageError(
                _("the recovery key does not open the repository"),
                evidence=told,
                helps=_("it is the key of another site, or the repository is another one"),
            )
        return UnreachableError(
            _("restic can't read the repository {address}", address=self.address),
            evidence=told,
            helps=_account_help(self.address),
        )

    def _options(self) -> list[str]:
        if repository_kind(self.address) is not RepositoryKind.SFTP:
            return []
        target = self.address.removeprefix("sftp:").partition(":/")[0]
        key = ["-i", str(self.ssh_key), "-o", "IdentitiesOnly=yes"] if self.ssh_key else []
        # What a false server says does not decrypt, so its key may be taken at first contact.
        words = ["ssh", *key, "-o", "StrictHostKeyChecking=accept-new", target, "-s", "sftp"]
        return ["-o", f"sftp.command={shlex.join(words)}"]


def demand_restic() -> None:
    """Raise UsageError unless restic is on this machine, and new enough."""
    if shutil.which("restic") is None:
        raise UsageError(
            _("a restore needs the program restic on this machine"),
            helps=with_note("apt-get install restic", _("or from restic's own releases")),
        )
    said = subprocess.run(["restic", "version"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"restic (\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < LEAST:
        raise UsageError(
            _("restic on this machine is too old for a restore"),
            evidence=said.strip()[:200],
            helps=_("install restic 0.11 or later, for example from restic's own releases"),
        )


def _with_account(address: str, environment: Mapping[str, str]) -> str:
    """The repository as restic takes it: older ones know a REST server's account only there."""
    user, password = environment.get(_USER), environment.get(_PASSWORD)
    if repository_kind(address) is not RepositoryKind.REST or not user or not password:
        return address
    account = f"{quote(user, safe='')}:{quote(password, safe='')}@"
    return address.replace("https://", f"https://{account}", 1)


def _account_help(address: str) -> str:
    kind = repository_kind(address)
    if kind is RepositoryKind.S3:
        return _("set the storage's account: export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…")
    if kind is RepositoryKind.REST:
        return _("set the storage's account: export RESTIC_REST_USERNAME=… RESTIC_REST_PASSWORD=…")
    if kind is RepositoryKind.SFTP:
        return _("log in there by ssh once; another key: ucontact restore --repository-key FILE")
    return ""
