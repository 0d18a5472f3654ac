"""Checks of the security headers: each is sent on every status, and added in one place."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ucontact_appliance.checks.model import (
    Check,
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
)
from ucontact_appliance.checks.nginx import PORTAL, STRANGER
from ucontact_appliance.checks.tls_services import roots_file
from ucontact_appliance.clients.http import Response
from ucontact_appliance.facts import tls as tls_facts
from ucontact_appliance.facts import web as facts
from ucontact_appliance.language.messages import _, concatenated
from ucontact_appliance.planning.certificates import spki_pin
from ucontact_appliance.planning.component_tables import registered_port
from ucontact_appliance.planning.model import Role
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.model import Site

HEADERS: tuple[dict[str, Any], ...] = tuple(load_data("headers")["headers"])
_CONFIG = "/uContact/config.json"
_DAY = 86400
_PIN_DAYS = (30, 60)


def judge_inherited(lines: tuple[facts.HeaderLine, ...]) -> Judgement:
    """Fail on a header added at an inner level: NGINX then drops all those of outer levels."""
    required = _("headers are added in one place, for every server, location and status")
    inner = [line for line in lines if any(re.match(r"server|location|if\b", c) for c in line.contexts)]  # fmt: skip # noqa: E501
    evidence = "\n".join(f"{' > '.join((*line.contexts, line.name))}" for line in lines)
    if not lines:
        return failed(_("no header is added anywhere"), required)
    if inner:
        where = " > ".join(inner[0].contexts)
        return failed(
            _("{name} is added in {where!r} again", name=inner[0].name, where=where),
            required,
            evidence,
        )
    return passed(_("{count} headers in one place", count=len(lines)), required, evidence)


@check(
    id="web.header.inherited",
    title=_("No location drops the security headers"),
    severity=Severity.HIGH,
    requirements=("R09", "R10", "R11"),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.config",),
)
def _inherited(subject: Subject) -> Judgement:
    return judge_inherited(subject.facts.get(facts.configuration).headers)


@dataclass(frozen=True)
class SampleRequest:
    """A request whose response shows the headers; there is one per kind of status."""

    path: str
    scheme: str = "https"
    method: str = "GET"
    name: str = ""


# 200, 301, 404, 405, 421, a redirect from plain HTTP, and two paths with values of their own. A
# 502 can't be seen while the backend works: it gets its headers from the same place as these,
# which `web.header.inherited` requires.
_SAMPLES = (
    SampleRequest(PORTAL),
    SampleRequest(_CONFIG),
    SampleRequest("/webchatclient/"),
    SampleRequest("/"),
    SampleRequest("/no-such-page"),
    SampleRequest(PORTAL, method="POST"),
    SampleRequest(PORTAL, name=STRANGER),
    SampleRequest("/", scheme="http"),
)


def _answer(subject: Subject, sample: SampleRequest) -> Response:
    return subject.facts.get(facts.page, sample.path, sample.scheme, sample.method, sample.name)


def sampled(subject: Subject) -> tuple[Response, ...]:
    """Return one response per sample."""
    return tuple(_answer(subject, sample) for sample in _SAMPLES)


def header_values(site: Site) -> dict[str, str]:
    """Return the values of data/headers.yml's placeholders, except the pins and the host."""
    return {
        "hsts_max_age": str(site.web.hsts_max_age),
        "hpkp_max_age": str(site.web.hpkp_max_age),
        "xss_protection": site.web.xss_protection,
        "wss_port": str(registered_port("wss")),
    }


def expected_value(row: Mapping[str, Any], answer: Response, values: Mapping[str, str]) -> str:
    """Return the value that the header must have on this response; empty if it must be absent."""
    if row.get("scheme") == "https" and answer.request.scheme != "https":
        return ""
    # Errors are NGINX's own pages, whatever path was requested.
    path = answer.request.path if answer.status < 400 else "/_ucontact/error.html"
    value = next((v["value"] for v in row.get("variants", ()) if re.search(v["path"], path)), None)
    text = str(row["value"] if value is None else value)
    for name, replacement in {**values, "host": answer.request.name}.items():
        text = text.replace(f"{{{name}}}", replacement)
    return text


def _differs(found: tuple[str, ...], wanted: str) -> str:
    """Return what is wrong with the values found; empty if the wanted one is the only one."""
    if not wanted:
        return _("sent over plain HTTP: {found}", found=found[0]) if found else ""
    if not found:
        return _("missing")
    if len(found) > 1:
        return _("sent {count} times", count=len(found))
    return "" if found[0] == wanted else _("is {found!r}", found=found[0])


