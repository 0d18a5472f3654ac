"""Running a playbook as a process, and reading its events as it goes."""

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

_MOST_LINE = 1 << 16  # characters of a line of the log; what is longer goes on in the next


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
    launcher: Launcher,
    check: bool = False,
    tags: tuple[str, ...] = (),
) -> PlayResult:
    """Run it and wait; events go to `observer`, Ansible's own output to `log` line by line.

    With `tags` only the tasks that have one of them are run. Inventory and secrets are files in
    memory (tmpfs, 0600 in a 0700 folder) for as long as the process runs; every string in them is
    data, and none a template. Raises PhaseFailedError only when Ansible could not be started at
    all. Whatever ends this function ends Ansible and all that it started here, even SIGKILL; so
    does ending the launcher's processes, from another thread.
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
    """Hand it its arguments, and read what it says until it ends."""
    process = launched.process
    assert process.stdin is not None
    assert process.stdout is not None
    output = threading.Thread(target=_copy, args=(process.stdout, log), daemon=True)
    output.start()
    try:
        with suppress(BrokenPipeError):  # it has ended; its status says so
            process.stdin.write(f"{json.dumps(words)}\n")
            process.stdin.close()
        record = _collect(launched.events, observer, log)
        status = process.wait()
    except BaseException:
        end(process)  # first: its output ends with it
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
    """The event in one line of the callback; None for one that is no event here."""
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
