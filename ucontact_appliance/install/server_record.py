"""Each server's record of its newest installation, compared with the runs known here.

The record has the run, the controller and the values of site.yml. The controller stores its known
runs beside the site's secrets, so that copying these to another controller copies the runs too.
A record comes from a server and is untrusted: its size is bounded, and it is parsed to a type.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import hashlib
import json
import secrets
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from ucontact_appliance import __version__
from ucontact_appliance.damage import why
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.messages import _, joined, ngettext, with_note
from ucontact_appliance.site.files import write_private
from ucontact_appliance.site.model import Host, Site

RECORD = "/var/lib/ucontact/installation.json"  # on the server, 0600
RECORD_BYTES = 1 << 20  # a site with 10,000 extensions takes 100 kB
_KEPT_RUNS = 200
_MOST_LINES = 60  # of a diff
_RUN = r"^[0-9a-f]{32}$"
# Values that other servers must not see, or that matter on the controller only.
_PRIVATE: dict[str, Any] = {
    "waivers": True,
    "attestations": True,
    "release": True,
    "certificate": {"chain", "key", "ca"},
    "hosts": {"__all__": {"key", "user"}},
    "telephony": {"trunks": {"__all__": {"username"}}},
}


class ServerRecord(BaseModel):
    """The newest installation of a server: its site, run, controller, start and inputs.

    `fingerprint` is the SHA-256 of the whole parsed site.yml; `site_values` are those of its values
    that may be shown, without secrets.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    site: str = Field(min_length=1, max_length=63)
    run: str = Field(pattern=_RUN)
    sequence: int = Field(ge=1)
    started: AwareDatetime
    progress: Literal["started", "done", "failed"]
    controller: str = Field(max_length=255)
    appliance: str = Field(max_length=64)
    fingerprint: str = Field(pattern=r"^[0-9a-f]{64}$")
    site_values: dict[str, Any]

    def encoded(self) -> str:
        """Return the file's content in base64, on one line."""
        return base64.b64encode(f"{self.model_dump_json(indent=1)}\n".encode()).decode()


class KnownRun(BaseModel):
    """A run that is recorded in this controller's state."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str = Field(pattern=_RUN)
    sequence: int = Field(ge=1)
    started: AwareDatetime


class KnownRuns(BaseModel):
    """The runs of a site that are recorded in this controller's state, newest last."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    runs: tuple[KnownRun, ...] = ()

    def knows(self, run: str) -> bool:
        """Return whether that run is recorded here."""
        return any(one.run == run for one in self.runs)


def new_record(site: Site, controller: str, sequence: int) -> ServerRecord:
    """Return the record of a run that starts now (UTC)."""
    whole = json.dumps(site.model_dump(mode="json"), sort_keys=True)
    return ServerRecord(
        site=site.site,
        run=secrets.token_hex(16),
        sequence=sequence,
        started=datetime.now(timezone.utc).replace(microsecond=0),
        progress="started",
        controller=controller,
        appliance=__version__,
        fingerprint=hashlib.sha256(whole.encode()).hexdigest(),
        site_values=shown_values(site),
    )


def shown_values(site: Site) -> dict[str, Any]:
    """Return the values of site.yml that every server may store: no paths, no accounts."""
    return site.model_dump(mode="json", exclude=_PRIVATE)


def parse_record(text: str, host: Host) -> ServerRecord | None:
    """Return the record that the server sent in base64; None for `-`, no record.

    Raises UnreachableError for one that can't be parsed, so that it is not replaced silently.
    """
    if text == "-":
        return None
    try:
        data = base64.b64decode(text, validate=True)
        if len(data) > RECORD_BYTES:
            raise ValueError(_("it has more than {count} bytes", count=RECORD_BYTES))
        return ServerRecord.model_validate_json(data)
    except (binascii.Error, ValueError) as error:
        raise UnreachableError(
            _(
                "host {name}: the record of its newest installation, {record}, can't be read",
                name=host.name,
                record=RECORD,
            ),
            evidence=why(error),
            helps=with_note(
                _("on {name}: mv {record} {record}.damaged", name=host.name, record=RECORD),
                _(
                    "only if no other machine installs this site: the record prevents "
                    "this machine from overwriting a newer installation"
                ),
            ),
        ) from error


def load_known_runs(path: Path) -> KnownRuns:
    """Return the runs in that file; empty if it is missing. Raises UnreachableError."""
    try:
        return KnownRuns.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return KnownRuns()
    except (OSError, ValidationError) as error:
        raise UnreachableError(
            _("the list of this site's installations, {path}, can't be read", path=path),
            evidence=why(error),
            helps=_("mv {path} {path}.damaged, then: ucontact install --replace-newer", path=path),
        ) from error


def remember_run(path: Path, record: ServerRecord) -> None:
    """Add the run to the file atomically; call it before any server records the run."""
    known = load_known_runs(path)
    added = KnownRun(run=record.run, sequence=record.sequence, started=record.started)
    runs = (*known.runs, added)[-_KEPT_RUNS:]
    write_private(path, KnownRuns(runs=runs).model_dump_json(indent=1) + "\n")


def refuse_unknown(
    host: Host, found: ServerRecord, known: KnownRuns, site: Site, site_file: Path
) -> None:
    """Raise UsageError, with a diff, when the server's newest run is not known here."""
    if found.site == site.site and known.knows(found.run):
        return
    replace = f"ucontact install --site {site_file} --replace-newer"
    who = _(
        "run {number} of {started:%Y-%m-%d %H:%M} UTC ({progress}), from {controller}, "
        "with ucontact {version}",
        number=found.sequence,
        started=found.started,
        progress=found.progress,
        controller=found.controller,
        version=found.appliance,
    )
    if found.site != site.site:
        raise UsageError(
            _(
                "the server {name} ({address}) belongs to the site {site}",
                name=host.name,
                address=host.address,
                site=found.site,
            ),
            evidence=who,
            helps=_(
                "name another server in {site_file}; or, to take it over: {replace}",
                site_file=site_file,
                replace=replace,
            ),
        )
    raise UsageError(
        _(
            "the server {name} ({address}) has a newer installation, which this "
            "machine does not know",
            name=host.name,
            address=host.address,
        ),
        evidence=joined("\n", (who, _difference(found, site))),
        helps=_(
            "install from {controller}, or continue the site here, with its recovery key: "
            "ucontact adopt {address}; to overwrite that installation with this site.yml: "
            "{replace}",
            controller=found.controller,
            address=host.address,
            replace=replace,
        ),
    )


def _difference(found: ServerRecord, site: Site) -> str:
    here = shown_values(site)
    lines = list(
        difflib.unified_diff(
            yaml.safe_dump(found.site_values, sort_keys=True).splitlines(),
            yaml.safe_dump(here, sort_keys=True).splitlines(),
            "site.yml there",
            "site.yml here",
            n=1,
            lineterm="",
        )
    )
    if not lines:
        return _("its site.yml is the same; its secrets and keys are not on this machine")
    left = len(lines) - _MOST_LINES
    more = [ngettext("... {count} more line", "... {count} more lines", left)] if left > 0 else []
    return joined("\n", [*lines[:_MOST_LINES], *more])
