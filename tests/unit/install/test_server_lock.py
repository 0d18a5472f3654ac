"""The lock of a server, by the real script on this machine, in folders of the test's own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.sites import small_site
from ucontact_appliance.errors import PhaseFailedError, UnreachableError, UsageError
from ucontact_appliance.facts.runner import LocalRunner, Runner, SshSettings
from ucontact_appliance.facts.survey import Survey
from ucontact_appliance.install import server_lock, server_session
from ucontact_appliance.install.job import Surveyed
from ucontact_appliance.install.server_lock import ServerHold, demand_known, hold_servers
from ucontact_appliance.install.server_record import load_known_runs
from ucontact_appliance.planning.topology import make_plan
from ucontact_appliance.site.model import Host
from ucontact_appliance.state import StatePaths

SSH = SshSettings(Path("known_hosts"))
SITE_FILE = Path("site.yml")


class Server(LocalRunner):
    """A server whose /run and /var/lib are folders of the test's."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def command(self, argv: Sequence[str]) -> list[str]:
        words = list(argv)
        if words[:2] == ["bash", "-c"]:
            words[2] = (
                words[2]
                .replace("~/.ansible", f"{self.root}/home")
                .replace("/run/ucontact-installation", f"{self.root}/lock")
                .replace("/var/lib/ucontact", f"{self.root}/state")
            )
        return words

    @property
    def record(self) -> Path:
        return self.root / "state" / "installation.json"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    made = Server(tmp_path / "server")
    made.root.mkdir()

    @contextmanager
    def reached(host: Host, ssh: SshSettings) -> Iterator[Runner]:
        yield made

    monkeypatch.setattr(server_lock, "runner_for", reached)
    return made


def seen(**site: object) -> Surveyed:
    made = small_site(**site)
    survey = Survey("debian", "", "Debian sid", 8192, machine_id="0" * 32)
    return Surveyed(made, {"one": survey}, {"one": "192.0.2.10"}, make_plan(made, {}))


def paths(folder: Path) -> StatePaths:
    return StatePaths(folder / "etc", folder / "var")


def holding(
    folder: Path, *, replace_newer: bool = False, **site: object
) -> contextmanager[ServerHold]:  # type: ignore[valid-type]
    told: list[str] = []
    return hold_servers(  # type: ignore[return-value]
        seen(**site), SITE_FILE, paths(folder), SSH, told.append, replace_newer=replace_newer
    )


def test_a_run_is_recorded_when_it_changes_something_and_when_it_ends(
    server: Server, tmp_path: Path
) -> None:
    leftover = server.root / "home/ucontact/ansible-tmp-1"
    leftover.mkdir(parents=True)
    with holding(tmp_path) as hold:
        assert not leftover.exists()
        assert not server.record.exists()
        hold.begin()
        started = json.loads(server.record.read_text())
        hold.finish(well=True)
    done = json.loads(server.record.read_text())
    assert (started["progress"], done["progress"], done["sequence"]) == ("started", "done", 1)
    assert server.record.stat().st_mode & 0o777 == 0o600
    assert load_known_runs(paths(tmp_path).runs).knows(done["run"])
    with holding(tmp_path) as hold:
        hold.begin()
    assert json.loads(server.record.read_text())["sequence"] == 2
    assert [path.name for path in server.record.parent.iterdir()] == ["installation.json"]


def test_a_run_that_changed_nothing_is_not_recorded(server: Server, tmp_path: Path) -> None:
    with holding(tmp_path) as hold:
        hold.finish(well=False)
    assert not server.record.exists()


def test_a_second_controller_is_refused_while_the_first_is_at_work(
    server: Server, tmp_path: Path
) -> None:
    with holding(tmp_path / "a"):
        refused = pytest.raises(UsageError, match="another ucontact install is running")
        with refused as caught, holding(tmp_path / "b"):
            pytest.fail("both had the lock")
        assert f"process {os.getpid()}, since 20" in caught.value.evidence
        assert "for the site demo" in caught.value.evidence
    with holding(tmp_path / "b"):
        pass


def test_an_older_site_file_of_another_controller_is_refused_until_it_is_to_replace(
    server: Server, tmp_path: Path
) -> None:
    with holding(tmp_path / "a", telephony={"extensions": ["6001", "6002", "6003"]}) as hold:
        hold.begin()
        hold.finish(well=True)
    before = server.record.read_bytes()
    with pytest.raises(UsageError, match="newer installation") as caught, holding(tmp_path / "b"):
        pytest.fail("it was let in")
    assert "-  - '6003'" in caught.value.evidence
    with pytest.raises(UsageError, match="newer installation"):
        demand_known(seen(), SITE_FILE, paths(tmp_path / "b"), SSH)
    demand_known(seen(), SITE_FILE, paths(tmp_path / "a"), SSH)
    assert server.record.read_bytes() == before
    with holding(tmp_path / "b", replace_newer=True) as hold:
        hold.begin()
    assert json.loads(server.record.read_text())["sequence"] == 2
    with pytest.raises(UsageError, match="newer installation"), holding(tmp_path / "a"):
        pytest.fail("the first one did not notice")


