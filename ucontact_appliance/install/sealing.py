"""Keep the site's state sealed on its servers, as part of an installation."""

from __future__ import annotations

from ucontact_appliance.errors import ApplianceError
from ucontact_appliance.install.events import Warned
from ucontact_appliance.install.job import Job
from ucontact_appliance.language.messages import what_of
from ucontact_appliance.operate.recovery import keep_sealed


def seal_state(job: Job) -> None:
    """Seal the state and store it on each server; a failure is only a warning.

    Done before the checks, which look for it on every server, and again after the journal's end.
    """
    try:
        keep_sealed(job.site, job.site_file, job.paths, job.ssh)
    except (ApplianceError, TimeoutError) as error:
        job.observer(Warned(what_of(error)))
