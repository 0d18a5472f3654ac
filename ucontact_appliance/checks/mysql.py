"""Checks of the database (R16): it runs; its accounts do their work and no more, by TLS only."""

from __future__ import annotations

import re
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
    warned,
)
from ucontact_appliance.checks.stun import judge_service
from ucontact_appliance.checks.wording import quoted
from ucontact_appliance.clients.mysql import Refusal
from ucontact_appliance.facts.mysql import (
    Account,
    Audit,
    Grants,
    ServerView,
    answers,
    audit,
    greeting_seconds,
    server_view,
    single_privileges,
    without_tls,
)
from ucontact_appliance.facts.unit import unit
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.ports import ports_for
from ucontact_appliance.resources import load_data

_TABLE: dict[str, Any] = load_data("database")
_SERVICES: tuple[str, ...] = tuple(_TABLE["grants"])
_SECRET = "database.accounts.doctor"
_LEAST = (5, 7)  # R16
# The server rounds its buffer pool up to chunks: never to less, never to much more.
_ROUNDED_UP = 1.1
# The file may be right and the running server not: SET GLOBAL lasts until a restart, SET PERSIST
# beyond it. 5.7 knows no SET PERSIST, and nothing to reset.
AFRESH = "{ssh} mysql -e 'RESET PERSIST'; systemctl restart mysql && {install}"
# ER_ACCESS_DENIED_ERROR: the account itself requires TLS (seen on MySQL 9, the password being
# right); ER_SECURE_TRANSPORT_REQUIRED: the server requires it of all.
_REFUSALS = (1045, 3159)
_SOCKET_ONLY = "auth_socket"
_UNCHECKED_SCHEMAS = ("information_schema", "performance_schema")

database_check = partial(check, role=Role.DATABASE, timeout=15.0)


def port(subject: Subject) -> int:
    """Where MySQL listens, by the site's port registry."""
    registry = ports_for(subject.site, subject.plan, subject.plan.host(subject.host.name))
    return next(row for row in registry if row.id == "mysql").first


def _viewed(judge: Callable[[Subject, ServerView], Judgement]) -> Callable[[Subject], Judgement]:
    def judged(subject: Subject) -> Judgement:
        if _SECRET not in subject.secrets:
            return skipped(f"the secret {_SECRET} is not on this machine")
        ca = str(subject.state.pki / "ca.pem")
        password = subject.secrets[_SECRET]
        return judge(subject, subject.facts.get(server_view, port(subject), password, ca))

    return judged


@check(
    id="mysql.service",
    title="MySQL runs",
    severity=Severity.CRITICAL,
    requirements=("R16", "C06"),
    remedy="{ssh} systemctl restart mysql",
    role=Role.DATABASE,
)
def _service(subject: Subject) -> Judgement:
    return judge_service(subject.facts.get(unit, "mysql.service"))


def judge_answers(greeted: bool, seconds: float, port: int) -> Judgement:
    """A server that hangs takes connections all the same: its unit and its port look well."""
    required = f"MySQL greets whoever connects to port {port}, within {QUICK:g} s"
    if not greeted:
        return failed("it takes connections and says nothing, or takes none", required)
    if seconds > QUICK:
        return failed(f"slow: {seconds:.1f} s until it greets", required)
    return passed(f"it greets after {seconds:.1f} s", required)


