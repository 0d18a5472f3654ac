"""The catalogue on several rehearsal machines at once, each with a run of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from multiprocessing import Process
from pathlib import Path

from tests.faults.document import Row, record
from tests.faults.model import Fault, Outcome

Run = Callable[[Sequence[Fault], str, Path], object]


def side_by_side(
    chosen: Sequence[Fault], count: int, name: str, folder: Path, run: Run
) -> list[Path]:
    """`run` the faults on `count` machines named after `name`; the files of their records.

    Neighbours in the catalogue are of one kind and take as long, so each machine gets every
    `count`th. Interrupted, the runs are ended too, and take their machines with them.
    """
    count = min(count, len(chosen))
    files = [folder / f"{name}-{number}.json" for number in range(1, count + 1)]
    started: list[Process] = []
    try:
        for number, file in enumerate(files):
            file.unlink(missing_ok=True)  # an earlier run's records are not this one's
            started.append(Process(target=run, args=(chosen[number::count], file.stem, file)))
            started[-1].start()
        for process in started:
            process.join()
    except BaseException:
        for process in started:
            if process.is_alive():
                process.terminate()
                process.join()
        raise
    return files


def records(files: Sequence[Path], order: Sequence[Fault]) -> list[Row]:
    """What the runs recorded, in the catalogue's order; a fault that none recorded is wrong."""
    known: dict[str, Row] = {
        row["id"]: row for file in files if file.exists() for row in json.loads(file.read_text())
    }
    return [known.get(fault.id) or record(_unreached(fault)) for fault in order]


def _unreached(fault: Fault) -> Outcome:
    return Outcome(fault, (), (), ("the run of its machine ended before it",), 0.0, False)