def test_a_damaged_record_is_refused_and_left_alone(server: Server, tmp_path: Path) -> None:
    server.record.parent.mkdir()
    server.record.write_text("garbage")
    for replace_newer in (False, True):
        refused = pytest.raises(UnreachableError, match="can't be read")
        with refused, holding(tmp_path, replace_newer=replace_newer):
            pytest.fail("it was let in")
    with pytest.raises(UnreachableError, match="can't be read"):
        demand_known(seen(), SITE_FILE, paths(tmp_path), SSH)
    assert server.record.read_text() == "garbage"


def test_a_disk_that_is_full_is_told_with_the_servers_words(server: Server, tmp_path: Path) -> None:
    (server.root / "state").write_text("a file in the folder's place")
    refused = pytest.raises(UnreachableError, match="can't be written")
    with holding(tmp_path) as hold, refused as caught:
        hold.begin()
    assert "mkdir" in caught.value.evidence


def test_the_lock_goes_with_a_killed_installer(server: Server, tmp_path: Path) -> None:
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from tests.unit.install import test_server_lock as t\n"
        "from contextlib import contextmanager\n"
        "server = t.Server(Path(sys.argv[1]))\n"
        "@contextmanager\n"
        "def reached(host, ssh):\n"
        "    yield server\n"
        "t.server_lock.runner_for = reached\n"
        "with t.holding(Path(sys.argv[2])) as hold:\n"
        "    hold.begin()\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    words = [sys.executable, "-c", program, str(server.root), str(tmp_path / "a")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as installer:
        assert installer.stdout is not None
        assert installer.stdout.readline() == "held\n"
        installer.send_signal(signal.SIGKILL)
    began = time.monotonic()
    with holding(tmp_path / "a") as hold:  # the same controller goes on
        hold.begin()
    assert time.monotonic() - began < 5


def test_what_a_killed_run_left_running_on_the_server_is_waited_for(
    server: Server, tmp_path: Path
) -> None:
    came_by = "192.0.2.1 40000 192.0.2.10 22"
    connections = server.root / "lock.lock.connections"
    connections.write_text(f"192.0.2.1 39999 192.0.2.10 22\n{came_by}\n")
    told: list[str] = []
    environment = {**os.environ, "SSH_CONNECTION": came_by}
    with subprocess.Popen(["sleep", "1.5"], env=environment) as task:
        words = (seen(), SITE_FILE, paths(tmp_path), SSH, told.append)
        with hold_servers(*words):
            assert task.poll() is not None
    assert told == [
        f"one: wait for process {task.pid}, which an earlier installation left running: sleep 1.5 "
    ]
    # A run that ended by itself leaves nothing to wait for.
    assert not connections.exists()


def test_a_lock_whose_holder_says_nothing_runs_out(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_session, "_LEASE_SECONDS", 1)
    monkeypatch.setattr(server_lock, "_KEEP_SECONDS", 100.0)
    with holding(tmp_path / "a"):
        time.sleep(1.5)
        with holding(tmp_path / "b"):
            pass


def test_a_lock_that_somebody_else_had_meanwhile_is_lost(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_session, "_LEASE_SECONDS", 1)
    monkeypatch.setattr(server_lock, "_KEEP_SECONDS", 3.0)
    ended: list[bool] = []
    with holding(tmp_path / "a") as hold:
        hold.ended_by(lambda: ended.append(True))
        time.sleep(1.2)
        with holding(tmp_path / "b") as other:
            other.begin()
        deadline = time.monotonic() + 20
        while not ended and time.monotonic() < deadline:
            time.sleep(0.1)
        with pytest.raises(PhaseFailedError, match="another installation ran on one"):
            hold.demand()


def test_a_connection_that_was_cut_is_taken_up_again(server: Server, tmp_path: Path) -> None:
    with holding(tmp_path) as hold:
        hold._held[0]._session._process.kill()
        hold._held[0]._session._process.wait()
        hold.begin()
        hold.demand()
    assert json.loads(server.record.read_text())["progress"] == "started"


def test_the_end_of_a_run_whose_server_is_gone_hides_no_error(
    server: Server, tmp_path: Path
) -> None:
    def run() -> None:
        with holding(tmp_path) as hold:
            hold._held[0]._session.close()  # as after a connection that could not be had again
            raise PhaseFailedError("the reason")

    with pytest.raises(PhaseFailedError, match="the reason"):
        run()


def test_a_hostile_server_gets_no_further_than_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hostile(LocalRunner):
        answer = ""

        def command(self, argv: Sequence[str]) -> list[str]:
            return ["printf", "%s", self.answer] if argv[0] == "bash" else list(argv)

    hostile = Hostile()

    @contextmanager
    def reached(host: Host, ssh: SshSettings) -> Iterator[Runner]:
        yield hostile

    monkeypatch.setattr(server_lock, "runner_for", reached)
    for answer in ("", "x\n", "held\n", "held ?\n", "stuck x y\n", "busy\n", "a" * 3_000_000):
        hostile.answer = answer if len(answer) < 100_000 else answer[:100_000]
        with pytest.raises((UsageError, UnreachableError)), holding(tmp_path):
            pytest.fail("it was let in")
