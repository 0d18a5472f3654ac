"""How hosts are reached: ssh's options, shared connections, and trying again."""

from __future__ import annotations

from pathlib import Path

import pytest

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts import runner as module
from ucontact_appliance.facts.runner import (
    SshRunner,
    SshSettings,
    control_path,
    runner_for,
    shared_connections,
    ssh_options,
)
from ucontact_appliance.site.model import Host

HOST = Host(name="one", address="192.0.2.10", port=2222, key=Path("/k/100% mine"))


def test_the_options_mean_the_same_to_ssh_sftp_and_scp(tmp_path: Path) -> None:
    words = ssh_options(HOST, tmp_path / "known hosts")
    # To sftp and scp `-p` is "preserve", and what stands behind its number is a file's name.
    assert {word for word in words if word.startswith("-")} == {"-i", "-o"}
    assert "2222" not in words
    assert words[1] == "/k/100%% mine"
    assert f'UserKnownHostsFile="{tmp_path}/known hosts"' in words


def test_the_socket_of_a_long_name_has_room(tmp_path: Path) -> None:
    long = HOST.model_copy(update={"name": "a" * 63})
    assert len(control_path(long, tmp_path).name) == 8
    assert control_path(long, tmp_path) != control_path(HOST, tmp_path)


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ssh that fails as often as the file `failures` has lines; `calls` has its words."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "ssh"
    program.write_text(
        f"""#!/bin/sh
echo "$@" >>{tmp_path}/calls
case "$*" in *"-O exit"*) exit 0;; esac
if [ -s {tmp_path}/failures ]; then
  sed -i 1d {tmp_path}/failures
  echo 'kex_exchange_identification: Connection closed by remote host' >&2
  exit 255
fi
echo answer
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    (tmp_path / "failures").write_text("")
    return tmp_path


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def test_a_connection_that_is_refused_is_tried_again(ssh: Path) -> None:
    (ssh / "failures").write_text("\n" * 3)
    patient = SshRunner(HOST, ssh / "known", ssh, retry_seconds=60)
    assert patient.run(["true"]).stdout == "answer\n"
    assert len(calls(ssh)) == 4


def test_without_patience_it_is_told_at_once_with_a_command_that_runs(ssh: Path) -> None:
    (ssh / "failures").write_text("\n")
    with pytest.raises(UnreachableError, match="can't be reached over ssh") as caught:
        SshRunner(HOST, ssh / "known", ssh).run(["true"])
    assert len(calls(ssh)) == 1
    assert caught.value.helps == f"ucontact shell {HOST.name} -- true"


def test_all_that_share_use_one_socket_and_it_is_closed_once(ssh: Path) -> None:
    with shared_connections(ssh / "known", retry_seconds=0) as settings:
        assert settings.control_dir is not None
        for _ in range(2):
            with runner_for(HOST, settings) as runner:
                runner.run(["true"])
        control_path(HOST, settings.control_dir).touch()  # as ssh leaves it
    first, second, closing = calls(ssh)
    socket = next(word for word in first.split() if word.startswith("ControlPath="))
    assert socket in second
    assert socket in closing
    assert "-O exit" in closing


def test_a_runner_of_its_own_has_a_socket_of_its_own(ssh: Path) -> None:
    sockets = set()
    for _ in range(2):
        with runner_for(HOST, SshSettings(ssh / "known")) as runner:
            runner.run(["true"])
    for line in calls(ssh):
        sockets.add(next(word for word in line.split() if word.startswith("ControlPath=")))
    assert len(sockets) == 2
