"""20 upgrades with a failure in each, on one site, which answers calls after each as before."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from tests.e2e.installed import Installed
from tests.e2e.releases import Publisher, publisher
from tests.e2e.test_upgrade import (
    BROKEN,
    CURRENT,
    HALF_WAY,
    NAMES,
    here,
    offered,
    sql,
    state,
    tables,
    versions,
)
from tests.e2e.vendor_archive import repacked
from tests.faults.snapshot import Snapshot
from ucontact_appliance.upgrading.servers import POINTS

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

JAR = "server/IntegraServer.jar"
_BACK = "the site is back at evaluation"


def archive(manifest: str) -> bytes:
    """A jar with a manifest alone."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", manifest)
    return out.getvalue()


def without_libraries(files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Every library of the backend, empty."""
    return {name: b"" for name in files if name.startswith("server/") and name != JAR}


def jar(content: bytes) -> Callable[[Mapping[str, bytes]], Mapping[str, bytes]]:
    return lambda files: {JAR: content}


@dataclass(frozen=True)
class Failure:
    """What is wrong with a release, or happens to a server while it is being upgraded."""

    name: str
    told: str = _BACK
    changed: Callable[[Mapping[str, bytes]], Mapping[str, bytes]] = field(
        default=lambda files: {"web/webchatclient/index.html": b"<!doctype html>new"}
    )
    migration: str = ""
    database: Literal["ccrepo", "ccdata"] = "ccrepo"
    stops: str = ""  # a service that ends when the new release is in use
    before: str = ""
    after: str = ""


_GOOD = "create table fresh (a int); insert into fresh values (7);"
_CALLS_HALF_WAY = HALF_WAY.replace("'ccrepo'", "'ccdata'")
FAILURES = (
    Failure("a jar that is none", changed=jar(b"no jar")),
    Failure("an empty jar", changed=jar(b"")),
    Failure("half a jar", changed=lambda files: {JAR: files[JAR][: len(files[JAR]) // 2]}),
    Failure("a jar without a main class", changed=jar(archive("Manifest-Version: 1.0\n"))),
    Failure(
        "a jar without its main class",
        changed=jar(archive("Manifest-Version: 1.0\nMain-Class: gone.Main\n")),
    ),
    Failure("libraries that are empty", changed=without_libraries),
    Failure("STUN ends late", stops="coturn"),
    Failure("Asterisk ends late", stops="asterisk"),
    Failure("the database ends late", stops="mysql"),
    Failure("fail2ban ends late", stops="fail2ban"),
    Failure(
        "no room for the restore point",
        told="no restore point can be made",
        before=f"mkdir -p {POINTS} && mount -t tmpfs -o size=1m tmpfs {POINTS}",
        after=f"umount {POINTS}",
    ),
    Failure("a migration that fails on the copy", migration="alter table nowhere add b int;"),
    Failure("a migration that reaches further", migration="create table ccdata.half (a int);"),
    Failure("a migration that fails half-way", migration=HALF_WAY),
    Failure(
        "a migration of the calls that fails half-way",
        migration=_CALLS_HALF_WAY,
        database="ccdata",
    ),
    Failure("a release that does not start on its schema", migration=_GOOD, changed=jar(b"no jar")),
    Failure("a service that ends on a new schema", migration=_GOOD, stops="coturn"),
)
# Programs or modules that a package brings broken.
PACKAGES = {
    "the portal": ("nginx", "usr/sbin/nginx"),
    "WebSockets of SIP": ("asterisk-modules", "usr/lib/*/asterisk/modules/res_http_websocket.so"),
    "the database": ("mysql-server-core", "usr/sbin/mysqld"),
}


def test_there_are_twenty() -> None:
    assert len(FAILURES) + len(PACKAGES) == 20


@pytest.fixture(scope="module")
def acme(
    installed: Installed, small_site: Snapshot, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Publisher]:
    small_site.restore()
    try:
        with publisher(small_site, tmp_path_factory.mktemp("releases")) as made:
            sql(installed, "replace into ccrepo.site_info (name, value) values ('kept', '3')")
            yield made
    finally:
        small_site.restore()


def everything(site: Installed) -> tuple[str, ...]:
    """What has to be as before: files, services, schemas with a row, packages, site.yml."""
    return state(site), tables(site), versions(site), site.site_file.read_text()


def answers(site: Installed) -> None:
    status, findings = site.doctor("--deep", "--only", "call")
    wrong = {name: one for name, one in findings.items() if one["verdict"] in ("fail", "error")}
    assert (status, wrong) == (0, {})
    assert findings["call.tone"]["verdict"] == "pass"


@pytest.mark.parametrize(
    ("number", "failure"), enumerate(FAILURES), ids=[one.name for one in FAILURES]
)
def test_a_release_that_fails(
    installed: Installed, acme: Publisher, number: int, failure: Failure
) -> None:
    before = everything(installed)
    version = f"7.{number}"
    release = acme.release(
        version, failure.changed(acme.files), failure.migration, failure.database
    )
    if failure.before:
        installed.sh(failure.before)
    if failure.stops:
        installed.sh(
            f'(until [ "$({CURRENT})" = releases/{version} ]; do sleep 0.1; done; sleep 3; '
            f"systemctl stop {failure.stops}) >/dev/null 2>&1 </dev/null &"
        )
    done = installed.ucontact("upgrade", "--yes", "--drain", "5", "--release", str(release))
    if failure.after:
        installed.sh(failure.after)
    assert done.returncode == 4, done.stdout + done.stderr
    assert failure.told in done.stderr
    assert "Traceback" not in done.stderr
    assert everything(installed) == before
    answers(installed)


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_that_fails(
    installed: Installed, acme: Publisher, tmp_path: Path, name: str
) -> None:
    before = everything(installed)
    broken, program = PACKAGES[name]
    packages = [
        spoilt(one, program) if one.name.startswith(f"{broken}_") else one
        for one in newer(installed, tmp_path, broken)
    ]
    with offered(installed, packages, tmp_path / "archive"):
        done = installed.ucontact("upgrade", "--packages", "--yes", "--drain", "5")
    assert done.returncode == 4, done.stdout + done.stderr
    assert _BACK in done.stderr
    assert everything(installed) == before
    answers(installed)


def newer(site: Installed, folder: Path, broken: str) -> list[Path]:
    """The broken package and those of its source, with a higher version."""
    names = [one for one in NAMES if one.split("-")[0] == broken.split("-", maxsplit=1)[0]]
    site.sh(
        f"rm -rf /srv/own; mkdir /srv/own && cd /srv/own && apt-get -qq download {' '.join(names)}"
    )
    downloads = sorted((site.machine.root / "srv/own").glob("*.deb"))
    assert len(downloads) == len(names)
    return [
        repacked(one, folder, f"{here('dpkg-deb', '--field', str(one), 'Version')}+test1")
        for one in downloads
    ]


def spoilt(package: Path, program: str) -> Path:
    """The package with another content of that file."""
    tree = package.parent / "tree"
    here("dpkg-deb", "--raw-extract", str(package), str(tree))
    (found,) = tree.glob(program)
    found.write_text(BROKEN)
    here("dpkg-deb", "--build", "-Znone", str(tree), str(package))
    shutil.rmtree(tree)
    return package
