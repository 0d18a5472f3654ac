"""keep.sh and go_back.sh, on folders of this machine and a systemctl that only writes down."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.install.phases import seen
from ucontact_appliance.resources import INSTALLER
from ucontact_appliance.upgrading.servers import POINTS, kept_items

POINT = "20261130T204500Z"
# Units are files: NAME with the words "LOAD ACTIVE ENABLED".
SYSTEMCTL = r"""#!/bin/bash
verb=$1; shift
while [[ $1 = --* ]]; do
  [ "$1" != --property ] || shift
  shift
done
cd "$UNITS"
for unit in "$@"; do
  read -r load active enabled <"$unit" || load=not-found active=inactive enabled=
  case $verb in
    show) printf 'Id=%s\nLoadState=%s\nActiveState=%s\nUnitFileState=%s\n' \
      "$unit" "$load" "$active" "$enabled" ;;
    cat) [ "$load" = loaded ] || exit 1 ;;
    is-active) [ "$active" = active ] || exit 3 ;;
    is-enabled) [ "$enabled" = enabled ] || exit 1 ;;
    is-failed) [ "$active" = failed ] || exit 1 ;;
    *) echo "$verb $unit" >>"$UNITS.log" ;;
  esac
done 2>/dev/null
[ "$verb" != daemon-reload ] || echo daemon-reload >>"$UNITS.log"
"""


@dataclass(frozen=True)
class Server:
    """A server in a folder: its files, its units, its restore points."""

    folder: Path

    @property
    def points(self) -> Path:
        return self.folder / "points"

    @property
    def etc(self) -> Path:
        return self.folder / "etc"

    def unit(self, name: str, state: str) -> None:
        (self.folder / "units" / name).write_text(f"{state}\n")

    def run(
        self, name: str, *words: str, stdin: str = "", policy: Path = Path("/nonexistent")
    ) -> subprocess.CompletedProcess[str]:
        script = (INSTALLER / "restore_points" / name).read_text().replace(POINTS, str(self.points))
        script = script.replace("/usr/sbin/policy-rc.d", str(policy))
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-c", script, name, POINT, *words],
            env={**os.environ, "PATH": path, "UNITS": str(self.folder / "units")},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def keep(self, root: str = "") -> None:
        items = (
            f"path {self.etc}/a.conf a.service\npath {self.etc}/link a.service\n"
            f"path {self.etc}/new.conf b.service\n"
            "unit a.service\nunit b.service\nunit new.service\n"
        )
        done = self.run("keep.sh", root, stdin=items)
        assert done.returncode == 0, done.stderr

    def tool(self, name: str, body: str) -> None:
        (self.folder / "bin" / name).write_text(f"#!/bin/bash\n{body}\n")
        (self.folder / "bin" / name).chmod(0o755)

    def go_back(self, policy: Path = Path("/usr/sbin/policy-rc.d")) -> list[str]:
        done = self.run("go_back.sh", policy=policy)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def asked(self) -> list[str]:
        """What systemd was asked to change."""
        log = self.folder / "units.log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line for line in lines if line != "daemon-reload"]


@pytest.fixture
def server(tmp_path: Path) -> Server:
    made = Server(tmp_path)
    for name in ("bin", "etc", "units"):
        (tmp_path / name).mkdir()
    systemctl = tmp_path / "bin/systemctl"
    systemctl.write_text(SYSTEMCTL)
    systemctl.chmod(0o755)
    (made.etc / "a.conf").write_text("before\n")
    (made.etc / "a.conf").chmod(0o640)
    (made.etc / "link").symlink_to("a.conf")
    made.unit("a.service", "loaded active enabled")
    made.unit("b.service", "loaded inactive disabled")
    return made


def test_an_unchanged_server_is_left_alone(server: Server) -> None:
    server.keep()
    assert server.go_back() == []
    assert server.asked() == []


def test_a_point_is_of_root_alone(server: Server) -> None:
    server.keep()
    assert server.points.stat().st_mode & 0o777 == 0o700
    assert (server.points / POINT).stat().st_mode & 0o777 == 0o700


def test_files_and_their_units_come_back(server: Server) -> None:
    server.keep()
    (server.etc / "a.conf").write_text("after\n")
    (server.etc / "a.conf").chmod(0o600)
    (server.etc / "link").unlink()
    (server.etc / "new.conf").write_text("new\n")
    assert server.go_back() == [
        f"restored {server.etc}/a.conf",
        f"restored {server.etc}/link",
        f"removed {server.etc}/new.conf",
        "restarted a.service",
    ]
    assert (server.etc / "a.conf").read_text() == "before\n"
    assert (server.etc / "a.conf").stat().st_mode & 0o777 == 0o640
    assert (server.etc / "link").readlink() == Path("a.conf")
    assert not (server.etc / "new.conf").exists()
    # b.service was not running: it is not started.
    assert server.asked() == ["restart a.service"]
    assert server.go_back() == []


def test_units_come_back(server: Server) -> None:
    server.keep()
    server.unit("a.service", "loaded failed disabled")
    server.unit("b.service", "loaded active enabled")
    server.unit("new.service", "loaded active enabled")
    assert server.go_back() == ["stopped new.service", "restarted a.service"]
    assert server.asked() == [
        "disable new.service",
        "enable a.service",
        "disable b.service",
        "reset-failed a.service",
        "restart a.service",
    ]


def release(root: Path, version: str, text: str) -> None:
    (root / "releases" / version).mkdir(parents=True)
    (root / "releases" / version / "page").write_text(text)
    (root / "current.new").symlink_to(f"releases/{version}")
    (root / "current.new").rename(root / "current")


def test_the_release_comes_back(server: Server) -> None:
    root = server.folder / "tree"
    release(root, "1", "one")
    server.unit("integraserver.service", "loaded active enabled")
    done = server.run("keep.sh", str(root), stdin="unit integraserver.service\n")
    assert done.returncode == 0, done.stderr
    release(root, "2", "two")
    assert server.go_back() == ["in use: releases/1", "restarted integraserver.service"]
    assert (root / "current/page").read_text() == "one"
    assert server.go_back() == []


def test_a_release_that_was_removed_since_comes_back(server: Server) -> None:
    root = server.folder / "tree"
    release(root, "1", "one")
    server.unit("integraserver.service", "loaded active enabled")
    assert server.run("keep.sh", str(root), stdin="unit integraserver.service\n").returncode == 0
    (root / "releases/1/page").unlink()
    (root / "releases/1/page").write_text("spoilt")
    release(root, "2", "two")
    assert server.go_back() == [
        f"restored {root}/releases/1",
        "in use: releases/1",
        "restarted integraserver.service",
    ]
    assert (root / "current/page").read_text() == "one"


def test_packages_come_back_with_their_holds(server: Server) -> None:
    server.keep()
    point = server.points / POINT
    (point / "packages").write_text("nginx 1\nasterisk 2\n")
    (point / "held").write_text("nginx\nasterisk\n")
    (point / "debs").mkdir()
    (point / "debs/nginx_1_all.deb").write_text("")
    log = server.folder / "packages.log"
    policy = server.folder / "policy-rc.d"
    server.tool("apt-mark", f'echo "apt-mark $*" >>{log}')
    server.tool("dpkg", f'echo "dpkg $*" >>{log}; cat {policy} >>{log} 2>/dev/null; true')
    server.tool(
        "dpkg-query",
        """case "$*" in *Version*nginx) printf 9 ;; *Version*) printf 2 ;; *Status*) """
        """echo 'hold ok installed' ;; esac""",
    )
    lines = server.go_back(policy)
    assert lines == ["restored package nginx", "restarted a.service"]
    told = log.read_text()
    assert "--force-downgrade --install" in told
    assert "apt-mark hold nginx asterisk" in told
    assert "exit 101" in told  # no package starts its service
    assert not policy.exists()


def test_an_incomplete_point_is_refused(server: Server) -> None:
    server.keep()
    (server.points / POINT / "complete").unlink()
    (server.etc / "a.conf").write_text("after\n")
    done = server.run("go_back.sh")
    assert done.returncode == 1
    assert "no complete restore point" in done.stderr
    assert (server.etc / "a.conf").read_text() == "after\n"


def test_files_of_an_older_appliance_are_kept_too() -> None:
    written = ("/etc/nginx/nginx.conf", "/etc/ucontact-old.conf", "/etc/systemd/system/old.timer")
    templates = ("/etc/systemd/system/old@.service", "/etc/systemd/system/old.service.d/a.conf")
    host = seen().plan.host("one")
    lines, before = kept_items(host, (*written, *templates)), kept_items(host)
    assert set(before) < set(lines)
    assert set(lines) - set(before) == {
        *(f"path {path}" for path in (*written[1:], *templates)),
        "unit old.timer",
    }
