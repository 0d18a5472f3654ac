"""Checks of MySQL (R16): it runs, accepts logins over TLS, and has its schemas and tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

from ucontact_appliance.checks.answers import QUICK
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
from ucontact_appliance.checks.stun import judge_service
from ucontact_appliance.facts.mysql import ServerView, answers, greeting_seconds, server_view
from ucontact_appliance.facts.unit import unit
from ucontact_appliance.language.messages import _, joined, verbatim
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.ports import ports_for
from ucontact_appliance.planning.versions import numbers, reaches
from ucontact_appliance.resources import load_data

_TABLE: dict[str, Any] = load_data("database")
DOCTOR_SECRET = "database.accounts.doctor"
_LEAST = "5.7"  # R16
# The file may be right and the running server not: SET GLOBAL lasts until a restart, SET PERSIST
# beyond it. MySQL 5.7 has no SET PERSIST, and so nothing to reset.
AFRESH = "{ssh} mysql -e 'RESET PERSIST'; systemctl restart mysql && {install}"
_UNCHECKED_SCHEMAS = ("information_schema", "performance_schema")

database_check = partial(check, role=Role.DATABASE, timeout=15.0)


def port(subject: Subject) -> int:
    """Return MySQL's port in the site's port registry."""
    registry = ports_for(subject.site, subject.plan, subject.plan.host(subject.host.name))
    return next(row for row in registry if row.id == "mysql").first


def viewed(judge: Callable[[Subject, ServerView], Judgement]) -> Callable[[Subject], Judgement]:
    """Pass the judge what the account `doctor` sees; skip if its secret is not here."""

    def judged(subject: Subject) -> Judgement:
        if DOCTOR_SECRET not in subject.secrets:
            return skipped(
                _("the secret {doctor_secret} is not on this machine", doctor_secret=DOCTOR_SECRET)
            )
        ca = str(subject.state.pki / "ca.pem")
        password = subject.secrets[DOCTOR_SECRET]
        return judge(subject, subject.facts.get(server_view, port(subject), password, ca))

    return judged


@check(
    id="mysql.service",
    title=_("MySQL runs"),
    severity=Severity.CRITICAL,
    requirements=("R16", "C06"),
    remedy="{ssh} systemctl restart mysql",
    role=Role.DATABASE,
)
def _service(subject: Subject) -> Judgement:
    return judge_service(subject.facts.get(unit, "mysql.service"))


def judge_answers(greeted: bool, seconds: float, port: int) -> Judgement:
    """Require MySQL's greeting: a server that hangs still has an active unit and an open port."""
    required = _(
        "MySQL sends its greeting on port {port} within {quick:g} s", port=port, quick=QUICK
    )
    if not greeted:
        return failed(_("it sends no greeting, or accepts no connections"), required)
    if seconds > QUICK:
        return failed(_("slow: greeting after {seconds:.1f} s", seconds=seconds), required)
    return passed(_("greeting after {seconds:.1f} s", seconds=seconds), required)


@database_check(
    id="mysql.answers",
    title=_("MySQL responds"),
    severity=Severity.CRITICAL,
    requirements=("R16", "C06"),
    remedy="{ssh} systemctl restart mysql",
    needs=("mysql.service", "ports.mysql"),
)
def _answers(subject: Subject) -> Judgement:
    listening = port(subject)
    greeted = subject.facts.get(answers, listening)
    seconds = subject.facts.get(greeting_seconds, listening) if greeted else 0.0
    return judge_answers(greeted, seconds, listening)


def judge_login(found: ServerView) -> Judgement:
    """Require a login of the account `doctor` over TLS with a verified server certificate."""
    required = _("the account doctor can log in over TLS, with a certificate of the site's CA")
    if found.refused:
        return failed(_("login rejected"), required, found.refused)
    return passed(verbatim(found.tls), required)


@database_check(
    id="mysql.login",
    title=_("A service can log in to MySQL over verified TLS"),
    severity=Severity.HIGH,
    requirements=("R16",),
    remedy="{install}",
    needs=("mysql.answers",),
)
@viewed
def _login(_: Subject, found: ServerView) -> Judgement:
    return judge_login(found)


def judge_version(found: ServerView, today: date) -> Judgement:
    """Require R16's versions or newer; report the end of upstream support without failing."""
    required = _("MySQL 5.7, 8 or newer")
    if not reaches(found.version, _LEAST) or "mariadb" in found.version.lower():
        return failed(verbatim(found.version), required)
    series = ".".join(map(str, numbers(found.version)[:2]))
    release = next((row for row in _TABLE["releases"] if row["series"] == series), None)
    if release is None:
        return passed(_("{version} (end of support unknown)", version=found.version), required)
    until = release["until"]
    if until and date.fromisoformat(until) < today:
        return passed(
            _(
                "{version}, support ended on {until}",
                version=found.version,
                until=until,
            ),
            required,
        )
    return passed(
        _(
            "{version}, supported{value}",
            version=found.version,
            value=_(" until {until}", until=until) if until else "",
        ),
        required,
    )


@database_check(
    id="mysql.version",
    title=_("MySQL is a supported version"),
    severity=Severity.MEDIUM,
    requirements=("R16",),
    remedy="{install}",
    needs=("mysql.login",),
)
@viewed
def _version(subject: Subject, found: ServerView) -> Judgement:
    return judge_version(found, subject.now.date())


def judge_schemas(found: ServerView) -> Judgement:
    """Require both schemas."""
    wanted: list[str] = _TABLE["schemas"]
    required = _("the schemas {wanted}", wanted=joined(_(" and "), wanted))
    missing = [name for name in wanted if name not in found.schemas]
    evidence = f"SHOW DATABASES: {', '.join(sorted(found.schemas - set(_UNCHECKED_SCHEMAS)))}"
    if missing:
        return failed(
            _("{missing} missing", missing=joined(_(" and "), missing)), required, evidence
        )
    return passed(joined(", ", wanted), required, evidence)


@database_check(
    id="mysql.schemas",
    title=_("The database schemas exist"),
    severity=Severity.CRITICAL,
    requirements=("R16",),
    remedy="{install}",
    needs=("mysql.login",),
)
@viewed
def _schemas(_: Subject, found: ServerView) -> Judgement:
    return judge_schemas(found)


def judge_tables(found: ServerView) -> Judgement:
    """Require our tables, each with at least our columns."""
    tables = {f"{t['schema']}.{t['name']}": t for t in _TABLE["tables"]}
    required = _("{tables} with all their columns", tables=joined(_(" and "), tables))
    missing = []
    for name, table in tables.items():
        there = {c for schema, t, c in found.columns if f"{schema}.{t}" == name}
        if not there:
            missing.append(name)
            continue
        missing += [f"{name}.{c['name']}" for c in table["columns"] if c["name"] not in there]
    if missing:
        return failed(_("missing: {missing}", missing=joined(", ", missing)), required)
    return passed(
        _("{count} tables, {count2} columns", count=len(tables), count2=len(found.columns)),
        required,
    )


@database_check(
    id="mysql.tables",
    title=_("The tables for call records exist"),
    severity=Severity.HIGH,
    requirements=("R16", "R05"),
    remedy="{install}",
    needs=("mysql.schemas",),
)
@viewed
def _tables(_: Subject, found: ServerView) -> Judgement:
    return judge_tables(found)


CHECKS = checks_of(globals())
