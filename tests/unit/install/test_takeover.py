"""What is taken over is copied and compared before anything is removed, and can be put back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.checks.subjects import FakeRunner
from tests.unit.sites import small_site
from ucontact_appliance.errors import PhaseFailedError, UsageError
from ucontact_appliance.facts.foreign import Claim, ForeignInstallation
from ucontact_appliance.facts.runner import Completed, SshSettings
from ucontact_appliance.install import takeover
from ucontact_appliance.install.takeover import Copy, named_components, take_over
from ucontact_appliance.planning.component import OwnedFile
from ucontact_appliance.planning.component_tables import ForeignRow, foreign
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.topology import make_plan

SITE = small_site()
PLAN = make_plan(SITE, {})
# A server whose units are files below $STATE: what runs, what is enabled.
SYSTEMCTL = r"""#!/bin/sh
unit=$(eval echo "\${$#}")
case $1 in
  show) [ "$unit" = mysql.service ] && echo mariadb.service || echo "$unit" ;;
  is-enabled) [ -e "$STATE/enabled/$unit" ] && echo enabled ;;
  is-active) [ -e "$STATE/active/$unit" ] ;;
  cat) [ -e "$STATE/units/$unit" ] ;;
  stop) echo "stop $unit" >>"$STATE/log"; rm -f "$STATE/active/$unit" ;;
  start | restart) echo "$1 $unit" >>"$STATE/log"; touch "$STATE/active/$unit" ;;
  enable) touch "$STATE/enabled/$unit" ;;
  daemon-reload) ;;
esac
"""
DPKG = r"""#!/bin/sh
case $* in
  *Abbrev*) printf 'ii \tmariadb-server\t11\nrc \told\t1\n' ;;
  *) [ -e "$STATE/removed" ] || echo 'install ok installed' ;;
esac
"""
APT = '#!/bin/sh\necho "apt $*" >>"$STATE/log"\n'


@dataclass(frozen=True)
class Server:
    """A folder that stands for a server on which MariaDB runs with a database."""

    root: Path
    row: ForeignRow

    @property
    def log(self) -> list[str]:
        path = self.root / "state/log"
        return path.read_text().splitlines() if path.exists() else []

    def bash(self, *words: str, stdin: str | None = None) -> Completed:
        path = f"{self.root}/bin:{os.environ['PATH']}"
        done = subprocess.run(
            words,
            env={**os.environ, "PATH": path, "STATE": str(self.root / "state")},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        return Completed(words, done.returncode, done.stdout, done.stderr, 0.0)

    def program(self, name: str, text: str) -> None:
        path = self.root / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def take_over(self) -> list[Copy | str]:
        return list(take_over(("mysql",), SITE, PLAN, SshSettings(Path("/nonexistent"))))

    def tree(self) -> dict[str, tuple[int, bytes]]:
        """Mode and content of all of MariaDB's files."""
        folders = (self.root / "etc", self.root / "data")
        return {
            str(path): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
            for folder in folders
            for path in [folder, *folder.rglob("*")]
            if "before-restore" not in str(path)
        }


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    row = ForeignRow(
        id="mysql",
        title="MySQL",
        role=Role.DATABASE,
        units=("mysql.service", "mariadb.service"),
        configuration=(f"{tmp_path}/etc", f"{tmp_path}/none"),
        generated=(),
        databases=(f"{tmp_path}/data", f"{tmp_path}/other"),
        files=f"{tmp_path}/monitor",
        ours=OwnedFile(file="/nonexistent", text=""),
    )
    made = Server(tmp_path, row)
    for folder in ("bin", "etc", "data/shop", "monitor", "state/active", "state/enabled"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "state/units").mkdir()
    for kind in ("active", "enabled", "units"):
        (tmp_path / "state" / kind / "mariadb.service").touch()
    (tmp_path / "etc/my.cnf").write_text("theirs")
    (tmp_path / "etc/added.cnf").write_text("added")
    (tmp_path / "data/shop/orders.ibd").write_bytes(b"\0" * 4096)
    (tmp_path / "data/shop/orders.ibd").chmod(0o640)
    (tmp_path / "monitor/call.gsm").touch()
    for name, text in (("systemctl", SYSTEMCTL), ("dpkg-query", DPKG), ("apt-get", APT)):
        made.program(name, text)

    class Here(FakeRunner):
        def run(
            self,
            argv: Sequence[str],
            *,
            timeout: float = 10.0,
            stdin: str | None = None,
            limit: int = 0,
        ) -> Completed:
            return made.bash(*argv, stdin=stdin)

    @contextmanager
    def reached(host: object, ssh: object) -> Iterator[FakeRunner]:
        yield Here()

    found = ForeignInstallation(Claim.NONE, added=(f"{tmp_path}/etc/added.cnf",))
    monkeypatch.setattr(takeover, "KEPT", str(tmp_path / "kept"))
    monkeypatch.setattr(takeover, "rows", lambda: (row,))
    monkeypatch.setattr(takeover, "runner_for", reached)
    monkeypatch.setattr(takeover, "foreign", lambda reach, row: found)
    return made


