"""A server on which somebody else's web site, database and telephone exchange run already."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import MachineFactory
from tests.e2e.installed import Installed
from ucontact_appliance.lab import layout
from ucontact_appliance.state import var_root

pytestmark = pytest.mark.machine

_THEIRS = """
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
apt-get -qq -y --no-install-recommends install nginx mariadb-server asterisk >/dev/null 2>&1
echo 'server { listen 8088; location / { return 200 "their shop"; } }' >/etc/nginx/conf.d/shop.conf
sed -i 's/worker_connections.*/worker_connections 99;/' /etc/nginx/nginx.conf
systemctl restart nginx
mariadb -e 'CREATE DATABASE shop; CREATE TABLE shop.orders (id INT)'
mariadb -e 'INSERT INTO shop.orders VALUES (42)'
printf '\\n[their-phone]\\ntype=endpoint\\n' >>/etc/asterisk/pjsip.conf
install -o asterisk -g asterisk -d /var/spool/asterisk/monitor
echo GSM >/var/spool/asterisk/monitor/theirs.gsm
systemctl restart asterisk
"""
# What is theirs, as it answers.
_SHOP = (
    "python3 -c 'from urllib.request import urlopen as get; "
    'print(get("http://127.0.0.1:8088/").read().decode())\''
)
_ORDERS = "mariadb -N -e 'SELECT id FROM shop.orders'"
_PHONE = "grep -c their-phone /etc/asterisk/pjsip.conf; ls /var/spool/asterisk/monitor"


@pytest.fixture(scope="module")
def theirs(
    machine_factory: MachineFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    machine, folder = machine_factory("sid"), tmp_path_factory.mktemp("site")
    site_file = folder / "site.yml"
    site_file.write_text(
        f"site: {machine.name}\nfqdn: demo.ucontact.test\nagents: 10\nhosts:\n"
        f"  - {{name: server, address: {machine.address}, key: {layout.ssh_key()}}}\n"
    )
    site = Installed(machine, site_file, {**os.environ, "UCONTACT_ETC": str(folder / "etc")})
    done = machine.ssh(["bash", "-ec", f"'{_quoted(_THEIRS)}'"], timeout=600)
    assert done.returncode == 0, done.stderr
    assert answers(site)
    yield site
    shutil.rmtree(var_root() / machine.name, ignore_errors=True)


def _quoted(script: str) -> str:
    return script.replace("'", "'\\''")


def answers(site: Installed) -> bool:
    """Whether all that is theirs is there, and runs."""
    assert site.sh(_SHOP) == "their shop\n"
    assert site.sh(_ORDERS).strip() == "42"
    assert site.sh(_PHONE).split() == ["1", "theirs.gsm"]
    return site.sh("systemctl is-active nginx mariadb asterisk").split() == ["active"] * 3


def test_it_is_refused_with_all_that_is_theirs_and_nothing_is_changed(theirs: Installed) -> None:
    packages = "dpkg-query -W -f '${Package} ${Version} ${Status}\\n' | sha256sum"
    before = theirs.sh(f"touch /run/before; {packages}")
    done = theirs.ucontact("install", "--yes")
    assert done.returncode == 4, done.stderr
    said = " ".join(done.stderr.split())
    for named in (
        "changed: /etc/nginx/nginx.conf; added: /etc/nginx/conf.d/shop.conf",
        "databases: shop",
        "apt would remove",
        "mariadb-server (",
        "changed: /etc/asterisk/pjsip.conf; /var/spool/asterisk/monitor holds 1 files",
        "--take-over nginx",
        "--take-over mysql",
        "--take-over asterisk",
    ):
        assert named in said, (named, done.stderr)
    assert "foreign.coturn" not in said
    assert theirs.sh(packages) == before.splitlines()[-1] + "\n"
    changed = (
        "find /etc /usr /opt /root /var/backups /var/spool/asterisk/monitor -newer /run/before"
    )
    assert theirs.sh(f"{changed} ! -path /etc/mtab") == ""
    assert answers(theirs)


@pytest.mark.exhaustive
def test_it_is_taken_over_and_put_back(theirs: Installed) -> None:
    done = theirs.ucontact("install", "--yes", "--take-over", "nginx,mysql,asterisk")
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stderr.split())
    assert said.count("to restore it: ucontact shell") == 3, done.stderr
    status, found = theirs.doctor()
    assert status == 0, {name: one["observed"] for name, one in found.items()}
    again = theirs.ucontact("install", "--yes")
    assert again.returncode == 0, again.stderr
    assert "changed=0" in again.stdout
    kept = theirs.sh("cat /var/backups/ucontact/taken-over/*").split()
    assert sorted(Path(folder).name.rpartition("-")[0] for folder in kept) == [
        "asterisk", "mysql", "nginx",
    ]  # fmt: skip
    assert theirs.sh("stat -c %a /var/backups/ucontact").strip() == "700"
    for folder in kept:
        theirs.machine.ssh([f"sh {folder}/restore.sh"], timeout=300)
    assert answers(theirs)
