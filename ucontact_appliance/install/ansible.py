"""Run a playbook in a child process and read its events while it runs."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from ucontact_appliance.install.events import Event, Observer, TaskResult, TaskStarted
from ucontact_appliance.install.launcher import Launched, Launcher, end
from ucontact_appliance.install.unsafe import as_data
from ucontact_appliance.language.messages import _
from ucontact_appliance.os_errors import refusing

_MOST_LINE = 1 << 16  # characters per line of the log; a longer line is split


@dataclass(frozen=True)
class PlayResult:
    """Result of a playbook: its exit status, and the tasks that failed or changed something."""

    status: int
    failed: tuple[TaskResult, ...]
    changed_tasks: tuple[TaskResult, ...] = ()

    @property
    def changed(self) -> int:
        """Number of changes on all hosts; a changed task that lists no changes counts as one."""
        return sum(len(task.changes) or 1 for task in self.changed_tasks)


def run_playbook(
    playbook: Path,
    inventory: Mapping[str, Any],
    secrets: Mapping[str, Any],
    *,
    observer: Observer,
    log: Callable[[str], None],
    launcher: Launcher,
    check: bool = False,
    tags: tuple[str, ...] = (),
) -> PlayResult:
    """Run a playbook and wait for its end.

    Events go to `observer`, Ansible's own output to `log` line by line. With `tags`, only tasks
    with one of them run. Inventory and secrets are files on a tmpfs (0600 in a 0700 folder) while
    the process runs; no string in them is evaluated as a template. Raises PhaseFailedError only if
    Ansible can't be started. When this function ends, even by SIGKILL, Ansible and its local child
    processes end; another thread can end them through the launcher's `processes`.
    """
    with launcher.process() as launched:
        folder = launched.folder
        inventory_file = _private_json(folder / "inventory.json", as_data(inventory))
        secrets_file = _private_json(folder / "secrets.json", as_data({"secrets": secrets}))
        words = [
            *("-i", str(inventory_file), "-e", f"@{secrets_file}"),
            *(("--check",) if check else ()),
            *(("--tags", ",".join(tags)) if tags else ()),
            str(playbook),
        ]
        return _watch(launched, words, observer=observer, log=log)


def _private_json(path: Path, content: Mapping[str, Any]) -> Path:
    with refusing(_("Ansible's inputs can't be written to {parent}", parent=path.parent), path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(content, stream)
    return path


def _watch(
    launched: Launched,
    words: Sequence[str],
    *,
    observer: Observer,
    log: Callable[[str], None],
) -> PlayResult:
    """Send the process its arguments, and read its events and output until it ends."""
    process = launched.process
    assert process.stdin is not None
    assert process.stdout is not None
    output = threading.Thread(target=_copy, args=(process.stdout, log), daemon=True)
    output.start()
    try:
        with suppress(BrokenPipeError):  # the process has ended; its status reports that
            process.stdin.write(f"{json.dumps(words)}\n")
            process.stdin.close()
        record = _collect(launched.events, observer, log)
        status = process.wait()
    except BaseException:
        end(process)  # before the join: the reading thread ends when the process does
        raise
    finally:
        output.join(timeout=5)
    return PlayResult(status=status, **record)


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
    """Return the event in one record of the callback plugin; None for any other record."""
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