@database_check(
    id="mysql.answers",
    title="MySQL answers",
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
    """The checks' own account is let in, over TLS, by a server that is who it says."""
    required = "the account doctor is let in over TLS, with the site's CA behind the certificate"
    if found.refused:
        return failed("not let in", required, found.refused)
    return passed(found.tls, required)


@database_check(
    id="mysql.login",
    title="MySQL lets a service in over verified TLS",
    severity=Severity.HIGH,
    requirements=("R16",),
    remedy="{install}",
    needs=("mysql.answers",),
)
@_viewed
def _login(_: Subject, found: ServerView) -> Judgement:
    return judge_login(found)


def judge_version(found: ServerView, today: date) -> Judgement:
    """R16 and newer; the end of the maker's support is said, and is no fault of the site."""
    required = "MySQL 5.7, 8 or newer"
    numbers = tuple(int(part) for part in re.findall(r"\d+", found.version)[:2])
    if numbers < _LEAST or "mariadb" in found.version.lower():
        return failed(found.version, required)
    series = ".".join(str(number) for number in numbers)
    release = next((row for row in _TABLE["releases"] if row["series"] == series), None)
    if release is None:
        return passed(f"{found.version} (its maker's support is not known here)", required)
    until = release["until"]
    if until and date.fromisoformat(until) < today:
        return passed(f"{found.version}, past its maker's support since {until}", required)
    return passed(f"{found.version}, supported{f' until {until}' if until else ''}", required)


@database_check(
    id="mysql.version",
    title="MySQL is a supported version",
    severity=Severity.MEDIUM,
    requirements=("R16",),
    remedy="{install}",
    needs=("mysql.login",),
)
@_viewed
def _version(subject: Subject, found: ServerView) -> Judgement:
    return judge_version(found, subject.now.date())


def judge_schemas(found: ServerView) -> Judgement:
    """Both are there."""
    wanted: list[str] = _TABLE["schemas"]
    required = f"the schemas {' and '.join(wanted)}"
    missing = [name for name in wanted if name not in found.schemas]
    evidence = f"SHOW DATABASES: {', '.join(sorted(found.schemas - set(_UNCHECKED_SCHEMAS)))}"
    if missing:
        return failed(f"{' and '.join(missing)} missing", required, evidence)
    return passed(", ".join(wanted), required, evidence)


@database_check(
    id="mysql.schemas",
    title="The schemas are there",
    severity=Severity.CRITICAL,
    requirements=("R16",),
    remedy="{install}",
    needs=("mysql.login",),
)
@_viewed
def _schemas(_: Subject, found: ServerView) -> Judgement:
    return judge_schemas(found)


def judge_tables(found: ServerView) -> Judgement:
    """Each table of ours has at least the columns of ours."""
    tables = {f"{t['schema']}.{t['name']}": t for t in _TABLE["tables"]}
    required = f"{' and '.join(tables)} with all their columns"
    missing = []
    for name, table in tables.items():
        there = {c for schema, t, c in found.columns if f"{schema}.{t}" == name}
        if not there:
            missing.append(name)
            continue
        missing += [f"{name}.{c['name']}" for c in table["columns"] if c["name"] not in there]
    if missing:
        return failed(f"missing: {', '.join(missing)}", required)
    return passed(f"{len(tables)} tables, {len(found.columns)} columns", required)


@database_check(
    id="mysql.tables",
    title="The tables for call records are there",
    severity=Severity.HIGH,
    requirements=("R16", "R05"),
    remedy="{install}",
    needs=("mysql.schemas",),
)
@_viewed
def _tables(_: Subject, found: ServerView) -> Judgement:
    return judge_tables(found)


def judge_plaintext(found: Refusal) -> Judgement:
    """Without TLS the right password opens nothing."""
    required = "the same account is refused without TLS"
    if found.number == 0:
        return failed("let in without TLS", required)
    evidence = f"error {found.number}: {found.words}"
    if found.number not in _REFUSALS:
        # Such as a lost connection, or the client's own refusal to go on: not the server's word.
        return skipped(f"the server did not come to say it: {found.words}", required, evidence)
    return passed("refused", required, evidence)


@database_check(
    id="mysql.plaintext",
    title="MySQL refuses connections without TLS",
    severity=Severity.HIGH,
    requirements=("R16",),
    # Whoever gets in without TLS has found a server that no longer requires it.
    remedy=AFRESH,
    # A refusal says something only about a password that is right.
    needs=("mysql.login",),
)
def _plaintext(subject: Subject) -> Judgement:
    if _SECRET not in subject.secrets:
        return skipped(f"the secret {_SECRET} is not on this machine")
    return judge_plaintext(subject.facts.get(without_tls, port(subject), subject.secrets[_SECRET]))


def judge_accounts(found: Audit) -> Judgement:
    """TLS for each service, no anonymous account, root by its socket, nobody from anywhere."""
    required = "services by TLS and from known addresses, root by its socket, nobody anonymous"
    evidence = "\n".join(_row(account) for account in found.accounts)
    if found.error:
        return failed("the accounts can't be read as root", required, found.error)
    ours = {"", *_SERVICES, *_TABLE["own_accounts"]}
    wrong = [fault for account in found.accounts for fault in _faults(account)]
    there = {account.user for account in found.accounts}
    missing = [f"{name} is missing" for name in _SERVICES if name not in there]
    if wrong or missing:
        # The installation mends its own accounts; somebody else's are for the operator to judge.
        strange = [a for a in found.accounts if a.user not in ours and _faults(a)]
        only = strange and not missing and len(strange) == len(wrong)
        remedy = _statement(strange[0], "ALTER USER", " REQUIRE SSL") if only else ""
        return failed("; ".join(wrong + missing), required, evidence, remedy)
    others = [account for account in found.accounts if account.user not in ours]
    if others:
        return warned(
            f"not made by the appliance: {', '.join(account.label for account in others)}",
            required,
            evidence,
            _statement(others[0], "SHOW GRANTS FOR"),
        )
    return passed(f"{', '.join(sorted(there & set(_SERVICES)))} by TLS", required, evidence)


@database_check(
    id="mysql.accounts",
    title="MySQL's accounts are the services' own, bound to address and TLS",
    severity=Severity.HIGH,
    requirements=("R16",),
    remedy="{install}",
    needs=("mysql.answers",),
)
def _accounts(subject: Subject) -> Judgement:
    return judge_accounts(subject.facts.get(audit, _SERVICES))


def _faults(account: Account) -> list[str]:
    if not account.user:
        return [f"anonymous account at {account.host}"]
    if account.user == "root":
        local = account.host == "localhost" and account.plugin == _SOCKET_ONLY
        return [] if local else [f"{account.label} by {account.plugin}"]
    if account.user in _TABLE["own_accounts"]:
        return []
    secure = account.ssl_type or (account.locked and account.user not in _SERVICES)
    faults = [] if secure else [f"{account.label} may come without TLS"]
    if account.user in _SERVICES and "%" in account.host:
        faults.append(f"{account.label} may come from anywhere")
    if account.user in _SERVICES and account.locked:
        faults.append(f"{account.label} is locked")
    return faults


def _statement(account: Account, verb: str, rest: str = "") -> str:
    # By standard input, so that it means the same with ssh before it and without.
    words = f"{verb} '{account.user}'@'{account.host}'{rest}"
    return f"echo {quoted(words)} | {{ssh}} mysql"


def _row(account: Account) -> str:
    tls = "TLS" if account.ssl_type else "-"
    return f"{account.label} {account.plugin} {tls}{' locked' if account.locked else ''}"


def judge_grants(found: Audit) -> Judgement:
    """Each service may do what it does, and no more."""
    required = "the grants of data/database.yml, no more and no fewer"
    problem = found.error or found.grants_error
    if problem:
        return failed("the grants can't be read as root", required, problem)
    there = {who.split("@")[0] for who in found.grants}
    wrong = [f"{name} is missing" for name in _SERVICES if name not in there]
    for who, grants in sorted(found.grants.items()):
        planned = _planned(who.split("@")[0])
        for target in sorted({*grants, *planned}):
            extra = grants.get(target, frozenset()) - planned.get(target, frozenset())
            short = planned.get(target, frozenset()) - grants.get(target, frozenset())
            if extra:
                wrong.append(f"{who} may {', '.join(sorted(extra))} on {target or 'roles'}")
            if short:
                wrong.append(f"{who} may not {', '.join(sorted(short))} on {target}")
    evidence = "\n".join(
        f"{who}: {', '.join(sorted(privileges))} on {target}"
        for who, grants in sorted(found.grants.items())
        for target, privileges in sorted(grants.items())
    )
    if wrong:
        return failed("; ".join(wrong), required, evidence)
    return passed(f"{len(found.grants)} accounts as planned", required, evidence)


@database_check(
    id="mysql.grants",
    title="Each service may do what it does, and no more",
    severity=Severity.HIGH,
    requirements=("R16",),
    remedy="{install}",
    needs=("mysql.answers",),
)
def _grants(subject: Subject) -> Judgement:
    return judge_grants(subject.facts.get(audit, _SERVICES))


def _planned(user: str) -> Grants:
    merged: dict[str, frozenset[str]] = {}
    for grant in _TABLE["grants"].get(user, ()):
        privileges = single_privileges(", ".join(grant["privileges"]))
        merged[grant["target"]] = merged.get(grant["target"], frozenset()) | privileges
    return merged


def judge_memory(found: ServerView, planned_mb: int) -> Judgement:
    """The buffer pool of the plan: on a shared host more would take it from others."""
    required = f"a buffer pool of {planned_mb} MB, as planned for this host"
    got_mb = int(found.variables["innodb_buffer_pool_size"]) / 2**20
    if not planned_mb <= got_mb <= planned_mb * _ROUNDED_UP:
        return failed(f"{got_mb:.0f} MB", required)
    return passed(f"{got_mb:.0f} MB", required)


@database_check(
    id="mysql.memory",
    title="The buffer pool is as planned",
    severity=Severity.MEDIUM,
    requirements=("R12", "R16"),
    remedy=AFRESH,
    needs=("mysql.login",),
)
@_viewed
def _memory(subject: Subject, found: ServerView) -> Judgement:
    return judge_memory(found, subject.plan.tuning.database.buffer_pool_mb)


def judge_connections(found: ServerView, planned: int) -> Judgement:
    """The connections of the plan."""
    required = f"max_connections {planned}, as planned for this site"
    got = found.variables["max_connections"]
    return passed(got, required) if got == str(planned) else failed(got, required)


@database_check(
    id="mysql.connections",
    title="The number of connections is as planned",
    severity=Severity.MEDIUM,
    requirements=("R12", "R16"),
    remedy=AFRESH,
    needs=("mysql.login",),
)
@_viewed
def _connections(subject: Subject, found: ServerView) -> Judgement:
    return judge_connections(found, subject.plan.tuning.database.max_connections)


def judge_settings(found: ServerView) -> Judgement:
    """What the running server says of itself, whatever its files say."""
    old = tuple(int(part) for part in re.findall(r"\d+", found.version)[:3]) < (8, 0, 16)
    wanted = {
        name: str(row["before_8_0_16"] if old and "before_8_0_16" in row else row["value"])
        for name, row in _TABLE["settings"].items()
    }
    required = ", ".join(f"{name}={value}" for name, value in wanted.items())
    wrong = [name for name, value in wanted.items() if found.variables.get(name) != value]
    if wrong:
        return failed(
            "; ".join(
                f"{name}={found.variables.get(name, 'unknown')}: {_TABLE['settings'][name]['why']}"
                for name in wrong
            ),
            required,
        )
    return passed(f"{len(wanted)} settings", required)


@database_check(
    id="mysql.settings",
    title="MySQL is hardened",
    severity=Severity.MEDIUM,
    requirements=("R16",),
    remedy=AFRESH,
    needs=("mysql.login",),
)
@_viewed
def _settings(_: Subject, found: ServerView) -> Judgement:
    return judge_settings(found)


CHECKS = checks_of(globals())
