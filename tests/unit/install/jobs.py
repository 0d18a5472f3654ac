"""A job without servers."""

from __future__ import annotations

from pathlib import Path

from tests.unit.install.phases import RELEASE, seen
from ucontact_appliance.facts.runner import SshSettings
from ucontact_appliance.install.events import Observer
from ucontact_appliance.install.job import Job
from ucontact_appliance.site.secrets import Secrets
from ucontact_appliance.state import state_paths


def job_of(observer: Observer, site_file: Path = Path("site.yml")) -> Job:
    """A job on the small site, whose log is nowhere."""
    return Job(
        seen=seen(),
        site_file=site_file,
        release=RELEASE,
        secrets=Secrets({}),
        paths=state_paths("demo"),
        ssh=SshSettings(Path("/nonexistent/known_hosts")),
        observer=observer,
        log=lambda line: None,
    )
