"""The section `backup` of site.yml: what it takes, and what it refuses with which words."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from pydantic import ValidationError

from tests.unit.sites import small_site
from ucontact_appliance.site.backup import RepositoryKind
from ucontact_appliance.site.recovery_key import RecoveryKey, repository_password
from ucontact_appliance.site.secrets import provided_names, required_names, with_generated

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAvz0sOqJ1kVdGx2jz8mQ0JmYx1k6b8Q3r0l5x0f4T7e"


def section(repository: str, **more: Any) -> dict[str, Any]:
    return {"backup": {"repository": repository, **more}}


@pytest.mark.parametrize(
    ("repository", "kind", "more"),
    [
        ("/mnt/backup", RepositoryKind.FOLDER, {}),
        ("sftp:backup@192.0.2.9:/srv/a", RepositoryKind.SFTP, {"host_key": HOST_KEY}),
        ("sftp:backup@[2001:db8::9]:/srv/a", RepositoryKind.SFTP, {"host_key": HOST_KEY}),
        ("s3:https://s3.example.com/bucket/a", RepositoryKind.S3, {"user": "AKIA"}),
        ("rest:https://192.0.2.9:8000/", RepositoryKind.REST, {"user": "acme"}),
        ("rest:https://backup.example.com/acme/", RepositoryKind.REST, {"user": "acme"}),
    ],
)
def test_the_four_kinds_of_repository(
    repository: str, kind: RepositoryKind, more: dict[str, Any]
) -> None:
    backup = small_site(**section(repository, **more)).backup
    assert backup is not None
    assert backup.kind is kind
    assert (backup.at, backup.keep.daily) == ("02:30", 7)


@pytest.mark.parametrize(
    ("repository", "more", "told"),
    [
        ("backup", {}, "is no repository"),
        ("/", {}, "no absolute path"),
        ("/mnt/../etc", {}, "no absolute path"),
        ("/mnt/{{ x }}", {}, "no absolute path"),
        ("sftp:192.0.2.9:/srv", {"host_key": HOST_KEY}, "is no repository"),
        ("sftp:-oProxyCommand=x@192.0.2.9:/srv", {"host_key": HOST_KEY}, "not an account name"),
        ("sftp:a@192.0.2.9:srv", {"host_key": HOST_KEY}, "no absolute path"),
        ("sftp:a@192.0.2.9:/srv", {}, "needs 'host_key'"),
        ("sftp:a@192.0.2.9:/srv", {"host_key": "ssh-ed25519 x"}, "not a server's public key"),
        ("s3:http://s3.example.com/bucket", {"user": "AKIA"}, "is no repository"),
        ("s3:https://s3.example.com/", {"user": "AKIA"}, "names no bucket"),
        ("s3:https://s3.example.com/bucket", {}, "needs 'user'"),
        ("rest:https://a:b@192.0.2.9/", {"user": "a"}, "ucontact secrets set backup.access"),
        ("/mnt/backup", {"user": "a"}, "s3 or rest only"),
        ("/mnt/backup", {"host_key": HOST_KEY}, "sftp only"),
        ("/mnt/backup", {"at": "24:00"}, "at"),
        ("/mnt/backup", {"keep": {"daily": 0}}, "daily"),
    ],
)
def test_what_is_refused(repository: str, more: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told.replace("(", r"\(")):
        small_site(**section(repository, **more))


def test_a_site_without_it_has_no_secrets_for_it() -> None:
    assert not [name for name in required_names(small_site()) if name.startswith("backup")]
    assert provided_names(small_site()) == ()


def test_each_kind_has_the_secrets_that_it_needs() -> None:
    folder = small_site(**section("/mnt/backup"))
    assert "backup.password" in required_names(folder)
    assert "backup.ssh_key" not in required_names(folder)
    rest = small_site(**section("rest:https://192.0.2.9/", user="acme"))
    assert provided_names(rest) == ("backup.access",)
    sftp = small_site(**section("sftp:a@192.0.2.9:/srv", host_key=HOST_KEY))
    made = with_generated(sftp, {})
    load_ssh_private_key(made["backup.ssh_key"].encode(), None)
    assert with_generated(sftp, made) == made


def test_the_recovery_key_can_not_be_told_from_its_password() -> None:
    key = RecoveryKey(bytes(20))
    password = repository_password(key)
    assert (
        password == repository_password(key) != repository_password(RecoveryKey(bytes(19) + b"1"))
    )
    assert key.text.replace("-", "")[:10] not in password
    assert password.isalnum()
