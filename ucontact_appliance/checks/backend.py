"""Checks of the Java backend: its unit, Java version, heap and health resource."""

from __future__ import annotations

import json
from typing import Any

from ucontact_appliance.checks.answers import PATIENCE, QUICK
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
    skipped,
)
from ucontact_appliance.facts.backend import (
    BackendHealth,
    BackendService,
    backend_health,
    backend_service,
    bare_seconds,
)
from ucontact_appliance.language.messages import _, concatenated, joined, verbatim
from ucontact_appliance.planning.model import Role

_JAVA = "1.8."  # R21: the version prefix of Java 8
_SCHEMAS = ("ccrepo", "ccdata")
_JDBC = "jdbc"
_OK = 200
_ANSWERS = (_OK, 503)
_EVIDENCE = 4000
_PATIENT = PATIENCE["health_seconds"]
_TIMEOUT = 25.0


def judge_service(found: BackendService) -> Judgement:
    """Require an active unit that starts at boot."""
    required = _("integraserver.service is active and enabled")
    if found.loaded != "loaded":
        return failed(
            _("the unit is {loaded}", loaded=found.loaded or _("missing")),
            required,
            remedy="{install}",
        )
    if found.active != "active":
        # Stopped by hand: starting it helps. Exited by itself: its files or settings are wrong.
        remedy = "" if found.active == "inactive" else "{install}"
        return failed(
            concatenated((found.active, " (", found.result, ")")),
            required,
            remedy=remedy,
        )
    if found.enabled != "enabled":
        return failed(
            _("active, but {enabled}: it will not start after a reboot", enabled=found.enabled),
            required,
        )
    return passed(_("active since {since}", since=found.since), required)


@check(
    id="backend.service",
    title=_("The backend runs"),
    severity=Severity.CRITICAL,
    requirements=("R21", "C06"),
    remedy="{ssh} systemctl enable --now integraserver",
    role=Role.BACKEND,
)
def _service(subject: Subject) -> Judgement:
    return judge_service(subject.facts.get(backend_service))


def judge_java(found: BackendService) -> Judgement:
    """Require Java 8 (R21)."""
    required = _("Java 8 (1.8)")
    if not found.java:
        return skipped(_("the version of the running Java is unknown"), required)
    if not found.java.startswith(_JAVA):
        return failed(_("the backend runs on Java {java}", java=found.java), required)
    return passed(verbatim(found.java), required)


@check(
    id="backend.java",
    title=_("The backend runs on Java 8"),
    severity=Severity.MEDIUM,
    requirements=("R21",),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("backend.service",),
)
def _java(subject: Subject) -> Judgement:
    return judge_java(subject.facts.get(backend_service))


def judge_heap(found: BackendService, planned_mb: int) -> Judgement:
    """Require exactly the planned heap (-Xmx)."""
    required = _("-Xmx of {planned_mb} MB, as planned for this host", planned_mb=planned_mb)
    if found.heap_mb != planned_mb:
        seen = _("no -Xmx") if found.heap_mb is None else _("{heap_mb} MB", heap_mb=found.heap_mb)
        return failed(seen, required)
    return passed(_("{heap_mb} MB", heap_mb=found.heap_mb), required)


@check(
    id="backend.heap",
    title=_("Java's heap is as planned"),
    severity=Severity.MEDIUM,
    requirements=("R12", "R21"),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("backend.service",),
)
def _heap(subject: Subject) -> Judgement:
    planned = subject.plan.tuning.backend.heap_mb
    return judge_heap(subject.facts.get(backend_service), planned)


def judge_health(found: BackendHealth, path: str) -> Judgement:
    """Judge every part of the backend except the database, which has its own check."""
    required = _(
        "GET {path} responds within {patient:g} s, and every component except the database is UP",
        path=path,
        patient=_PATIENT,
    )
    evidence = _evidence(found)
    if found.status not in _ANSWERS or not found.document:
        seen = (
            _("HTTP {status}", status=found.status)
            if found.status
            else _("no response: {error}", error=found.error)
        )
        return failed(seen, required, evidence)
    modules, checks = _mapping(found, "modules"), _mapping(found, "checks")
    bad = [
        concatenated((name, " ", _said(part)))
        for name, part in modules.items()
        if _state(part) != "UP" and name != _JDBC
    ]
    if _state(modules.get(_JDBC)) == "MISSING":
        bad.append(_("{jdbc} is MISSING", jdbc=_JDBC))
    bad += [
        concatenated((name, " ", _said(part)))
        for name, part in checks.items()
        if _state(part) != "UP" and name not in _SCHEMAS
    ]
    whole = _state(found.document)
    # Any part that is down sets the overall status; a down database is the other check's finding.
    if not bad and (whole != "UP" or found.status != _OK) and not _database_is_down(found):
        bad.append(
            _(
                "HTTP {status}: the backend as a whole {said}, but no component gives a reason",
                status=found.status,
                said=_said(found.document),
            )
        )
    if found.seconds > _PATIENT:
        bad.append(_("slow: the response took {seconds:.1f} s", seconds=found.seconds))
    if bad:
        return failed(joined("; ", bad), required, evidence)
    kind = "evaluation" if found.document.get("evaluation") else "release"
    return passed(
        concatenated((kind, f" {found.document.get('version', '?')}")),
        required,
        evidence,
    )


