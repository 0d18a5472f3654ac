"""What changed, for people: on the screen, in a mail, and as the message of a webhook. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.findings.changes import BLOCKED, QUIET, Change, Changes, Kind
from ucontact_appliance.findings.document import changes_part, verdict_of
from ucontact_appliance.language.catalogue import ENGLISH, Language
from ucontact_appliance.report.states import counted


def folded(changes: Changes) -> tuple[list[Change], list[str]]:
    """The changes to tell one by one, and a line for each heap of the others."""
    behind: Counter[str] = Counter()
    quiet: Counter[str] = Counter()
    told = []
    for change in changes.rows:
        if change.now == BLOCKED and change.blocked_by:
            behind[change.blocked_by] += 1
        elif change.before == BLOCKED and change.now in QUIET:
            quiet["no longer blocked"] += 1
        elif change.kind is Kind.NEW and change.now in QUIET:
            quiet["new, and nothing wrong"] += 1
        else:
            told.append(change)
    lines = [f"{_checks(count)} behind {cause}: not judged" for cause, count in behind.items()]
    return told, lines + [f"{_checks(count)}: {what}" for what, count in quiet.items()]


def _checks(count: int) -> str:
    return f"{count} check{'' if count == 1 else 's'}"


def since(changes: Changes) -> str:
    """The sentence before the changes."""
    if changes.since is None:
        return "no earlier run to compare with: everything is new"
    if not changes.rows:
        return f"nothing changed since {moment(changes.since)}"
    return f"changed since {moment(changes.since)}:"


def summary(findings: Sequence[Finding]) -> str:
    """All findings in numbers: `148 pass, 1 warn, 4 skip`."""
    counts = counted(findings)
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "no checks"


def subject_line(site: str, changes: Changes, findings: Sequence[Finding]) -> str:
    """What a mail is about, in one line: the verdict over all, and how much is worse or better."""
    kinds = Counter(change.kind for change in folded(changes)[0])
    told = ", ".join(f"{kinds[kind]} {kind.value}" for kind in Kind if kinds[kind])
    verdict = verdict_of(findings).value.upper()
    return f"uContact {site}: {verdict}, {told or 'as it is now'}"


def body_text(
    site: str, changes: Changes, findings: Sequence[Finding], speak: Language = ENGLISH
) -> str:
    """A mail's text: what changed, each with its remedy, and the numbers over all.

    `changes` are said in the language already; what stands around them is said here.
    """
    told, heaps = folded(changes)
    parts = [f"{site}: {speak.text(since(changes))}"]
    for change in told:
        states = (speak.text(state) for state in (change.before, change.now) if state)
        kind, on = speak.text(change.kind.value), speak.text("on")
        lines = [f"{kind}: {change.id} {on} {change.host} ({' -> '.join(states)})", change.title]
        if change.observed:
            lines.append(f"{speak.text('observed')}: {change.observed}")
        if change.remedy and change.now not in QUIET:
            lines.append(f"{speak.text('remedy')}:   {change.remedy}")
        parts.append("\n  ".join(lines))
    parts += ["\n".join(map(speak.text, heaps))] if heaps else []
    parts.append(speak.text(f"in all: {summary(findings)}"))
    return "\n\n".join(parts) + "\n"


def message(
    site: str, time: datetime, changes: Changes, findings: Sequence[Finding]
) -> dict[str, Any]:
    """What a webhook gets: `text` for chat programs, the rest for others; `time` is aware."""
    return {
        "text": f"{subject_line(site, changes, findings)}\n\n{body_text(site, changes, findings)}",
        "site": site,
        "time": time.astimezone(timezone.utc).isoformat(timespec="seconds"),
        "verdict": verdict_of(findings).value,
        "counts": counted(findings),
        "changes": changes_part(changes).model_dump(mode="json"),
    }


def moment(time: datetime) -> str:
    """A time as `2026-11-23 09:15 UTC`."""
    return f"{time.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
