"""The Ansible module `etc_tree`, run as Ansible runs it, and its action plugin in a play."""

from __future__ import annotations

import base64
import grp
import json
import os
import pwd
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.modules.running import run_module
from ucontact_appliance.resources import INSTALLER

MODULE = INSTALLER / "plugins" / "modules" / "etc_tree.py"
ME = pwd.getpwuid(os.geteuid()).pw_name
MY_GROUP = grp.getgrgid(os.getegid()).gr_name


def entry(path: Path, text: str | None = None, **more: Any) -> dict[str, Any]:
    """An entry of mine, since a test need not be root."""
    content = {} if text is None else {"content": base64.b64encode(text.encode()).decode()}
    return {"path": str(path), "owner": ME, "group": MY_GROUP, **content, **more}


def answer(
    *entries: Mapping[str, Any],
    check: bool = False,
    diff: bool = False,
    secrets: Mapping[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    arguments = {
        "entries": entries,
        "secrets": secrets or {},
        "_ansible_check_mode": check,
        "_ansible_diff": diff,
        **more,
    }
    return run_module(MODULE, arguments)


def left(folder: Path) -> list[str]:
    """What lies in the folder, hidden files too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_tree_is_laid_down_and_a_second_call_changes_nothing(tmp_path: Path) -> None:
    entries = [
        entry(tmp_path / "etc/conf.d/a", "a\n", mode="0640"),
        entry(tmp_path / "etc/link", state="link", target="conf.d/a"),
        entry(tmp_path / "etc/conf.d", state="directory", mode="0750"),
        entry(tmp_path / "etc/gone", state="absent"),
    ]
    first = answer(*entries)
    assert first["changes"] == [
        f"new {tmp_path}/etc/conf.d/a",
        f"new {tmp_path}/etc/link",
        f"new {tmp_path}/etc/conf.d",
    ]
    assert (tmp_path / "etc/link").read_text() == "a\n"
    assert (mode(tmp_path / "etc/conf.d/a"), mode(tmp_path / "etc/conf.d")) == (0o640, 0o750)
    assert left(tmp_path) == ["etc", "etc/conf.d", "etc/conf.d/a", "etc/link"]
    assert answer(*entries)["changed"] is False


@pytest.mark.parametrize("check", [False, True])
def test_each_difference_is_told_and_put_right(tmp_path: Path, check: bool) -> None:
    names = ("content", "mode", "link-in-place", "target", "folder")
    content, rights, replaced, link, folder = (tmp_path / name for name in names)
    entries = [
        entry(content, "new\n"),
        entry(rights, "same\n", mode="0600"),
        entry(replaced, "same\n"),
        entry(link, state="link", target="content"),
        entry(folder, state="directory"),
        entry(tmp_path / "gone", state="absent"),
    ]
    content.write_text("old\n")
    rights.write_text("same\n")
    rights.chmod(0o644)
    replaced.symlink_to("mode")
    link.symlink_to("elsewhere")
    folder.mkdir(mode=0o700)
    (tmp_path / "gone").write_text("")
    before = left(tmp_path)
    found = answer(*entries, check=check)
    assert found["changes"] == [
        f"content {content}",
        f"mode {rights}",
        f"content {replaced}",
        f"target {link}",
        f"mode {folder}",
        f"removed {tmp_path}/gone",
    ]
    if check:
        assert content.read_text() == "old\n"
        assert left(tmp_path) == before
    else:
        assert content.read_text() == "new\n"
        assert not replaced.is_symlink()
        assert answer(*entries)["changed"] is False


@pytest.mark.parametrize("check", [False, True])
def test_an_exclusive_folder_keeps_only_what_is_named(tmp_path: Path, check: bool) -> None:
    folder = tmp_path / "d"
    (folder / "inner").mkdir(parents=True)
    for name in ("kept", "stranger", ".hidden"):
        (folder / name).write_text("x\n")
    (folder / "inner" / "file").write_text("x\n")
    entries = [
        entry(folder, state="directory", exclusive=True),
        entry(folder / "inner", state="directory"),
        entry(folder / "kept", "x\n"),
    ]
    found = answer(*entries, check=check)
    assert found["changes"] == [f"removed {folder}/.hidden", f"removed {folder}/stranger"]
    gone = [] if not check else [".hidden", "stranger"]
    assert left(folder) == sorted(["inner", "inner/file", "kept", *gone])
    if not check:
        assert answer(*entries)["changed"] is False


def test_a_strange_folder_in_an_exclusive_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d" / "inner").mkdir(parents=True)
    found = answer(entry(tmp_path / "d", state="directory", exclusive=True))
    assert found["msg"] == f"{tmp_path}/d/inner is a folder, and should not be there"


def test_only_a_folder_is_exclusive(tmp_path: Path) -> None:
    found = answer(entry(tmp_path / "a", "x\n", exclusive=True))
    assert found["msg"] == f"{tmp_path}/a: only a folder can be exclusive"


def test_no_file_is_replaced_when_one_is_refused(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("old\n")
    found = answer(entry(one, "new\n"), entry(two, "bad\n", validate="grep -c good %s"))
    assert found["failed"] is True
    assert found["msg"] == f"{two}: grep refuses it (status 1): 0"
    assert one.read_text() == "old\n"
    assert left(tmp_path) == ["one"]


def test_a_dry_run_judges_the_new_file_too(tmp_path: Path) -> None:
    two = tmp_path / "two"
    wrong = entry(two, "bad\n", validate="grep -c good %s")
    assert answer(wrong, check=True)["msg"] == f"{two}: grep refuses it (status 1): 0"
    # The program may come with a package that is not installed yet.
    unknown = entry(two, "bad\n", validate="no-such-program %s")
    assert answer(unknown, check=True)["changes"] == [f"new {two}"]
    assert left(tmp_path) == []


def test_a_check_sees_the_other_new_files(tmp_path: Path) -> None:
    words, text = tmp_path / "words", tmp_path / "text"
    words.write_text("old\n")
    entries = [entry(text, "new\n", validate=f"grep -q -f {words} %s"), entry(words, "new\n")]
    assert answer(*entries)["changed"] is True
    assert text.read_text() == "new\n"


def test_what_a_file_with_secrets_holds_is_told_nobody(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    held = base64.b64encode(b"hunter2\n").decode()
    found = answer(entry(path), secrets={str(path): held}, diff=True)
    assert path.read_text() == "hunter2\n"
    told = json.dumps(found)
    assert "hunter2" not in told
    assert held not in told
    path.unlink()
    refused = answer(
        entry(path, validate="sh -c 'cat $0; exit 1' %s"), secrets={str(path): held}, diff=True
    )
    assert "hunter2" not in json.dumps(refused)
    assert "the output is not shown" in refused["msg"]
    assert not path.exists()


def test_a_difference_is_shown_when_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old\n")
    (shown,) = answer(entry(path, "new\n"), diff=True, check=True)["diff"]
    assert (shown["before"], shown["after"]) == ("old\n", "new\n")


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"text": "x"}, "is a folder, and should be a file: move it away"),
        ({"state": "link", "target": "x"}, "is a folder, and should be a link: move it away"),
        ({"state": "absent"}, "is a folder, and should not be there"),
        ({"text": "x", "mode": "rw"}, "the mode rw is not octal"),
        ({}, "a file needs content"),
        ({"state": "link"}, "a link needs a target"),
        ({"text": "x", "validate": "true"}, "validate needs %s: true"),
    ],
)
def test_what_is_in_the_way_is_not_removed(
    tmp_path: Path, wanted: dict[str, Any], message: str
) -> None:
    path = tmp_path / "a"
    if "validate" not in wanted:
        path.mkdir()
    found = answer(
        entry(path, wanted.get("text"), **{k: v for k, v in wanted.items() if k != "text"})
    )
    assert found["failed"] is True
    assert message in found["msg"]
    assert str(path) in found["msg"]


def test_a_file_where_a_folder_should_be_stays(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("kept")
    found = answer(entry(tmp_path / "a", state="directory"))
    assert "is no folder, and should be one: move it away" in found["msg"]
    (tmp_path / "b").symlink_to("nowhere")
    found = answer(entry(tmp_path / "b", state="directory"))
    assert "leads nowhere" in found["msg"]
    (tmp_path / "real").mkdir(mode=0o755)
    (tmp_path / "c").symlink_to("real")
    assert answer(entry(tmp_path / "c", state="directory"))["changed"] is False


def test_an_account_that_is_missing_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    wanted = entry(tmp_path / "a", "x") | {"group": "no-such-group"}
    found = answer(wanted)
    assert found["msg"] == f"{tmp_path}/a: there is no group no-such-group on this host"
    assert left(tmp_path) == []
    assert answer(wanted, check=True)["changes"] == [f"new {tmp_path}/a"]


def test_what_a_killed_run_left_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".a.ucontact.dpkg-tmp").write_text("half")
    assert answer(entry(tmp_path / "a", "whole\n"))["changed"] is True
    assert left(tmp_path) == ["a"]


def test_what_is_moved_away_later_is_not_reported_as_managed(tmp_path: Path) -> None:
    wanted = entry(tmp_path / "a", "a\n")
    lasting, moved = answer(wanted), answer(wanted, temporary=True)
    assert (lasting["manages"], moved["manages"]) == ([f"path {tmp_path / 'a'}"], [])


def test_a_path_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    found = answer(entry(tmp_path / "a", "1"), entry(tmp_path / "a", "2"))
    assert "stands there twice" in found["msg"]


def play(folder: Path, *entries: Mapping[str, Any], words: tuple[str, ...] = ()) -> str:
    """The output of a play on this machine, with a role's folders beside it."""
    tasks = [{"name": "Files", "etc_tree": {"entries": list(entries)}}]
    playbook = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {"who": "{{ 'wor' ~ 'ld' }}", "password": "hunter2"},
            "tasks": tasks,
        }
    ]
    (folder / "play.yml").write_text(yaml.safe_dump(playbook))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "ansible", "playbook", "-i", "localhost,", "-c", "local"),
            *("-e", f"ansible_python_interpreter={sys.executable}", "-vvv", "--diff", *words),
            str(folder / "play.yml"),
        ],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(INSTALLER / "ansible.cfg"),
            "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
            "ANSIBLE_HOME": str(folder / "home"),
            "ANSIBLE_REMOTE_TMP": str(folder / "remote"),
            "LC_ALL": "C.UTF-8",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


