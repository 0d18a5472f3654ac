"""The catalogue on several rehearsal machines at once, each with a run of its own."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from multiprocessing import Process
from pathlib import Path

from tests.faults.document import Row, recall, record
from tests.faults.model import Fault, Outcome

Run = Callable[[Sequence[Fault], str, Path], object]


def side_by_side(chosen: Sequence[Fault], files: Sequence[Path], run: Run) -> None:
    """`run` the faults on as many machines as there are files for their records, named like them.

    Neighbours in the catalogue are of one kind and take as long, so each machine gets every so
    manieth. Interrupted, the runs are ended too, and take their machines with them.
    """
    started: list[Process] = []
    try:
        for number, file in enumerate(files):
            share = chosen[number :: len(files)]
            started.append(Process(target=_quietly, args=(run, share, file.stem, file)))
            started[-1].start()
        for process in started:
            process.join()
    except BaseException:
        for process in started:
            if process.is_alive():
                process.terminate()
                process.join()
        raise


def _quietly(run: Run, share: Sequence[Fault], name: str, file: Path) -> None:
    # An interruption has torn down the machine by then; who interrupted is told by the parent.
    with contextlib.suppress(KeyboardInterrupt):
        run(share, name, file)


def recorded(file: Path, faults: Sequence[Fault]) -> dict[str, Outcome]:
    """The outcomes in that file, by the fault's id; none where there is no such file."""
    rows = _rows(file)
    return {fault.id: recall(rows[fault.id], fault) for fault in faults if fault.id in rows}


def records(files: Sequence[Path], order: Sequence[Fault]) -> list[Row]:
    """What the runs recorded, in the catalogue's order; a fault that none recorded is wrong."""
    known = {key: row for file in files for key, row in _rows(file).items()}
    return [known.get(fault.id) or record(_unreached(fault)) for fault in order]


def _rows(file: Path) -> dict[str, Row]:
    rows = json.loads(file.read_text()) if file.exists() else []
    return {row["id"]: row for row in rows}


def _unreached(fault: Fault) -> Outcome:
    return Outcome(fault, (), (), ("the run of its machine ended before it",), 0.0, False)
