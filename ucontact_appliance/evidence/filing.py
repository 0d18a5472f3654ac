"""File a report: sign it, chain it to the previous one, and apply the retention rule."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ucontact_appliance import __version__
from ucontact_appliance.damage import Damage, why
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.evidence.gathering import Evidence
from ucontact_appliance.facts.survey import Survey
from ucontact_appliance.language.choice import Language
from ucontact_appliance.language.messages import _, concatenated, with_note
from ucontact_appliance.planning.model import Plan
from ucontact_appliance.report.compose import compose
from ucontact_appliance.report.manifest import (
    MANIFEST,
    PreviousReport,
    ReportManifest,
    digests,
    sha256,
)
from ucontact_appliance.report.signing import fingerprint, generate, public_half
from ucontact_appliance.report.write import DRILL, forms, write_report, write_signed
from ucontact_appliance.resources import load_data
from ucontact_appliance.site.files import write_private
from ucontact_appliance.site.model import Site
from ucontact_appliance.state import StatePaths

_NAME = "%Y%m%dT%H%M%SZ"


class ReportChain(BaseModel):
    """All reports ever made here, oldest first: folder, time and hash of each."""

    model_config = ConfigDict(frozen=True)

    reports: tuple[PreviousReport, ...] = ()

    @property
    def newest(self) -> PreviousReport | None:
        """The last one, which the next names."""
        return self.reports[-1] if self.reports else None


def new_folder(reports: Path) -> Path:
    """Return the path of a new report's folder, named by the current time (UTC)."""
    return reports / f"{datetime.now(timezone.utc):{_NAME}}"


def file_report(
    site: Site,
    plan: Plan,
    surveys: Mapping[str, Survey],
    evidence: Evidence,
    *,
    folder: Path,
    paths: StatePaths,
    language: Language = Language.EN,
) -> None:
    """Compose a report of the current time, write its signed folder, and add it to the chain."""
    time = datetime.now(timezone.utc)
    report = replace(
        compose(site, plan, surveys, evidence.findings, time, exhibits=evidence.exhibits),
        contents=evidence.contents,
        controller=evidence.controller,
        vulnerabilities=evidence.vulnerabilities,
    )
    chain = load_chain(paths)
    files = forms(report, language)
    manifest = write_report(report, files, folder, signing_key(paths), chain.newest)
    _chain(chain, manifest, folder, paths)
    _forget(paths.reports, time)


def file_drill(
    site: Site, document: Mapping[str, object], *, folder: Path, paths: StatePaths
) -> None:
    """Write the result of a drill as a signed folder, and add it to the chain of reports."""
    time = datetime.now(timezone.utc)
    chain, key = load_chain(paths), signing_key(paths)
    files = {DRILL: (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()}
    manifest = ReportManifest(
        kind="drill",
        site=site.site,
        appliance=__version__,
        time=time.isoformat(timespec="seconds"),
        key=fingerprint(public_half(key)),
        previous=chain.newest,
        sha256=digests(files),
    )
    write_signed(manifest, files, folder, key)
    _chain(chain, manifest, folder, paths)
    _forget(paths.reports, time)


def _chain(chain: ReportChain, manifest: ReportManifest, folder: Path, paths: StatePaths) -> None:
    made = PreviousReport(
        folder=folder.name, time=manifest.time, sha256=sha256(manifest.to_bytes())
    )
    kept = ReportChain(reports=(*chain.reports, made))
    write_private(paths.chain, kept.model_dump_json(indent=1) + "\n")


def load_chain(paths: StatePaths) -> ReportChain:
    """Return the chain of reports, which may be empty. Raises UnreachableError if unreadable."""
    try:
        return ReportChain.model_validate_json(paths.chain.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ReportChain()
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise UnreachableError(
            _("the record of earlier reports {chain} can't be read", chain=paths.chain),
            evidence=why(error),
            helps=with_note(
                f"mv {paths.chain} {paths.chain}.damaged", _("the next report begins a new chain")
            ),
        ) from error


def signing_key(paths: StatePaths) -> bytes:
    """Return the private key that signs reports; made once, 0600, it never leaves this machine.

    Raises UsageError when it is damaged, or lost while there are reports that it signed.
    """
    for damage in report_damage(paths):
        raise damage.error()
    if not paths.report_key.exists():
        write_private(paths.report_key, generate())
    return paths.report_key.read_bytes()


def report_damage(paths: StatePaths) -> tuple[Damage, ...]:
    """Return what is wrong with the signing key; empty before the first report.

    Auditors identify the site by that key: a new one in its place would look like a forgery.
    """
    key, chain = paths.report_key, paths.chain
    if not key.exists() and not chain.exists():
        return ()
    away = "; ".join(f"mv {path} {path}.old" for path in (key, chain) if path.exists())
    helps = with_note(
        _("restore {path} from your backup; without one: {command}", path=key, command=away),
        _(
            "the next report begins a new chain with a new key; give the auditor the "
            "new key: ucontact report key"
        ),
    )
    files = tuple(path for path in (key, chain) if path.exists())
    try:
        public_half(key.read_bytes())
    except FileNotFoundError:
        evidence = _("{chain} exists, but {key} does not", chain=chain, key=key)
        return (Damage(_("the key that signs the reports is lost"), evidence, helps, files),)
    except OSError as error:
        raise UnreachableError(
            _("{path} can't be read", path=key),
            evidence=str(error),
            helps=_("run the command as root"),
        ) from error
    except UsageError as error:
        return (
            Damage(
                _("the key that signs the reports is damaged"),
                concatenated((f"{key}: ", error.what)),
                helps,
                files,
            ),
        )
    return ()


def demand_reportable(paths: StatePaths) -> None:
    """Check before any change that the chain and the signing key are readable, if they exist.

    Raises UnreachableError for a damaged record, UsageError for a damaged key.
    """
    load_chain(paths)
    for damage in report_damage(paths):
        raise damage.error()


def auditors_key(paths: StatePaths) -> tuple[bytes, str]:
    """Return the public key in PEM and its fingerprint, for the auditor."""
    public = public_half(signing_key(paths))
    return public, fingerprint(public)


def _forget(reports: Path, now: datetime) -> None:
    """Remove folders by the rule of data/report.yml; their hashes stay in the chain."""
    rule = load_data("report")["retention"]
    dated = sorted((time, path) for path in reports.glob("*") if (time := _time(path)) is not None)
    beyond = {path for _, path in dated[: -int(rule["reports"])]}
    oldest = now - timedelta(days=int(rule["days"]))
    for time, path in dated:
        if path in beyond or time < oldest:
            shutil.rmtree(path)


def _time(folder: Path) -> datetime | None:
    """Return when a report's folder was made; None for any other folder."""
    try:
        time = datetime.strptime(folder.name, _NAME).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return time if (folder / MANIFEST).is_file() else None
