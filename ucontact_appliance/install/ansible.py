"""Running a playbook as a process, and reading its events as it goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.install.events import Event, Observer, TaskResult, TaskStarted
from ucontact_appliance.install.leftovers import TMPFS
from ucontact_appliance.install.processes import Processes
from ucontact_appliance.install.unsafe import as_data
from ucontact_appliance.os_errors import refusing
from ucontact_appliance.process_identity import MEMORY, own_prefix
from ucontact_appliance.resources import INSTALLER

_STOP_SECONDS = 12.0  # the supervisor kills what has not ended after 5
_MOST_LINE = 1 << 16  # characters of a line of the log; what is longer goes on in the next
SUPERVISOR = "ucontact_appliance.install.supervisor"


@dataclass(frozen=True)
class PlayResult:
    """A finished playbook: its exit status, and the tasks that failed or changed something."""

    status: int
    failed: tuple[TaskResult, ...]
    changed_tasks: tuple[TaskResult, ...] = ()

    @property
    def changed(self) -> int:
        """How many things were changed over all hosts; a task that tells none apart is one."""
        return sum(len(task.changes) or 1 for task in self.changed_tasks)


def run_playbook(
    playbook: Path,
    inventory: Mapping[str, Any],
    secrets: Mapping[str, Any],
    *,
    observer: Observer,
    log: Callable[[str], None],
    processes: Processes,
    check: bool = False,
    tags: tuple[str, ...] = (),
    held: tuple[int, ...] = (),
) -> PlayResult:
    """Run it and wait; events go to `observer`, Ansible's own output to `log` line by line.

    With `tags` only the tasks that have one of them are run. Inventory and secrets are files in
    memory (tmpfs, 0600 in a 0700 folder) for as long as the process runs; every string in them is
    data, and none a template. Raises PhaseFailedError only when Ansible could not be started at
    all. Whatever ends this function ends Ansible and all that it started here, even SIGKILL; so
    does `processes`, from another thread. `held` are descriptors that stay open until the last of
    Ansible has ended.
    """
    with tempfile.TemporaryDirectory(prefix=own_prefix(MEMORY), dir=_memory_folder()) as name:
        folder = Path(name)
        inventory_file = _private_json(folder / "inventory.json", as_data(inventory))
        secrets_file = _private_json(folder / "secrets.json", as_data({"secrets": secrets}))
        command = [
            # Not the script of that name: outside a virtual environment it need not lie beside
            # the interpreter. Every ansible-core that we allow knows `python -m ansible`.
            *(sys.executable, "-m", "ansible", "playbook"),
            *("-i", str(inventory_file), "-e", f"@{secrets_file}"),
            *(("--check",) if check else ()),
            *(("--tags", ",".join(tags)) if tags else ()),
            str(playbook),
        ]
        return _watch(
            command,
            folder,
            _environment(folder),
            held=held,
            observer=observer,
            log=log,
            processes=processes,
        )


def _memory_folder() -> Path:
    return next(path for path in TMPFS if path.is_dir() and os.access(path, os.W_OK))


def _private_json(path: Path, content: Mapping[str, Any]) -> Path:
    with refusing(f"Ansible's inputs can't be written to {path.parent}", path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(content, stream)
    return path


def _environment(folder: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    return kept | {
        "ANSIBLE_CONFIG": str(INSTALLER / "ansible.cfg"),
        "ANSIBLE_CALLBACKS_ENABLED": "ucontact_events",
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "tmp"),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
        "ANSIBLE_NOCOLOR": "1",
        "PYTHONUNBUFFERED": "1",
        "LC_ALL": "C.UTF-8",
    }


def _watch(
    command: list[str],
    folder: Path,
    environment: Mapping[str, str],
    *,
    held: tuple[int, ...],
    observer: Observer,
    log: Callable[[str], None],
    processes: Processes,
) -> PlayResult:
    reading, writing = os.pipe()
    supervisors, lifeline = os.pipe()
    supervisor = (sys.executable, "-m", SUPERVISOR, str(supervisors), str(folder))
    try:
        process = subprocess.Popen(
            [*supervisor, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=folder,  # `-m` looks for modules there first: nobody else's lie in a folder of ours
            env={**environment, "UCONTACT_EVENTS_FD": str(writing)},
            pass_fds=(writing, supervisors, *held),
            start_new_session=True,  # a group of its own, to be ended as a whole
        )
    except OSError as error:
        os.close(reading)
        os.close(lifeline)
        raise PhaseFailedError("ansible-playbook can't be started", evidence=str(error)) from error
    finally:
        os.close(writing)
        os.close(supervisors)
    assert process.stdout is not None
    output = threading.Thread(target=_copy, args=(process.stdout, log), daemon=True)
    output.start()
    threading.Thread(target=_end_with_supervisor, args=(process.pid,), daemon=True).start()
    try:
        with processes.watched(process):
            with os.fdopen(reading, encoding="utf-8") as events:
                record = _collect(events, observer, log)
            status = process.wait()
    except BaseException:
        _end(process)
        raise
    finally:
        os.close(lifeline)
        output.join(timeout=5)
        process.stdout.close()
    return PlayResult(status=status, **record)


def _end_with_supervisor(pid: int) -> None:
    """Wait until the supervisor ends; where it was killed, end its group: nobody else does."""
    try:
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        if ended is not None and ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED):
            os.killpg(pid, signal.SIGKILL)
    except (ChildProcessError, ProcessLookupError):  # it was waited for already
        return


def _end(process: subprocess.Popen[str]) -> None:
    """End the process and its whole group: politely, then, after some seconds, for good."""
    if process.returncode is not None:
        return
    _signal(process, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    # Not waited for in earnest yet: as long as it is not, its number is nobody else's.
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while os.waitid(os.P_PID, process.pid, flags) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _copy(stream: TextIO, log: Callable[[str], None]) -> None:
    while line := stream.readline(_MOST_LINE):
        log(line.rstrip("\n"))


def _collect(events: TextIO, observer: Observer, log: Callable[[str], None]) -> dict[str, Any]:
    failed: list[TaskResult] = []
    changed: list[TaskResult] = []
    for line in events:
        event = parse_event(json.loads(line))
        if event is None:
            continue
        observer(event)
        if isinstance(event, TaskResult) and event.status in ("failed", "unreachable"):
            failed.append(event)
        elif isinstance(event, TaskResult) and event.status == "changed":
            changed.append(event)
            for change in event.changes:
                log(f"{event.host}: {change}")
    return {
        "failed": tuple(failed),
        "changed_tasks": tuple(changed),
    }


def parse_event(record: Mapping[str, Any]) -> Event | None:
    """The event in one line of the callback; None for lines that only mark a play."""
    match record["event"]:
        case "task":
            return TaskStarted(record["name"])
        case "result":
            return TaskResult(
                host=record["host"],
                task=record["task"],
                path=record["path"],
                status=record["status"],
                message=record["message"],
                changes=tuple(record["changes"]),
                manages=tuple(record["manages"]),
            )
        case _:
            return None
