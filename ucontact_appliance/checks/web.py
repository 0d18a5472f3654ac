"""Checks of what the portal serves: R22's folders, its page, private files, names and REST."""

from __future__ import annotations

import json

from ucontact_appliance.checks.health import by_health
from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    check,
    checks_of,
    failed,
    passed,
    skipped,
)
from ucontact_appliance.checks.nginx import PORTAL, STRANGER, pages
from ucontact_appliance.clients.http import Response
from ucontact_appliance.facts import web as facts
from ucontact_appliance.planning.model import Role

_CONFIG = "/uContact/config.json"
_FOLDERS = ("uContact", "forms", "images", "workflowdesigner", "formsdesigner", "tmp", "webchatclient")  # fmt: skip # noqa: E501
# R22's wars, and what leaks most often from web servers.
_PRIVATE = (
    "/IntegraPortalWS.war", "/IntegraChannels.war", "/IntegraGamification.war",
    "/uContact/IntegraPortalWS.war", "/WEB-INF/web.xml", "/.git/config", "/uContact/.env",
    "/server/IntegraServer.jar", "/integraserver.properties",
)  # fmt: skip
_LOGIN = "/Integra/resources/auth/UserLogin"


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
    return judge_folders(pages(subject, *(f"/{folder}/" for folder in _FOLDERS)))


def judge_portal(page: Response, config: Response, fqdn: str) -> Judgement:
    """The portal's page and the configuration that it reads."""
    required = f"{PORTAL} is a page, and its config.json names {fqdn}"
    kind = ", ".join(page.all("content-type"))
    if page.status != 200 or not kind.startswith("text/html"):
        return failed(f"{PORTAL}: {page.status} {kind}", required, page.evidence)
    try:
        found = json.loads(config.body) if config.status == 200 else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("fqdn") != fqdn:
        return failed(f"{_CONFIG}: {config.status}, not ours", required, config.evidence)
    return passed(f"{PORTAL}: 200; signalling at port {found.get('wssPort')}", required)


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
    page, config = pages(subject, PORTAL, _CONFIG)
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
    return judge_private(pages(subject, *_PRIVATE))


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
        subject.facts.get(facts.page, PORTAL, scheme, "GET", STRANGER)
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
    return judge_rest(pages(subject, path)[0])


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


CHECKS = checks_of(globals())