def judge_pace(seconds: float) -> Judgement:
    """Require a quick answer to a request that needs no work: if that is slow, every request is."""
    required = _("the backend responds within {quick:g} s", quick=QUICK)
    if seconds > QUICK:
        return failed(_("slow: the response took {seconds:.1f} s", seconds=seconds), required)
    return passed(
        verbatim(f"{seconds:.1f} s"),
        required,
    )


@check(
    id="backend.health",
    title=_("The backend is healthy"),
    severity=Severity.CRITICAL,
    requirements=("R01", "R21", "C06"),
    remedy="{ssh} systemctl restart integraserver",
    role=Role.BACKEND,
    # The health resource queries the database, and waits for one that hangs.
    needs=("backend.service", "ports.backend", "mysql.answers"),
    timeout=_TIMEOUT,
)
@by_health
def _health(subject: Subject, path: str) -> Judgement:
    judged = judge_health(subject.facts.get(backend_health, path, _PATIENT), path)
    if judged.verdict is not Verdict.PASS:
        return judged
    pace = judge_pace(subject.facts.get(bare_seconds))
    return judged if pace.verdict is Verdict.PASS else pace


def _state(part: Any) -> str:
    """Return a part's state, given directly or as its `status`; empty if there is none."""
    state = part.get("status") if isinstance(part, dict) else part
    return state if isinstance(state, str) else ""


def _said(part: Any) -> str:
    return _("is {state}", state=_state(part)) if _state(part) else _("reports no status")


def _database_is_down(found: BackendHealth) -> bool:
    checks, jdbc = _mapping(found, "checks"), _state(_mapping(found, "modules").get(_JDBC))
    schemas = [_state(checks[name]) for name in _SCHEMAS if name in checks]
    return any(state != "UP" for state in schemas) or jdbc not in ("", "UP")


def judge_schemas(found: BackendHealth) -> Judgement:
    """Require both schemas UP over JDBC with TLS, as the backend itself reports them."""
    required = _("ccrepo and ccdata are UP over JDBC with TLS")
    checks, jdbc = _mapping(found, "checks"), _mapping(found, "modules").get(_JDBC)
    if found.document and not set(_SCHEMAS) & set(checks) and _state(jdbc) in ("", "UP"):
        return skipped(
            _("the release's health resource does not report schemas"), required, _evidence(found)
        )
    bad = [
        _("{name} is {state}", name=name, state=_state(checks.get(name)) or _("not reported"))
        for name in _SCHEMAS
        if _state(checks.get(name)) != "UP"
    ]
    if bad:
        return failed(joined("; ", bad), required, _evidence(found))
    tls = jdbc.get("tls", "") if isinstance(jdbc, dict) else ""
    return passed(
        _("both UP{value}", value=_(" over {tls}", tls=tls) if tls else ""),
        required,
        _evidence(found),
    )


@check(
    id="backend.schemas",
    title=_("The backend reaches both schemas"),
    severity=Severity.CRITICAL,
    requirements=("R16", "R21"),
    remedy="{install}",
    role=Role.BACKEND,
    needs=("backend.health", "mysql.schemas", "certificates.internal"),
    timeout=_TIMEOUT,
)
@by_health
def _schemas(subject: Subject, path: str) -> Judgement:
    return judge_schemas(subject.facts.get(backend_health, path, _PATIENT))


def _mapping(found: BackendHealth, key: str) -> dict[str, Any]:
    value = found.document.get(key)
    return value if isinstance(value, dict) else {}


def _evidence(found: BackendHealth) -> str:
    text = json.dumps(found.document, indent=1) if found.document else found.error
    return _("HTTP {status}\n{text}", status=found.status, text=text)[:_EVIDENCE]


CHECKS = checks_of(globals())
