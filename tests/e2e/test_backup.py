"""A site backs itself up, says what is wrong with that, and is restored by another machine.

The tests of this file build on one another, in their order. The repository is on a machine that is
none of the site's, reached by sftp.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.e2e.conftest import MachineFactory
from tests.e2e.packages import packages_layer
from tests.e2e.several import Several, sh, told
from tests.e2e.softphone import chromium, dial, echo_call, figure, sign_in
from ucontact_appliance.lab import layout, machines
from ucontact_appliance.lab.records import Machine

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

_REPOSITORY = "/srv/ucontact"
_ROWS, _RECORDINGS = 10_000, 500
_MONITOR = "/var/spool/asterisk/monitor"
_FORM = "/var/lib/IntegraServer/forms/survey.html"
_SCRIPT = "/etc/IntegraServer/scripts/nightly.sh"
_MANY_ROWS = (
    "set session cte_max_recursion_depth = 20000; "
    "insert into ccdata.cdr (src, dst, uniqueid) with recursive n (i) as "
    f"(select 1 union all select i + 1 from n where i < {_ROWS}) "
    "select 'it''s (1),(2)', i, concat('made.', i) from n"
)
_MANY_FILES = f"""
cd {_MONITOR} && mkdir -p 2026/11/29
for i in $(seq {_RECORDINGS}); do
  head -c 20000 /dev/urandom >2026/11/29/20261129-000000_6001_43_made.$i.gsm
done
chown -R asterisk: 2026
"""
_STATUS = "python3 /usr/local/lib/ucontact/backup.py status"


@dataclass(frozen=True)
class BackedUp:
    """The site on one machine, and the machine with the repository."""

    site: Several
    machine: Machine
    store: Machine

    def write(self, *machines: Machine) -> None:
        """site.yml for these machines."""
        scan = ["ssh-keyscan", "-t", "ed25519", self.store.address]
        key = subprocess.run(scan, capture_output=True, text=True, check=True).stdout
        repository = f"sftp:keeper@{self.store.address}:{_REPOSITORY}"
        backup = {"repository": repository, "host_key": key.split(" ", 1)[1].strip()}
        self.site.write(10, machines, backup=backup)

    def shell(self, script: str) -> str:
        """What a script says on the site's machine."""
        return sh(self.machine, script)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `ucontact backup`."""
        return self.site.ucontact("backup", *words)

    def create(self) -> str:
        """Make a backup, which must be good; its run."""
        done = self.run("create", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        (made,) = json.loads(done.stdout)["runs"]
        return str(made["run"])

    def listed(self) -> list[dict[str, Any]]:
        """The backups, newest first."""
        done = self.run("list", "--json")
        assert done.returncode == 0, done.stderr
        return list(json.loads(done.stdout))

    def good(self) -> list[str]:
        """The good runs, newest first."""
        return [one["run"] for one in self.listed() if one["good"]]

    def wrong(self, check: str) -> dict[str, Any]:
        """The finding of that check, which must not be a pass."""
        found = self.site.wrong("--only", check)
        name = f"{self.machine.name}:{check}"
        assert name in found, told(found)
        return found[name]


@pytest.fixture(scope="module")
def backed_up(
    machine_factory: MachineFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BackedUp]:
    machine, store = machine_factory(layers=packages_layer()), machine_factory()
    site = Several(machine.name, tmp_path_factory.mktemp("site"))
    made = BackedUp(site, machine, store)
    # A file system of its own, to be filled.
    sh(
        store,
        f"useradd -m keeper && mkdir {_REPOSITORY} && "
        f"mount -t tmpfs -o size=400m,uid=$(id -u keeper),mode=0700 tmpfs {_REPOSITORY}",
    )
    try:
        made.write(machine)
        key = made.run("key").stdout.strip()
        folder = "/home/keeper/.ssh"
        sh(store, f"install -d -o keeper {folder} && echo '{key}' >{folder}/authorized_keys")
        site.install()
        yield made
    finally:
        shutil.rmtree(site.state, ignore_errors=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def filled(backed_up: BackedUp) -> BackedUp:
    """The site with rows, recordings and files of the customer's."""
    backed_up.shell(f'mysql -e "{_MANY_ROWS}"')
    backed_up.shell(_MANY_FILES)
    backed_up.shell(f"echo '<p>Thank you</p>' >{_FORM} && echo 'exit 0' >{_SCRIPT}")
    return backed_up


