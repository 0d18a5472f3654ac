"""The report of an installed site, as an auditor takes it apart."""

from __future__ import annotations

import base64
import json
import shlex
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
import xmlschema
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from pypdf import PdfReader

from tests.e2e.installed import Installed, ucontact
from tests.faults.catalogue import FAULTS, USUAL
from ucontact_appliance.report.manifest import MANIFEST, SIGNATURE
from ucontact_appliance.report.write import FILES

pytestmark = pytest.mark.machine

_TEN = (
    "unit-failed",
    "firewall-disabled",
    "certificate-key-open",
    "tree-foreign-file",
    "tree-owner",
    "mysql-grant-wide",
    "mysql-connections",
    "recordings-open",
    "retention-stopped",
    "files-drift",
)


@pytest.fixture(scope="module")
def key(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site's public key, as an auditor took it along."""
    path = tmp_path_factory.mktemp("auditor") / "site.pem"
    done = installed.ucontact("report", "key", "--out", str(path))
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def folder(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the healthy site, with a real call."""
    path = tmp_path_factory.mktemp("report") / "first"
    done = installed.ucontact("report", "--out", str(path))
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def xunit(tmp_path_factory: pytest.TempPathFactory) -> xmlschema.XMLSchema:
    """The schema of Jenkins' xUnit plugin: pytest's own tests carry it, in its source archive."""
    target = tmp_path_factory.mktemp("xunit")
    wanted = ("--no-deps", "--no-binary", "pytest", f"pytest=={pytest.__version__}")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(target), *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with tarfile.open(next(target.glob("pytest-*.tar.gz"))) as archive:
        name = next(name for name in archive.getnames() if name.endswith("/junit-10.xsd"))
        member = archive.extractfile(name)
        assert member is not None
        return xmlschema.XMLSchema(member.read().decode())


def document(folder: Path, name: str = "report.json") -> Any:
    return json.loads((folder / name).read_bytes())


def verify(folder: Path, key: Path) -> subprocess.CompletedProcess[str]:
    """As on the auditor's own machine: there is no site, only the folder and the key."""
    return ucontact("report", "verify", str(folder), "--key", str(key))


def test_it_is_whole_and_meets_what_can_be_met(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {*FILES, MANIFEST, SIGNATURE}
    told = document(folder)
    ids = {row["id"] for row in told["requirements"]}
    assert ids == {f"R{n:02}" for n in range(1, 26)} | {f"C{n:02}" for n in range(1, 8)}
    assert [row for row in told["findings"] if row["verdict"] == "fail"] == []
    assert not [row["id"] for row in told["requirements"] if row["verdict"] == "fail"]
    assert (folder / "report.pdf").read_bytes().startswith(b"%PDF")


def test_every_judged_finding_names_exhibits_that_are_there(folder: Path) -> None:
    exhibits = {row["id"]: row for row in document(folder, "evidence.json")["exhibits"]}
    findings = document(folder)["findings"]
    named = {one for row in findings for one in row["exhibits"]}
    assert named <= exhibits.keys()
    judged = [row for row in findings if row["verdict"] in ("pass", "fail", "warn")]
    assert [row["id"] for row in judged if not row["exhibits"]] == []
    assert all(row["methods"] for row in judged if row["exhibits"])


def test_schema_validators_of_others_accept_the_forms(
    folder: Path, xunit: xmlschema.XMLSchema
) -> None:
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str((folder / "sbom.json").read_text()) is None
    devices = document(folder, "sbom.json")["components"]
    parts = [part for device in devices for part in device.get("components", ())]
    assert {"asterisk", "nginx", "ansible-core"} <= {part["name"] for part in parts}
    values = [row["value"] for part in parts for row in part.get("properties", ())]
    assert any(value.endswith(".war") for value in values)
    xunit.validate(folder / "junit.xml")
    suites = ElementTree.parse(folder / "junit.xml").getroot()
    cases = [case for suite in suites for case in suite.iter("testcase")]
    assert len(cases) == len(document(folder)["findings"])


def test_one_changed_byte_anywhere_is_found_and_named(
    folder: Path, key: Path, tmp_path: Path
) -> None:
    assert verify(folder, key).returncode == 0
    for path in sorted(folder.iterdir()):
        copy = tmp_path / path.name
        shutil.copytree(folder, copy)
        data = bytearray((copy / path.name).read_bytes())
        data[len(data) // 2] ^= 1
        (copy / path.name).write_bytes(bytes(data))
        done = verify(copy, key)
        assert done.returncode == 1, path.name
        told = done.stdout + done.stderr
        assert path.name in told or (path.name == SIGNATURE and "signature" in told), told


def _canaries(installed: Installed) -> dict[str, str]:
    """Secrets of the site, and such as only somebody else knows."""
    names = installed.ucontact("secrets", "list").stdout.split()
    assert len(names) > 5
    own = {name: installed.secret(name) for name in names}
    return {
        **own,
        "environment": "Canary-env+8/1=x&y",
        "argument": "Canary-argv:7 f@r",
        "journal": "Canary-journal%5!",
        "configuration": "Canary-conf+3/z",
    }


def _forms(value: str) -> set[str]:
    """A secret as it may be written: plain, percent-encoded, in base64 alone and after a user."""
    users = ("", "user:", "6001:")
    return {
        value,
        quote(value, safe=""),
        *(base64.b64encode(f"{user}{value}".encode()).decode().rstrip("=") for user in users),
    }


def _words(paper: Path) -> str:
    """What stands on the pages: in the file it is compressed. Long words are broken into lines."""
    return "".join(page.extract_text().replace("\n", "") for page in PdfReader(paper).pages)


def test_no_planted_secret_is_in_any_output(installed: Installed, tmp_path: Path) -> None:
    canaries = _canaries(installed)
    argument, journal = canaries["argument"], canaries["journal"]
    environment, configuration = canaries["environment"], canaries["configuration"]
    a_secret = canaries["telephony.extensions.6001"]
    waiting = "python3 -c 'import time; time.sleep(600)'"
    installed.sh(f"systemd-run -q --unit=canary {waiting} '{argument}'")
    installed.sh(f"systemd-run -q --unit=canary-env -p Environment='C={environment}' sleep 600")
    installed.sh(f"logger -t asterisk 'password={journal} {a_secret}'")
    installed.sh(
        "logger -t nginx 'GET /?secret="
        f"{quote(a_secret, safe='')} Basic {base64.b64encode(a_secret.encode()).decode()}'"
    )
    installed.sh(f"printf 'password={configuration}\\n' > /etc/asterisk/canary.conf")
    folder = tmp_path / "report"
    here = Installed(
        installed.machine,
        installed.site_file,
        {**installed.environment, "CANARY_PASSWORD": environment},
    )
    done = here.ucontact("report", "--out", str(folder))
    shown = here.ucontact("doctor", "--json", "--deep")
    installed.sh("systemctl stop canary canary-env; rm /etc/asterisk/canary.conf")
    outputs = {
        "report's screen": done.stdout + done.stderr,
        "doctor's screen": shown.stdout + shown.stderr,
        **{path.name: path.read_text("latin-1") for path in folder.iterdir()},
        "the paper's words": _words(folder / "report.pdf"),
    }
    leaks = [
        (name, where)
        for name, value in canaries.items()
        for form in _forms(value)
        for where, text in outputs.items()
        if form in text
    ]
    assert leaks == []


def test_the_page_and_the_paper_speak_spanish_and_programs_read_english(
    installed: Installed, tmp_path: Path
) -> None:
    done = installed.ucontact("report", "--no-deep", "--lang", "es", "--out", str(tmp_path / "es"))
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "es" / "report.html").read_text()
    assert '<html lang="es">' in page
    assert "Informe de cumplimiento" in page
    titles = {row["title"] for row in document(tmp_path / "es")["findings"]}
    assert "MySQL runs" in titles


def test_ten_violations_show_exactly_these_ten_and_the_difference(
    installed: Installed,
    folder: Path,
    key: Path,
    xunit: xmlschema.XMLSchema,
    tmp_path: Path,
) -> None:
    faults = [fault for fault in FAULTS if fault.id in _TEN]
    expected = {check_id for fault in faults for check_id in fault.causes}
    assert len(expected) == len(faults) == 10
    for fault in faults:
        done = installed.machine.ssh(["bash", "-ec", shlex.quote(fault.inject)])
        assert done.returncode == 0, f"{fault.id}: {done.stderr}"
    second = tmp_path / "second"
    done = installed.ucontact("report", "--no-deep", "--out", str(second))
    assert done.returncode == 0, done.stderr
    rows = document(second)["findings"]
    wrong = {row["id"] for row in rows if row["verdict"] in ("fail", "error", "warn")}
    assert wrong - USUAL == expected
    xunit.validate(second / "junit.xml")
    assert {row["blocked_by"] for row in rows if row["blocked_by"]} <= expected
    assert verify(second, key).returncode == 0
    before = document(second, MANIFEST)["previous"]
    assert before is not None
    told = ucontact("report", "diff", str(folder), str(second), "--json")
    assert told.returncode == 1
    rows = json.loads(told.stdout)
    worse = {row["id"] for row in rows if row["turn"] == "worse" and row["kind"] == "finding"}
    assert worse == expected
    files = {row["id"] for row in rows if row["kind"] == "file"}
    assert files == {"/etc/sysctl.d/60-ucontact.conf"}
