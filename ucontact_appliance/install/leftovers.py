"""Remove what killed runs left on this machine: secrets on a tmpfs and open ssh connections."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ucontact_appliance.process_identity import CONNECTIONS, MEMORY, begun

TMPFS = (Path("/run"), Path("/dev/shm"))  # in memory, so that no secret is written to a disk
_EXIT_SECONDS = 5.0


def sweep_leftovers() -> None:
    """Remove the folders of our processes that have ended, and end the ssh connections in them.

    A folder is a leftover when it belongs to our user and no process has the id and start time in
    its name; everything else stays. Never raises: the current command does not depend on it.
    """
    for root in TMPFS:
        for folder in _left(root, MEMORY):
            shutil.rmtree(folder, ignore_errors=True)
    for folder in _left(Path(tempfile.gettempdir()), CONNECTIONS):
        _end_connections(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _left(root: Path, kind: str) -> Iterator[Path]:
    pattern = re.compile(rf"{kind}-([0-9]{{1,10}})-([0-9]{{1,20}})-[^/]+")
    with suppress(OSError):
        for folder in root.glob(f"{kind}-*-*-*"):
            found = pattern.fullmatch(folder.name)
            if found is None or begun(int(found[1])) == found[2]:
                continue
            with suppress(OSError):  # another run has removed it
                status = folder.lstat()
                if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid():
                    yield folder


def _end_connections(folder: Path) -> None:
    """End the ssh masters with sockets in that folder; else they stay connected for minutes."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.is_socket():
                words = ["ssh", "-o", f'ControlPath="{path}"', "-O", "exit", "any"]
                with suppress(subprocess.TimeoutExpired):
                    subprocess.run(
                        words,
                        stdin=subprocess.DEVNULL,
                        capture_output=True,
                        timeout=_EXIT_SECONDS,
                        check=False,
                    )