def test_it_is_stopped_copied_and_only_then_ours(server: Server) -> None:
    (copy,) = server.take_over()
    assert isinstance(copy, Copy)
    assert copy.folder in copy.restore
    assert server.log == ["stop mariadb.service"]
    kept = Path(copy.folder)
    assert {path.name for path in kept.iterdir()} == {
        "README", "active", "enabled", "files.tar.gz", "packages.txt", "restore.sh",
    }  # fmt: skip
    assert (server.root / "kept").stat().st_mode & 0o777 == 0o700
    assert (kept / "packages.txt").read_text() == "mariadb-server\t11\n"
    assert f"sh {copy.folder}/restore.sh" in (kept / "README").read_text()
    assert list((server.root / "data").iterdir()) == []
    assert [path.name for path in (server.root / "etc").iterdir()] == ["my.cnf"]
    (aside,) = server.root.glob("monitor.*/call.gsm")
    assert aside.parent.name == f"monitor.{copy.folder.rpartition('-')[2]}"
    record = server.root / "kept/taken-over/mysql"
    assert record.read_text().strip() == copy.folder


def test_the_script_puts_everything_back(server: Server) -> None:
    before = server.tree()
    (copy,) = server.take_over()
    assert isinstance(copy, Copy)
    (server.root / "etc/my.cnf").write_text("ours")
    (server.root / "data/ccdata").mkdir()
    (server.root / "state/removed").touch()
    done = server.bash("sh", f"{copy.folder}/restore.sh")
    assert done.status == 0, done.stderr
    assert server.tree() == before
    (ours,) = server.root.glob("data.before-restore-*/ccdata")
    assert ours.is_dir()
    assert (server.root / "monitor/call.gsm").exists()
    assert any("install mariadb-server" in line for line in server.log)
    assert server.log[-1] == "restart mariadb.service"
    assert not (server.root / "kept/taken-over/mysql").exists()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("df", "#!/bin/sh\nprintf 'h\\nd 9 9 1024 9%% /\\n'\n", "has 1 MB free"),
        ("tar", "#!/bin/sh\ncase $* in *-dz*) echo differs >&2; exit 1 ;; esac\n", "differs"),
        ("sync", "#!/bin/sh\nexit 1\n", ""),
    ],
)
def test_a_copy_that_fails_leaves_all_as_it_was(
    server: Server, name: str, text: str, told: str
) -> None:
    before = server.tree()
    server.program(name, text)
    with pytest.raises(PhaseFailedError, match="its state is unchanged") as caught:
        server.take_over()
    assert told in caught.value.evidence
    assert server.tree() == before
    assert (server.root / "state/active/mariadb.service").exists()
    assert not (server.root / "kept/taken-over").exists()
    assert list(server.root.glob("kept/mysql-*")) == []


def test_thousands_of_files_are_taken_over(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    names = tuple(f"{server.root}/etc/{'long' * 15}-{number}" for number in range(3000))
    for name in names:
        Path(name).touch()
    monkeypatch.setattr(
        takeover, "foreign", lambda reach, row: ForeignInstallation(Claim.NONE, added=names)
    )
    assert isinstance(server.take_over()[0], Copy)
    assert sorted(path.name for path in (server.root / "etc").iterdir()) == ["added.cnf", "my.cnf"]


def test_what_is_ours_is_not_taken_over(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    before = server.tree()
    monkeypatch.setattr(takeover, "foreign", lambda reach, row: ForeignInstallation(Claim.OURS))
    (told,) = server.take_over()
    assert isinstance(told, str)
    assert server.tree() == before
    assert server.log == []


def test_components_are_named_and_a_wrong_one_gets_the_nearest() -> None:
    assert named_components("nginx, mysql,nginx") == ("nginx", "mysql")
    with pytest.raises(UsageError, match="'ngnix'") as caught:
        named_components("mysql,ngnix")
    assert "--take-over nginx" in caught.value.helps
    with pytest.raises(UsageError):
        named_components("")


@pytest.mark.parametrize("row", foreign(), ids=lambda row: row.id)
def test_the_scripts_of_every_component_are_shell(row: ForeignRow) -> None:
    found = ForeignInstallation(Claim.NONE, added=("/etc/a b", "/etc/$(reboot)"))
    text = takeover._script(row, SITE.hosts[0], "/var/backups/ucontact/x-1", found)
    assert "rm -f -- '/etc/a b' '/etc/$(reboot)'" in text
    inner = text.partition("<<'END_OF_RESTORE'\n")[2].partition("END_OF_RESTORE")[0]
    for shell, script in (("bash", text), ("sh", inner)):
        done = subprocess.run(
            [shell, "-n"], input=script, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
