"""A report's folder: the page, the document, and a manifest of both."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ucontact_appliance.report.document import to_json
from ucontact_appliance.report.html import to_html
from ucontact_appliance.report.model import Report
from ucontact_appliance.site.files import private_dir, write_private

MANIFEST = "manifest.json"
PAGE = "report.html"
DOCUMENT = "report.json"
FILES = (PAGE, DOCUMENT)


def write_report(report: Report, folder: Path) -> None:
    """Write report.html, report.json and manifest.json, each in one step, 0600."""
    private_dir(folder)
    files = {PAGE: to_html(report), DOCUMENT: to_json(report)}
    for name, text in files.items():
        write_private(folder / name, text)
    digests = {
        name: hashlib.sha256(text.encode()).hexdigest() for name, text in sorted(files.items())
    }
    manifest = {"site": report.site, "time": report.time, "sha256": digests}
    write_private(folder / MANIFEST, json.dumps(manifest, indent=2) + "\n")
