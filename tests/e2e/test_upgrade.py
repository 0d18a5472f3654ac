"""Upgrades of the small site that fail, are cut off, and succeed. The tests build on one another:
each begins with the site that the one before it left, which has to be healthy.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.installed import Installed
from tests.e2e.releases import Publisher, publisher
from tests.e2e.vendor_archive import SUITE, make_archive, repacked, served
from tests.faults.snapshot import Snapshot
from ucontact_appliance.install.upgrade_journal import UpgradeStage, load_upgrade
from ucontact_appliance.lab import boot, layout, machines
from ucontact_appliance.upgrading.servers import POINTS

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

CURRENT = "readlink /etc/IntegraServer/current"


@pytest.fixture(scope="module")
def acme(
    installed: Installed, small_site: Snapshot, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Publisher]:
    small_site.restore()  # other files may have left it in pieces
    try:
        with publisher(small_site, tmp_path_factory.mktemp("releases")) as made:
            yield made
    finally:
        small_site.restore()


def state(site: Installed) -> str:
    """The release in use, and the files that an upgrade may write."""
    return site.sh(
        f"{CURRENT}; find /etc/IntegraServer/integraserver.properties /etc/nginx /etc/asterisk "
        "/etc/mysql /etc/systemd/system -type f -exec sha256sum {} + | sort; "
        "systemctl is-active integraserver nginx asterisk coturn mysql"
    )


def is_back(site: Installed, before: str, text: str) -> None:
    """The site is as it was before, answers calls, and nothing is left to install."""
    assert state(site) == before
    assert site.site_file.read_text() == text
    status, findings = site.doctor("--deep")
    wrong = {name: one for name, one in findings.items() if one["verdict"] in ("fail", "error")}
    assert (status, wrong) == (0, {})
    done = site.ucontact("install", "--yes")
    assert done.returncode == 0, done.stderr
    assert "changed=0" in done.stdout


def test_a_dry_run_says_what_changes_and_for_how_long(
    installed: Installed, acme: Publisher
) -> None:
    before = state(installed)
    release = acme.release("5.2")
    done = installed.ucontact("upgrade", "--dry-run", "--release", str(release))
    assert done.returncode == 0, done.stderr
    assert re.search(r"release   evaluation \S+ -> acme 5\.2", done.stderr)
    assert "Backend" in done.stderr
    assert "calls     not interrupted" in done.stderr
    assert state(installed) == before
    assert installed.sh(f"ls {POINTS} 2>/dev/null; echo none") == "none\n"


def test_a_release_that_does_not_start(installed: Installed, acme: Publisher) -> None:
    before, text = state(installed), installed.site_file.read_text()
    release = acme.release("5.3", {"server/IntegraServer.jar": b"no jar"})
    done = installed.ucontact("upgrade", "--yes", "--release", str(release))
    assert done.returncode == 4, done.stdout + done.stderr
    assert "the upgrade to acme 5.3 failed; the site is back at evaluation" in done.stderr
    assert "Wait until the backend is healthy" in done.stderr
    assert "Traceback" not in done.stderr
    is_back(installed, before, text)


# Ends a service that no gate of the backend or of NGINX looks at, while these are being changed.
LATE = f"""
(until [ "$({CURRENT})" = releases/5.4 ]; do sleep 0.1; done; sleep 3; systemctl stop coturn) \
  >/dev/null 2>&1 </dev/null &
