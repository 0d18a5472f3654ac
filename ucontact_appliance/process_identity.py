"""Identify a process by its PID and start time: a PID alone may have been reused."""

from __future__ import annotations

import os
from pathlib import Path

# Kinds of temporary folders (`own_prefix`): their names identify those of killed processes.
MEMORY = "ucontact"  # contains secrets, on a file system in memory
CONNECTIONS = "uc"  # contains the sockets of shared connections


def begun(pid: int) -> str | None:
    """Return the process's start time in clock ticks since boot (proc(5), stat); None if none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]


def own_prefix(kind: str) -> str:
    """Return the name prefix of this process's temporary folders: `KIND-PID-START-`."""
    pid = os.getpid()
    return f"{kind}-{pid}-{begun(pid)}-"
