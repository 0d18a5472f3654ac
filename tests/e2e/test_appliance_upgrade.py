"""Another version of the appliance on a running site: refused, back by itself, in use, and back.

The site was installed by a checkout; here the wheel of the same sources goes on with it. The tests
build on one another, in their order.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.e2e.installed import Installed
from tests.e2e.test_upgrade import state
from tests.faults.snapshot import Snapshot
from tests.unit.release.samples import KEY
from ucontact_appliance import __version__
from ucontact_appliance.release.shipped import write_shipped
from ucontact_appliance.release.store import ensure_evaluation
from ucontact_appliance.release.wheel import sign_wheel
from ucontact_appliance.resources import ROOT
from ucontact_appliance.upgrading.servers import POINTS

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

TURNSERVER = "roles/stun/templates/etc/turnserver.conf.j2"
GOOD, BAD = "98.0.0", "99.0.0"
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "build", "dist", "__pycache__", "node_modules")


@dataclass(frozen=True)
class Appliance:
    """An environment with the wheel of these sources, and how it makes others."""

    prefix: Path
    folder: Path
    site: Installed

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the environment in use on the site."""
        return subprocess.run(
            [str(self.prefix / "bin/ucontact"), *words, "--site", str(self.site.site_file)],
            env=self.site.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=1800,
        )

    @property
    def version(self) -> str:
        """What the environment in use calls itself."""
        words = [str(self.prefix / "bin/ucontact"), "--version"]
        done = subprocess.run(
            words, env=self.site.environment, capture_output=True, text=True, check=True
        )
        return done.stdout.split()[-1]

    @property
    def others(self) -> list[str]:
        """The environments beside it."""
        return sorted(path.name for path in self.prefix.parent.glob(f"{self.prefix.name}.*"))


def wheel(folder: Path, version: str, before: str = "", after: str = "") -> Path:
    """The wheel of these sources as that version; in one template text may be another."""
    tree, releases, built = (folder / version / name for name in ("tree", "releases", "built"))
    shutil.copytree(ROOT, tree, ignore=_LEFT_OUT, symlinks=True)
    for name in ("pyproject.toml", "ucontact_appliance/__init__.py"):
        edit(tree / name, f'version = "{__version__}"', f'version = "{version}"')
        edit(tree / name, f'__version__ = "{__version__}"', f'__version__ = "{version}"')
    if before:
        assert before in (tree / TURNSERVER).read_text()
        edit(tree / TURNSERVER, before, after)
    edit(tree / "CHANGELOG.md", "### Added\n", f"### Added\n- What came with {version}.\n")
    releases.mkdir()
    write_shipped(ensure_evaluation(print).archive, releases, None)
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir"]
    subprocess.run(
        [*words, str(built), str(tree)],
        env={**os.environ, "UCONTACT_WHEEL_RELEASES": str(releases)},
        check=True,
        capture_output=True,
    )
    shutil.rmtree(tree)
    (made,) = built.glob("*.whl")
    sign_wheel(made, KEY)
    return made


def edit(path: Path, before: str, after: str) -> None:
    path.write_text(path.read_text().replace(before, after, 1))


@pytest.fixture(scope="module")
def appliance(
    installed: Installed, small_site: Snapshot, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Appliance]:
    small_site.restore()
    folder = tmp_path_factory.mktemp("appliance")
    prefix = folder / "opt/ucontact"
    prefix.parent.mkdir()
    subprocess.run([sys.executable, "-m", "venv", str(prefix)], check=True)
    made = wheel(folder, __version__)
    pip = [str(prefix / "bin/pip"), "install", "--quiet", "--only-binary", ":all:", str(made)]
    subprocess.run(pip, check=True)
    key = small_site.folder / "etc/publishers.d/acme.pem"
    key.parent.mkdir(exist_ok=True)
    key.write_bytes(KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    elsewhere = {
        name: value
        for name, value in installed.environment.items()
        if name not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
    made_here = Appliance(prefix, folder, replace(installed, environment=elsewhere))
    try:
        # A checkout's evaluation release has another signature: now the site has the wheel's.
        first = made_here.run("install", "--yes")
        assert first.returncode == 0, first.stdout + first.stderr
        yield made_here
    finally:
        key.unlink()
        small_site.restore()


def test_an_unsigned_wheel_is_refused(appliance: Appliance) -> None:
    before = state(appliance.site)
    made = wheel(appliance.folder, "97.0.0")
    made.with_name(f"{made.name}.sig").unlink()
    done = appliance.run("upgrade", "--yes", "--appliance", str(made))
    assert done.returncode == 2, done.stdout + done.stderr
    assert "the wheel has no signature" in done.stderr
    assert state(appliance.site) == before
    assert appliance.others == []


def test_a_version_that_breaks_the_site_goes_back_by_itself(appliance: Appliance) -> None:
    before, text = state(appliance.site), appliance.site.site_file.read_text()
    made = wheel(appliance.folder, BAD, "listening-port={{ stun_port }}", "listening-port=3479")
    done = appliance.run("upgrade", "--yes", "--appliance", str(made))
    assert done.returncode == 4, done.stdout + done.stderr
    assert "failed; the site is back at evaluation" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert appliance.version == __version__
    assert appliance.others == []
    assert state(appliance.site) == before
    assert appliance.site.site_file.read_text() == text
    healthy = appliance.run("doctor", "--deep")
    assert healthy.returncode == 0, healthy.stdout


def test_a_good_version_takes_the_place_of_the_one_before(appliance: Appliance) -> None:
    made = wheel(appliance.folder, GOOD, "fingerprint\n", "fingerprint\n# A newer appliance.\n")
    points = appliance.site.sh(f"ls {POINTS}")
    foreseen = appliance.run("upgrade", "--dry-run", "--appliance", str(made))
    assert foreseen.returncode == 0, foreseen.stdout + foreseen.stderr
    assert f"appliance {__version__} -> {GOOD}" in foreseen.stderr
    assert f"- What came with {GOOD}." in foreseen.stderr
    assert re.search(r"^changes   .*STUN and TURN", foreseen.stderr, re.MULTILINE)
    assert (appliance.version, appliance.others) == (__version__, [])
    assert appliance.site.sh(f"ls {POINTS}") == points

    done = appliance.run("upgrade", "--yes", "--appliance", str(made), "--drain", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"the appliance is {GOOD}; {__version__} is kept in" in done.stderr
    assert appliance.version == GOOD
    assert appliance.others == ["ucontact.previous"]
    marked = "grep -c 'A newer appliance' /etc/turnserver.conf"
    assert appliance.site.sh(marked) == "1\n"
    again = appliance.run("install", "--yes")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "changed=0" in again.stdout
    same = appliance.run("upgrade", "--yes", "--appliance", str(made))
    assert same.returncode == 0, same.stderr
    assert f"the appliance is {GOOD} already" in same.stderr
    assert "nothing to upgrade" in same.stderr


def test_a_rollback_brings_the_version_before_back(appliance: Appliance) -> None:
    done = appliance.run("rollback", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"the appliance goes back too: {GOOD} -> {__version__}" in done.stderr
    assert f"the appliance is {__version__} again" in done.stdout
    assert appliance.version == __version__
    assert "newer" not in appliance.site.sh("cat /etc/turnserver.conf")
    healthy = appliance.run("doctor", "--deep")
    assert healthy.returncode == 0, healthy.stdout
    again = appliance.run("install", "--yes")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "changed=0" in again.stdout
