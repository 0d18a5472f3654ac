"""What came of the faults, as data and as a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.faults.coverage import proven, unproven
from tests.faults.model import Outcome

_MARK = "<!-- made by `make faults`: changes here are lost -->"


def record(outcome: Outcome) -> dict[str, Any]:
    """One outcome as JSON has it.

    `remedy` is `clears`, `shows` (a person decides), `fails` or `not run`.
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
        "problems": list(outcome.problems),
        "seconds": outcome.seconds,
    }


def _remedy(outcome: Outcome) -> str:
    if not outcome.mended:
        return "not run"
    if any("remed" in problem or "mending" in problem for problem in outcome.problems):
        return "fails"
    return "shows" if outcome.fault.mend or outcome.fault.mend_here else "clears"


def page(outcomes: Sequence[Outcome]) -> str:
    """The table of a run as Markdown, for docs/faults.md."""
    good = sum(outcome.good for outcome in outcomes)
    lines = [
        _MARK,
        "",
        f"{good} of {len(outcomes)} faults as the catalogue says, in "
        f"{sum(outcome.seconds for outcome in outcomes) / 60:.0f} minutes.",
        "",
        "| fault | expected | found besides | remedy | s |",
        "|---|---|---|---|---:|",
    ]
    for outcome in outcomes:
        row = record(outcome)
        more = sorted(set(row["found"]) - set(row["expected"]))
        cells = (
            f"{outcome.fault.title} (`{outcome.fault.id}`)",
            ", ".join(row["expected"]),
            ", ".join(more) or "-",
            row["remedy"],
            f"{outcome.seconds:.0f}",
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    wrong = [outcome for outcome in outcomes if not outcome.good]
    if wrong:
        lines += ["", "Not as expected:", ""]
        lines += [f"- `{o.fault.id}`: {problem}" for o in wrong for problem in o.problems]
    lines += ["", f"Checks that a fault proves: {len(proven())}. Not proven, and why:", ""]
    lines += [f"- {check_id}: {reason}" for check_id, reason in sorted(unproven().items())]
    return "\n".join(lines) + "\n"
