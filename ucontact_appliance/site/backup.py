"""The section `backup` of site.yml: where backups go, when, and how long they are kept."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from ucontact_appliance.language.messages import _
from ucontact_appliance.site.values import Account, SiteModel, host_name, user_name

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_FOLDER = re.compile(r"/[A-Za-z0-9._@+-]+(/[A-Za-z0-9._@+-]+)*")
_URL = re.compile(r"https://(\[[0-9a-f:]+\]|[^/:\[\]@]+)(:[1-9][0-9]{0,4})?/(.*)", re.DOTALL)
_SFTP = re.compile(r"([^@:]+)@(\[[0-9a-f:]+\]|[^/:\[\]@]+):(.+)", re.DOTALL)
# A public key of a server as in known_hosts(5): its type and itself.
_HOST_KEY = re.compile(
    r"(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa) [A-Za-z0-9+/]{40,1000}={0,2}"
)


class RepositoryKind(str, Enum):
    """How restic reaches the repository."""

    FOLDER = "folder"
    SFTP = "sftp"
    S3 = "s3"
    REST = "rest"


def repository_kind(repository: str) -> RepositoryKind:
    """The kind of a valid repository."""
    prefix = repository.partition(":")[0]
    return RepositoryKind.FOLDER if repository.startswith("/") else RepositoryKind(prefix)


def _folder(path: str, whole: str) -> None:
    if not _FOLDER.fullmatch(path) or ".." in PurePosixPath(path).parts:
        raise ValueError(
            _("{whole!r}: {path!r} is no absolute path of a folder", whole=whole, path=path)
        )


def _host(host: str) -> None:
    host_name(host.removeprefix("[").removesuffix("]"))


def _repository(value: str) -> str:
    """One of the four forms, without a password. Raises ValueError."""
    if value.startswith("/"):
        _folder(value, value)
        return value
    prefix, colon, rest = value.partition(":")
    if prefix == "sftp" and (found := _SFTP.fullmatch(rest)):
        user_name(found[1])
        _host(found[2])
        _folder(found[3], value)
        return value
    if prefix in ("s3", "rest") and (found := _URL.fullmatch(rest)):
        _host(found[1])
        path = found[3].removesuffix("/")
        if prefix == "s3" and not _BUCKET.fullmatch(path):
            raise ValueError(_("{value!r} names no bucket: s3:https://HOST/BUCKET", value=value))
        if prefix == "rest" and path:
            _folder(f"/{path}", value)
        return value
    if colon and prefix in ("s3", "rest") and "@" in rest:
        raise ValueError(
            _("name the account in 'user'; its password: ucontact secrets set backup.access")
        )
    raise ValueError(
        _(
            "{value!r} is no repository; write /FOLDER, sftp:USER@HOST:/FOLDER, "
            "s3:https://HOST/BUCKET or rest:https://HOST/",
            value=value,
        )
    )


def _host_key(value: str) -> str:
    if not _HOST_KEY.fullmatch(value):
        raise ValueError(
            _("not a server's public key; write its type and the key: ssh-ed25519 AAAA…")
        )
    return value


Repository = Annotated[str, AfterValidator(_repository)]
HostKey = Annotated[str, AfterValidator(_host_key)]
ClockTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Keep(SiteModel):
    """How many backups are kept: the newest one of each of so many days, weeks and months."""

    daily: Annotated[int, Field(ge=1, le=366)] = Field(7, description="days with a backup kept")
    weekly: Annotated[int, Field(ge=0, le=260)] = Field(5, description="weeks with a backup kept")
    monthly: Annotated[int, Field(ge=0, le=120)] = Field(
        12, description="months with a backup kept"
    )


NEVER = "never"
# systemd.time(7); `ucontact backup drill timer set` has systemd check it.
_Every = Annotated[str, Field(pattern=r"^[A-Za-z0-9*][A-Za-z0-9*:,./~ -]{0,99}$")]


class Drill(SiteModel):
    """How often a backup is restored into a throw-away machine, which proves it."""

    every: _Every = Field(
        NEVER,
        description="'monthly', 'weekly', 'never', or a calendar event of systemd.time(7); "
        "doctor then wants drills that often, and `ucontact backup drill timer set` runs them",
    )


class Backup(SiteModel):
    """Where backups go, when they are made, and how long they are kept."""

    repository: Repository = Field(
        description="restic repository: /FOLDER on each server, such as a mounted network drive, "
        "sftp:USER@HOST:/FOLDER, s3:https://HOST/BUCKET or rest:https://HOST/"
    )
    user: Account | None = Field(
        None,
        description="account of the REST server, or access key of the S3 storage; its password: "
        "ucontact secrets set backup.access",
    )
    host_key: HostKey | None = Field(
        None,
        description="public key of the sftp server, such as 'ssh-ed25519 AAAA…' "
        "(ssh-keyscan prints it); no other server is accepted",
    )
    at: ClockTime = Field(
        "02:30", description="time of the daily backup, in 'telephony.time_zone' if that is set"
    )
    keep: Keep = Field(default_factory=Keep)
    drill: Drill = Field(default_factory=Drill)

    @property
    def kind(self) -> RepositoryKind:
        """How restic reaches the repository."""
        return repository_kind(self.repository)

    @property
    def needs_access(self) -> bool:
        """Whether somebody else issues the password of the storage."""
        return self.kind in (RepositoryKind.S3, RepositoryKind.REST)

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Backup:
        sftp = self.kind is RepositoryKind.SFTP
        if sftp and self.host_key is None:
            raise ValueError(_("a repository with sftp needs 'host_key'"))
        if not sftp and self.host_key is not None:
            raise ValueError(_("'host_key' is for a repository with sftp only"))
        if self.needs_access and self.user is None:
            raise ValueError(_("a repository with s3 or rest needs 'user'"))
        if not self.needs_access and self.user is not None:
            raise ValueError(_("'user' is for a repository with s3 or rest only"))
        return self