def test_a_new_site_has_a_day_for_its_first_backup(backed_up: BackedUp) -> None:
    assert backed_up.listed() == []
    assert backed_up.wrong("backup.fresh")["verdict"] == "warn"


def test_a_call_goes_on_during_a_backup_without_a_lost_packet(
    filled: BackedUp, browser: Browser
) -> None:
    secret = filled.site.secrets()["telephony.extensions.6001"]
    page = sign_in(browser, filled.machine.address, "6001", secret)
    dial(page, "*43")
    page.wait_for_timeout(2000)
    before = figure(page, "lost")
    made: list[str] = []
    work = threading.Thread(target=lambda: made.append(filled.create()))
    work.start()
    while work.is_alive():
        page.wait_for_timeout(500)
    work.join()
    assert figure(page, "received") > 500
    assert figure(page, "lost") == before == 0
    page.get_by_test_id("hangup-button").click()
    page.context.close()
    (newest, *_others) = filled.listed()
    assert [newest["run"]] == made
    manifest = newest["manifest"]
    assert manifest["database"]["rows"]["ccdata.cdr"] >= _ROWS
    assert manifest["parts"]["recordings"]["files"] >= _RECORDINGS
    assert manifest["parts"]["state"]["files"] == 1
    assert filled.site.wrong("--only", "backup") == {}


def test_the_newest_backup_is_compared_with_its_manifest(filled: BackedUp) -> None:
    done = filled.run("verify", "--percent", "100")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is intact" in done.stdout


def test_a_backup_killed_half_way_is_incomplete_and_the_next_one_good(filled: BackedUp) -> None:
    good = filled.good()
    filled.shell(f"head -c 100M /dev/urandom >{_MONITOR}/2026/11/29/big.gsm")
    filled.shell("systemctl start --no-block ucontact-backup.service")
    deadline = time.monotonic() + 60
    while json.loads(filled.shell(_STATUS))["run"].get("step") != "recordings":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    filled.shell("systemctl kill -s KILL ucontact-backup.service; sleep 1")
    assert json.loads(filled.shell(_STATUS))["run"]["state"] == "interrupted"
    assert "did not come to its end" in filled.wrong("backup.fresh")["observed"]
    assert filled.good() == good
    assert [one["good"] for one in filled.listed()].count(False) == 1
    filled.shell(f"rm {_MONITOR}/2026/11/29/big.gsm")
    # Its lock is stale, and the snapshots that it had stored go with the next good run.
    newest = filled.create()
    assert filled.good()[0] == newest
    assert all(one["good"] for one in filled.listed())
    assert json.loads(filled.shell(_STATUS))["prune"]["error"] is None


def test_a_full_target_is_named_and_the_last_good_backup_stays(filled: BackedUp) -> None:
    good = filled.good()
    sh(filled.store, f"! dd if=/dev/zero of={_REPOSITORY}/full bs=64k 2>/dev/null")
    filled.shell(f"head -c 30M /dev/urandom >{_MONITOR}/2026/11/29/more.gsm")
    done = filled.run("create")
    assert done.returncode == 3, done.stderr
    assert "target is full" in done.stderr
    found = filled.wrong("backup.target")
    assert "target is full" in found["observed"]
    sh(filled.store, f"rm {_REPOSITORY}/full")
    filled.shell(f"rm {_MONITOR}/2026/11/29/more.gsm")
    assert filled.good() == good
    filled.create()
    assert filled.site.wrong("--only", "backup") == {}


