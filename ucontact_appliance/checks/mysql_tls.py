"""Checks of MySQL's TLS: versions, forward secrecy, and the certificate that it serves."""

from __future__ import annotations

from ucontact_appliance.checks import mysql
from ucontact_appliance.checks.certificates import judge_current
from ucontact_appliance.checks.model import Judgement, Severity, Subject, checks_of
from ucontact_appliance.checks.tls import judge_secrecy, judge_versions
from ucontact_appliance.checks.tls_services import OFFERED_VERSIONS, PROTOCOLS, WEAK_CIPHERS
from ucontact_appliance.facts import mysql_tls
from ucontact_appliance.facts.certificates import pair
from ucontact_appliance.language.messages import _, with_note

_LEAST = ("TLSv1.2",)  # MySQL 5.7 supports no newer one


@mysql.database_check(
    id="mysql.protocols",
    title=_("MySQL rejects TLS older than 1.2"),
    severity=Severity.HIGH,
    requirements=("R16", "R08"),
    remedy=mysql.AFRESH,
    needs=("mysql.answers",),
)
def _versions(subject: Subject) -> Judgement:
    answers = subject.facts.get(mysql_tls.versions, mysql.port(subject), OFFERED_VERSIONS)
    return judge_versions(answers, PROTOCOLS, _LEAST)


@mysql.database_check(
    id="mysql.ciphers",
    title=_("MySQL accepts only ciphers with forward secrecy"),
    severity=Severity.HIGH,
    requirements=("R16", "R08"),
    remedy=mysql.AFRESH,
    needs=("mysql.answers",),
)
def _secrecy(subject: Subject) -> Judgement:
    return judge_secrecy(
        subject.facts.get(mysql_tls.cipher_groups, mysql.port(subject), WEAK_CIPHERS)
    )


@mysql.database_check(
    id="certificates.served.mysql",
    title=_("MySQL serves the certificate on disk"),
    severity=Severity.HIGH,
    requirements=("R16",),
    remedy=with_note(
        "{ssh} mysql -e 'ALTER INSTANCE RELOAD TLS'", _("5.7: systemctl restart mysql")
    ),
    needs=("mysql.answers", "certificates.internal"),
)
def _served(subject: Subject) -> Judgement:
    port, ca = mysql.port(subject), str(subject.state.pki / "ca.pem")
    served = subject.facts.get(mysql_tls.greeting, port, ca).certificate
    return judge_current(subject.facts.get(pair, "internal", "ca"), served, port, "internal")


CHECKS = checks_of(globals())
