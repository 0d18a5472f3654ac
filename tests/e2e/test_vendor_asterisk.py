"""The vendor's Asterisk (R19) in place of the distribution's, from files and from an apt archive.

The vendor's fork is not at hand: its packages here are the distribution's, repacked with another
version. So the doctor finds stock Asterisk, which site.yml waives. The tests build on one another.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.e2e.installed import Installed
from tests.e2e.vendor_archive import (
    MARKER,
    SUITE,
    Signer,
    empty_package,
    make_archive,
    repacked,
    served,
    sha256,
    signer,
)
from tests.faults.snapshot import Snapshot
from tests.unit.release.samples import KEY, manifest_of
from ucontact_appliance.release.manifest import MANIFEST
from ucontact_appliance.release.store import releases_folder

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

NAMES = ("asterisk", "asterisk-config", "asterisk-modules")
FIRST, SECOND = "8:22.10.1-1+vendor1", "8:22.10.1-1+vendor2"
NEWER = "9:99.1-1"  # what the distribution has next
PIN = "/etc/apt/preferences.d/ucontact-asterisk.pref"
WAIVER = {"check": "asterisk.build", "reason": "repacked for a test", "until": "2099-01-01"}


@dataclass(frozen=True)
class Site:
    """The installed site, and the vendor's packages by version."""

    installed: Installed
    folder: Path
    head: str
    packages: dict[str, list[Path]]
    distribution: str

    def name(self, release: str = "evaluation", **telephony: Any) -> None:
        """Write these keys of telephony into site.yml."""
        sections = {"telephony": telephony, "waivers": [WAIVER], "release": release}
        lines = [f"{name}: {json.dumps(value)}\n" for name, value in sections.items()]
        self.installed.site_file.write_text(self.head + "".join(lines), encoding="utf-8")

    def name_files(self, packages: list[Path]) -> None:
        rows = [{"file": str(path), "sha256": sha256(path)} for path in packages]
        self.name(source="package", packages=rows)

    def name_archive(self, uri: str, key: Path) -> None:
        archive = {"uri": uri, "suite": SUITE, "components": ["main"], "key": str(key)}
        self.name(source="package", archive=archive)

    def install(self, *words: str) -> str:
        done = self.installed.ucontact("install", "--yes", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def refused(self) -> str:
        """What an installation says that stops in preflight, and changes nothing."""
        before = self.state()
        done = self.installed.ucontact("install", "--yes")
        assert done.returncode in (2, 3, 4), done.stdout + done.stderr
        assert self.state() == before
        assert "Traceback" not in done.stderr
        return done.stderr

    def state(self) -> str:
        """Asterisk's packages, its process, apt's settings."""
        return self.installed.sh(
            "dpkg-query -W 'asterisk*' tzdata; systemctl show -P MainPID asterisk.service; "
            "find /etc/apt /var/lib/ucontact-asterisk -type f -exec sha256sum {} + 2>/dev/null "
            "| sort; ls -d /var/tmp/ucontact-apt-* 2>/dev/null; echo end"
        )

    def versions(self) -> set[str]:
        found = self.installed.sh(f"dpkg-query -W -f '${{Version}}\\n' {' '.join(NAMES)}")
        return set(found.split())

    def assert_runs(self, version: str) -> None:
        """That version is installed, and the running Asterisk is its program."""
        assert self.versions() == {version}
        assert self.installed.sh(f"cat /{MARKER}") == f"{version}\n"
        process = "$(systemctl show -P MainPID asterisk.service)"
        assert "deleted" not in self.installed.sh(f"readlink /proc/{process}/exe")


@pytest.fixture(scope="module")
def site(
    installed: Installed, small_site: Snapshot, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    small_site.restore()  # other files may have left it in pieces
    folder = tmp_path_factory.mktemp("vendor")
    head = small_site.site_file.read_text(encoding="utf-8")
    installed.sh(f"mkdir /srv/own && cd /srv/own && apt-get -qq download {' '.join(NAMES)}")
    own = sorted((small_site.machine.root / "srv/own").glob("*.deb"))
    packages: dict[str, list[Path]] = {}
    for version in (FIRST, SECOND, NEWER):
        place = folder / version.replace(":", "-")
        place.mkdir()
        packages[version] = [repacked(package, place, version) for package in own]
    (distribution,) = Site(installed, folder, head, {}, "").versions()
    try:
        yield Site(installed, folder, head, packages, distribution)
    finally:
        small_site.restore()


@pytest.fixture(scope="module")
def key(site: Site) -> Iterator[Signer]:
    with signer(site.folder / "gpg") as made:
        yield made


def spoilt(path: Path) -> bytes:
    """The file's content with another bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    return bytes(content)


def test_an_altered_package_is_refused_before_any_change(site: Site) -> None:
    first = site.packages[FIRST][0]
    altered = site.folder / first.name
    altered.write_bytes(spoilt(first))
    rows = [{"file": str(path), "sha256": sha256(path)} for path in site.packages[FIRST]]
    rows[0]["file"] = str(altered)
    site.name(source="package", packages=rows)
    told = site.refused()
    for part in (str(altered), sha256(altered), sha256(first)):
        assert part in told
    altered.unlink()
    assert f"{altered} can't be read" in site.refused()


def test_packages_replace_the_distributions(site: Site) -> None:
    site.name_files(site.packages[FIRST])
    site.install()  # which ends with calls
    site.assert_runs(FIRST)


def test_a_second_run_changes_nothing(site: Site) -> None:
    assert "installed changed=0" in site.install("--full")
    assert "installed changed=0" in site.install()


def test_no_upgrade_brings_the_distributions_back(site: Site) -> None:
    archive = site.folder / "distribution"
    make_archive(archive, site.packages[NEWER], None)
    with served(archive) as uri:
        source = "/etc/apt/sources.list.d/next.list"
        site.installed.sh(
            f"echo 'deb [trusted=yes] {uri} {SUITE} main' >{source} && apt-get -qq update"
        )
        simulate = "apt-get -s --allow-downgrades --ignore-hold"  # the pin alone keeps it away
        for verb in ("upgrade", "dist-upgrade", "install asterisk"):
            told = site.installed.sh(f"{simulate} {verb}")
            assert "Inst asterisk" not in told, verb
        without = site.installed.sh(f"{simulate} -o Dir::Etc::PreferencesParts=/x dist-upgrade")
        assert "Inst asterisk " in without
        site.installed.sh(f"rm {source} && apt-get -qq update")


def test_an_archive_is_refused_that_the_key_did_not_sign(site: Site, key: Signer) -> None:
    unsigned, signed = site.folder / "unsigned", site.folder / "signed"
    make_archive(unsigned, site.packages[SECOND], None)
    # Only Asterisk's packages are taken from it, and of these only the needed ones.
    others = [empty_package(site.folder, name, "9999") for name in ("tzdata", "asterisk-extra")]
    make_archive(signed, [*site.packages[SECOND], *others], key)
    with served(site.folder) as uri, signer(site.folder / "foreign") as foreign:
        site.name_archive(f"{uri}/unsigned", key.key)
        assert "packages.asterisk-source" in (told := site.refused())
        assert "not signed" in told
        site.name_archive(f"{uri}/signed", foreign.key)
        assert "packages.asterisk-source" in (told := site.refused())
        assert "Missing key" in told
        site.name_archive(f"{uri}/signed", site.packages[FIRST][0])
        assert "has no OpenPGP public key" in site.refused()


def test_the_archives_packages_replace_others(site: Site, key: Signer) -> None:
    with served(site.folder) as uri:
        site.name_archive(f"{uri}/signed", key.key)
        site.install()
        site.assert_runs(SECOND)
        told = site.installed.sh("dpkg-query -W -f '${Package} ${Version}\\n' tzdata 'asterisk*'")
        assert "9999" not in told
        assert "asterisk-extra" not in told
        # apt itself does not know the archive.
        assert uri not in site.installed.sh("apt-cache policy")
        assert "installed changed=0" in site.install("--full")


def test_a_package_that_was_altered_in_the_archive_is_refused(site: Site, key: Signer) -> None:
    archive = site.folder / "spoilt"
    shutil.copytree(site.folder / "signed", archive)
    package = next((archive / "pool").glob("asterisk_*"))
    package.write_bytes(spoilt(package))
    site.name_files(site.packages[FIRST])
    site.install()
    with served(site.folder) as uri:
        site.name_archive(f"{uri}/spoilt", key.key)
        done = site.installed.ucontact("install", "--yes")
        assert done.returncode == 4, done.stdout + done.stderr
        assert "Hash Sum mismatch" in done.stderr or "unexpected size" in done.stderr
    site.assert_runs(FIRST)


@pytest.fixture
def release(site: Site, small_site: Snapshot) -> Iterator[Path]:
    """The release that the site has, of another publisher and with Asterisk."""
    folder = site.folder / "release"
    known = json.loads((small_site.paths.var / "release.manifest.json").read_text("utf-8"))
    (source,) = releases_folder().glob(f"ucontact-{known['name']}-{known['version']}.tar.gz")
    with tarfile.open(source) as members:
        members.extractall(folder, filter="data")
    (folder / "telephony").mkdir()
    for package in site.packages[SECOND]:
        os.link(package, folder / "telephony" / package.name)
    (folder / MANIFEST).unlink()
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    (folder / MANIFEST).write_bytes(manifest_of(files, version="with-asterisk").document())
    publisher = small_site.folder / "etc/publishers.d/acme.pem"
    publisher.parent.mkdir(exist_ok=True)
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    publisher.write_bytes(pem)
    try:
        yield folder
    finally:
        publisher.unlink()
        for kept in releases_folder().glob("ucontact-acme-with-asterisk.*"):
            shutil.rmtree(kept) if kept.is_dir() else kept.unlink()


def test_the_packages_of_a_release_replace_others(site: Site, release: Path) -> None:
    site.name(str(release), source="release")
    site.install("--restart")  # the newest one failed
    site.assert_runs(SECOND)
    assert "installed changed=0" in site.install("--full")


def test_the_distributions_comes_back(site: Site) -> None:
    site.name(source="distribution")
    site.install()
    assert site.versions() == {site.distribution}
    assert site.installed.sh(f"ls {PIN} /{MARKER} 2>/dev/null; echo none") == "none\n"
    assert "installed changed=0" in site.install("--full")