@pytest.mark.parametrize(
    ("where", "breaking", "mending", "wanted"),
    [
        (
            "store",
            f"mkdir /srv/empty && mount --bind /srv/empty {_REPOSITORY}",
            f"umount {_REPOSITORY} && rmdir /srv/empty",
            "repository is gone",
        ),
        (
            "machine",
            "cd /etc/ucontact-backup && cp -p backup.json /root/ && "
            'sed -i \'s/"password": "[^"]*/"password": "another-one/\' backup.json',
            "cp -p /root/backup.json /etc/ucontact-backup/",
            "another password",
        ),
        (
            "machine",
            # A type of key that the server has, and another key.
            "cd /etc/ucontact-backup && cp -p known_hosts /root/ && ssh-keygen -qt ed25519 -N '' "
            "-f /root/other && sed -i \"s#AAAA.*#$(cut -d' ' -f2 /root/other.pub)#\" known_hosts",
            "cp -p /root/known_hosts /etc/ucontact-backup/",
            "another host key",
        ),
        (
            "machine",
            "ip route add unreachable {store}/32",
            "ip route del unreachable {store}/32",
            "can't be reached",
        ),
    ],
    ids=["vanished", "wrong-key", "host-key", "out-of-reach"],
)
def test_what_is_wrong_with_the_target_is_named(
    filled: BackedUp, where: str, breaking: str, mending: str, wanted: str
) -> None:
    at = filled.store if where == "store" else filled.machine
    good = filled.good()
    sh(at, breaking.format(store=filled.store.address))
    try:
        done = filled.run("create")
        assert done.returncode in (1, 3)
        assert wanted in done.stderr
        assert wanted in filled.wrong("backup.target")["observed"]
    finally:
        sh(at, mending.format(store=filled.store.address))
    assert filled.good() == good


def test_a_corrupted_pack_is_found(filled: BackedUp) -> None:
    filled.create()
    pack = sh(filled.store, f"find {_REPOSITORY}/data -type f -size +1000k | head -n 1").strip()
    flip = f"cp -p {pack} /root/pack && printf xxxx | dd of={pack} bs=1 seek=5000 conv=notrunc"
    sh(filled.store, f"chmod u+w {pack}; {flip}")
    done = filled.run("verify", "--percent", "100")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the repository is damaged" in done.stderr
    sh(filled.store, f"cp -p /root/pack {pack}")
    assert filled.run("verify", "--percent", "100").returncode == 0


def test_all_is_lost_and_restored_elsewhere(
    filled: BackedUp, machine_factory: MachineFactory, browser: Browser, tmp_path: Path
) -> None:
    filled.create()
    # After the dump: only the binary logs have it.
    filled.shell(
        "mysql -e \"insert into ccrepo.site_info (name, value) values ('late', 'shipped')\" && "
        "systemctl start ucontact-binlog.service"
    )
    rows = (
        'mysql -NBe "select count(*), sum(crc32(concat(uniqueid, src, dst))) from ccdata.cdr '
        "where uniqueid like 'made.%'\""
    )
    late = "mysql -NBe \"select value from ccrepo.site_info where name = 'late'\""
    hashes = f"cd {_MONITOR} && find . -type f | sort | xargs sha256sum"
    stored, files = filled.shell(rows), filled.shell(hashes)
    key = filled.site.ucontact("recovery", "show").stdout
    secrets = filled.site.secrets()
    machines.down([filled.machine.name], lambda text: None)
    shutil.rmtree(filled.site.folder / "etc")
    shutil.rmtree(filled.site.state)

    other = machine_factory(layers=packages_layer())
    new = BackedUp(Several(filled.site.name, tmp_path), other, filled.store)
    new.write(other)
    done = _restored(new, key)
    assert done.returncode == 0, done.stdout + done.stderr[-6000:]
    assert key.strip() not in done.stdout + done.stderr
    assert "a real call carried audio" in done.stderr + done.stdout
    assert new.shell(rows) == stored
    assert new.shell(late) == "shipped\n"
    assert set(files.splitlines()) <= set(new.shell(hashes).splitlines())
    assert "Thank you" in new.shell(f"cat {_FORM}")
    assert "exit 0" in new.shell(f"cat {_SCRIPT}")
    now = new.site.secrets()
    assert {name: now[name] for name in secrets} == secrets
    echo_call(sign_in(browser, other.address, "6001", secrets["telephony.extensions.6001"]))
    # It backs itself up to the same repository from now on.
    new.create()
    assert new.site.wrong("--only", "backup") == {}


def _restored(new: BackedUp, key: str) -> subprocess.CompletedProcess[str]:
    """Run `ucontact restore` on a machine that has no state of the site."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "ucontact_appliance", "restore", "--yes"),
            *("--from", f"sftp:root@{new.store.address}:{_REPOSITORY}"),
            *("--repository-key", str(layout.ssh_key()), "--site", str(new.site.site_file)),
        ],
        env={**os.environ, "UCONTACT_ETC": str(new.site.folder / "etc")},
        input=key,
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
