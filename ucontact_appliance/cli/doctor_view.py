"""How `ucontact doctor` shows what changed, and its kept runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timezone
from typing import Any

from rich.markup import escape

from ucontact_appliance.checks.changes import BLOCKED, QUIET, WAIVED, Change, Changes, Kind
from ucontact_appliance.checks.document import FindingRow
from ucontact_appliance.checks.model import Finding
from ucontact_appliance.cli.console import VERDICT_STYLE, err, out, table
from ucontact_appliance.engine.history import Run
from ucontact_appliance.report.changed import folded, moment, since

STATE_STYLE = {verdict.value: style for verdict, style in VERDICT_STYLE.items()} | {
    WAIVED: "cyan",
    BLOCKED: "dim",
}
_KIND_STYLE = {Kind.WORSE: "bold red", Kind.NEW: "bold", Kind.BETTER: "green", Kind.GONE: "dim"}


def show_changes(changes: Changes) -> None:
    """Only what changed; symptoms behind a cause, and checks that are merely new, as numbers."""
    out.print(since(changes), highlight=False)
    told, heaps = folded(changes)
    for change in told:
        _show_change(change)
    for line in heaps:
        out.print(f"\n{line}", highlight=False)


def _show_change(change: Change) -> None:
    states = " -> ".join(
        f"[{STATE_STYLE[state]}]{state}[/]" for state in (change.before, change.now) if state
    )
    out.print(
        f"\n[{_KIND_STYLE[change.kind]}]{change.kind.value:<6}[/] [bold]{change.id}[/] on "
        f"{change.host}: {escape(change.title)} ({states})",
        highlight=False,
    )
    remedy = "" if change.now in QUIET else change.remedy
    for label, text in (("observed", change.observed), ("remedy", remedy)):
        if text:
            out.print(f"  {label:<9} {escape(text)}", highlight=False, soft_wrap=True)


def show_waived(finding: Finding) -> None:
    """A failure that site.yml makes an exception of."""
    waived = finding.waived
    assert waived is not None
    out.print(
        f"\n[{STATE_STYLE[WAIVED]}]waived[/] [bold]{finding.id}[/] on {finding.host}: "
        f"{escape(finding.title)}",
        highlight=False,
    )
    for label, text in (
        ("observed", finding.observed),
        ("reason", waived.reason),
        ("until", str(waived.until)),
    ):
        out.print(f"  {label:<9} {escape(text)}", highlight=False, soft_wrap=True)


def warn(text: str) -> None:
    """A remark beside the answer, on stderr."""
    err.print(escape(text), highlight=False, soft_wrap=True)


def show_history(runs: Sequence[Run]) -> None:
    """A line a kept run, the newest first."""
    if not runs:
        out.print("no run was kept yet; `ucontact doctor` keeps one", highlight=False)
        return
    rows = table("time (UTC)", "verdict", "fail", "error", "warn", "waived", "blocked", "kind")
    for run in runs:
        document, count = run.document, counts(run.document.findings)
        verdict = document.verdict
        rows.add_row(
            moment(document.time),
            f"[{VERDICT_STYLE[verdict]}]{verdict.value}[/]",
            *(str(count[state] or "") for state in ("fail", "error", "warn", WAIVED, BLOCKED)),
            ", ".join(
                (*(("deep",) if run.deep else ()), *(("night",) if run.by == "night" else ()))
            ),
        )
    out.print(rows)


def history_rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """The kept runs for programs, the newest first."""
    return [
        {
            "time": run.document.time.astimezone(timezone.utc).isoformat(timespec="seconds"),
            "verdict": run.document.verdict.value,
            "deep": run.deep,
            "by": run.by,
            "counts": dict(counts(run.document.findings)),
        }
        for run in runs
    ]


def counts(rows: Sequence[FindingRow]) -> Counter[str]:
    """How many findings are in each state."""
    return Counter(
        WAIVED if row.waived else BLOCKED if row.blocked_by else row.verdict.value for row in rows
    )
