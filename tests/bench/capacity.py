"""`make bench`, its part about calls: what one was predicted to cost, and what it took.

Alone: `python -m tests.bench.capacity`.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from tests.e2e.capacity import WAYS, a_bench, shown
from ucontact_appliance.lab import machines
from ucontact_appliance.lab.records import MachineSpec

WINDOW_SECONDS = 10.0
ROUNDS = 3


def main() -> None:
    """Two machines, each kind of call three times."""
    names = (f"b-calls-{os.getpid()}", f"b-sipp-{os.getpid()}")
    with tempfile.TemporaryDirectory() as folder:
        try:
            telephony, sipp = (machines.up(MachineSpec(name), lambda text: None) for name in names)
            bench = a_bench(telephony, sipp, Path(folder))
            rows = []
            for _ in range(ROUNDS):
                document = bench.benchmark()
                rows += [bench.compare(kind, document, WINDOW_SECONDS) for kind in WAYS]
        finally:
            machines.down([m.name for m in machines.listed() if m.name in names], lambda text: None)
    print(shown(rows))
    print(f"greatest error {max(abs(row.error) for row in rows):.1%}")


if __name__ == "__main__":
    main()
