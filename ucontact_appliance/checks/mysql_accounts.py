"""Checks of MySQL's accounts (R16): only the grants that they need, and TLS only."""

from __future__ import annotations

from typing import Any

from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.checks.mysql import AFRESH, DOCTOR_SECRET, database_check, port
from ucontact_appliance.checks.wording import quoted
from ucontact_appliance.clients.mysql import MysqlRefusal
from ucontact_appliance.facts.mysql import (
    Audit,
    Grants,
    MysqlAccount,
    audit,
    single_privileges,
    without_tls,
)
from ucontact_appliance.language.messages import Message, _, joined
from ucontact_appliance.resources import load_data

_TABLE: dict[str, Any] = load_data("database")
_SERVICES: tuple[str, ...] = tuple(_TABLE["grants"])
# ER_ACCESS_DENIED_ERROR: the account itself requires TLS (seen on MySQL 9 with the right
# password); ER_SECURE_TRANSPORT_REQUIRED: the server requires it of all accounts.
_REFUSALS = (1045, 3159)
_SOCKET_ONLY = "auth_socket"


def judge_plaintext(found: MysqlRefusal) -> Judgement:
    """Require that MySQL refuses the right password without TLS."""
    required = _("the same account is rejected without TLS")
    if found.number == 0:
        return failed(_("login accepted without TLS"), required)
    evidence = f"error {found.number}: {found.words}"
    if found.number not in _REFUSALS:
        # Such as a lost connection, or an error of the client: not the server's answer.
        return skipped(_("inconclusive: {words}", words=found.words), required, evidence)
    return passed(_("rejected"), required, evidence)


@database_check(
    id="mysql.plaintext",
    title=_("MySQL rejects connections without TLS"),
    severity=Severity.HIGH,
    requirements=("R16",),
    # A login without TLS means that the running server no longer requires it.
    remedy=AFRESH,
    # A refusal proves something only if the password is right.
    needs=("mysql.login",),
)
def _plaintext(subject: Subject) -> Judgement:
    if DOCTOR_SECRET not in subject.secrets:
        return skipped(
            _("the secret {doctor_secret} is not on this machine", doctor_secret=DOCTOR_SECRET)
        )
    return judge_plaintext(
        subject.facts.get(without_tls, port(subject), subject.secrets[DOCTOR_SECRET])
    )


def judge_accounts(found: Audit) -> Judgement:
    """Require TLS and known addresses for services, root by socket, no anonymous account."""
    required = _(
        "services over TLS from known addresses, root through its socket, no anonymous accounts"
    )
    evidence = "\n".join(_row(account) for account in found.accounts)
    if found.error:
        return failed(_("the accounts can't be read as root"), required, found.error)
    ours = {"", *_SERVICES, *_TABLE["own_accounts"]}
    wrong = [fault for account in found.accounts for fault in _faults(account)]
    there = {account.user for account in found.accounts}
    missing = [_("{name} is missing", name=name) for name in _SERVICES if name not in there]
    if wrong or missing:
        # The installation corrects its own accounts; the operator decides about others.
        strange = [a for a in found.accounts if a.user not in ours and _faults(a)]
        only = strange and not missing and len(strange) == len(wrong)
        remedy = _statement(strange[0], "ALTER USER", " REQUIRE SSL") if only else ""
        return failed(joined("; ", wrong + missing), required, evidence, remedy)
    others = [account for account in found.accounts if account.user not in ours]
    if others:
        return warned(
            _(
                "not made by the appliance: {others}",
                others=joined(", ", (account.label for account in others)),
            ),
            required,
            evidence,
            _statement(others[0], "SHOW GRANTS FOR"),
        )
    return passed(
        _("{there} over TLS", there=joined(", ", sorted(there & set(_SERVICES)))),
        required,
        evidence,
    )


@database_check(
    id="mysql.accounts",
    title=_("MySQL accounts belong to the services and are restricted by address and TLS"),
    severity=Severity.HIGH,
    requirements=("R16",),
    remedy="{install}",
    needs=("mysql.answers",),
)
def _accounts(subject: Subject) -> Judgement:
    return judge_accounts(subject.facts.get(audit, _SERVICES))


def _faults(account: MysqlAccount) -> list[Message]:
    if not account.user:
        return [_("anonymous account at {host}", host=account.host)]
    if account.user == "root":
        local = account.host == "localhost" and account.plugin == _SOCKET_ONLY
        return (
            []
            if local
            else [_("{label} uses {plugin}", label=account.label, plugin=account.plugin)]
        )
    if account.user in _TABLE["own_accounts"]:
        return []
    secure = account.ssl_type or (account.locked and account.user not in _SERVICES)
    faults = [] if secure else [_("{label} may connect without TLS", label=account.label)]
    if account.user in _SERVICES and "%" in account.host:
        faults.append(_("{label} may connect from anywhere", label=account.label))
    if account.user in _SERVICES and account.locked:
        faults.append(_("{label} is locked", label=account.label))
    return faults


def _statement(account: MysqlAccount, verb: str, rest: str = "") -> str:
    # By standard input, so that quoting is the same with and without ssh.
    words = f"{verb} '{account.user}'@'{account.host}'{rest}"
    return f"echo {quoted(words)} | {{ssh}} mysql"


def _row(account: MysqlAccount) -> str:
    tls = "TLS" if account.ssl_type else "-"
    return f"{account.label} {account.plugin} {tls}{' locked' if account.locked else ''}"


def judge_grants(found: Audit) -> Judgement:
    """Require for each service exactly the grants that it needs."""
    required = _("the grants of data/database.yml, no more and no fewer")
    problem = found.error or found.grants_error
    if problem:
        return failed(_("the grants can't be read as root"), required, problem)
    there = {who.split("@")[0] for who in found.grants}
    wrong = [_("{name} is missing", name=name) for name in _SERVICES if name not in there]
    for who, grants in sorted(found.grants.items()):
        planned = _planned(who.split("@")[0])
        for target in sorted({*grants, *planned}):
            extra = grants.get(target, frozenset()) - planned.get(target, frozenset())
            short = planned.get(target, frozenset()) - grants.get(target, frozenset())
            if extra:
                wrong.append(
                    _(
                        "{who} has unplanned {extra} on {target}",
                        who=who,
                        extra=joined(", ", sorted(extra)),
                        target=target or _("roles"),
                    )
                )
            if short:
                wrong.append(
                    _(
                        "{who} lacks {short} on {target}",
                        who=who,
                        short=joined(", ", sorted(short)),
                        target=target,
                    )
                )
    evidence = "\n".join(
        f"{who}: {', '.join(sorted(privileges))} on {target}"
        for who, grants in sorted(found.grants.items())
        for target, privileges in sorted(grants.items())
    )
    if wrong:
        return failed(joined("; ", wrong), required, evidence)
    return passed(_("{count} accounts as planned", count=len(found.grants)), required, evidence)


@database_check(
    id="mysql.grants",
    title=_("Each service has exactly the grants that it needs"),
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


CHECKS = checks_of(globals())
