"""Further checks of the security headers: HSTS max-age, paths, REST, and absent headers.

The headers themselves, each with its own check, are judged in `checks.web_headers`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ucontact_appliance.checks.health import by_health
from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    Verdict,
    check,
    checks_of,
    failed,
    passed,
    warned,
)
from ucontact_appliance.checks.web_headers import HEADERS, header_values, judge_row, sampled
from ucontact_appliance.checks.wording import INSTALL
from ucontact_appliance.clients.http import Response
from ucontact_appliance.facts.settings import web
from ucontact_appliance.facts.web import HeaderLine, configuration, page
from ucontact_appliance.language.messages import _, concatenated, joined, with_note
from ucontact_appliance.planning.model import Role
from ucontact_appliance.resources import load_data

_TABLE: dict[str, Any] = load_data("headers")
_REMOVED: tuple[str, ...] = tuple(_TABLE["removed"])
_LEAST_SECONDS: int = _TABLE["hsts_least_seconds"]
_DAY = 86400
_LONGER = with_note(
    "grep -n -A9 web: {site}",
    _("raise hsts_max_age there (63072000), then: {install}", install=INSTALL),
)
Maps = Mapping[str, tuple[tuple[str, str], ...]]


def judge_hsts_age(max_age: int) -> Judgement:
    """Require an HSTS max-age that outlasts the time between two visits (R09)."""
    required = _("max-age of at least {least_seconds} s (six months)", least_seconds=_LEAST_SECONDS)
    told = _("max-age={max_age}", max_age=max_age)
    if max_age <= 0:
        return failed(_("{told}: it turns HSTS off", told=told), required)
    if max_age < _LEAST_SECONDS:
        return warned(_("{told}, {max_age:.0f} days", told=told, max_age=max_age / _DAY), required)
    return passed(_("{told}, {max_age:.0f} days", told=told, max_age=max_age / _DAY), required)


@check(
    id="web.hsts_age",
    title=_("HSTS max-age is long enough"),
    severity=Severity.HIGH,
    requirements=("R09",),
    remedy=_LONGER,
    role=Role.BACKEND,
    # That check requires that the header is sent with this value.
    needs=("web.header.hsts",),
)
def _hsts_age(subject: Subject) -> Judgement:
    return judge_hsts_age(subject.facts.get(web).hsts_max_age)


def judge_removed(answers: Sequence[Response]) -> Judgement:
    """Require that no response header reveals server software."""
    required = _("none of {removed} in any response", removed=joined(", ", _REMOVED))
    found = [
        (answer, f"{name}: {', '.join(answer.all(name))}")
        for answer in answers
        for name in _REMOVED
        if answer.all(name)
    ]
    if found:
        first, told = found[0]
        return failed(
            _("{told} (on {status})", told=told, status=first.status), required, first.evidence
        )
    return passed(_("none in {count} responses", count=len(answers)), required)


@check(
    id="web.header.removed",
    title=_("Responses do not reveal server software"),
    severity=Severity.MEDIUM,
    requirements=("C05",),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.answers", "ports.http"),
    timeout=15.0,
)
def _removed(subject: Subject) -> Judgement:
    return judge_removed(sampled(subject))


def judge_paths(lines: Sequence[HeaderLine], maps: Maps, values: Mapping[str, str]) -> Judgement:
    """Judge values per path by the configuration on disk: a request would need a file there."""
    rows = [row for row in HEADERS if row.get("variants")]
    required = _(
        "{rows}: values per path as planned", rows=joined(", ", (row["name"] for row in rows))
    )
    wrong, shown = [], []
    for row in rows:
        variables = [line.value for line in lines if line.name == row["name"]]
        table = maps.get(variables[0], ()) if variables else ()
        found = [(key.removeprefix("~"), value) for key, value in table if key.startswith("~")]
        wanted = [(v["path"], _filled(v["value"], values)) for v in row["variants"]]
        shown += [f"{row['name']} {path}: {value}" for path, value in found]
        wrong += [
            _(
                "{name} of {path} is {found!r}",
                name=row["name"],
                path=path,
                found=dict(found).get(path, _("same as elsewhere")),
            )
            for path, value in wanted
            if dict(found).get(path) != value
        ]
        if not wrong and found != wanted:  # the first match counts
            wrong.append(_("{name} has other paths, or a different order", name=row["name"]))
    evidence = "\n".join(shown)
    if wrong:
        return failed(wrong[0], required, evidence)
    return passed(_("{count} paths", count=len(shown)), required, evidence)


@check(
    id="web.header.paths",
    title=_("Header values for uploads and other special paths are as planned"),
    severity=Severity.HIGH,
    requirements=("R11", "C05"),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.config", *(f"web.header.{row['id']}" for row in HEADERS if "variants" in row)),
)
def _paths(subject: Subject) -> Judgement:
    found = subject.facts.get(configuration)
    return judge_paths(found.headers, found.maps, header_values(subject.site))


def _filled(text: str, values: Mapping[str, str]) -> str:
    filled = re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), text)
    return filled.replace("{host}", "$host")


def judge_all(found: Sequence[tuple[str, Judgement]], removed: Judgement) -> Judgement:
    """Require every header of the table on one response; report the first that is wrong."""
    required = _(
        "the {count} headers of the portal, and none of {removed}",
        count=len(found),
        removed=joined(", ", _REMOVED),
    )
    wrong = [judged for _, judged in found if judged.verdict is not Verdict.PASS]
    if removed.verdict is not Verdict.PASS:
        wrong.append(removed)
    if wrong:
        more = _(" and {count} more", count=len(wrong) - 1) if len(wrong) > 1 else ""
        return failed(
            concatenated((wrong[0].observed, more)),
            required,
            wrong[0].evidence,
        )
    evidence = "\n".join(judged.evidence for _, judged in found)
    return passed(_("{count} headers, same as on pages", count=len(found)), required, evidence)


@check(
    id="web.header.rest",
    title=_("REST API responses have the security headers"),
    severity=Severity.HIGH,
    requirements=tuple(sorted({row["requirement"] for row in HEADERS})),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.rest", *(f"web.header.{row['id']}" for row in HEADERS)),
    timeout=15.0,
)
@by_health
def _rest(subject: Subject, path: str) -> Judgement:
    answers = (subject.facts.get(page, path),)
    found = [(row["name"], judge_row(subject, row, answers)) for row in HEADERS]
    return judge_all(found, judge_removed(answers))


CHECKS = checks_of(globals())