"""


def test_a_health_check_that_fails_late(installed: Installed, acme: Publisher) -> None:
    before, text = state(installed), installed.site_file.read_text()
    release = acme.release("5.4")
    installed.sh(LATE)
    done = installed.ucontact("upgrade", "--yes", "--release", str(release))
    assert done.returncode == 4, done.stdout + done.stderr
    assert "stun.service" in done.stderr
    assert "the site is back at evaluation" in done.stderr
    is_back(installed, before, text)


class Upgrading:
    """An upgrade that is running, and the lines that it printed so far."""

    def __init__(self, site: Installed, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ucontact_appliance", *words, "--site", str(site.site_file)],
            env=site.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []

    def until(self, text: str) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if text in line:
                return
        raise AssertionError("".join(self.lines))

    def end(self) -> tuple[str, str]:
        """What it prints until its end."""
        return self.process.communicate(timeout=600)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


@pytest.mark.parametrize(
    ("moment", "pause"),
    [
        ("Restore point", 0.2),
        ("Preflight checks", 0.3),
        ("Backend and release", 1.0),
        ("Health checks and report", 1.0),
    ],
)
def test_an_installing_machine_that_loses_its_power(
    installed: Installed, small_site: Snapshot, acme: Publisher, moment: str, pause: float
) -> None:
    before, text = state(installed), installed.site_file.read_text()
    release = acme.release("5.5")
    upgrading = Upgrading(installed, "upgrade", "--yes", "--release", str(release))
    upgrading.until(f"{moment} …")
    time.sleep(pause)
    upgrading.kill()
    journal = load_upgrade(small_site.paths.upgrade)
    assert journal is not None
    assert not journal.stage.ended
    if journal.stage is not UpgradeStage.PREPARING:
        refused = installed.ucontact("install", "--yes")
        assert refused.returncode == 2, refused.stderr
        assert "an upgrade to acme 5.5 was interrupted" in refused.stderr
    done = installed.ucontact("rollback", "--yes")
    assert done.returncode == 0, done.stderr
    assert "was undone" in done.stderr or "had changed nothing" in done.stderr
    assert state(installed) == before
    assert installed.site_file.read_text() == text


def test_a_server_that_loses_its_power(
    installed: Installed, small_site: Snapshot, acme: Publisher
) -> None:
    before, text = state(installed), installed.site_file.read_text()
    release = acme.release("5.6")
    upgrading = Upgrading(installed, "upgrade", "--yes", "--release", str(release))
    upgrading.until("Backend and release …")
    time.sleep(4)
    folder = layout.machines() / small_site.machine.name
    boot.sync(folder)
    boot.halt(folder)
    try:
        _said, left = upgrading.end()
    finally:
        machines.up(machines.spec_for(small_site.machine.name), lambda told: None)
    assert upgrading.process.returncode in (3, 4), left
    assert "going back failed too" in left
    small_site.wait()
    done = installed.ucontact("rollback", "--yes")
    assert done.returncode == 0, done.stderr
    is_back(installed, before, text)


def test_a_good_upgrade_cuts_no_call_and_goes_back_by_hand(
    installed: Installed, small_site: Snapshot, acme: Publisher
) -> None:
    before, text = state(installed), installed.site_file.read_text()
    release = acme.release("5.7", {"web/webchatclient/index.html": b"<!doctype html>5.7"})
    installed.sh("asterisk -rx 'channel originate Local/*43@internal application Milliwatt'")
    time.sleep(2)
    calls = "asterisk -rx 'core show channels concise' | sort"
    channels = [line.split("!")[0] for line in installed.sh(calls).splitlines()]
    assert len(channels) == 2
    done = installed.ucontact("upgrade", "--yes", "--release", str(release))
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split("!")[0] for line in installed.sh(calls).splitlines()] == channels
    portal = re.search(r"^portal +interrupted for ([0-9.]+) s$", done.stdout, re.MULTILINE)
    assert portal is not None, done.stdout
    assert 0 < float(portal[1]) < 60
    assert re.search(r"^signalling +interrupted for 0\.0 s$", done.stdout, re.MULTILINE), (
        done.stdout
    )
    assert re.search(r"^new calls +refused for 0 s$", done.stdout, re.MULTILINE)
    assert installed.sh(CURRENT) == "releases/5.7\n"
    assert installed.site_file.read_text() == f"{text}release: {release}\n"
    assert "changed=0" in installed.ucontact("install", "--yes").stdout
    again = installed.ucontact("upgrade", "--yes", "--release", str(release))
    assert "nothing to upgrade" in again.stderr
    installed.sh("asterisk -rx 'channel request hangup all'")

    listed = installed.ucontact("rollback", "--list")
    assert "acme 5.7" in listed.stdout
    done = installed.ucontact("rollback", "--yes")
    assert done.returncode == 0, done.stderr
    assert "the site is back at evaluation" in done.stdout
    is_back(installed, before, text)


def sql(site: Installed, query: str) -> str:
    return site.sh(f'mysql -N --batch -e "{query}"')


def tables(site: Installed) -> str:
    """The schemas, and a row that has to survive."""
    return sql(
        site,
        "select table_schema, table_name, column_name, column_type "
        "from information_schema.columns where table_schema like 'cc%' or table_schema like "
        "'ucontact%' order by 1, 2, 3; "
        "select name, value from ccrepo.site_info where name = 'kept'; "
        "select user from mysql.user order by 1",
    )


# The copy of the rehearsal has another name: what passes there may fail all the same.
HALF_WAY = """
create table half (a int);
set @then = if(database() = 'ccrepo', 'alter table nowhere add b int', 'do 0');
prepare then_do from @then;
execute then_do;
"""


@pytest.mark.parametrize(
    ("version", "migration", "told"),
    [
        ("6.1", "create table half (a int); alter table nowhere add b int;", "on a copy of"),
        ("6.2", "create table ccdata.half (a int);", "denied"),
        ("6.3", HALF_WAY, "a migration of the release fails"),
    ],
)
def test_a_migration_that_fails(
    installed: Installed, acme: Publisher, version: str, migration: str, told: str
) -> None:
    sql(installed, "replace into ccrepo.site_info (name, value) values ('kept', '1')")
    before, text, schemas = state(installed), installed.site_file.read_text(), tables(installed)
    release = acme.release(version, sql=migration)
    done = installed.ucontact("upgrade", "--yes", "--release", str(release))
    assert done.returncode == 4, done.stdout + done.stderr
    assert told in done.stderr
    assert "the site is back at evaluation" in done.stderr
    assert tables(installed) == schemas
    is_back(installed, before, text)


def test_a_good_migration_and_back(installed: Installed, acme: Publisher) -> None:
    before, text, schemas = state(installed), installed.site_file.read_text(), tables(installed)
    release = acme.release("6.4", sql="create table fresh (a int); insert into fresh values (7);")
    installed.site_file.write_text(f"{text}release: {release}\n")
    refused = installed.ucontact("install", "--yes")
    assert refused.returncode in (2, 4), refused.stderr
    assert "ucontact upgrade" in refused.stderr
    assert tables(installed) == schemas
    installed.site_file.write_text(text)

    done = installed.ucontact("upgrade", "--yes", "--release", str(release))
    assert done.returncode == 0, done.stdout + done.stderr
    assert sql(installed, "select a from ccrepo.fresh") == "7\n"
    assert sql(installed, "select version from ccrepo.ucontact_migrations") == "6.4\n"
    # The portal's database alone: no call is refused, now and by the next upgrade.
    assert re.search(r"^new calls +refused for 0 s$", done.stdout, re.MULTILINE), done.stdout
    next_one = installed.ucontact("upgrade", "--dry-run", "--release", str(acme.release("6.5")))
    assert "calls     not interrupted" in next_one.stderr
    assert "changed=0" in installed.ucontact("install", "--yes").stdout
    sql(installed, "insert into ccrepo.fresh values (8)")

    done = installed.ucontact("rollback", "--yes")
    assert done.returncode == 0, done.stderr
    assert "what was written since is not in them" in done.stderr
    assert tables(installed) == schemas
    is_back(installed, before, text)
    kept = installed.sh(f"zcat {POINTS}/*/schemas.replaced.sql.gz | grep -c 'INTO .fresh.'")
    assert kept.strip() == "1"


# The distribution's packages with another version: what a security update is to apt.
NAMES = (
    "nginx",
    "nginx-common",
    "asterisk",
    "asterisk-config",
    "asterisk-modules",
    "mysql-server-core",
)
BROKEN = "#!/bin/sh\nexit 1\n"
SOURCE = "/etc/apt/sources.list.d/own.list"


@pytest.fixture(scope="module")
def newer(
    installed: Installed, small_site: Snapshot, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Packages with a higher version."""
    folder = tmp_path_factory.mktemp("newer")
    names = " ".join(NAMES)
    installed.sh(f"rm -rf /srv/own; mkdir /srv/own && cd /srv/own && apt-get -qq download {names}")
    for package in sorted((small_site.machine.root / "srv/own").glob("*.deb")):
        version = here("dpkg-deb", "--field", str(package), "Version")
        repacked(package, folder, f"{version}+test1")
    return folder


