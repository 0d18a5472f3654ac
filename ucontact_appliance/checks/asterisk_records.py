"""Checks of what Asterisk writes per call: a record in the database, a recording on disk."""

from __future__ import annotations

from ucontact_appliance.checks.asterisk import telephony_check
from ucontact_appliance.checks.model import Judgement, Severity, Subject, checks_of, failed, passed
from ucontact_appliance.checks.wording import INSTALL
from ucontact_appliance.facts.asterisk import (
    RECORDINGS,
    AsteriskState,
    RecordingsFolder,
    RecordsPath,
    recordings_folder,
    records_path,
    snapshot,
)
from ucontact_appliance.facts.storage import file_system
from ucontact_appliance.language.messages import _, joined, with_note


def judge_records(found: AsteriskState, path: RecordsPath) -> Judgement:
    """Require that Asterisk's own account, DSN and TLS reach the table of call records (R16)."""
    required = _("CDR backend ODBC, and its account can access ccdata.cdr")
    if "odbc" not in found.cdr_backends:
        return failed(
            _("Asterisk has no ODBC backend for call records"), required, found.texts["cdr"]
        )
    if not path.reached:
        return failed(_("the table ccdata.cdr is not accessible"), required, path.evidence)
    return passed(
        _(
            "ccdata.cdr is accessible; backends {cdr_backends}",
            cdr_backends=joined(", ", found.cdr_backends),
        ),
        required,
        path.evidence,
    )


@telephony_check(
    id="asterisk.records",
    title=_("Call records reach the database"),
    severity=Severity.HIGH,
    requirements=("R16", "R19"),
    remedy=with_note(
        "{ssh} runuser -u asterisk -- isql -b -v ucontact-ccdata </dev/null",
        _("then: {install}", install=INSTALL),
    ),
    # isql verifies MySQL's certificate with the CA certificate on this host.
    needs=("asterisk.service", "mysql.answers", "certificates.internal"),
)
def _records(subject: Subject) -> Judgement:
    return judge_records(subject.facts.get(snapshot), subject.facts.get(records_path))


def judge_recordings(found: RecordingsFolder, read_only: bool = False) -> Judgement:
    """Require that Asterisk can write recordings, and that others can't read them (R05).

    `read_only`: the file system is mounted read-only, which no installation changes.
    """
    required = _(
        "{recordings} is owned by asterisk and writable by it; not accessible to other users",
        recordings=RECORDINGS,
    )
    if read_only:
        return failed(
            _("its file system is mounted read-only"),
            required,
            found.evidence,
            with_note(
                f"{{ssh}} findmnt -T {RECORDINGS}",
                _("check the disk for errors; if there are none, remount it read-write"),
            ),
        )
    if not found.writable:
        return failed(_("Asterisk can't write there"), required, found.evidence)
    if not found.mode.endswith("0"):
        return failed(
            _("accessible to other users (mode {mode})", mode=found.mode), required, found.evidence
        )
    return passed(
        _("mode {mode}, owner {owner}", mode=found.mode, owner=found.owner),
        required,
        found.evidence,
    )


@telephony_check(
    id="asterisk.recordings",
    title=_("Asterisk can write recordings"),
    severity=Severity.CRITICAL,
    requirements=("R05", "R25"),
    remedy="{install}",
)
def _recordings(subject: Subject) -> Judgement:
    found = subject.facts.get(file_system, RECORDINGS)
    read_only = found is not None and found.read_only
    return judge_recordings(subject.facts.get(recordings_folder), read_only)


CHECKS = checks_of(globals())
