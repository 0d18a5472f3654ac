"""`make faults`: every fault of the catalogue on a machine, with a table and a JSON file."""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.faults.catalogue import FAULTS, USUAL
from tests.faults.coverage import unproven
from tests.faults.document import Row, page, record
from tests.faults.lanes import recorded, records, side_by_side
from tests.faults.model import Fault, Outcome
from tests.faults.runner import bad, prove_all
from tests.faults.snapshot import snapshot

_OUT = Console()


def main(words: Sequence[str] | None = None) -> int:
    """Run the chosen faults; 0 when all were as the catalogue says, 1 when not, 2 for wrong use."""
    options = _options(words)
    chosen = [fault for fault in FAULTS if _is_chosen(fault, options)]
    if not chosen:
        _OUT.print("no fault has such an id", style="red")
        return 2
    if os.geteuid() != 0:
        _OUT.print("not run: rehearsal machines need root", style="red")
        return 2
    # Ended by `kill`, the machine and its layer go just as after Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupted)
    signal.signal(signal.SIGINT, _interrupted)
    try:
        rows = _run(chosen, options)
    except KeyboardInterrupt:
        _OUT.print("interrupted", style="yellow")
        return 130
    _OUT.print(_table(rows))
    for check_id, reason in sorted(unproven().items()):
        _OUT.print(f"not proven by a fault: {check_id}: {reason}", highlight=False)
    wrong = sum(bool(row["problems"]) for row in rows)
    _OUT.print(f"{len(rows) - wrong} of {len(rows)} faults as the catalogue says")
    if options.page:
        options.page.write_text(page(rows), encoding="utf-8")
    return 1 if wrong else 0


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("ids", nargs="*", help="ids or patterns such as 'tls-*'; else all of them")
    parser.add_argument("--fast", action="store_true", help="the subset that runs in the suite")
    parser.add_argument("--look", action="store_true", help="run no remedy that installs")
    parser.add_argument("--name", default="faults", help="of the rehearsal machine")
    parser.add_argument("--machines", type=int, default=1, help="as many at once")
    parser.add_argument("--resume", action="store_true", help="keep what was found good before")
    parser.add_argument("--keep", type=Path, help="leave the installed site, for the next run")
    parser.add_argument("--json", type=Path, default=Path("build/faults.json"))
    parser.add_argument("--page", type=Path, help="write the table as Markdown to this file")
    options = parser.parse_args(words)
    if options.machines > 1 and options.keep:
        parser.error("--keep is for one machine")
    return options


def _is_chosen(fault: Fault, options: argparse.Namespace) -> bool:
    named = not options.ids or any(fnmatch.fnmatch(fault.id, one) for one in options.ids)
    return named and (fault.fast or not options.fast)


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _run(chosen: Sequence[Fault], options: argparse.Namespace) -> list[Row]:
    target, count = options.json, min(options.machines, len(chosen))
    target.parent.mkdir(parents=True, exist_ok=True)
    files = [target.parent / f"{options.name}-{number}.json" for number in range(1, count + 1)]
    if not options.resume:
        for file in files:
            file.unlink(missing_ok=True)
    run = partial(_run_one, keep=options.keep, installs=not options.look, resume=options.resume)
    if count > 1:
        side_by_side(chosen, files, run)
    else:
        run(chosen, options.name, files[0])
    rows = records(files, chosen)
    target.write_text(json.dumps(rows, indent=1) + "\n")
    return rows


def _run_one(
    chosen: Sequence[Fault],
    name: str,
    target: Path,
    *,
    keep: Path | None,
    installs: bool,
    resume: bool,
) -> None:
    known = {key: one for key, one in recorded(target, chosen).items() if resume and one.good}
    rows: dict[str, Row] = {key: record(one) for key, one in known.items()}
    told: set[str] = set()
    with tempfile.TemporaryDirectory(prefix="faults-") as passing:
        folder = (keep or Path(passing)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        _OUT.print(f"installing the small site {name}, once")
        with snapshot(name, folder, keep=keep is not None) as site:
            clean = site.clean(USUAL)
            _OUT.print(f"clean: {len(clean)} checks, {', '.join(sorted(bad(clean)))} usual")
            note = partial(_OUT.print, style="dim", highlight=False, markup=False)
            for outcome in prove_all(
                site, chosen, clean, installs=installs, known=known, on_note=note
            ):
                rows[outcome.fault.id] = record(outcome)
                told.add(outcome.fault.id)
                _tell(f"{len(told)}/{len(chosen)}", outcome)
                target.write_text(json.dumps(list(rows.values()), indent=1) + "\n")


def _tell(progress: str, outcome: Outcome) -> None:
    style = "green" if outcome.good else "red"
    told = "as expected" if outcome.good else "WRONG"
    left = "" if outcome.mended else ", remedy not run"
    beside = f", mended beside {len(outcome.beside)} others" if outcome.beside else ""
    _OUT.print(
        f"{progress} [{style}]{told}[/] {outcome.fault.id} ({outcome.seconds:.0f} s{left}{beside})",
        highlight=False,
    )
    for problem in outcome.problems:
        _OUT.print(f"    {escape(problem)}", highlight=False, soft_wrap=True)


def _table(rows: Sequence[Row]) -> Table:
    table = Table(show_lines=False)
    for title in ("", "fault", "expected", "found", "remedy"):
        table.add_column(title)
    table.add_column("s", justify="right")
    for row in rows:
        table.add_row(
            "[red]wrong[/]" if row["problems"] else "[green]ok[/]",
            escape(f"{row['id']}: {row['title']}"),
            ", ".join(row["expected"]),
            ", ".join(row["found"]),
            row["remedy"],
            f"{row['seconds']:.0f}",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
