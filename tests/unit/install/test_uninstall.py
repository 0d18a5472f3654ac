"""What the appliance brought goes; what was there before stays, and so does the customer's data."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.install.phases import seen
from ucontact_appliance.facts.recovery import SEALED
from ucontact_appliance.install.originals import ORIGINALS
from ucontact_appliance.install.server_record import RECORD
from ucontact_appliance.install.uninstall import _items
from ucontact_appliance.resources import INSTALLER

SCRIPT = INSTALLER / "uninstall" / "uninstall.sh"
KEPT = str(Path(ORIGINALS).parent)
# A server of files: packages/NAME is installed, units/NAME has a file; what is asked is logged.
TOOLS = {
    "systemctl": 'case $1 in cat) test -e "$WORLD/units/$2" ;; '
    '*) echo "systemctl $*" >>"$WORLD/log" ;; esac',
    "dpkg-query": 'for name; do :; done; test -e "$WORLD/packages/$name" && printf installed',
    "apt-mark": 'test "$1" != showmanual || ls "$WORLD/packages"',
    "apt-get": 'echo "apt-get $*" >>"$WORLD/log"; case "$*" in '
    '*autoremove) echo "Remv old-kernel [1]"; echo "Remv theirs [1]"; '
    'test -e "$WORLD/packages/asterisk" || echo "Remv along [1]" ;; '
    '-s*remove*) for name; do echo "Remv $name [1]"; done; '
    'case "$* " in *"restic "*) test ! -e "$WORLD/packages/backups" || echo "Remv backups [1]" ;; '
    "esac ;; "
    '*) for name; do rm -f "$WORLD/packages/$name"; done ;; esac',
    "nft": 'test "$1" != list || test -e "$WORLD/table"; test "$1" != delete || rm "$WORLD/table"',
    "getent": 'test "$2" = integra -o "$2" = ucontact-tls',
    "userdel": 'echo "userdel $*" >>"$WORLD/log"',
    "groupdel": 'echo "groupdel $*" >>"$WORLD/log"',
}


@dataclass(frozen=True)
class Server:
    root: Path

    def run(self, data: str) -> list[str]:
        items = (
            "package asterisk\npackage curl\npackage restic\n"
            f"pins {self.root}/pins\n"
            "unit asterisk.service asterisk\nunit curl.service curl\n"
            f"changed {self.root}/hosts\nchanged {self.root}/theirs\n"
            f"path {self.root}/ours\npath {self.root}/theirs.conf\ntree {self.root}/tree\n"
            f"data {self.root}/calls\nagain asterisk\ntable inet ucontact\n"
            "account integra\ngroup ucontact-tls\n"
        )
        done = subprocess.run(
            ["bash", "-c", SCRIPT.read_text().replace(KEPT, str(self.root / "kept")), "x", data],
            env={**os.environ, "PATH": f"{self.root}/bin:/usr/bin:/bin", "WORLD": str(self.root)},
            input=items,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [line.replace(str(self.root), "") for line in done.stdout.splitlines()]

    @property
    def log(self) -> str:
        return (self.root / "log").read_text()


@pytest.fixture
def server(tmp_path: Path) -> Server:
    for name in ("bin", "packages", "units", "tree", "calls", f"kept/originals{tmp_path}"):
        (tmp_path / name).mkdir(parents=True)
    for name, body in TOOLS.items():
        tool = tmp_path / "bin" / name
        tool.write_text(f"#!/bin/bash\n{body}\n")
        tool.chmod(0o755)
    for name in (
        "packages/asterisk",
        "packages/curl",
        "packages/restic",
        "packages/vendor",
        "units/asterisk.service",
        "units/curl.service",
        "table",
        "ours",
        "theirs",
        "theirs.conf",
        "hosts",
        "tree/file",
        "calls/one.gsm",
    ):
        (tmp_path / name).write_text("ours")
    for name in ("theirs", "theirs.conf"):
        (tmp_path / f"kept/originals{tmp_path}/{name}").write_text("theirs")
    (tmp_path / "pins").write_text("\nPackage: vendor\nPin: version 1\n")
    (tmp_path / "kept/packages.before").write_text("curl\ntheirs\n")
    (tmp_path / "kept/accounts.before").write_text("account root\n")
    return Server(tmp_path)


def test_what_was_there_before_stays(server: Server) -> None:
    lines = server.run("keep")
    assert lines[:6] == [
        "removed table inet ucontact",
        "kept package curl",
        "removed package asterisk",
        "removed package restic",
        "removed package vendor",
        "removed 1 packages that came along with them",
    ]
    assert {"restored /theirs", "restored /theirs.conf", "kept /hosts"} <= set(lines)
    assert "kept curl.service" in lines
    assert any(line.startswith("kept /calls (") for line in lines)
    assert (server.root / "theirs").read_text() == "theirs"
    assert not (server.root / "ours").exists()
    assert not (server.root / "tree").exists()
    assert (server.root / "calls/one.gsm").exists()
    assert "userdel" not in server.log
    assert "groupdel ucontact-tls" in server.log
    assert "remove asterisk restic vendor\n" in server.log
    assert "remove along\n" in server.log  # not what nobody needed before
    assert not (server.root / "kept/originals").exists()
    assert (server.root / "kept/taken-over/asterisk").exists()
    assert server.run("keep") == []  # what came back is not ours
    assert (server.root / "theirs.conf").read_text() == "theirs"


def test_data_goes_where_it_is_told_to(server: Server) -> None:
    lines = server.run("remove")
    assert "removed /calls" in lines
    assert "removed account integra" in lines
    assert "purge asterisk" in server.log
    assert not (server.root / "kept/taken-over").exists()


def test_without_a_list_of_packages_none_is_removed(server: Server) -> None:
    (server.root / "kept/packages.before").unlink()
    lines = server.run("keep")
    assert "kept package asterisk" in lines
    assert "apt-get -y" not in server.log


def test_what_a_later_package_of_somebody_else_needs_stays(server: Server) -> None:
    (server.root / "packages/backups").write_text("")
    lines = server.run("keep")
    assert "kept package restic, which is needed by backups" in lines
    assert "removed package asterisk" in lines
    assert (server.root / "packages/restic").exists()
    assert (server.root / "packages/backups").exists()


def test_everything_of_a_component_is_named() -> None:
    world = seen()
    items = _items(world.plan.host("one"), world.surveys["one"])
    for line in (
        "package asterisk",
        "package mysql-server-core",
        "package restic",
        "package ffmpeg",
        "unit ucontact-records.service asterisk",
        "account ucontact-playback",
        "path /etc/nginx/conf.d/ucontact.conf",
        "changed /etc/hosts",
        "tree /etc/IntegraServer/releases",
        "data /var/spool/asterisk/monitor",
        "data /var/lib/mysql",
        "data /var/lib/IntegraServer",
        "table inet ucontact_sip",
        "account integra",
        "group ucontact-tls",
        "again mysql",
        "again asterisk",
        f"tree {SEALED}",
        f"tree {RECORD}",
    ):
        assert any(one == line or one.startswith(f"{line} ") for one in items), line
    # On a machine that installs itself, it is the controller's folder.
    assert "tree /var/lib/ucontact" not in items
    assert not [line for line in items if line.startswith("unit ssh")]
    assert "unit coturn.service coturn" in items
