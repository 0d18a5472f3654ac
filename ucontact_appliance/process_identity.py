"""Which process something belongs to: its number alone may be another's by now."""

from __future__ import annotations

import os
from pathlib import Path

# Kinds of temporary folders (`own_prefix`), by which those of killed processes are known.
MEMORY = "ucontact"  # it has secrets in it, and lies in memory
CONNECTIONS = "uc"  # it has the sockets of shared connections in it


def begun(pid: int) -> str | None:
    """When the process began, in clock ticks since boot (proc(5), stat); None: there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]


def own_prefix(kind: str) -> str:
    """How the names of this process's temporary folders begin: `KIND-PID-START-`."""
    pid = os.getpid()
    return f"{kind}-{pid}-{begun(pid)}-"
