"""Real playbooks on this machine: events, failures and secrets."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ucontact_appliance.install.ansible import PlayResult, run_playbook
from ucontact_appliance.install.events import Event, TaskResult, TaskStarted, nobody
from ucontact_appliance.install.launcher import Launcher

INVENTORY = {
    "all": {
        "hosts": {
            "here": {
                "ansible_connection": "local",
                "ansible_python_interpreter": "/usr/bin/python3",
            }
        }
    }
}
SECRET = "canary-4711"


def copy_to(target: Path) -> str:
    return (
        "    - name: Make it\n"
        f"      ansible.builtin.copy: {{dest: {target}, content: x, mode: '600'}}\n"
    )


def play(
    folder: Path, tasks: str, *, check: bool = False, tags: tuple[str, ...] = ()
) -> tuple[PlayResult, list[Event], str]:
    playbook = folder / "play.yml"
    playbook.write_text(f"- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}")
    events: list[Event] = []
    lines: list[str] = []
    result = run_playbook(
        playbook,
        INVENTORY,
        {"canary": SECRET},
        observer=events.append,
        log=lines.append,
        launcher=Launcher(),
        check=check,
        tags=tags,
    )
    return result, events, "\n".join(lines)


def test_changes_are_counted_and_named(tmp_path: Path) -> None:
    target = tmp_path / "made"
    task = copy_to(target)
    first, events, _ = play(tmp_path, task)
    assert (first.status, first.changed) == (0, 1)
    assert TaskStarted("Make it") in events
    second, _, _ = play(tmp_path, task)
    assert second.changed == 0


def test_check_mode_counts_without_doing(tmp_path: Path) -> None:
    target = tmp_path / "made"
    task = copy_to(target)
    result, _, _ = play(tmp_path, task, check=True)
    assert result.changed == 1
    assert not target.exists()


def test_by_tags_only_their_tasks_are_run(tmp_path: Path) -> None:
    usual, wanted = tmp_path / "usual", tmp_path / "wanted"
    tasks = copy_to(usual) + copy_to(wanted) + "      tags: [never, alone]\n"
    assert play(tmp_path, tasks)[0].changed == 1
    assert (usual.exists(), wanted.exists()) == (True, False)
    usual.unlink()
    assert play(tmp_path, tasks, tags=("alone",))[0].changed == 1
    assert (usual.exists(), wanted.exists()) == (False, True)


def test_a_failure_carries_the_real_message(tmp_path: Path) -> None:
    task = "    - {name: Break, ansible.builtin.command: sh -c 'echo the reason >&2; exit 3'}\n"
    result, events, log = play(tmp_path, task)
    assert result.status != 0
    assert [f.task for f in result.failed] == ["Break"]
    assert "the reason" in result.failed[0].message
    assert "the reason" in log
    assert any(isinstance(e, TaskResult) and e.status == "failed" for e in events)


def test_a_failed_loop_tells_what_its_items_said(tmp_path: Path) -> None:
    task = (
        "    - name: Break\n"
        "      ansible.builtin.command: sh -c 'echo no {{ item }} here >&2; exit 3'\n"
        "      loop: [salt, bread]\n"
    )
    result, _, _ = play(tmp_path, task)
    assert "salt: " in result.failed[0].message
    assert "no bread here" in result.failed[0].message
    assert "items" not in result.failed[0].message


def test_a_task_that_handles_secrets_shows_nothing_when_it_fails(tmp_path: Path) -> None:
    task = (
        "    - name: Break\n"
        "      ansible.builtin.command: sh -c 'echo {{ secrets.canary }}; exit 3'\n"
        "      no_log: true\n"
    )
    result, _, log = play(tmp_path, task)
    assert result.failed
    assert SECRET not in result.failed[0].message
    assert SECRET not in log


def test_a_playbook_that_does_not_parse_is_a_status_without_hosts(tmp_path: Path) -> None:
    result, _, log = play(tmp_path, "    - {name: Odd, no.such.module: {}}\n")
    assert result.status != 0
    assert "no.such.module" in log


def test_ansible_is_found_where_no_script_lies_beside_the_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = tmp_path / "bin" / "python3"
    apart.parent.mkdir()
    apart.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    apart.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(apart))
    result, _, log = play(tmp_path, copy_to(tmp_path / "made"))
    assert (result.status, result.changed) == (0, 1), log


def test_a_module_that_lies_in_the_callers_folder_is_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ansible").mkdir()
    (tmp_path / "ansible/__init__.py").write_text("raise SystemExit('the wrong one')\n")
    monkeypatch.chdir(tmp_path)
    result, _, log = play(tmp_path, copy_to(tmp_path / "made"))
    assert result.status == 0, log


@pytest.fixture
def waiting(tmp_path: Path) -> tuple[Path, Callable[[], list[str]]]:
    """A playbook that waits for ever, and a look at what it has started."""
    marked = f"{4711 + os.getpid() / 10**7:.7f}"  # seconds that nothing else sleeps
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        f"    - {{name: Wait, ansible.builtin.command: sleep {marked}}}\n"
    )

    def sleepers() -> list[str]:
        words = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
        return [line for line in words.stdout.splitlines() if line == f"sleep {marked}"]

    return playbook, sleepers


def await_some(found: Callable[[], list[str]]) -> None:
    deadline = time.monotonic() + 60
    while not found() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found()


def test_whatever_ends_a_run_ends_all_that_ansible_started(
    waiting: tuple[Path, Callable[[], list[str]]],
) -> None:
    playbook, sleepers = waiting

    def stop(event: Event) -> None:
        await_some(sleepers)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_playbook(
            playbook, INVENTORY, {}, observer=stop, log=lambda line: None, launcher=Launcher()
        )
    assert sleepers() == []
    assert not list(Path("/run").glob(f"ucontact-{os.getpid()}-*"))


def test_a_run_in_another_thread_is_ended_with_all_that_it_started(
    waiting: tuple[Path, Callable[[], list[str]]],
) -> None:
    playbook, sleepers = waiting
    launcher = Launcher()
    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(
            run_playbook,
            playbook,
            INVENTORY,
            {},
            observer=nobody,
            log=lambda line: None,
            launcher=launcher,
        )
        await_some(sleepers)
        launcher.processes.end()
        assert running.result(timeout=30).status != 0
    assert sleepers() == []
    assert not list(Path("/run").glob(f"ucontact-{os.getpid()}-*"))


def test_nothing_is_left_in_memory_or_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "no_such_callback")
    task = (
        "    - name: Look\n      ansible.builtin.command: env\n      register: seen\n"
        "    - name: Judge\n      ansible.builtin.assert:\n"
        "        that: \"'canary-4711' not in seen.stdout\"\n"
    )
    result, _, _ = play(tmp_path, task)
    assert result.status == 0
    assert not list(Path("/run").glob(f"ucontact-{os.getpid()}-*"))
    assert SECRET not in str(dict(os.environ))