def here(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextmanager
def offered(installed: Installed, packages: list[Path], folder: Path) -> Iterator[None]:
    """Let the server's apt offer these packages."""
    make_archive(folder, packages, None)
    with served(folder) as uri:
        line = f"deb [trusted=yes] {uri} {SUITE} main"
        installed.sh(f"echo '{line}' >{SOURCE}")
        try:
            yield
        finally:
            installed.sh(f"rm {SOURCE}; rm -f /var/lib/apt/lists/*_dists_{SUITE}_*")


def versions(installed: Installed) -> str:
    names = " ".join(NAMES)
    return installed.sh(f"dpkg-query -W -f '${{Package}} ${{Version}} ${{Status}}\\n' {names}")


def spoilt(package: Path, folder: Path) -> Path:
    """NGINX with a program that does not start."""
    tree = folder / "tree"
    here("dpkg-deb", "--raw-extract", str(package), str(tree))
    (tree / "usr/sbin/nginx").write_text(BROKEN)
    made = folder / package.name
    here("dpkg-deb", "--build", "-Znone", str(tree), str(made))
    shutil.rmtree(tree)
    return made


def test_a_package_that_breaks_the_portal(
    installed: Installed, newer: Path, tmp_path: Path
) -> None:
    sql(installed, "replace into ccrepo.site_info (name, value) values ('kept', '2')")
    before, text, there = state(installed), installed.site_file.read_text(), versions(installed)
    assert there.count(" hold ok installed") == 3, there  # nginx, asterisk, mysql-server-core
    (tmp_path / "spoilt").mkdir()
    nginx = spoilt(next(newer.glob("nginx_*")), tmp_path / "spoilt")
    mysql = next(newer.glob("mysql-server-core_*"))
    packages = [nginx, next(newer.glob("nginx-common_*")), mysql]
    with offered(installed, packages, tmp_path / "archive"):
        done = installed.ucontact("upgrade", "--packages", "--yes")
        assert done.returncode == 4, done.stdout + done.stderr
        assert "mysql-server-core" in done.stderr
        assert "nginx" in done.stderr
        assert "the site is back at evaluation" in done.stderr
        assert versions(installed) == there
        assert state(installed) == before
        query = "select value from ccrepo.site_info where name = 'kept'"
        assert sql(installed, query) == "2\n"
    is_back(installed, before, text)


def counted(installed: Installed) -> str:
    return installed.sh("asterisk -rx 'core show channels count'")


def test_newer_packages_wait_for_calls(installed: Installed, newer: Path, tmp_path: Path) -> None:
    before, text, there = state(installed), installed.site_file.read_text(), versions(installed)
    with offered(installed, sorted(newer.glob("*.deb")), tmp_path / "archive"):
        # Neither apt by itself nor an operator's upgrade replaces them.
        told = installed.sh("apt-get -qq update && apt-get -s dist-upgrade")
        assert not re.findall(r"^Inst (?:asterisk|nginx|mysql-server-core) ", told, re.MULTILINE)
        dry = installed.ucontact("upgrade", "--packages", "--dry-run")
        assert dry.returncode == 0, dry.stderr
        assert re.search(r"asterisk \S+ -> \S+[+]test1", dry.stderr), dry.stderr
        assert "new ones are refused, except emergency calls" in dry.stderr
        assert versions(installed) == there

        installed.sh("asterisk -rx 'channel originate Local/*43@internal application Milliwatt'")
        words = ("upgrade", "--packages", "--yes", "--drain", "60")
        upgrading = Upgrading(installed, *words)
        upgrading.until("Refuse new calls")
        time.sleep(8)
        # The call goes on, and another one is not let in.
        installed.sh("asterisk -rx 'channel originate Local/*43@internal application Milliwatt'")
        time.sleep(1)
        assert re.search(r"^1 of [0-9]+ max active call ", counted(installed), re.MULTILINE)
        refused = installed.sh(
            "grep -c 'refused with 503: an upgrade' /var/log/asterisk/messages.log"
        )
        assert int(refused) >= 1
        installed.sh("asterisk -rx 'channel request hangup all'")
        said, told = upgrading.end()
        assert upgrading.process.returncode == 0, told
        assert versions(installed).count("+test1 ") == len(NAMES)
        assert versions(installed).count(" hold ok installed") == 3
        window = re.search(r"^new calls +refused for ([0-9]+) s$", said, re.MULTILINE)
        assert window is not None, said
        assert 8 <= int(window[1]) < 120
        lost = re.search(r"^signalling +interrupted for ([0-9.]+) s$", said, re.MULTILINE)
        assert lost is not None, said
        assert 0 < float(lost[1]) < 60
        assert "changed=0" in installed.ucontact("install", "--yes").stdout

        done = installed.ucontact("rollback", "--yes")
        assert done.returncode == 0, done.stderr
        assert versions(installed) == there
    is_back(installed, before, text)


def test_uninstall_leaves_data_and_what_was_there_before(
    installed: Installed, small_site: Snapshot
) -> None:
    installed.sh(
        "install -o asterisk -d /var/spool/asterisk/monitor/2026 && "
        "echo call >/var/spool/asterisk/monitor/2026/one.gsm"
    )
    text = installed.site_file.read_text()
    installed.site_file.write_text(f"{text}backup: {{repository: /srv/backup}}\n")
    applied = installed.ucontact("apply", "--yes")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert installed.sh("command -v restic") == "/usr/bin/restic\n"
    hosts = "/var/backups/ucontact/originals/etc/hosts"
    original = installed.sh(f"cat {hosts}")
    refused = installed.ucontact("uninstall")
    assert refused.returncode == 2
    assert "the site's name can't be typed" in refused.stderr
    done = installed.ucontact("uninstall", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kept /var/spool/asterisk/monitor" in done.stdout
    assert "kept /var/lib/mysql" in done.stdout
    assert "kept package " in done.stdout
    assert "left: the backups in /srv/backup\n" in done.stdout
    assert installed.sh("cat /etc/hosts") == original
    assert installed.sh("cat /var/spool/asterisk/monitor/2026/one.gsm") == "call\n"
    left = installed.sh(
        "dpkg-query -W -f '${db:Status-Status} ${Package}\\n' asterisk nginx coturn "
        "mysql-server-core openjdk-8-jre-headless restic 2>/dev/null | grep '^installed'; "
        "systemctl list-units --all --plain --no-legend 'ucontact*' integraserver.service; "
        "nft list tables | grep ucontact; ls -d /etc/IntegraServer/current /etc/ssl/ucontact "
        f"/usr/local/lib/ucontact {POINTS} 2>/dev/null; apt-mark showhold; echo end"
    )
    assert left == "end\n"
    assert installed.sh("ls /srv/backup/config") == "/srv/backup/config\n"
    again = installed.ucontact("uninstall", "--yes")
    assert again.returncode == 0, again.stderr
    assert installed.sh("cat /etc/hosts") == original
    done = installed.ucontact("install", "--yes")  # on the data that it left
    assert done.returncode == 0, done.stdout + done.stderr
    assert installed.sh("cat /var/spool/asterisk/monitor/2026/one.gsm") == "call\n"
