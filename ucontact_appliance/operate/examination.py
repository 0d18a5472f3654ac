"""Examine an installed site: run the checks, and remove the traces of the deep stage's calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path

from ucontact_appliance import __version__
from ucontact_appliance.checks.model import Calls, Finding
from ucontact_appliance.facts.runner import SshSettings
from ucontact_appliance.facts.source import FactSource
from ucontact_appliance.facts.stored import FactsSnapshot, Redaction, store
from ucontact_appliance.findings.run import run_checks
from ucontact_appliance.operate.deep_journal import own_run, sweep
from ucontact_appliance.operate.installed import Installed
from ucontact_appliance.operate.traces import remove_call_traces
from ucontact_appliance.site.files import write_atomic


def examine(
    here: Installed,
    *,
    calls: Calls,
    only: Sequence[str] = (),
    on_finding: Callable[[Finding], None] | None = None,
    on_facts: Callable[[Mapping[str, FactSource]], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
    ssh: SshSettings | None = None,
) -> tuple[Finding, ...]:
    """Return one finding per check and host; `calls` are the real calls to place as well.

    Traces that an earlier, killed run with calls left are removed first and reported by
    `on_notice`. `ssh` shares the connections of a larger run.
    """
    for notice in sweep(here, ssh):
        if on_notice is not None:
            on_notice(notice)
    with nullcontext("") if calls is Calls.NONE else own_run(here, ssh) as mark:
        return run_checks(
            here.site,
            here.plan,
            here.secrets,
            here.paths,
            here.site_file,
            stages=calls.stages,
            only=only,
            on_finding=on_finding,
            tidy=remove_call_traces,
            on_facts=on_facts,
            mark=mark,
            ssh=ssh,
        )


def save_facts(
    here: Installed, facts: Mapping[str, FactSource], time: datetime, path: Path, *, deep: bool
) -> tuple[str, ...]:
    """Write a run's facts, 0600, without any secret; return the probes that can't be stored.

    Raises UnreachableError when the file can't be written.
    """
    redaction = Redaction(here.secrets)
    stored = {name: store(source.asked(), redaction) for name, source in facts.items()}
    snapshot = FactsSnapshot(
        appliance=__version__,
        time=time,
        deep=deep,
        site_file=str(here.site_file),
        etc=str(here.paths.etc),
        var=str(here.paths.var),
        site=here.site,
        plan=here.plan,
        secrets=tuple(here.secrets),
        facts=stored,
    )
    write_atomic(path, snapshot.model_dump_json(indent=1) + "\n", 0o600)
    return tuple(
        f"{fact.probe}: {fact.unstored}"
        for rows in stored.values()
        for fact in rows
        if fact.unstored
    )
