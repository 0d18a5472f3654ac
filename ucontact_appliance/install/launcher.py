"""Start one process per playbook, in advance where it is known that a playbook follows.

Python and Ansible take most of a second to load. A process that is started in advance loads while
another playbook runs, then waits for its arguments.
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
_STOP_SECONDS = 12.0  # the supervisor kills the remaining processes after 5 s


@dataclass(frozen=True)
class Launched:
    """A supervised process that waits for its arguments on its standard input.

    `folder` is on a tmpfs, 0700, and removed with the process. `events` is the stream of the
    playbook's events. The supervisor ends the process when the descriptor `lifeline` is closed.
    """

    process: subprocess.Popen[str]
    folder: Path
    events: TextIO
    lifeline: int


class Launcher:
    """The playbook processes of one run; thread-safe.

    The processes inherit the descriptors `held`, which stay open until the last process has ended.
    """

    def __init__(self, held: tuple[int, ...] = ()) -> None:
        self.processes = Processes()
        self._held = held
        self._waiting: list[Launched] = []
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._starting: list[threading.Thread] = []

    def expect(self, count: int) -> None:
        """Start the processes of `count` playbooks that are certain to run, in a thread.

        They are started one at a time, to leave the other processors to running phases.
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
                    return  # process() reports why it can't be started
                self._waiting.append(launched)
            _wait_until_loaded(launched)

    @contextmanager
    def process(self) -> Iterator[Launched]:
        """Yield a waiting process or a new one; on exit it is ended and its folder removed.

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
        """Stop starting processes in advance, and end those that wait."""
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
            _clean_up(launched)  # it was ended from outside
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
            cwd=folder,  # `-m` looks for modules here first: others can't put any into our folder
            env={**_environment(folder), "UCONTACT_EVENTS_FD": str(writing)},
            pass_fds=(writing, supervisors, *held),
            start_new_session=True,  # a separate process group, which can be ended as a whole
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
    """Wait until it has loaded Ansible or ended, or 10 s have passed; its events stay unread."""
    with suppress(OSError, ValueError):  # it was used in the meantime, and its stream is closed
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
    """Wait for the supervisor; if it was killed, kill its process group in its place."""
    try:
        ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        if ended is not None and ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED):
            os.killpg(pid, signal.SIGKILL)
    except (ChildProcessError, ProcessLookupError):  # another thread has already reaped it
        return


def end(process: subprocess.Popen[str]) -> None:
    """End the process and its process group: SIGTERM, then SIGKILL after 12 s."""
    if process.returncode is not None:
        return
    signal_group(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    # WNOWAIT: until the process is reaped, its process id can't be reused.
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while os.waitid(os.P_PID, process.pid, flags) is None and time.monotonic() < deadline:
        time.sleep(0.05)
    signal_group(process.pid, signal.SIGKILL)
    process.wait()
