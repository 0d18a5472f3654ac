"""Remedies as they are printed: what runs where, and in whose shell."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from ucontact_appliance.checks.wording import RemedyFormatter, quoted
from ucontact_appliance.host_commands import named_site
from ucontact_appliance.printable import has_control
from ucontact_appliance.site.model import Host

LOCAL = Host(name="a", address="local")
ROOT = Host(name="a", address="192.0.2.1")
OPS = Host(name="a", address="192.0.2.1", user="ops", port=2222, key=Path("/k"))
WORDING = RemedyFormatter(Path("/srv/my site/site.yml"), ())
SSH = "ucontact shell a --site '/srv/my site/site.yml' --"
INSTALL = "ucontact install --site '/srv/my site/site.yml' --yes"


@pytest.mark.parametrize(
    ("remedy", "local", "remote"),
    [
        (
            "{ssh} systemctl restart mysql",
            "systemctl restart mysql",
            f"{SSH} systemctl restart mysql",
        ),
        (
            "{ssh} asterisk -rx 'core show uptime'",
            "asterisk -rx 'core show uptime'",
            f"{SSH} \"asterisk -rx 'core show uptime'\"",
        ),
        (
            "{ssh} du -x / | sort -rn | head -20",
            "du -x / | sort -rn | head -20",
            f"{SSH} 'du -x / | sort -rn | head -20'",
        ),
        (
            "{ssh} echo a > /b && systemctl reload ssh",
            "echo a > /b && systemctl reload ssh",
            f"{SSH} 'echo a > /b && systemctl reload ssh'",
        ),
        (
            "{ssh} asterisk -rx 'a b' && {ssh} nft list tables  # look",
            "asterisk -rx 'a b' && nft list tables  # look",
            f"{SSH} \"asterisk -rx 'a b'\" && {SSH} nft list tables  # look",
        ),
        (
            "{ssh} ls -l '/a b' && {install}",
            f"ls -l '/a b' && {INSTALL}",
            f"{SSH} \"ls -l '/a b'\" && {INSTALL}",
        ),
        (
            "{install} && {ssh} systemctl restart mysql",
            f"{INSTALL} && systemctl restart mysql",
            f"{INSTALL} && {SSH} systemctl restart mysql",
        ),
        ("date; {ssh} date  # set", "date; date  # set", f"date; {SSH} date  # set"),
        ("echo 'x' | {ssh} mysql", "echo 'x' | mysql", f"echo 'x' | {SSH} mysql"),
        ("ping {address}  # note", "ping 127.0.0.1  # note", "ping 192.0.2.1  # note"),
    ],
)  # fmt: skip
def test_what_is_printed(remedy: str, local: str, remote: str) -> None:
    assert WORDING.remedy(remedy, LOCAL) == local
    assert WORDING.remedy(remedy, ROOT) == remote


STAND_IN = """#!/bin/sh
# As `ucontact shell HOST --site FILE -- WORDS`: one word is a line for the shell.
shift 5
[ $# = 1 ] && exec sh -c "$1"
exec "$@"
"""


@pytest.mark.parametrize("host", [LOCAL, ROOT, OPS], ids=["local", "root", "sudo"])
@pytest.mark.parametrize(
    ("remedy", "printed"),
    [
        ("{ssh} printf '%s|' 'a b' c  # a note (with brackets)", "a b|c|"),
        ("{ssh} printf '%s|' \"it's\" '$HOME'", "it's|$HOME|"),
        ("{ssh} echo a b | tr a-z A-Z", "A B\n"),
        ("{ssh} sed '1i PermitRootLogin no' FILE && echo done", "PermitRootLogin no\none\ndone\n"),
    ],
)  # fmt: skip
def test_the_words_arrive_as_they_were_meant(
    host: Host, remedy: str, printed: str, tmp_path: Path
) -> None:
    (tmp_path / "ucontact").write_text(STAND_IN)
    (tmp_path / "ucontact").chmod(0o755)
    (tmp_path / "file").write_text("one\n")
    told = WORDING.remedy(remedy.replace("FILE", str(tmp_path / "file")), host)
    done = subprocess.run(
        ["bash", "-c", told],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr, done.returncode) == (printed, "", 0)


@pytest.mark.parametrize("text", ["it's", "a b", "$x 'y'", "a \"b\" 'c'", "!x'", "`'", ""])
def test_a_quoted_text_is_one_word(text: str) -> None:
    assert shlex.split(quoted(text)) == [text]


@pytest.mark.parametrize("host", [ROOT, OPS], ids=["root", "sudo"])
@pytest.mark.parametrize(
    "path",
    [
        "/a\ntouch CANARY\n",
        "/a # \ntouch CANARY #",
        "/a'; touch CANARY; '",
        "/$(touch CANARY)`touch CANARY`",
        '/a"; touch CANARY; "',
        "/a; {ssh} b; touch CANARY",
        "/a && {install} ; touch CANARY",
        "/a && {install}; touch CANARY # ",
        "/a; {ssh} b; touch CANARY # ",
        "/a {site} ; touch CANARY # ",
        "/\x1b[2J\r# \r\ntouch CANARY",
    ],
)
def test_a_name_that_a_host_chose_runs_nothing_here(host: Host, path: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    wording = replace(WORDING, site_file=tmp_path / "a 'b/site.yml")
    for name in ("ssh", "ucontact"):  # what runs on the host is not run at all
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    named = shlex.quote(path.replace("CANARY", str(canary)))
    told = wording.remedy(f"{{ssh}} mv {named} /root/ && echo done  # a note", host)
    assert "\n" not in told
    assert not has_control(told)
    subprocess.run(
        ["bash", "-c", told],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        check=False,
    )
    assert not canary.exists()


def test_a_line_that_names_no_site_names_the_one_it_is_about() -> None:
    told = named_site("ucontact shell one -- id -u  # must print 0", Path("/a b/site.yml"))
    assert told == "ucontact shell one --site '/a b/site.yml' -- id -u  # must print 0"
    assert named_site(told, Path("/other")) == told
    assert named_site("ucontact shell one", Path("/s")) == "ucontact shell one --site /s"
    assert WORDING.remedy("ucontact shell one -- true", LOCAL) == f"{SSH[:14]} one {SSH[17:]} true"
