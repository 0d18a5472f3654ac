"""Processes that run a playbook each, started before there is one to run.

Python and Ansible take most of a second before they can do anything. Where it is known that another
playbook follows, its process is started meanwhile, and waits.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.install.leftovers import TMPFS
from ucontact_appliance.install.processes import Processes, signal_group
from ucontact_appliance.language.messages import _
from ucontact_appliance.process_identity import MEMORY, own_prefix
from ucontact_appliance.resources import INSTALLER

SUPERVISOR = "ucontact_appliance.install.supervisor"
WAITING = "ucontact_appliance.install.waiting_playbook"
_LOADED_SECONDS = 10.0
_STOP_SECONDS = 12.0  # the supervisor kills what has not ended after 5


@dataclass(frozen=True)
class Launched:
    """A supervised process that waits for its arguments on its standard input.

    `folder` is on a tmpfs, 0700, and removed with the process. `events` has its playbook's events;
    while the descriptor `lifeline` is open the supervisor lets it run.
    """

    process: subprocess.Popen[str]
    folder: Path
    events: TextIO
    lifeline: int


class Launcher:
    """The playbooks' processes of one run; for several threads.

    `held` are descriptors that stay open until the last of them has ended.
    """

    def __init__(self, held: tuple[int, ...] = ()) -> None:
        self.processes = Processes()
        self._held = held
        self._waiting: list[Launched] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._starting: list[threading.Thread] = []

    def expect(self, count: int) -> None:
        """Start the processes of `count` playbooks that are certain to run, one after the other.

        One at a time, so that what is at work meanwhile has the other processors.
        """
        thread = threading.Thread(target=self._start_ahead, args=(count,), daemon=True)
        self._starting.append(thread)
        thread.start()

    def _start_ahead(self, count: int) -> None:
        for __ in range(count):
            with self._lock:
                if self._closed.is_set():
                    return
                try:
                    launched = _launched(self._held)
                except (PhaseFailedError, OSError):
                    return  # whoever needs one says why it can't be started
                self._waiting.append(launched)
            _wait_until_loaded(launched)

    @contextmanager
    def process(self) -> Iterator[Launched]:
        """One that waits, or a new one; it has ended and left nothing after the context.

        Raises PhaseFailedError when it can't be started.
        """
        with self._lock:
            launched = self._first_waiting() or _launched(self._held)
        try:
            threading.Thread(
                target=_end_with_supervisor, args=(launched.process.pid,), daemon=True
            ).start()
            with self.processes.watched(launched.process):
                yield launched
        except BaseException:
            end(launched.process)
            raise
        finally:
            _clean_up(launched)

    def close(self) -> None:
        """Start no more ahead, and end those that wait."""
        self._closed.set()
        for thread in self._starting:
            thread.join()
        with self._lock:
            for launched in self._waiting:
                signal_group(launched.process.pid, signal.SIGTERM)
            while self._waiting:
                launched = self._waiting.pop()
                end(launched.process)
                _clean_up(launched)

    def _first_waiting(self) -> Launched | None:
        while self._waiting:
            launched = self._waiting.pop(0)
            if launched.process.poll() is None:
                return launched
            _clean_up(launched)  # somebody has ended it
        return None


def _launched(held: tuple[int, ...]) -> Launched:
    folder = Path(tempfile.mkdtemp(prefix=own_prefix(MEMORY), dir=_memory_folder()))
    reading, writing = os.pipe()
    supervisors, lifeline = os.pipe()
    supervisor = (sys.executable, "-m", SUPERVISOR, str(supervisors), str(folder))
    try:
        process = subprocess.Popen(
            [*supervisor, sys.executable, "-m", WAITING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=folder,  # `-m` looks for modules there first: nobody else's lie in a folder of ours
            env={**_environment(folder), "UCONTACT_EVENTS_FD": str(writing)},
            pass_fds=(writing, supervisors, *held),
            start_new_session=True,  # a group of its own, to be ended as a whole
        )
    except OSError as error:
        os.close(reading)
        os.close(lifeline)
        shutil.rmtree(folder, ignore_errors=True)
        raise PhaseFailedError(
            _("ansible-playbook can't be started"), evidence=str(error)
        ) from error
    finally:
        os.close(writing)
        os.close(supervisors)
    return Launched(process, folder, os.fdopen(reading, encoding="utf-8"), lifeline)


def _wait_until_loaded(launched: Launched) -> None:
    """Until it has loaded Ansible, has ended, or takes long; what it says is left in the pipe."""
    with suppress(OSError, ValueError):  # it was taken meanwhile, and is done
        select.select([launched.events], [], [], _LOADED_SECONDS)


def _memory_folder() -> Path:
    return next(path for path in TMPFS if path.is_dir() and os.access(path, os.W_OK))


def _environment(folder: Path) -> Mapping[str, str]:
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


def _clean_up(launched: Launched) -> None:
    os.close(launched.lifeline)
    for stream in (launched.events, launched.process.stdin, launched.process.stdout):
        if stream is not None:
            with suppress(BrokenPipeError):
                stream.close()
    shutil.rmtree(launched.folder, ignore_errors=True)


def _end_with_supervisor(pid: int) -> None:
    """Wait until the supervisor ends; where it was killed, end its group: nobody else does."""
    try:
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        if ended is not None and ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED):
            os.killpg(pid, signal.SIGKILL)
    except (ChildProcessError, ProcessLookupError):  # it was waited for already
        return


def end(process: subprocess.Popen[str]) -> None:
    """End the process and its whole group: politely, then, after some seconds, for good."""
    if process.returncode is not None:
        return
    signal_group(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    # Not waited for in earnest yet: as long as it is not, its number is nobody else's.
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while os.waitid(os.P_PID, process.pid, flags) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    signal_group(process.pid, signal.SIGKILL)
    process.wait()
