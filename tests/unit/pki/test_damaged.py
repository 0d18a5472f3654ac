"""A damaged or lost key is named, and nothing is made in its place."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.unit.certs import issue
from tests.unit.pki.issued import damage, ensure, files, lose
from tests.unit.sites import small_site
from ucontact_appliance.errors import UsageError
from ucontact_appliance.state import StatePaths


def other_key(name: str) -> Callable[[StatePaths], None]:
    return damage(issue("Another", authority=True).key_pem, name)


def no_ca_and_another_key(paths: StatePaths) -> None:
    lose(paths, ("ca.pem",))
    other_key("ca.key")(paths)


GARBAGE = issue("Cut", authority=True).key_pem[:60]
WEAK = issue("Weak", key=rsa.generate_private_key(65537, 1024)).key_pem
ENCRYPTED = small_site(recordings={"encryption": True})
DAMAGES: dict[str, tuple[Callable[[StatePaths], None], str]] = {
    "empty CA key": (damage(b"", "ca.key"), "ca.key"),
    "cut CA key": (damage(GARBAGE, "ca.key"), "ca.key"),
    "weak CA key": (damage(WEAK, "ca.key"), "ca.key"),
    "lost CA key": (partial(lose, names=("ca.key",)), "ca.key"),
    "another CA key": (other_key("ca.key"), "ca.key"),
    "another CA key, no certificate": (no_ca_and_another_key, "internal-one.pem"),
    "empty CA certificate": (damage(b"", "ca.pem"), "ca.pem"),
    "cut CA certificate": (damage(b"-----BEGIN CERTIFICATE-----\nMII", "ca.pem"), "ca.pem"),
    "empty portal key": (damage(b"", "portal.key"), "portal.key"),
    "cut portal key": (damage(GARBAGE, "portal.key"), "portal.key"),
    "lost portal key and backup": (
        partial(lose, names=("portal.key", "hpkp-backup.key", "hpkp-backup.pub.pem", "pins.json")),
        "portal.pem",
    ),
    "empty internal key": (damage(b"", "internal-one.key"), "internal-one.key"),
    "lost internal key": (partial(lose, names=("internal-one.key",)), "internal-one.key"),
    "empty recordings key": (damage(b"", "recordings.key"), "recordings.key"),
    "lost recordings key": (partial(lose, names=("recordings.key",)), "recordings.key"),
    "empty backup key": (damage(b"", "hpkp-backup.key"), "hpkp-backup.key"),
    "cut public backup key": (damage(b"", "hpkp-backup.pub.pem"), "hpkp-backup.pub.pem"),
    "lost backup key": (
        partial(lose, names=("hpkp-backup.key", "hpkp-backup.pub.pem")), "hpkp-backup.key",
    ),
    "another backup key": (other_key("hpkp-backup.key"), "hpkp-backup.key"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_or_lost_key_is_named_and_nothing_is_made_in_its_place(
    paths: StatePaths, name: str
) -> None:
    ensure(paths, ENCRYPTED)
    spoil, named = DAMAGES[name]
    spoil(paths)
    before = files(paths)
    with pytest.raises(UsageError, match="nothing was changed") as caught:
        ensure(paths, ENCRYPTED)
    assert str(paths.pki / named) in caught.value.evidence
    assert re.search("restore|mv ", caught.value.helps)
    assert "PRIVATE KEY" not in caught.value.evidence
    assert files(paths) == before


@pytest.mark.parametrize("name", DAMAGES)
def test_the_remedy_by_hand_is_one_that_works(paths: StatePaths, name: str) -> None:
    ensure(paths, ENCRYPTED)
    spoil, _ = DAMAGES[name]
    spoil(paths)
    with pytest.raises(UsageError) as caught:
        ensure(paths, ENCRYPTED)
    by_hand = re.search(r"mv [^()]*", caught.value.helps)
    if by_hand is None:
        assert "--new-ca" in caught.value.helps
        return
    subprocess.run(by_hand[0], shell=True, check=True)
    ensure(paths, ENCRYPTED)
    assert ensure(paths, ENCRYPTED) == ()


def test_a_run_that_was_killed_between_the_halves_of_a_new_backup_key_goes_on(
    paths: StatePaths,
) -> None:
    ensure(paths, ENCRYPTED)
    promoted = (paths.pki / "hpkp-backup.pub.pem").read_bytes()
    lose(paths, ("portal.key",))
    ensure(paths, ENCRYPTED)
    (paths.pki / "hpkp-backup.pub.pem").write_bytes(promoted)
    assert set(ensure(paths, ENCRYPTED)) == {"hpkp-backup.pub.pem"}
