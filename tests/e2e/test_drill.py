"""A drill restores a site's backup into a machine of its own, which can't reach the site.

The tests of this file build on one another, in their order. The repository is a folder of the
site's server, which the installing machine reads through its sshd.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MachineFactory
from tests.e2e.installed import ucontact
from tests.e2e.packages import packages_layer
from tests.e2e.several import Several, sh
from ucontact_appliance.lab import machines
from ucontact_appliance.lab.records import Machine
from ucontact_appliance.operate.drill import machine_name

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

_REPOSITORY = "/srv/backup"
_MONITOR = "/var/spool/asterisk/monitor/2026/11/29"
_ROWS, _RECORDINGS = 2_000, 50
_MANY_ROWS = (
    "set session cte_max_recursion_depth = 20000; "
    "insert into ccdata.cdr (src, dst, uniqueid) with recursive n (i) as "
    f"(select 1 union all select i + 1 from n where i < {_ROWS}) "
    "select '1', i, concat('made.', i) from n"
)
_MANY_FILES = f"""
mkdir -p {_MONITOR} && cd {_MONITOR}
for i in $(seq {_RECORDINGS}); do
  head -c 20000 /dev/urandom >20261129-000000_6001_43_made.$i.gsm
done
cp 20261129-000000_6001_43_made.1.gsm 'a name with \\ and spaces.gsm'
chown -R asterisk: /var/spool/asterisk/monitor
"""
# On the server: the newest manifest again, with one row and one octet more.
_FORGE = """
import json, subprocess, sys
sys.path.insert(0, "/usr/local/lib/ucontact")
from ucontact_restic import Restic
config = json.load(open("/etc/ucontact-backup/backup.json"))
restic = Restic(config)
newest = max(restic.snapshots("ucontact-manifest"), key=lambda one: one["time"])
manifest = json.loads(restic.file_of(newest["id"], "/manifest.json"))
manifest["database"]["rows"]["ccdata.cdr"] += 1
tags = [word for tag in newest["tags"] for word in ("--tag", tag)]
words = restic.command("backup", "--stdin", "--stdin-filename", "/manifest.json", *tags)
words += ["--host", newest["hostname"]]
done = subprocess.run(words, input=json.dumps(manifest).encode(), env=restic.environment)
sys.exit(done.returncode)
"""
_REACH = "timeout 4 bash -c '</dev/tcp/{address}/{port}' 2>/dev/null && echo open || echo closed"


@dataclass(frozen=True)
class Drilled:
    """The site, its server, and the drills of it."""

    site: Several
    server: Machine

    @property
    def name(self) -> str:
        """The name of the drill's machine."""
        return machine_name(self.site.name)

    def drill(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a drill to its end."""
        return self.site.ucontact("backup", "drill", *words)

    def begin(self) -> subprocess.Popen[str]:
        """Begin a drill."""
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "ucontact_appliance", "backup", "drill"),
                *("--site", str(self.site.site_file)),
            ],
            env={**os.environ, "UCONTACT_ETC": str(self.site.folder / "etc")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def machine(self) -> Machine | None:
        """The drill's machine, if there is one."""
        return next((one for one in machines.listed() if one.name == self.name), None)

    def left(self) -> list[str]:
        """What there is of a drill on this machine."""
        tables = subprocess.run(
            ["nft", "list", "tables"], capture_output=True, text=True, check=True
        ).stdout
        found = [line for line in tables.splitlines() if self.name.replace("-", "_") in line]
        if self.machine() is not None:
            found.append("a machine")
        if (self.site.state / "drill").exists():
            found.append("a folder")
        return found

    def finding(self) -> dict[str, Any]:
        """The finding of backup.drilled."""
        done = self.site.ucontact("doctor", "--json", "--only", "backup.drilled")
        found = {one["id"]: one for one in json.loads(done.stdout)["findings"]}
        return dict(found["backup.drilled"])

    def verified(self, folder: str) -> None:
        """Verify a signed result by the site's key."""
        key = self.site.folder / "site.pem"
        assert self.site.ucontact("report", "key", "--out", str(key)).returncode == 0
        environment = {**os.environ, "UCONTACT_ETC": str(self.site.folder / "etc")}
        done = ucontact("report", "verify", folder, "--key", str(key), env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "the key that you gave" in done.stdout


@pytest.fixture(scope="module")
def drilled(
    machine_factory: MachineFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Drilled]:
    server = machine_factory(layers=packages_layer())
    site = Several(server.name, tmp_path_factory.mktemp("site"))
    made = Drilled(site, server)
    backup = {"repository": _REPOSITORY, "drill": {"every": "monthly"}}
    try:
        site.write(10, [server], backup=backup)
        site.install()
        sh(server, f'mysql -e "{_MANY_ROWS}"')
        sh(server, _MANY_FILES)
        done = site.ucontact("backup", "create")
        assert done.returncode == 0, done.stderr
        yield made
    finally:
        if made.machine() is not None:
            machines.down([made.name], lambda text: None)
        shutil.rmtree(site.state, ignore_errors=True)


def test_without_a_drill_the_doctor_warns(drilled: Drilled) -> None:
    found = drilled.finding()
    assert (found["verdict"], found["observed"]) == ("warn", "no drill has run yet")


def test_a_drill_proves_the_backup_and_cannot_reach_the_site(drilled: Drilled) -> None:
    done = drilled.drill("--keep", "--json")
    assert done.returncode == 0, done.stdout + done.stderr[-6000:]
    shown = json.loads(done.stdout)
    assert shown["verdict"] == "good"
    assert shown["compared"]["rows"]["ccdata.cdr"] >= _ROWS
    recordings = shown["compared"]["files"]["recordings"]
    assert recordings["files"] >= _RECORDINGS + 1
    calls = {one["id"]: one["verdict"] for one in shown["findings"] if "call." in one["id"]}
    assert calls["call.tone"] == "pass", calls
    copy = drilled.machine()
    assert copy is not None
    assert int(sh(copy, 'mysql -NBe "select count(*) from ccdata.cdr"')) >= _ROWS

    site, here = drilled.server.address, "10.203.17.1"
    for port in (22, 443, 8089):
        # The site answers everybody else.
        wanted = _REACH.format(address=site, port=port)
        assert subprocess.check_output(wanted, shell=True, text=True).strip() == "open"
        assert sh(copy, wanted).strip() == "closed"
        back = _REACH.format(address=copy.address, port=port)
        assert subprocess.check_output(back, shell=True, text=True).strip() == "open"
        assert sh(drilled.server, back).strip() == "closed"
    assert sh(copy, _REACH.format(address=here, port=22)).strip() == "closed"
    assert sh(copy, "apt-get update -q >/dev/null 2>&1 && echo reached").strip() == "reached"

    drilled.verified(shown["report"])
    found = drilled.finding()
    assert found["verdict"] == "pass", found
    drill = Path(shown["report"]) / "drill.json"
    drill.write_text(drill.read_text().replace('"good"', '"fine"'))
    altered = ucontact("report", "verify", shown["report"])
    assert altered.returncode == 1
    assert "altered: drill.json" in altered.stdout


def test_an_interrupted_drill_leaves_nothing(drilled: Drilled) -> None:
    # The machine that was kept goes when the next drill begins.
    process = drilled.begin()
    _until_restoring(process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 130
    assert drilled.left() == []
    assert drilled.finding()["verdict"] == "pass"


def test_what_a_killed_drill_left_goes_with_the_next(drilled: Drilled) -> None:
    process = drilled.begin()
    _until_restoring(process)
    process.kill()
    process.communicate()
    assert drilled.left()
    process = drilled.begin()
    _until_restoring(process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert drilled.left() == []


def test_a_backup_that_differs_from_its_manifest_fails_the_drill(drilled: Drilled) -> None:
    before = sh(drilled.server, 'mysql -NBe "select count(*) from ccdata.cdr"').strip()
    sh(drilled.server, f"cat >/root/forge.py <<'END'\n{_FORGE}\nEND\npython3 /root/forge.py")
    done = drilled.drill("--json")
    assert done.returncode == 1, done.stdout + done.stderr[-6000:]
    shown = json.loads(done.stdout)
    assert shown["verdict"] == "failed"
    assert shown["compared"] is None
    assert "differ from the backup" in shown["trouble"]
    assert f"ccdata.cdr: {before}, {int(before) + 1}" in shown["trouble"]
    drilled.verified(shown["report"])
    assert drilled.left() == []
    found = drilled.finding()
    assert found["verdict"] == "fail"
    assert "ccdata.cdr" in found["evidence"]
    chain = json.loads((drilled.site.state / "reports.json").read_text())["reports"]
    assert chain[-1]["folder"] == Path(shown["report"]).name


def _until_restoring(process: subprocess.Popen[str]) -> None:
    """Wait until the copy's installation is at work."""
    deadline = time.monotonic() + 300
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        assert time.monotonic() < deadline
        if "Preflight" in line or "preflight" in line:
            return
    raise AssertionError("".join(said))
