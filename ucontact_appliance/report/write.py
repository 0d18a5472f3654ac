"""A report's folder: its forms, the evidence, and a signed manifest of all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from ucontact_appliance.report.document import to_json
from ucontact_appliance.report.html import to_html
from ucontact_appliance.report.junit import to_junit
from ucontact_appliance.report.manifest import (
    MANIFEST,
    SIGNATURE,
    Manifest,
    Previous,
    digests,
)
from ucontact_appliance.report.model import Report
from ucontact_appliance.report.oscal import to_oscal
from ucontact_appliance.report.pdf import to_pdf
from ucontact_appliance.report.signing import fingerprint, public_half, sign
from ucontact_appliance.site.files import private_dir, write_private

PAGE = "report.html"
DOCUMENT = "report.json"
EVIDENCE = "evidence.json"
JUNIT = "junit.xml"
OSCAL = "oscal.json"
PAPER = "report.pdf"
FILES = (PAGE, PAPER, DOCUMENT, EVIDENCE, OSCAL, JUNIT)


def forms(report: Report) -> dict[str, bytes]:
    """Every file of a report but the manifest and its signature, by name."""
    evidence = {"schema": 1, "site": report.site, "time": report.time}
    rows = [asdict(exhibit) for exhibit in report.exhibits]
    document = json.dumps({**evidence, "exhibits": rows}, indent=1, ensure_ascii=False)
    return {
        PAGE: to_html(report).encode(),
        PAPER: to_pdf(report),
        OSCAL: to_oscal(report, report.exhibits),
        DOCUMENT: to_json(report).encode(),
        EVIDENCE: f"{document}\n".encode(),
        JUNIT: to_junit(report.site, report.time, report.findings),
    }


def write_report(
    report: Report,
    files: Mapping[str, bytes],
    folder: Path,
    key: bytes,
    previous: Previous | None = None,
) -> Manifest:
    """Write the folder, 0700 with files of 0600, each in one step; the manifest and its signature
    come last, so that a folder without them is none.

    `key` is the site's private key in PEM.
    """
    private_dir(folder)
    for name in (MANIFEST, SIGNATURE):
        (folder / name).unlink(missing_ok=True)
    for name, data in files.items():
        write_private(folder / name, data)
    manifest = Manifest(
        site=report.site,
        appliance=report.appliance,
        time=report.time,
        key=fingerprint(public_half(key)),
        previous=previous,
        sha256=digests(files),
    )
    data = manifest.to_bytes()
    # As it is: in any form of text a byte could be changed and mean the same.
    write_private(folder / SIGNATURE, sign(key, data).value)
    write_private(folder / MANIFEST, data)
    return manifest
