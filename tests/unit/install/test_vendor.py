"""The vendor's Asterisk on the machine that installs."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.unit.sites import small_site
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.install.vendor import VendorAsterisk, demand_vendor, vendor_asterisk
from ucontact_appliance.site.telephony import Telephony

KEY = bytes([0x99, 1, 0]) + b"packets"


def package(folder: Path, name: str = "asterisk_13.35.0-1_amd64.deb") -> dict[str, Any]:
    path = folder / name
    path.write_bytes(b"content")
    return {"file": str(path), "sha256": hashlib.sha256(b"content").hexdigest()}


def telephony(**values: Any) -> Telephony:
    return small_site(telephony={"source": "package", **values}).telephony


def test_a_package_that_is_what_site_yml_says_is_taken(tmp_path: Path) -> None:
    row = package(tmp_path)
    vendor = vendor_asterisk(telephony(packages=[row]), None)
    assert vendor is not None
    assert [(str(one.path), one.sha256) for one in vendor.files] == [(row["file"], row["sha256"])]
    demand_vendor(vendor)


def test_an_altered_one_is_refused_with_both_checksums(tmp_path: Path) -> None:
    row = package(tmp_path)
    Path(row["file"]).write_bytes(b"altered")
    with pytest.raises(UsageError) as caught:
        demand_vendor(vendor_asterisk(telephony(packages=[row]), None))
    assert row["file"] in caught.value.what
    assert row["sha256"] in caught.value.evidence
    assert hashlib.sha256(b"altered").hexdigest() in caught.value.evidence


def test_a_missing_one_is_refused(tmp_path: Path) -> None:
    row = package(tmp_path)
    Path(row["file"]).unlink()
    with pytest.raises(UnreachableError, match="can't be read"):
        demand_vendor(vendor_asterisk(telephony(packages=[row]), None))


def test_one_that_is_too_old_is_refused(tmp_path: Path) -> None:
    row = package(tmp_path, "asterisk_13.1.0-1_amd64.deb")
    with pytest.raises(UsageError, match="too old") as caught:
        demand_vendor(vendor_asterisk(telephony(packages=[row]), None))
    assert "13.15.0" in caught.value.evidence


def armored(data: bytes, checksum: str = "=abcd\n") -> bytes:
    lines = base64.encodebytes(data).decode()
    return (
        f"-----BEGIN PGP PUBLIC KEY BLOCK-----\nComment: x\n\n{lines}{checksum}"
        "-----END PGP PUBLIC KEY BLOCK-----\n"
    ).encode()


@pytest.mark.parametrize("content", [KEY, armored(KEY), armored(KEY, "")])
def test_the_key_of_an_archive_is_binary_in_the_end(tmp_path: Path, content: bytes) -> None:
    assert archive_of(tmp_path, content).key == base64.b64encode(KEY).decode()


@pytest.mark.parametrize(
    "content",
    [b"", b"text", armored(b"text"), armored(KEY).replace(b"\n\n", b"\n"), KEY * 20_000,
     b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n*\n"],
)  # fmt: skip
def test_what_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UsageError, match="has no OpenPGP public key"):
        archive_of(tmp_path, content)


def archive_of(folder: Path, key: bytes) -> Any:
    path = folder / "key"
    path.write_bytes(key)
    keys = {"uri": "https://a.test/deb", "suite": "focal", "components": ["main"]}
    vendor = vendor_asterisk(telephony(archive={**keys, "key": str(path)}), None)
    assert vendor is not None
    assert vendor.archive is not None
    return vendor.archive


def test_a_release_that_is_not_unpacked_is_unknown() -> None:
    site = small_site(telephony={"source": "release"}, release="acme.tar.gz")
    assert vendor_asterisk(site.telephony, None) is None
    demand_vendor(None)


def test_the_distributions_needs_nothing() -> None:
    assert vendor_asterisk(small_site().telephony, None) == VendorAsterisk()
