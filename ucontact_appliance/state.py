"""Paths of a site's secrets, keys, journal and reports on the machine that installs.

`/etc/ucontact/<site>` holds what must not be lost (secrets, keys, known hosts),
`/var/lib/ucontact/<site>` what runs write (journal, logs, reports). Both are 0700. The
environment variables UCONTACT_ETC and UCONTACT_VAR replace the two roots.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


def etc_root() -> Path:
    """Return the root folder of what must not be lost."""
    return Path(os.environ.get("UCONTACT_ETC", "/etc/ucontact")).absolute()


def var_root() -> Path:
    """Return the root folder of what runs write."""
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
        """The known installations; beside the secrets, so that both are copied together."""
        return self.etc / "runs.json"

    @property
    def watch(self) -> Path:
        """Whom the doctor's timer notifies, 0600: a webhook's URL is a secret."""
        return self.etc / "watch.json"

    @property
    def report_key(self) -> Path:
        """The key that signs reports, 0600."""
        return self.etc / "report.key"

    @property
    def recovery_key(self) -> Path:
        """The key that opens the state that the servers keep sealed, 0600."""
        return self.etc / "recovery.key"

    @property
    def recovery_shown(self) -> Path:
        """When the recovery key was last shown."""
        return self.etc / "recovery-shown.json"

    @property
    def restore(self) -> Path:
        """What a restore under way has to bring back; away when it is complete."""
        return self.var / "restore.json"

    @property
    def drill(self) -> Path:
        """The state of the site's copy during a drill; away when it has ended."""
        return self.var / "drill"

    @property
    def drills(self) -> Path:
        """What came of the newest drills of a backup."""
        return self.var / "drills.json"

    @property
    def sealed(self) -> Path:
        """The record of the state that the servers keep sealed."""
        return self.var / "sealed.json"

    @property
    def chain(self) -> Path:
        """The record of all reports, with the hash of each one's manifest."""
        return self.var / "reports.json"

    @property
    def journal(self) -> Path:
        """The installation's journal: its phases and inputs."""
        return self.var / "journal.json"

    @property
    def plan(self) -> Path:
        """The plan of the newest installation, by which doctor and report judge."""
        return self.var / "plan.json"

    @property
    def places(self) -> Path:
        """The server that has each role's data."""
        return self.var / "places.json"

    @property
    def managed(self) -> Path:
        """The SHA-256 of each file that the newest installation wrote, per host."""
        return self.var / "managed.json"

    @property
    def states(self) -> Path:
        """Digests of each phase's inputs and servers right after its last successful run."""
        return self.var / "states.json"

    @property
    def capacity(self) -> Path:
        """What `profile --benchmark` measured on the telephony server."""
        return self.var / "capacity.json"

    @property
    def upgrade(self) -> Path:
        """The journal of the newest upgrade."""
        return self.var / "upgrade.json"

    @property
    def restore_points(self) -> Path:
        """What this machine needs to go back, one folder per restore point."""
        return self.var / "restore-points"

    @property
    def lock(self) -> Path:
        """The lock file that the running installer holds."""
        return self.var / "install.lock"

    @property
    def logs(self) -> Path:
        """The log files, one per run."""
        return self.var / "logs"

    @property
    def doctor(self) -> Path:
        """The doctor's saved runs, one file (0600) per run."""
        return self.var / "doctor"

    @property
    def reports(self) -> Path:
        """The reports, one folder per report."""
        return self.var / "reports"


def state_paths(site_name: str) -> StatePaths:
    """Return the paths of the site with that name; creates nothing."""
    return StatePaths(etc=etc_root() / site_name, var=var_root() / site_name)
