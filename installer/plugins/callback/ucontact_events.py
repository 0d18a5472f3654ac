"""Ansible callback: write one JSON line per event to the descriptor that the installer opened.

It runs inside ansible-playbook, without knowledge of the appliance and without decisions. Each
line is `{"event": ..., ...}`; results of tasks marked no_log have no message.
"""

from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: ucontact_events
type: aggregate
short_description: one JSON line an event, for the program that runs the playbook
description:
  - Writes play, task and result events to the file descriptor in UCONTACT_EVENTS_FD.
"""

_MOST_CHARACTERS = 4000


class CallbackModule(CallbackBase):
    """Reports plays, tasks and results."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "ucontact_events"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        self._stream = os.fdopen(int(os.environ["UCONTACT_EVENTS_FD"]), "w", encoding="utf-8")

    def _send(self, event, **fields):
        self._stream.write(json.dumps(dict(fields, event=event)) + "\n")
        self._stream.flush()

    def v2_playbook_on_play_start(self, play):
        self._send("play", name=play.get_name())

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._send("task", name=task.get_name().strip(), path=_path(task))

    def v2_playbook_on_handler_task_start(self, task):
        self._send("task", name=task.get_name().strip(), path=_path(task))

    def v2_runner_on_ok(self, result):
        changed = bool(result._result.get("changed"))
        told = {key: _lines(result._result, key) for key in ("changes", "manages")}
        self._send_result(result, "changed" if changed else "ok", **told)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        status = "ignored" if ignore_errors else "failed"
        self._send_result(result, status, _message(result._result))

    def v2_runner_on_unreachable(self, result):
        self._send_result(result, "unreachable", _message(result._result))

    def v2_runner_on_skipped(self, result):
        self._send_result(result, "skipped")

    def _send_result(self, result, status, message="", changes=(), manages=()):
        self._send(
            "result",
            host=result._host.get_name(),
            task=result._task.get_name().strip(),
            path=_path(result._task),
            status=status,
            message=message,
            changes=list(changes),
            manages=list(manages),
        )


def _path(task):
    """The task's file and line, relative to the folder of roles or playbooks."""
    path = task.get_path() or ""
    for folder in ("/roles/", "/playbooks/"):
        if folder in path:
            return folder.strip("/") + "/" + path.split(folder, 1)[1]
    return os.path.basename(path)


def _lines(result, key):
    """What one of our modules changed or manages, one line each; without secrets."""
    told = result.get(key)
    return [str(line) for line in told] if isinstance(told, list) else []


def _message(result):
    """The message of the command or module; for a loop, the messages of its items."""
    if result.get("_ansible_no_log") or result.get("censored"):
        return "the task handles secrets, so its output is not shown"
    items = [item for item in result.get("results", []) if isinstance(item, dict)]
    broken = [item for item in items if item.get("failed") or item.get("unreachable")]
    if broken:
        return "\n".join(_of_item(item) for item in broken)[-_MOST_CHARACTERS:]
    parts = [str(result.get("msg", "")).strip()]
    for key in ("stderr", "module_stderr", "stdout", "module_stdout"):
        text = str(result.get(key) or "").strip()
        if text and text not in parts[0]:
            parts.append(text[-_MOST_CHARACTERS // 3 :])
    return "\n".join(part for part in parts if part)[-_MOST_CHARACTERS:]


def _of_item(item):
    """One item's message, prefixed with its name if that is a string."""
    name = item.get("item")
    return f"{name}: {_message(item)}" if isinstance(name, str) else _message(item)
