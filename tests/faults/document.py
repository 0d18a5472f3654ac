"""What came of the faults, as data and as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.faults.coverage import proven, unproven
from tests.faults.model import Fault, Outcome

_MARK = "<!-- made by `make faults`: changes here are lost -->"

_LEGEND = (
    "- `clears`: the printed remedy mends by itself",
    "- `(8 at once)`: one run of it mended eight faults that showed together",
    "- `shows`: it shows what a person decides upon, who then does what its note says",
)

Row = Mapping[str, Any]


def record(outcome: Outcome) -> dict[str, Any]:
    """One outcome as JSON has it.

    `remedy` is `clears`, `shows` (a person decides), `fails` or `not run`; `beside` are the faults
    that one run of it cleared together with this one.
    """
    fault = outcome.fault
    return {
        "id": fault.id,
        "title": fault.title,
        "kind": fault.kind.value,
        "expected": sorted(fault.causes),
        "allowed": dict(fault.also),
        "found": list(outcome.found),
        "remedy": _remedy(outcome),
        "remedies": list(outcome.remedies),
        "beside": list(outcome.beside),
        "problems": list(outcome.problems),
        "seconds": outcome.seconds,
    }


def recall(row: Row, fault: Fault) -> Outcome:
    """The outcome that was recorded of that fault."""
    return Outcome(
        fault,
        tuple(row["found"]),
        tuple(row["remedies"]),
        tuple(row["problems"]),
        row["seconds"],
        row["remedy"] != "not run",
        tuple(row["beside"]),
    )


def _remedy(outcome: Outcome) -> str:
    if not outcome.mended:
        return "not run"
    if any("remed" in problem or "mending" in problem for problem in outcome.problems):
        return "fails"
    return "shows" if outcome.fault.mend or outcome.fault.mend_here else "clears"


def page(rows: Sequence[Row]) -> str:
    """The table of a run as Markdown, for docs/faults.md; `rows` are records."""
    wrong = [row for row in rows if row["problems"]]
    lines = [
        _MARK,
        "# What came of each fault",
        "",
        f"{len(rows) - len(wrong)} of {len(rows)} faults as the catalogue says, in "
        f"{sum(row['seconds'] for row in rows) / 60:.0f} minutes of one machine.",
        "",
        *_LEGEND,
        "",
        "| fault | expected | found besides | remedy | s |",
        "|---|---|---|---|---:|",
    ]
    for row in rows:
        more = sorted(set(row["found"]) - set(row["expected"]))
        cells = (
            f"{row['title']} (`{row['id']}`)",
            ", ".join(row["expected"]),
            ", ".join(more) or "-",
            row["remedy"] + (f" ({len(row['beside']) + 1} at once)" if row["beside"] else ""),
            f"{row['seconds']:.0f}",
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    if wrong:
        lines += ["", "Not as expected:", ""]
        lines += [f"- `{row['id']}`: {problem}" for row in wrong for problem in row["problems"]]
    lines += ["", f"Checks that a fault proves: {len(proven())}. Not proven, and why:", ""]
    lines += [f"- {check_id}: {reason}" for check_id, reason in sorted(unproven().items())]
    return "\n".join(lines) + "\n"
