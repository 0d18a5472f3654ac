"""Judge a stored run again: the same checks on its stored facts and date, without any network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from ucontact_appliance.checks.model import Calls, Check, Finding, Subject
from ucontact_appliance.checks.waivers import waive
from ucontact_appliance.checks.wording import RemedyFormatter
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.facts.stored import FactsSnapshot, StoredFacts, placeholders
from ucontact_appliance.findings.registry import CHECKS
from ucontact_appliance.findings.run import run_tasks, select, tasks_for
from ucontact_appliance.language.messages import _
from ucontact_appliance.state import StatePaths

_MAKE = "ucontact doctor facts save FILE"


def load_snapshot(path: Path) -> FactsSnapshot:
    """Load the stored run. Raises UnreachableError, or UsageError if the file is no stored run."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreachableError(
            _("the facts file {path} can't be read", path=path), evidence=str(error), helps=_MAKE
        ) from error
    try:
        return FactsSnapshot.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            _("{path} is not a file written by `ucontact doctor facts save`", path=path),
            evidence=f"{where}: {first['msg']}" if where else str(first["msg"]),
            helps=_MAKE,
        ) from None


def judge_snapshot(
    snapshot: FactsSnapshot, only: tuple[str, ...] = (), catalogue: Sequence[Check] = CHECKS
) -> tuple[Finding, ...]:
    """Return one finding per check and host, from the stored facts and as of their date.

    A check without stored facts is skipped, with the reason. Raises UsageError for an unknown id.
    """
    stages = (Calls.DEEP if snapshot.deep else Calls.NONE).stages
    state = StatePaths(Path(snapshot.etc), Path(snapshot.var))
    subjects = [
        Subject(
            snapshot.site,
            snapshot.plan,
            host,
            placeholders(snapshot.secrets),
            state,
            StoredFacts(snapshot.site, host, snapshot.facts.get(host.name, ())),
            now=snapshot.time,
            stages=frozenset(stages),
        )
        for host in snapshot.site.hosts
    ]
    findings = run_tasks(
        tasks_for(select(catalogue, stages, only), subjects),
        RemedyFormatter(Path(snapshot.site_file), ()).worded,
        lambda finding: None,
    )
    return waive(findings, snapshot.site.waivers, snapshot.time.date())