def judge_header(
    row: Mapping[str, Any],
    answers: tuple[Response, ...],
    wanted: Callable[[Response], str],
    differs: Callable[[tuple[str, ...], str], str] = _differs,
) -> Judgement:
    """Require the header's wanted value on each response, or its absence."""
    name = row["name"]
    shown = wanted(answers[0])
    statuses = ", ".join(dict.fromkeys(str(answer.status) for answer in answers))
    required = _(
        "{name}: {shown} on every status ({statuses})", name=name, shown=shown, statuses=statuses
    )
    wrong = [
        (answer, problem)
        for answer in answers
        if (problem := differs(answer.all(name), wanted(answer)))
    ]
    if wrong:
        first, problem = wrong[0]
        on = ", ".join(dict.fromkeys(str(answer.status) for answer, _ in wrong))
        return failed(
            _("{name} {problem} (on {on})", name=name, problem=problem, on=on),
            required,
            first.evidence,
        )
    retired = _("; browsers no longer read it") if row["status"] == "retired" else ""
    evidence = "\n".join(
        f"{answer.request.method} {answer.request.url}: {answer.status}, "
        f"{name}: {', '.join(answer.all(name)) or 'not sent'}"
        for answer in answers
    )
    return passed(
        concatenated((shown, retired)),
        required,
        evidence,
    )


_PIN = re.compile(r'pin-sha256="([^"]*)"')
_MAX_AGE = re.compile(r"max-age=(\d+)(?:;|$)")


def pins_differ(found: tuple[str, ...], served: str, backup: str | None) -> str:
    """Return what is wrong with a Public-Key-Pins header (R10, RFC 7469); empty if it is valid.

    `served` is the pin of the key that the server uses; `backup` the pin of the backup key on
    this machine, None if it is not here to compare with.
    """
    if len(found) != 1:
        return _("missing") if not found else _("sent {count} times", count=len(found))
    pins = _PIN.findall(found[0])
    age = _MAX_AGE.search(found[0])
    days = int(age.group(1)) / _DAY if age else 0.0
    others = [pin for pin in pins if pin != served]
    if served not in pins:
        return _("does not pin the key that is served ({served})", served=served)
    if not others:
        return _("has no backup pin")
    if backup is not None and backup not in others:
        return _("does not pin the backup key ({backup})", backup=backup)
    if not _PIN_DAYS[0] <= days <= _PIN_DAYS[1]:
        return _(
            "is valid for {days:g} days, not {pin_days} to {pin_days2}",
            days=days,
            pin_days=_PIN_DAYS[0],
            pin_days2=_PIN_DAYS[1],
        )
    return ""


def _pins(subject: Subject, row: Mapping[str, Any], answers: tuple[Response, ...]) -> Judgement:
    shown = subject.facts.get(tls_facts.greeting, registered_port("https"), roots_file(subject))
    served = spki_pin(ssl.DER_cert_to_PEM_cert(shown.certificate))
    backup = subject.facts.here(_known_pins, subject.state.pki).get("backup")
    values = header_values(subject.site) | {
        "pin_served": served,
        "pin_backup": backup or _("(of the backup key)"),
    }

    def differs(found: tuple[str, ...], wanted: str) -> str:
        return pins_differ(found, served, backup) if wanted else _differs(found, wanted)

    return judge_header(row, answers, lambda answer: expected_value(row, answer, values), differs)


def _known_pins(pki: Path) -> dict[str, str]:
    """Return the pins stored on the installing machine; empty if it has not installed."""
    try:
        found = json.loads((pki / "pins.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {str(key): str(value) for key, value in found.items()}


def judge_row(subject: Subject, row: Mapping[str, Any], answers: tuple[Response, ...]) -> Judgement:
    """Judge the header of a row of data/headers.yml on each response."""
    if row["id"] == "hpkp":
        return _pins(subject, row, answers)
    values = header_values(subject.site)
    return judge_header(row, answers, lambda answer: expected_value(row, answer, values))


def _header(row: dict[str, Any]) -> Check:
    retired = row["status"] == "retired"

    @check(
        id=f"web.header.{row['id']}",
        title=_("{name} is sent on every status", name=row["name"]),
        severity=Severity.MEDIUM if retired else Severity.HIGH,
        requirements=(row["requirement"],),
        remedy="{install}",
        role=Role.BACKEND,
        needs=("web.answers", "ports.http", "web.header.inherited"),
        timeout=15.0,
    )
    def judge(subject: Subject) -> Judgement:
        return judge_row(subject, row, sampled(subject))

    return judge


ON_EVERY_STATUS = tuple(_header(row) for row in HEADERS)


CHECKS = checks_of(globals())
