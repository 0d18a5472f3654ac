"""Where one site's secrets, keys, journal and reports live on the machine that installs.

`/etc/ucontact/<site>` holds what must survive (secrets, keys, known hosts), and
`/var/lib/ucontact/<site>` what a run leaves (journal, logs, reports). Both are 0700. The
variables UCONTACT_ETC and UCONTACT_VAR move the two roots.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


def etc_root() -> Path:
    """The root of what must survive."""
    return Path(os.environ.get("UCONTACT_ETC", "/etc/ucontact")).absolute()


def var_root() -> Path:
    """The root of what runs leave behind."""
    return Path(os.environ.get("UCONTACT_VAR", "/var/lib/ucontact")).absolute()


@dataclass(frozen=True)
class StatePaths:
    """The files of one site on the machine that installs."""

    etc: Path
    var: Path

    @property
    def secrets(self) -> Path:
        """The generated secrets, 0600."""
        return self.etc / "secrets.yml"

    @property
    def pki(self) -> Path:
        """The site's private CA, its certificates, and the HPKP backup key."""
        return self.etc / "pki"

    @property
    def known_hosts(self) -> Path:
        """The ssh host keys, pinned at first contact."""
        return self.etc / "known_hosts"

    @property
    def runs(self) -> Path:
        """The installations that this state knows of: beside the secrets, and copied with them."""
        return self.etc / "runs.json"

    @property
    def watch(self) -> Path:
        """Whom the doctor's timer tells, 0600: a webhook's address is a secret."""
        return self.etc / "watch.json"

    @property
    def report_key(self) -> Path:
        """The key that signs reports, 0600."""
        return self.etc / "report.key"

    @property
    def chain(self) -> Path:
        """Every report that was made, by the hash of its manifest."""
        return self.var / "reports.json"

    @property
    def journal(self) -> Path:
        """What the install did and on which inputs."""
        return self.var / "journal.json"

    @property
    def plan(self) -> Path:
        """The plan that the newest install executed: what doctor and report judge by."""
        return self.var / "plan.json"

    @property
    def places(self) -> Path:
        """Which server each role's data is on."""
        return self.var / "places.json"

    @property
    def managed(self) -> Path:
        """What the newest install wrote on each host: file by file, its SHA-256."""
        return self.var / "managed.json"

    @property
    def states(self) -> Path:
        """Each phase's inputs and servers right after its last good run, as digests."""
        return self.var / "states.json"

    @property
    def capacity(self) -> Path:
        """What `profile --benchmark` measured on the telephony server."""
        return self.var / "capacity.json"

    @property
    def lock(self) -> Path:
        """Held by the one installer at work."""
        return self.var / "install.lock"

    @property
    def logs(self) -> Path:
        """A log file a run."""
        return self.var / "logs"

    @property
    def doctor(self) -> Path:
        """A file a kept run of the doctor, 0600."""
        return self.var / "doctor"

    @property
    def reports(self) -> Path:
        """A folder a report."""
        return self.var / "reports"


def state_paths(site_name: str) -> StatePaths:
    """The state of the site of that name; creates nothing."""
    return StatePaths(etc=etc_root() / site_name, var=var_root() / site_name)
