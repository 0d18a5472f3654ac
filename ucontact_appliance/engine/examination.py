"""Examining an installed site: the checks, and the traces of the deep stage's call taken away."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ucontact_appliance.checks.model import Finding, Stage
from ucontact_appliance.checks.run import run_checks
from ucontact_appliance.engine.installed import Installed
from ucontact_appliance.engine.traces import remove_call_traces


def examine(
    here: Installed,
    *,
    deep: bool,
    only: Sequence[str] = (),
    on_finding: Callable[[Finding], None] | None = None,
) -> tuple[Finding, ...]:
    """A finding a check and host; with `deep` a real call is placed as well."""
    return run_checks(
        here.site,
        here.plan,
        here.secrets,
        here.paths,
        here.site_file,
        stages=(Stage.DOCTOR, Stage.DEEP) if deep else (Stage.DOCTOR,),
        only=only,
        on_finding=on_finding,
        tidy=remove_call_traces,
    )
