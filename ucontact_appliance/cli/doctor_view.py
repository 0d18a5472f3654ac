"""Print the findings, the changes and the saved runs of `ucontact doctor`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timezone
from typing import Any

from rich.markup import escape

from ucontact_appliance.checks.model import Finding, Verdict
from ucontact_appliance.cli.console import err, out, table, translated
from ucontact_appliance.cli.verdict_style import VERDICT_STYLE
from ucontact_appliance.findings.causes import Cause, causes
from ucontact_appliance.findings.changes import (
    BLOCKED,
    QUIET,
    WAIVED,
    Change,
    ChangeKind,
    Changes,
    state_of,
)
from ucontact_appliance.findings.document import FindingRow
from ucontact_appliance.language.catalogue import Translate
from ucontact_appliance.language.messages import _
from ucontact_appliance.language.words import number_of, word
from ucontact_appliance.operate.history import SavedRun
from ucontact_appliance.report.changed import folded, moment, since

STATE_STYLE = {verdict.value: style for verdict, style in VERDICT_STYLE.items()} | {
    WAIVED: "cyan",
    BLOCKED: "dim",
}
_KIND_STYLE = {
    ChangeKind.WORSE: "bold red",
    ChangeKind.NEW: "bold",
    ChangeKind.BETTER: "green",
    ChangeKind.GONE: "dim",
}


def show_findings(
    findings: Sequence[Finding], translate: Translate, *, everything: bool = False
) -> None:
    """Print each cause once, with its remedy and the checks that it blocks; then the counts.

    Checks that passed or were not judged are listed only if `everything` is set.
    """
    if everything:
        _show_table(findings, translate)
    for cause in causes(findings):
        _show_cause(cause, translate)
    for finding in findings:
        if finding.waived is None and finding.verdict is Verdict.WARN:
            _show_problem(finding, (finding.host,), translate)
    for finding in findings:
        if finding.waived is not None and finding.blocked_by is None:
            _show_waived(finding, translate)
    out.print(f"\n{summary(findings, translate)}", highlight=False)
    hidden = sum(state_of(finding) in ("pass", "skip", BLOCKED) for finding in findings)
    if hidden and not everything:
        told = translate(_("{count} of them are not listed; --all lists them", count=hidden))
        out.print(f"[dim]{told}[/]", highlight=False)


def _show_table(findings: Sequence[Finding], translate: Translate) -> None:
    rows = table("", _("check"), _("host"), _("observed"), "s", translate=translate)
    for finding in findings:
        state = state_of(finding)
        observed = finding.observed.splitlines() or [""]
        rows.add_row(
            f"[{STATE_STYLE[state]}]{translate(word(state))}[/]",
            escape(finding.title),
            finding.host,
            escape(observed[0]),
            f"{finding.seconds:.1f}",
        )
    out.print(rows)


def _show_cause(cause: Cause, translate: Translate) -> None:
    _show_problem(cause.finding, cause.hosts, translate)
    if cause.behind:
        by_host = Counter(finding.host for finding in cause.behind)
        where = ", ".join(f"{host} ({number})" for host, number in by_host.items())
        told = translate(_("not judged because of it: {where}", where=where))
        out.print(f"  [dim]{'':<9} {escape(told)}[/]", highlight=False)


def _show_problem(finding: Finding, hosts: Sequence[str], translate: Translate) -> None:
    style, state = VERDICT_STYLE[finding.verdict], finding.verdict.value
    out.print(
        f"\n[{style}]{translate(word(state))}[/] [bold]{finding.id}[/] {_on(hosts, translate)}: "
        f"{escape(finding.title)} [dim]({translate(word(finding.severity.value))})[/]",
        highlight=False,
    )
    _show_lines(
        (
            (_("observed"), finding.observed),
            (_("required"), finding.required),
            (_("remedy"), finding.remedy),
        ),
        translate,
    )


def _on(hosts: Sequence[str], translate: Translate) -> str:
    return f"{translate(_('on'))} {escape(', '.join(hosts))}"


def _show_lines(lines: Sequence[tuple[str, str]], translate: Translate) -> None:
    for label, text in lines:
        if text:
            out.print(f"  {translate(label):<9} {escape(text)}", highlight=False, soft_wrap=True)


def summary(findings: Sequence[Finding], translate: Translate) -> str:
    """Return the number of findings per state, coloured: `148 pass, 1 warn, 4 skip`."""
    states = Counter(state_of(finding) for finding in findings)
    return ", ".join(
        f"[{style}]{translate(number_of(states[state], state))}[/]"
        for state, style in STATE_STYLE.items()
        if states[state]
    )


def show_changes(changes: Changes, translate: Translate) -> None:
    """Print only the changes, which are translated already.

    Checks blocked by a cause, and new checks without a problem, are only counted.
    """
    out.print(translate(since(changes)), highlight=False)
    told, heaps = folded(changes)
    for change in told:
        _show_change(change, translate)
    for line in heaps:
        out.print(f"\n{translate(line)}", highlight=False)


def _show_change(change: Change, translate: Translate) -> None:
    states = " -> ".join(
        f"[{STATE_STYLE[state]}]{translate(word(state))}[/]"
        for state in (change.before, change.now)
        if state
    )
    out.print(
        f"\n[{_KIND_STYLE[change.kind]}]{translate(word(change.kind.value)):<6}[/] "
        f"[bold]{change.id}[/] {_on((change.host,), translate)}: "
        f"{escape(change.title)} ({states})",
        highlight=False,
    )
    remedy = "" if change.now in QUIET else change.remedy
    _show_lines(((_("observed"), change.observed), (_("remedy"), remedy)), translate)


def _show_waived(finding: Finding, translate: Translate) -> None:
    """Print a failure that site.yml waives."""
    waived = finding.waived
    assert waived is not None
    out.print(
        f"\n[{STATE_STYLE[WAIVED]}]{translate(word(WAIVED))}[/] [bold]{finding.id}[/] "
        f"{_on((finding.host,), translate)}: {escape(finding.title)}",
        highlight=False,
    )
    _show_lines(
        (
            (_("observed"), finding.observed),
            (_("reason"), waived.reason),
            (_("until"), str(waived.until)),
        ),
        translate,
    )


def warn(text: str) -> None:
    """Print a remark on stderr, in the reader's language."""
    err.print(escape(translated(text)), highlight=False, soft_wrap=True)


def show_history(runs: Sequence[SavedRun], translate: Translate) -> None:
    """Print one line per saved run, newest first."""
    if not runs:
        told = translate(_("no saved runs yet; `ucontact doctor` saves one"))
        out.print(told, highlight=False)
        return
    heads = (
        _("time (UTC)"),
        _("verdict"),
        *map(word, ("fail", "error", "warn", WAIVED, BLOCKED)),
        _("kind"),
    )
    rows = table(*heads, translate=translate)
    for run in runs:
        document, count = run.document, counts(run.document.findings)
        verdict = document.verdict
        rows.add_row(
            moment(document.time),
            f"[{VERDICT_STYLE[verdict]}]{translate(word(verdict.value))}[/]",
            *(str(count[state] or "") for state in ("fail", "error", "warn", WAIVED, BLOCKED)),
            ", ".join(
                translate(word(kind))
                for kind, so in (("deep", run.deep), ("night", run.by == "night"))
                if so
            ),
        )
    out.print(rows)


def history_rows(runs: Sequence[SavedRun]) -> list[dict[str, Any]]:
    """Return the saved runs for programs, newest first."""
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
    """Return the number of findings per state."""
    return Counter(state_of(row) for row in rows)
