"""Changes between runs as text: on the screen, in a mail, and as a webhook's payload. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.findings.changes import BLOCKED, QUIET, Change, ChangeKind, Changes
from ucontact_appliance.findings.document import changes_part, verdict_of
from ucontact_appliance.language.catalogue import Translate, english
from ucontact_appliance.language.messages import Message, _, joined, ngettext
from ucontact_appliance.language.words import number_of, word
from ucontact_appliance.report.states import counted


def folded(changes: Changes) -> tuple[list[Change], list[Message]]:
    """Return the changes to show one by one, and one line per group of the others."""
    behind: Counter[str] = Counter()
    quiet: Counter[str] = Counter()
    told = []
    for change in changes.rows:
        if change.now == BLOCKED and change.blocked_by:
            behind[change.blocked_by] += 1
        elif change.before == BLOCKED and change.now in QUIET:
            quiet[_("no longer blocked")] += 1
        elif change.kind is ChangeKind.NEW and change.now in QUIET:
            quiet[_("new, without problems")] += 1
        else:
            told.append(change)
    lines = [_behind(count, cause) for cause, count in behind.items()]
    return told, lines + [_heap(count, what) for what, count in quiet.items()]


def _behind(count: int, cause: str) -> Message:
    return ngettext(
        "{count} check blocked by {cause}: not judged",
        "{count} checks blocked by {cause}: not judged",
        count,
        cause=cause,
    )


def _heap(count: int, what: str) -> Message:
    return ngettext("{count} check: {what}", "{count} checks: {what}", count, what=what)


def since(changes: Changes) -> Message:
    """Return the sentence that introduces the changes."""
    if changes.since is None:
        return _("no earlier run to compare with: everything is new")
    if not changes.rows:
        return _("nothing changed since {time}", time=moment(changes.since))
    return _("changed since {time}:", time=moment(changes.since))


def summary(findings: Sequence[Finding]) -> Message:
    """Return the number of findings per state: `148 pass, 1 warn, 4 skip`."""
    counts = counted(findings)
    return joined(", ", (number_of(count, state) for state, count in counts.items() if count)) or _(
        "no checks"
    )


def subject_line(site: str, changes: Changes, findings: Sequence[Finding]) -> Message:
    """Return a mail's subject: the overall verdict, and the number of changes per kind."""
    kinds = Counter(change.kind for change in folded(changes)[0])
    told = joined(", ", (number_of(kinds[kind], kind.value) for kind in ChangeKind if kinds[kind]))
    verdict = verdict_of(findings).value.upper()
    return _(
        "uContact {site}: {verdict}, {changes}",
        site=site,
        verdict=word(verdict),
        changes=told or _("current state"),
    )


def body_text(
    site: str, changes: Changes, findings: Sequence[Finding], translate: Translate = english
) -> str:
    """Return a mail's text: each change with its remedy, then the number of findings per state.

    `changes` are translated already; the text around them is translated here.
    """
    told, heaps = folded(changes)
    parts = [f"{site}: {translate(since(changes))}"]
    for change in told:
        states = (translate(word(state)) for state in (change.before, change.now) if state)
        kind, on = translate(word(change.kind.value)), translate(_("on"))
        lines = [f"{kind}: {change.id} {on} {change.host} ({' -> '.join(states)})", change.title]
        if change.observed:
            lines.append(f"{translate(_('observed'))}: {change.observed}")
        if change.remedy and change.now not in QUIET:
            lines.append(f"{translate(_('remedy'))}:   {change.remedy}")
        parts.append("\n  ".join(lines))
    parts += ["\n".join(map(translate, heaps))] if heaps else []
    parts.append(translate(_("total: {summary}", summary=summary(findings))))
    return "\n\n".join(parts) + "\n"


def message(
    site: str, time: datetime, changes: Changes, findings: Sequence[Finding]
) -> dict[str, Any]:
    """Return a webhook payload: `text` for chat programs, the rest for others; `time` is aware."""
    return {
        "text": f"{subject_line(site, changes, findings)}\n\n{body_text(site, changes, findings)}",
        "site": site,
        "time": time.astimezone(timezone.utc).isoformat(timespec="seconds"),
        "verdict": verdict_of(findings).value,
        "counts": counted(findings),
        "changes": changes_part(changes).model_dump(mode="json"),
    }


def moment(time: datetime) -> str:
    """Return a time as `2026-11-23 09:15 UTC`."""
    return f"{time.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC"
