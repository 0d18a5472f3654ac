"""Checks of NGINX itself: service, version, configuration, the redirect to HTTPS and HTTP/2."""

from __future__ import annotations

import shlex

from ucontact_appliance.checks.model import (
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
from ucontact_appliance.checks.wording import unmasking
from ucontact_appliance.clients.http import Response
from ucontact_appliance.facts import web as facts
from ucontact_appliance.language.messages import _, joined, verbatim, with_note
from ucontact_appliance.planning.component_tables import managed_paths
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.versions import reaches

_LEAST_VERSION = "1.17.0"  # R17
PORTAL = "/uContact/"
STRANGER = "stranger.invalid"  # RFC 6761: reserved, never registered


def _nginx(subject: Subject) -> facts.Nginx:
    return subject.facts.get(facts.nginx)


def pages(subject: Subject, *paths: str) -> tuple[Response, ...]:
    """Return the portal's responses to GET of these paths over HTTPS."""
    return tuple(subject.facts.get(facts.page, path) for path in paths)


def judge_service(found: facts.Nginx) -> Judgement:
    """Require an active unit that starts at boot."""
    required = _("nginx.service is active and enabled")
    evidence = found.evidence.partition("---- version")[0].strip()
    if not found.version:
        return failed(_("NGINX is not installed"), required, evidence, "{install}")
    if found.enabled.startswith("masked"):
        told = _("masked and {active}", active=found.active)
        return failed(told, required, evidence, unmasking("nginx.service"))
    if found.active != "active":
        return failed(verbatim(found.active), required, evidence)
    if found.enabled != "enabled":
        return failed(
            _("active, but {enabled}", enabled=found.enabled or _("not enabled")),
            required,
            evidence,
        )
    return passed(_("active and enabled"), required, evidence)


@check(
    id="web.service",
    title=_("NGINX runs"),
    severity=Severity.CRITICAL,
    requirements=("R01", "R17"),
    remedy="{ssh} systemctl enable --now nginx.service",
    role=Role.BACKEND,
)
def _service(subject: Subject) -> Judgement:
    return judge_service(_nginx(subject))


def judge_version(found: facts.Nginx) -> Judgement:
    """Require R17's version of NGINX or later."""
    required = _("NGINX {least_version} or later", least_version=_LEAST_VERSION)
    if not found.version:
        return failed(_("NGINX is not installed"), required)
    good = reaches(found.version, _LEAST_VERSION)
    return (passed if good else failed)(_("NGINX {version}", version=found.version), required)


@check(
    id="web.version",
    title=_("NGINX is 1.17 or later"),
    severity=Severity.HIGH,
    requirements=("R17",),
    remedy="{install}",
    role=Role.BACKEND,
)
def _version(subject: Subject) -> Judgement:
    return judge_version(_nginx(subject))


def judge_config(found: facts.Nginx) -> Judgement:
    """Require that NGINX could restart with the configuration on disk."""
    required = _("`nginx -t` reports no errors")
    if found.problem:
        first = next((line for line in found.problem.splitlines() if "emerg" in line), "")
        return failed(verbatim(first or _("the test failed")), required, found.problem)
    return passed(_("no errors"), required)


@check(
    id="web.config",
    title=_("NGINX's configuration is valid"),
    severity=Severity.HIGH,
    requirements=("R17",),
    remedy="{install}",
    role=Role.BACKEND,
)
def _config(subject: Subject) -> Judgement:
    return judge_config(_nginx(subject))


def judge_loaded(found: facts.Nginx) -> Judgement:
    """Require that the running NGINX has loaded the configuration on disk."""
    required = _("NGINX has loaded its files since their last change")
    if found.unloaded is None:
        return warned(
            _("unknown: the unit lacks the appliance's drop-in"),
            required,
            found.evidence,
            "{install}",
        )
    if found.unloaded:
        told = _("changed and not loaded: {unloaded}", unloaded=found.unloaded[0])
        return failed(told, required, "\n".join(found.unloaded))
    return passed(_("loaded"), required)


@check(
    id="web.loaded",
    title=_("NGINX has loaded the configuration on disk"),
    severity=Severity.MEDIUM,
    requirements=("R17",),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.service", "web.config"),
)
def _loaded(subject: Subject) -> Judgement:
    return judge_loaded(_nginx(subject))


def judge_sites(found: facts.Nginx, files: tuple[str, ...], ours: frozenset[str]) -> Judgement:
    """Fail on another server with our name (NGINX uses the first one read); warn about others."""
    required = _("NGINX has no servers other than the appliance's")
    if found.problem:
        return skipped(_("unknown while the configuration has an error"), required)
    foreign = [path for path in files if path not in ours]
    if not foreign:
        return passed(
            _("{count} files define servers", count=len(files)), required, "\n".join(files)
        )
    told = joined(", ", foreign)
    away = " ".join(map(shlex.quote, foreign))
    remedy = with_note(
        f"{{ssh}} mkdir -p /root/ucontact-foreign && mv {away} /root/ucontact-foreign/ && "
        "systemctl reload nginx",
        _("keeps the files there"),
    )
    evidence = "\n".join((found.evidence, *files))
    if found.rivals:
        names = ", ".join(found.rivals)
        return failed(
            _("{told}: another server with the name {names}", told=told, names=names),
            required,
            evidence,
            remedy,
        )
    return warned(
        _("{told}: another server in addition to the portal", told=told), required, evidence, remedy
    )


@check(
    id="web.sites",
    title=_("No other NGINX server responds in place of the portal"),
    severity=Severity.HIGH,
    requirements=("R01", "C05"),
    remedy="{install}",
    role=Role.BACKEND,
)
def _sites(subject: Subject) -> Judgement:
    ours = frozenset(managed_paths(subject.plan.host(subject.host.name)))
    return judge_sites(_nginx(subject), subject.facts.get(facts.configuration).server_files, ours)


def judge_redirect(answer: Response) -> Judgement:
    """Require a redirect from plain HTTP to HTTPS with the same name and path."""
    required = _("301 to https://{name}{path}", name=answer.request.name, path=answer.request.path)
    where = ", ".join(answer.all("location"))
    told = (
        _("{status} to {where}", status=answer.status, where=where)
        if where
        else verbatim(str(answer.status))
    )
    good = told == required
    return (passed if good else failed)(told, required, answer.evidence)


@check(
    id="web.redirect",
    title=_("Plain HTTP redirects to HTTPS"),
    severity=Severity.HIGH,
    requirements=("R01",),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.answers", "ports.http"),
)
def _redirect(subject: Subject) -> Judgement:
    return judge_redirect(subject.facts.get(facts.page, "/uContact/?from=http", "http"))


def judge_http2(answer: Response) -> Judgement:
    """Require HTTP/2 (R01)."""
    good = answer.protocol == "HTTP/2"
    return (passed if good else failed)(
        verbatim(answer.protocol), verbatim("HTTP/2"), answer.evidence
    )


@check(
    id="web.http2",
    title=_("The portal supports HTTP/2"),
    severity=Severity.MEDIUM,
    requirements=("R01",),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("web.answers", "tls.https.alpn"),
)
def _http2(subject: Subject) -> Judgement:
    return judge_http2(pages(subject, PORTAL)[0])


CHECKS = checks_of(globals())