def test_content_is_found_and_rendered_as_a_role_has_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    inside = str(out).lstrip("/")
    for folder in ("templates", "files"):
        (tmp_path / folder / inside).mkdir(parents=True)
    (tmp_path / "templates" / inside / "a.j2").write_text(
        "hello {{ who }}\n{% if 1 %}\nx\n{% endif %}\n"
    )
    (tmp_path / "templates" / inside / "b").write_text("pass {{ password }}\n")
    (tmp_path / "files" / inside / "c").write_text("{{ as it is }}\n")
    (tmp_path / "elsewhere").write_text("{{ who }}\n")
    mine = {"owner": ME, "group": MY_GROUP}
    said = play(
        tmp_path,
        {"path": str(out), "state": "directory", **mine},
        {"paths": [f"{out}/a", f"{out}/c"], **mine},
        {"path": f"{out}/b", "secret": True, "mode": "0600", **mine},
        {"path": f"{out}/d", "source": f"{inside}/c", **mine},
        {"path": f"{out}/e", "source": str(tmp_path / "elsewhere"), **mine},
        {"path": f"{out}/f", "source": f"{inside}/a", "variables": {"who": "you"}, **mine},
    )
    assert "failed=0" in said
    assert (out / "a").read_text() == "hello world\nx\n"
    assert (out / "b").read_text() == "pass hunter2\n"
    assert (out / "c").read_text() == (out / "d").read_text() == "{{ as it is }}\n"
    assert (out / "e").read_text() == "{{ who }}\n"
    assert (out / "f").read_text() == "hello you\nx\n"
    assert "+hello world" in said
    assert "hunter2" not in said
    assert base64.b64encode(b"pass hunter2\n").decode() not in said


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"path": "/x", "sauce": "y"}, "unknown: sauce"),
        ({"path": "/x", "paths": ["/y"]}, "either path or paths"),
        ({"path": "/x", "source": "/no/such"}, "/no/such: No such file"),
        ({"path": "/no/such"}, "neither templates/no/such.j2, templates/no/such nor files/no/such"),
    ],
)
def test_a_wrong_entry_is_refused(tmp_path: Path, wanted: dict[str, Any], message: str) -> None:
    said = play(tmp_path, wanted)
    assert message in " ".join(said.split())
    assert "failed=1" in said
