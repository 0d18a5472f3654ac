"""Write a report's folder: its formats, the evidence, and a signed manifest of all files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from ucontact_appliance.facts.components import PythonEnvironment
from ucontact_appliance.language.choice import Language, translation
from ucontact_appliance.report.document import to_json
from ucontact_appliance.report.html import to_html
from ucontact_appliance.report.junit import report_to_junit
from ucontact_appliance.report.manifest import (
    MANIFEST,
    SIGNATURE,
    FolderKind,
    PreviousReport,
    ReportManifest,
    digests,
)
from ucontact_appliance.report.model import Report
from ucontact_appliance.report.oscal import to_oscal
from ucontact_appliance.report.pdf import to_pdf
from ucontact_appliance.report.signing import fingerprint, public_half, sign
from ucontact_appliance.report.translated import translated_report
from ucontact_appliance.site.files import private_dir, write_private

PAGE = "report.html"
DOCUMENT = "report.json"
EVIDENCE = "evidence.json"
JUNIT = "junit.xml"
OSCAL = "oscal.json"
PAPER = "report.pdf"
SBOM = "sbom.json"
FILES = (PAGE, PAPER, DOCUMENT, EVIDENCE, OSCAL, JUNIT, SBOM)
DRILL = "drill.json"
# The files that a folder of each kind must have.
FILES_OF: Mapping[FolderKind, tuple[str, ...]] = {"report": FILES, "drill": (DRILL,)}


def forms(report: Report, language: Language = Language.EN) -> dict[str, bytes]:
    """Return every file of a report except the manifest and its signature, by name.

    The page and the PDF are in that language; what programs read is in English, so that reports
    compare.
    """
    told = translated_report(report, language)
    evidence = {"schema": 1, "site": report.site, "time": report.time}
    rows = [asdict(exhibit) for exhibit in report.exhibits]
    document = json.dumps({**evidence, "exhibits": rows}, indent=1, ensure_ascii=False)
    with ThreadPoolExecutor(max_workers=1) as pool:  # the PDF takes as long as all others
        paper = pool.submit(to_pdf, told, translation(language), language.value)
        others = _others(report, told, document, language)
    return {PAPER: paper.result(), **others}


def _others(report: Report, told: Report, document: str, language: Language) -> dict[str, bytes]:
    return {
        PAGE: to_html(told, translation(language), language.value).encode(),
        OSCAL: to_oscal(report, report.exhibits),
        DOCUMENT: to_json(report).encode(),
        EVIDENCE: f"{document}\n".encode(),
        JUNIT: report_to_junit(report),
        SBOM: _sbom(report),
    }


def _sbom(report: Report) -> bytes:
    # Imported here: it takes long to load, and most commands write no report.
    from ucontact_appliance.report.sbom import to_cyclonedx  # noqa: PLC0415

    controller = report.controller or PythonEnvironment("", (), ("nobody looked",))
    return to_cyclonedx(
        report.site, report.time, report.contents, controller, report.vulnerabilities
    )


def write_report(
    report: Report,
    files: Mapping[str, bytes],
    folder: Path,
    key: bytes,
    previous: PreviousReport | None = None,
) -> ReportManifest:
    """Write a report's folder as `write_signed` does."""
    manifest = ReportManifest(
        site=report.site,
        appliance=report.appliance,
        time=report.time,
        key=fingerprint(public_half(key)),
        previous=previous,
        sha256=digests(files),
    )
    write_signed(manifest, files, folder, key)
    return manifest


def write_signed(
    manifest: ReportManifest, files: Mapping[str, bytes], folder: Path, key: bytes
) -> None:
    """Write the folder (0700) and its files (0600), each file atomically.

    The manifest and its signature come last: a folder without them is no report. `key` is the
    site's private key in PEM.
    """
    private_dir(folder)
    for name in (MANIFEST, SIGNATURE):
        (folder / name).unlink(missing_ok=True)
    for name, data in files.items():
        write_private(folder / name, data)
    data = manifest.to_bytes()
    # Raw bytes: in a text encoding, different bytes could mean the same signature.
    write_private(folder / SIGNATURE, sign(key, data).value)
    write_private(folder / MANIFEST, data)
