"""Checks of the portal's responses: R22's folders, page, private files, host names, REST."""

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
from ucontact_appliance.language.messages import _, joined, verbatim
from ucontact_appliance.planning.model import Role

_CONFIG = "/uContact/config.json"
_FOLDERS = ("uContact", "forms", "images", "workflowdesigner", "formsdesigner", "tmp", "webchatclient")  # fmt: skip # noqa: E501
# R22's .war files, and what web servers leak most often.
_PRIVATE = (
    "/IntegraPortalWS.war", "/IntegraChannels.war", "/IntegraGamification.war",
    "/uContact/IntegraPortalWS.war", "/WEB-INF/web.xml", "/.git/config", "/uContact/.env",
    "/server/IntegraServer.jar", "/integraserver.properties",
)  # fmt: skip
_LOGIN = "/Integra/resources/auth/UserLogin"


def judge_folders(answers: tuple[Response, ...]) -> Judgement:
    """Require a page from each folder, or the refusal to list it (R22)."""
    required = _("each folder of R22 is served")
    evidence = "\n".join(f"{answer.request.url}: {answer.status}" for answer in answers)
    wrong = [answer for answer in answers if answer.status not in (200, 403)]
    if wrong:
        told = joined(", ", (f"{answer.request.path} ({answer.status})" for answer in wrong))
        return failed(told, required, evidence)
    return passed(_("{count} folders", count=len(answers)), required, evidence)


@check(
    id="web.folders",
    title=_("The web folders are served"),
    severity=Severity.HIGH,
    requirements=("R22",),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.answers", "tree.files"),
)
def _folders(subject: Subject) -> Judgement:
    return judge_folders(pages(subject, *(f"/{folder}/" for folder in _FOLDERS)))


def judge_portal(page: Response, config: Response, fqdn: str) -> Judgement:
    """Require the portal's page and the configuration that it reads."""
    required = _("{portal} is a page, and its config.json names {fqdn}", portal=PORTAL, fqdn=fqdn)
    kind = ", ".join(page.all("content-type"))
    if page.status != 200 or not kind.startswith("text/html"):
        return failed(
            verbatim(f"{PORTAL}: {page.status} {kind}"),
            required,
            page.evidence,
        )
    try:
        found = json.loads(config.body) if config.status == 200 else None
    except ValueError:
        found = None
    if not isinstance(found, dict) or found.get("fqdn") != fqdn:
        return failed(
            _("{config}: {status}, not the appliance's", config=_CONFIG, status=config.status),
            required,
            config.evidence,
        )
    return passed(
        _("{portal}: 200; signalling at port {found}", portal=PORTAL, found=found.get("wssPort")),
        required,
    )


@check(
    id="web.portal",
    title=_("The portal's page loads"),
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
    """Require that programs, hidden files and configuration are not served."""
    required = _("wars, jars, hidden files and settings are not served")
    evidence = "\n".join(f"{answer.request.url}: {answer.status}" for answer in answers)
    leaked = [answer for answer in answers if answer.status not in (403, 404)]
    if leaked:
        told = joined(", ", (f"{answer.request.path} ({answer.status})" for answer in leaked))
        return failed(told, required, evidence)
    return passed(_("{count} paths tried, none served", count=len(answers)), required, evidence)


@check(
    id="web.private",
    title=_("Programs and configuration files are not served"),
    severity=Severity.CRITICAL,
    requirements=("R22",),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.answers",),
)
def _private(subject: Subject) -> Judgement:
    return judge_private(pages(subject, *_PRIVATE))


def judge_names(answers: tuple[Response, ...]) -> Judgement:
    """Require that a forged Host header gets neither a page nor a redirect to its name."""
    required = _("421 for a name that is not the portal's")
    wrong = [answer for answer in answers if answer.status != 421]
    if wrong:
        told = _("{status} over {scheme}", status=wrong[0].status, scheme=wrong[0].request.scheme)
        return failed(told, required, wrong[0].evidence)
    return passed(verbatim("421"), required, answers[0].evidence)


@check(
    id="web.names",
    title=_("Requests for other names are rejected"),
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
    """Require that the backend answers through the portal; other checks judge its health."""
    required = _("a response of the backend itself at {path}", path=answer.request.path)
    try:
        found = json.loads(answer.body)
    except ValueError:
        found = None
    status = found.get("status") if isinstance(found, dict) else None
    if answer.status in (200, 503) and isinstance(status, str):
        return passed(
            _("HTTP {status}, status {status2}", status=answer.status, status2=status),
            required,
            answer.evidence,
        )
    return failed(_("HTTP {status}", status=answer.status), required, answer.evidence)


@check(
    id="web.rest",
    title=_("The REST API responds through the portal"),
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
    """Require that a wrong password is refused."""
    required = _("401 for a wrong password")
    if answer.status == 401:
        return passed(verbatim("401"), required, answer.evidence)
    if answer.status == 429:
        return skipped(_("429, too many attempts: retry in a minute"), required, answer.evidence)
    if answer.status < 400:
        return failed(
            _("{status}: a wrong password was accepted", status=answer.status),
            required,
            answer.evidence,
        )
    return failed(_("HTTP {status}", status=answer.status), required, answer.evidence)


@check(
    id="web.login",
    title=_("A wrong password is rejected"),
    severity=Severity.CRITICAL,
    requirements=("R01", "R21"),
    remedy="{ssh} journalctl -u integraserver.service -n 50 --no-pager",
    role=Role.BACKEND,
    needs=("web.rest",),
)
def _login(subject: Subject) -> Judgement:
    return judge_login(subject.facts.get(facts.login, _LOGIN, "doctor", "wrong on purpose"))


CHECKS = checks_of(globals())
