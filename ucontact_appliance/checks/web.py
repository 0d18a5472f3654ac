"""Checks of the front door: NGINX, its headers on every status, R22's folders, REST, WebSockets."""

from __future__ import annotations

import json
import re
import shlex
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ucontact_appliance.checks.health import by_health
from ucontact_appliance.checks.model import (
    Check,
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.checks.tls import roots_file
from ucontact_appliance.checks.wording import unmasking
from ucontact_appliance.clients.http import Response
from ucontact_appliance.clients.wss import Upgrade
from ucontact_appliance.facts import tls as tls_facts
from ucontact_appliance.facts import web as facts
from ucontact_appliance.facts.managed import managed_paths
from ucontact_appliance.planning.certificates import spki_pin
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.tables import ports
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.model import Site

_LEAST_VERSION = "1.17.0"  # R17
HEADERS: tuple[dict[str, Any], ...] = tuple(load_data("headers")["headers"])
_PORTAL = "/uContact/"
_CONFIG = "/uContact/config.json"
_FOLDERS = ("uContact", "forms", "images", "workflowdesigner", "formsdesigner", "tmp", "webchatclient")  # fmt: skip # noqa: E501
# R22's wars, and what leaks most often from web servers.
_PRIVATE = (
    "/IntegraPortalWS.war", "/IntegraChannels.war", "/IntegraGamification.war",
    "/uContact/IntegraPortalWS.war", "/WEB-INF/web.xml", "/.git/config", "/uContact/.env",
    "/server/IntegraServer.jar", "/integraserver.properties",
)  # fmt: skip
_LOGIN = "/Integra/resources/auth/UserLogin"
_WSS_PATH = "/ws"
_STRANGER = "stranger.invalid"  # RFC 6761: belongs to nobody
_DAY = 86400
_PIN_DAYS = (30, 60)


def _port(port_id: str) -> int:
    return int(next(row.port for row in ports() if row.id == port_id))


def _nginx(subject: Subject) -> facts.Nginx:
    return subject.facts.get(facts.nginx)


def _pages(subject: Subject, *paths: str) -> tuple[Response, ...]:
    return tuple(subject.facts.get(facts.page, path) for path in paths)


def judge_service(found: facts.Nginx) -> Judgement:
    """NGINX runs, and will after the next boot."""
    required = "nginx.service is active and enabled"
    evidence = found.evidence.partition("---- version")[0].strip()
    if not found.version:
        return failed("NGINX is not installed", required, evidence, "{install}")
    if found.enabled.startswith("masked"):
        told = f"masked and {found.active}"
        return failed(told, required, evidence, unmasking("nginx.service"))
    if found.active != "active":
        return failed(found.active, required, evidence)
    if found.enabled != "enabled":
        return failed(f"active, but {found.enabled or 'not enabled'}", required, evidence)
    return passed("active and enabled", required, evidence)


@check(
    id="web.service",
    title="NGINX runs",
    severity=Severity.CRITICAL,
    requirements=("R01", "R17"),
    remedy="{ssh} systemctl enable --now nginx.service",
    role=Role.BACKEND,
)
def _service(subject: Subject) -> Judgement:
    return judge_service(_nginx(subject))


def judge_version(found: facts.Nginx) -> Judgement:
    """R17."""
    required = f"NGINX {_LEAST_VERSION} or later"
    if not found.version:
        return failed("NGINX is not installed", required)
    good = _numbers(found.version) >= _numbers(_LEAST_VERSION)
    return (passed if good else failed)(f"NGINX {found.version}", required)


@check(
    id="web.version",
    title="NGINX is 1.17 or later",
    severity=Severity.HIGH,
    requirements=("R17",),
    remedy="{install}",
    role=Role.BACKEND,
)
def _version(subject: Subject) -> Judgement:
    return judge_version(_nginx(subject))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def judge_config(found: facts.Nginx) -> Judgement:
    """NGINX could start again from what lies on disk."""
    required = "`nginx -t` finds no fault"
    if found.problem:
        first = next((line for line in found.problem.splitlines() if "emerg" in line), "")
        return failed(first or "the test failed", required, found.problem)
    return passed("no fault", required)


@check(
    id="web.config",
    title="NGINX's configuration has no fault",
    severity=Severity.HIGH,
    requirements=("R17",),
    remedy="{install}",
    role=Role.BACKEND,
)
def _config(subject: Subject) -> Judgement:
    return judge_config(_nginx(subject))


def judge_loaded(found: facts.Nginx) -> Judgement:
    """What runs is what lies on disk."""
    required = "NGINX has loaded its files since they changed"
    if found.unloaded is None:
        return warned(
            "can't be told: the unit lacks our drop-in", required, found.evidence, "{install}"
        )
    if found.unloaded:
        told = f"changed and not loaded: {found.unloaded[0]}"
        return failed(told, required, "\n".join(found.unloaded))
    return passed("loaded", required)


@check(
    id="web.loaded",
    title="NGINX has loaded what lies on disk",
    severity=Severity.MEDIUM,
    requirements=("R17",),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.service", "web.config"),
)
def _loaded(subject: Subject) -> Judgement:
    return judge_loaded(_nginx(subject))


def judge_sites(found: facts.Nginx, files: tuple[str, ...], ours: frozenset[str]) -> Judgement:
    """Of two servers with one name NGINX heeds the one that it read first, which may be theirs."""
    required = "no server is set up in NGINX but the appliance's"
    if found.problem:
        return skipped("not to be told while the configuration has a fault", required)
    foreign = [path for path in files if path not in ours]
    if not foreign:
        return passed(f"{len(files)} files set servers up", required, "\n".join(files))
    told = ", ".join(foreign)
    away = " ".join(map(shlex.quote, foreign))
    remedy = (
        f"{{ssh}} mkdir -p /root/ucontact-foreign && mv {away} /root/ucontact-foreign/ && "
        "systemctl reload nginx  # they are kept there"
    )
    evidence = "\n".join((found.evidence, *files))
    if found.rivals:
        names = ", ".join(found.rivals)
        return failed(f"{told}: another server by the name of {names}", required, evidence, remedy)
    return warned(f"{told}: another server beside the portal", required, evidence, remedy)


@check(
    id="web.sites",
    title="No other site stands in the portal's place",
    severity=Severity.HIGH,
    requirements=("R01", "C05"),
    remedy="{install}",
    role=Role.BACKEND,
)
def _sites(subject: Subject) -> Judgement:
    ours = frozenset(managed_paths(subject.plan.host(subject.host.name)))
    return judge_sites(_nginx(subject), subject.facts.get(facts.configuration).server_files, ours)


def judge_redirect(answer: Response) -> Judgement:
    """Plain HTTP leads to HTTPS, at the same name and path."""
    required = f"301 to https://{answer.request.name}{answer.request.path}"
    where = ", ".join(answer.all("location"))
    told = f"{answer.status}{f' to {where}' if where else ''}"
    good = told == required
    return (passed if good else failed)(told, required, answer.evidence)


@check(
    id="web.redirect",
    title="Plain HTTP leads to HTTPS",
    severity=Severity.HIGH,
    requirements=("R01",),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.answers", "ports.http"),
)
def _redirect(subject: Subject) -> Judgement:
    return judge_redirect(subject.facts.get(facts.page, "/uContact/?from=http", "http"))


def judge_http2(answer: Response) -> Judgement:
    """R01."""
    good = answer.protocol == "HTTP/2"
    return (passed if good else failed)(answer.protocol, "HTTP/2", answer.evidence)


@check(
    id="web.http2",
    title="The portal speaks HTTP/2",
    severity=Severity.MEDIUM,
    requirements=("R01",),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.answers", "tls.https.alpn"),
)
def _http2(subject: Subject) -> Judgement:
    return judge_http2(_pages(subject, _PORTAL)[0])


def judge_inherited(lines: tuple[facts.HeaderLine, ...]) -> Judgement:
    """A header that is added further in drops all those of further out, so none may be."""
    required = "headers are added at one place, for every server, location and status"
    inner = [line for line in lines if any(re.match(r"server|location|if\b", c) for c in line.contexts)]  # fmt: skip # noqa: E501
    evidence = "\n".join(f"{' > '.join((*line.contexts, line.name))}" for line in lines)
    if not lines:
        return failed("no header is added anywhere", required)
    if inner:
        where = " > ".join(inner[0].contexts)
        return failed(f"{inner[0].name} is added in {where!r} again", required, evidence)
    return passed(f"{len(lines)} headers at one place", required, evidence)


@check(
    id="web.header.inherited",
    title="No place drops the security headers",
    severity=Severity.HIGH,
    requirements=("R09", "R10", "R11"),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.config",),
)
def _inherited(subject: Subject) -> Judgement:
    return judge_inherited(subject.facts.get(facts.configuration).headers)


@dataclass(frozen=True)
class Sample:
    """A request whose answer shows the headers: one of each kind of status."""

    path: str
    scheme: str = "https"
    method: str = "GET"
    name: str = ""


# 200, 301, 404, 405, 421 and a redirect of plain HTTP, and two paths with values of their own. A
# 502 can't be seen while the backend is well: it takes its headers from the same place as these,
# which `web.header.inherited` holds.
_SAMPLES = (
    Sample(_PORTAL),
    Sample(_CONFIG),
    Sample("/webchatclient/"),
    Sample("/"),
    Sample("/no-such-page"),
    Sample(_PORTAL, method="POST"),
    Sample(_PORTAL, name=_STRANGER),
    Sample("/", scheme="http"),
)


def _answer(subject: Subject, sample: Sample) -> Response:
    return subject.facts.get(facts.page, sample.path, sample.scheme, sample.method, sample.name)


def sampled(subject: Subject) -> tuple[Response, ...]:
    """An answer of each kind."""
    return tuple(_answer(subject, sample) for sample in _SAMPLES)


def header_values(site: Site) -> dict[str, str]:
    """What the placeholders of data/headers.yml stand for, but for the pins and the host."""
    return {
        "hsts_max_age": str(site.web.hsts_max_age),
        "hpkp_max_age": str(site.web.hpkp_max_age),
        "xss_protection": site.web.xss_protection,
        "wss_port": str(_port("wss")),
    }


def expected_value(row: Mapping[str, Any], answer: Response, values: Mapping[str, str]) -> str:
    """The value of the header that belongs on this answer; empty when it must not be there."""
    if row.get("scheme") == "https" and answer.request.scheme != "https":
        return ""
    # Errors are pages of NGINX's own, whatever was asked for.
    path = answer.request.path if answer.status < 400 else "/_ucontact/error.html"
    value = next((v["value"] for v in row.get("variants", ()) if re.search(v["path"], path)), None)
    text = str(row["value"] if value is None else value)
    for name, replacement in {**values, "host": answer.request.name}.items():
        text = text.replace(f"{{{name}}}", replacement)
    return text


def _differs(found: tuple[str, ...], wanted: str) -> str:
    """What is wrong with the values found; empty when they are the one that is wanted."""
    if not wanted:
        return f"sent over plain HTTP: {found[0]}" if found else ""
    if not found:
        return "missing"
    if len(found) > 1:
        return f"sent {len(found)} times"
    return "" if found[0] == wanted else f"is {found[0]!r}"


def judge_header(
    row: Mapping[str, Any],
    answers: tuple[Response, ...],
    wanted: Callable[[Response], str],
    differs: Callable[[tuple[str, ...], str], str] = _differs,
) -> Judgement:
    """The header with the wanted value on each of the answers; never where it must not be."""
    name = row["name"]
    shown = wanted(answers[0])
    statuses = ", ".join(dict.fromkeys(str(answer.status) for answer in answers))
    required = f"{name}: {shown} on every status ({statuses})"
    wrong = [
        (answer, problem)
        for answer in answers
        if (problem := differs(answer.all(name), wanted(answer)))
    ]
    if wrong:
        first, problem = wrong[0]
        on = ", ".join(dict.fromkeys(str(answer.status) for answer, _ in wrong))
        return failed(f"{name} {problem} (on {on})", required, first.evidence)
    retired = "; browsers no longer read it" if row["status"] == "retired" else ""
    evidence = "\n".join(
        f"{answer.request.method} {answer.request.url}: {answer.status}, "
        f"{name}: {', '.join(answer.all(name)) or 'not sent'}"
        for answer in answers
    )
    return passed(f"{shown}{retired}", required, evidence)


_PIN = re.compile(r'pin-sha256="([^"]*)"')
_MAX_AGE = re.compile(r"max-age=(\d+)(?:;|$)")


def pins_differ(found: tuple[str, ...], served: str, backup: str | None) -> str:
    """What is wrong with a Public-Key-Pins header (R10, RFC 7469); empty when it is good.

    `served` is the pin of the key that the server has shown; `backup` the pin of the backup key
    on this machine, None when that is not here to compare with.
    """
    if len(found) != 1:
        return "missing" if not found else f"sent {len(found)} times"
    pins = _PIN.findall(found[0])
    age = _MAX_AGE.search(found[0])
    days = int(age.group(1)) / _DAY if age else 0.0
    others = [pin for pin in pins if pin != served]
    if served not in pins:
        return f"does not pin the key that is served ({served})"
    if not others:
        return "has no backup pin"
    if backup is not None and backup not in others:
        return f"does not pin the backup key ({backup})"
    if not _PIN_DAYS[0] <= days <= _PIN_DAYS[1]:
        return f"holds for {days:g} days, not {_PIN_DAYS[0]} to {_PIN_DAYS[1]}"
    return ""


def _pins(subject: Subject, row: Mapping[str, Any], answers: tuple[Response, ...]) -> Judgement:
    shown = subject.facts.get(tls_facts.greeting, _port("https"), roots_file(subject))
    served = spki_pin(ssl.DER_cert_to_PEM_cert(shown.certificate))
    backup = subject.facts.here(_known_pins, subject.state.pki).get("backup")
    values = header_values(subject.site) | {
        "pin_served": served,
        "pin_backup": backup or "(of the backup key)",
    }

    def differs(found: tuple[str, ...], wanted: str) -> str:
        return pins_differ(found, served, backup) if wanted else _differs(found, wanted)

    return judge_header(row, answers, lambda answer: expected_value(row, answer, values), differs)


def _known_pins(pki: Path) -> dict[str, str]:
    """The pins as the installing machine has them; none when it has not installed."""
    try:
        found = json.loads((pki / "pins.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {str(key): str(value) for key, value in found.items()}


def judge_row(subject: Subject, row: Mapping[str, Any], answers: tuple[Response, ...]) -> Judgement:
    """The header of a row of data/headers.yml, on each of the answers."""
    if row["id"] == "hpkp":
        return _pins(subject, row, answers)
    values = header_values(subject.site)
    return judge_header(row, answers, lambda answer: expected_value(row, answer, values))


def _header(row: dict[str, Any]) -> Check:
    retired = row["status"] == "retired"

    @check(
        id=f"web.header.{row['id']}",
        title=f"{row['name']} is sent on every status",
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


def judge_folders(answers: tuple[Response, ...]) -> Judgement:
    """R22: each folder is answered from (a page, or the refusal to list it)."""
    required = "each folder of R22 is served"
    evidence = "\n".join(f"{answer.request.url}: {answer.status}" for answer in answers)
    wrong = [answer for answer in answers if answer.status not in (200, 403)]
    if wrong:
        told = ", ".join(f"{answer.request.path} ({answer.status})" for answer in wrong)
        return failed(told, required, evidence)
    return passed(f"{len(answers)} folders", required, evidence)


@check(
    id="web.folders",
    title="The web folders are served",
    severity=Severity.HIGH,
    requirements=("R22",),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.answers", "tree.files"),
)
def _folders(subject: Subject) -> Judgement:
    return judge_folders(_pages(subject, *(f"/{folder}/" for folder in _FOLDERS)))


def judge_portal(page: Response, config: Response, fqdn: str) -> Judgement:
    """The portal's page and the configuration that it reads."""
    required = f"{_PORTAL} is a page, and its config.json names {fqdn}"
    kind = ", ".join(page.all("content-type"))
    if page.status != 200 or not kind.startswith("text/html"):
        return failed(f"{_PORTAL}: {page.status} {kind}", required, page.evidence)
    try:
        found = json.loads(config.body) if config.status == 200 else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("fqdn") != fqdn:
        return failed(f"{_CONFIG}: {config.status}, not ours", required, config.evidence)
    return passed(f"{_PORTAL}: 200; signalling at port {found.get('wssPort')}", required)


@check(
    id="web.portal",
    title="The portal's page opens",
    severity=Severity.CRITICAL,
    requirements=("R01", "R20"),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.answers", "tree.files"),
)
def _portal(subject: Subject) -> Judgement:
    page, config = _pages(subject, _PORTAL, _CONFIG)
    return judge_portal(page, config, subject.site.fqdn)


def judge_private(answers: tuple[Response, ...]) -> Judgement:
    """Programs, hidden files and configuration stay inside."""
    required = "wars, jars, hidden files and settings are not served"
    evidence = "\n".join(f"{answer.request.url}: {answer.status}" for answer in answers)
    leaked = [answer for answer in answers if answer.status not in (403, 404)]
    if leaked:
        told = ", ".join(f"{answer.request.path} ({answer.status})" for answer in leaked)
        return failed(told, required, evidence)
    return passed(f"{len(answers)} paths tried, none served", required, evidence)


@check(
    id="web.private",
    title="Programs and settings are not served",
    severity=Severity.CRITICAL,
    requirements=("R22",),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.answers",),
)
def _private(subject: Subject) -> Judgement:
    return judge_private(_pages(subject, *_PRIVATE))


def judge_names(answers: tuple[Response, ...]) -> Judgement:
    """A forged Host header gets neither a page nor a redirect to where it says."""
    required = "421 for a name that is not the portal's"
    wrong = [answer for answer in answers if answer.status != 421]
    if wrong:
        told = f"{wrong[0].status} over {wrong[0].request.scheme}"
        return failed(told, required, wrong[0].evidence)
    return passed("421", required, answers[0].evidence)


@check(
    id="web.names",
    title="Other names than the portal's are turned away",
    severity=Severity.MEDIUM,
    requirements=("C05",),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.answers", "ports.http"),
)
def _names(subject: Subject) -> Judgement:
    answers = tuple(
        subject.facts.get(facts.page, _PORTAL, scheme, "GET", _STRANGER)
        for scheme in ("https", "http")
    )
    return judge_names(answers)


def judge_rest(answer: Response) -> Judgement:
    """The backend answers through the front door; how it feels is other checks' subject."""
    required = f"the backend's own answer at {answer.request.path}"
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    status = found.get("status") if isinstance(found, dict) else None
    if answer.status in (200, 503) and isinstance(status, str):
        return passed(f"HTTP {answer.status}, status {status}", required, answer.evidence)
    return failed(f"HTTP {answer.status}", required, answer.evidence)


@check(
    id="web.rest",
    title="The REST API answers through the portal",
    severity=Severity.CRITICAL,
    requirements=("R01", "R21"),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.answers", "ports.backend", "backend.health"),
)
@by_health
def _rest(subject: Subject, path: str) -> Judgement:
    return judge_rest(_pages(subject, path)[0])


def judge_login(answer: Response) -> Judgement:
    """A wrong password is refused."""
    required = "401 for a wrong password"
    if answer.status == 401:
        return passed("401", required, answer.evidence)
    if answer.status == 429:
        return skipped("429, too many tries: ask again in a minute", required, answer.evidence)
    if answer.status < 400:
        return failed(f"{answer.status}: let in with a wrong password", required, answer.evidence)
    return failed(f"HTTP {answer.status}", required, answer.evidence)


@check(
    id="web.login",
    title="A wrong password is refused",
    severity=Severity.CRITICAL,
    requirements=("R01", "R21"),
    remedy="{ssh} journalctl -u integraserver.service -n 50 --no-pager",
    role=Role.BACKEND,
    needs=("web.rest",),
)
def _login(subject: Subject) -> Judgement:
    return judge_login(subject.facts.get(facts.login, _LOGIN, "doctor", "wrong on purpose"))


def judge_upgrade(found: Upgrade) -> Judgement:
    """RFC 7118: 101 with the subprotocol sip."""
    required = "101 Switching Protocols with the subprotocol sip"
    if found.status == 101 and found.subprotocol == "sip":
        return passed("101, subprotocol sip", required, found.evidence)
    told = f"HTTP {found.status}" if found.status != 101 else "the upgrade went wrong"
    return failed(told, required, found.evidence)


def _upgrade(subject: Subject, port_id: str) -> Judgement:
    return judge_upgrade(
        subject.facts.get(tls_facts.sip_upgrade, _port(port_id), _WSS_PATH, roots_file(subject))
    )


@check(
    id="wss.direct",
    title="SIP over secure WebSockets opens on 8089",
    severity=Severity.CRITICAL,
    requirements=("R02",),
    remedy="{ssh} systemctl restart asterisk.service; {install}",
    role=Role.TELEPHONY,
    needs=("wss.answers", "tls.wss.trust", "tls.wss.name", "asterisk.modules.sip"),
)
def _direct(subject: Subject) -> Judgement:
    return _upgrade(subject, "wss")


@check(
    id="wss.portal",
    title="SIP over secure WebSockets opens through the portal's port",
    severity=Severity.MEDIUM,
    requirements=("R01", "R02"),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.answers", "tls.https.trust", "tls.https.name", "wss.direct"),
)
def _through_portal(subject: Subject) -> Judgement:
    return _upgrade(subject, "https")


@check(
    id="wss.name",
    title="SIP over secure WebSockets opens on 8089 by the portal's name",
    severity=Severity.CRITICAL,
    requirements=("R01", "R02"),
    remedy="{install}",
    role=Role.BACKEND,
    without=Role.TELEPHONY,
    needs=("ports.wss-portal", "wss.direct"),
)
def _by_name(subject: Subject) -> Judgement:
    return _upgrade(subject, "wss-portal")


CHECKS = checks_of(globals())
