"""`ucontact shell`: the words that run, where, and with which status it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SITE = """\
site: demo
fqdn: demo.ucontact.test
agents: 10
hosts:
  - {name: one, address: ADDRESS, user: USER, port: 2222, key: /root/a-key}
"""
# As sshd: the words behind the target are joined, and the login's shell reads them.
SSH = """#!/bin/sh
printf '%s\\n' "$*" >> "$LOG"
case $* in *"-O exit"*) exit 0 ;; esac
test -z "$REFUSED" || { echo "Permission denied (publickey)." >&2; exit 255; }
while [ "$1" != -- ]; do shift; done
shift
exec sh -c "$*"
"""
SUDO = '#!/bin/sh\nshift 2\nAS=root exec "$@"\n'


class Shell:
    """The command line in a process of its own, with a stand-in for ssh and sudo."""

    def __init__(self, folder: Path, address: str = "192.0.2.10", user: str = "root") -> None:
        self.folder = folder
        self.log = folder / "log"
        self.site = folder / "a site.yml"
        text = SITE.replace("ADDRESS", address).replace("USER", user)
        if address == "local":
            text = text.replace(", user: root, port: 2222, key: /root/a-key", "")
        self.site.write_text(text)
        for name, script in (("ssh", SSH), ("sudo", SUDO)):
            (folder / name).write_text(script)
            (folder / name).chmod(0o755)

    def __call__(
        self, *words: str, refused: str = "", stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ucontact_appliance", "shell", *words],
            env={
                **os.environ,
                "PATH": f"{self.folder}:{os.environ['PATH']}",
                "LOG": str(self.log),
                "REFUSED": refused,
                "UCONTACT_ETC": str(self.folder / "etc"),
                "UCONTACT_VAR": str(self.folder / "var"),
            },
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_several_words_arrive_as_they_are_and_the_status_is_the_commands(shell: Shell) -> None:
    script = 'printf "%s|" "$@"; exit 7'
    done = shell("one", "--site", str(shell.site), "--", "sh", "-c", script, "-", "a b", "$HOME")
    assert (done.returncode, done.stdout, done.stderr) == (7, "a b|$HOME|", "")
    connection = shell.log.read_text().splitlines()[-2]
    assert "-i /root/a-key" in connection
    assert "-p 2222" in connection
    assert "StrictHostKeyChecking=accept-new" in connection
    assert f"{shell.folder}/etc/demo" in connection  # the site's own pinned keys


def test_one_word_is_a_line_for_the_hosts_shell(shell: Shell) -> None:
    done = shell("--site", str(shell.site), "one", "--", "echo a b | tr a-z A-Z; exit 3")
    assert (done.returncode, done.stdout) == (3, "A B\n")


def test_the_command_reads_what_comes_in(shell: Shell) -> None:
    done = shell("one", f"--site={shell.site}", "--", "cat", stdin="a line\n")
    assert done.stdout == "a line\n"


def test_without_a_command_a_shell_is_opened(shell: Shell) -> None:
    done = shell("one", "--site", str(shell.site), stdin="echo here; exit 5\n")
    assert done.stdout.splitlines()[-1] == "here"
    assert done.returncode == 5


def test_an_account_without_roots_rights_gets_them(tmp_path: Path) -> None:
    shell = Shell(tmp_path, user="ops")
    done = shell("one", "--site", str(shell.site), "--", 'echo "$AS"')
    assert done.stdout == "root\n"
    assert "ops@192.0.2.10" in shell.log.read_text()


def test_this_machine_needs_no_ssh(tmp_path: Path) -> None:
    shell = Shell(tmp_path, address="local")
    done = shell("one", "--site", str(shell.site), "--", "echo here; exit 9")
    assert (done.returncode, done.stdout) == (9, "here\n")
    assert not shell.log.exists()


def test_an_unknown_host_is_wrong_usage_with_the_names_that_there_are(shell: Shell) -> None:
    done = shell("onne", "--site", str(shell.site), "--", "true")
    assert done.returncode == 2
    assert "no host 'onne'" in done.stderr
    assert "one" in done.stderr
    assert not shell.log.exists()


def test_a_host_that_lets_nobody_in_is_out_of_reach(shell: Shell) -> None:
    done = shell("one", "--site", str(shell.site), "--", "true", refused="yes")
    assert done.returncode == 3
    assert "Permission denied (publickey)." in done.stderr
    assert "StrictHostKeyChecking" not in done.stderr


def test_a_command_that_a_signal_ends_has_a_shells_status(tmp_path: Path) -> None:
    shell = Shell(tmp_path, address="local")
    assert shell("one", "--site", str(shell.site), "--", "kill -9 $$").returncode == 137
