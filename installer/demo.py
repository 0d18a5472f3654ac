"""`make demo`: install a small site on a rehearsal machine with the commands of a customer's site.

It only calls `ucontact` and writes the answers that `ucontact init` would ask for. Running it
again changes nothing.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

from ucontact_appliance.lab.layout import ssh_key
from ucontact_appliance.resources import ROOT
from ucontact_appliance.site.files import write_atomic
from ucontact_appliance.site.render import render_site
from ucontact_appliance.state import state_paths

MACHINE = "demo"
SUITE = "sid"
FQDN = "demo.ucontact.test"
EXTENSIONS = ("6001", "6002")
# The demo has one machine. If the data was on an earlier one of this name, that was removed.
ABANDONED = ("telephony", "backend", "database")
BUILD = ROOT / "build"
UCONTACT = Path(sys.executable).absolute().with_name("ucontact")


def step(title: str, *words: str) -> None:
    """Run one command, with its title and time; exit with its exit code if it fails."""
    print(f"\n== {title}\n   {command(*words)}", flush=True)
    start = time.monotonic()
    status = subprocess.run([UCONTACT, *words], check=False).returncode
    if status:
        print(f"\nthe demo stops here: {title} ended with {status}", file=sys.stderr)
        sys.exit(status)
    print(f"   {time.monotonic() - start:.0f} s", flush=True)


def command(*words: str) -> str:
    """The command line to copy and paste; it works from any folder."""
    return shlex.join([str(UCONTACT), *words])


def machine_address() -> str:
    """The address of the rehearsal machine."""
    listed = subprocess.run(
        [UCONTACT, "lab", "list", "--json"], check=True, capture_output=True, text=True
    ).stdout
    return next(row["address"] for row in json.loads(listed) if row["name"] == MACHINE)


def write_site(address: str) -> Path:
    """The demo's site.yml, written unless it is up to date."""
    path = BUILD / "demo" / "site.yml"
    text = render_site(
        {
            "site": "demo",
            "fqdn": FQDN,
            "agents": 10,
            "hosts": [{"name": MACHINE, "address": address, "key": str(ssh_key())}],
            "certificate": {"source": "private-ca"},
            "network": {"profile": "lan", "public_address": None},
            "extensions": EXTENSIONS,
            "trunks": [],
            "retention_days": 90,
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_atomic(path, text)
    return path


def newest_report() -> Path:
    """The report that the installation wrote last."""
    return max(state_paths(MACHINE).reports.iterdir())


def main() -> None:
    """Create the machine and release, install, run the doctor, and verify the report."""
    start = time.monotonic()
    step("Rehearsal machine", "lab", "up", MACHINE, "--suite", SUITE)
    address = machine_address()
    step("Evaluation release", "release", "build-evaluation")
    site = write_site(address)
    gone = (word for role in ABANDONED for word in ("--abandon", role))
    step("Install", "install", "--site", str(site), "--yes", "--replace-newer", *gone)
    step("Doctor", "doctor", "--site", str(site))
    report, key = newest_report(), BUILD / "demo" / "site.pem"
    step("The key of the site's reports", "report", "key", "--site", str(site), "--out", str(key))
    step("The installation's report", "report", "verify", str(report), "--key", str(key))
    portal = f"https://{address}/uContact/"
    document = {
        "portal": portal,
        "address": address,
        "machine": MACHINE,
        "site": str(site),
        "report": str(report),
        "extensions": [
            {"number": number, "secret": f"telephony.extensions.{number}"} for number in EXTENSIONS
        ],
    }
    write_atomic(BUILD / "demo.json", json.dumps(document, indent=2) + "\n")
    name = f"telephony.extensions.{EXTENSIONS[0]}"
    print(
        f"\nThe demo is ready ({time.monotonic() - start:.0f} s).\n\n"
        f"  portal  {portal}   (open it in Chrome; the site's own CA signed it)\n"
        f"  login   {EXTENSIONS[0]}, and as its secret what this prints:\n"
        f"          {command('secrets', 'show', name, '--site', str(site))}\n"
        f"  try     dial *43 and hear yourself; {EXTENSIONS[1]} is the second extension\n"
        f"  report  {report / 'report.html'}\n"
        f"  end     {command('lab', 'down', MACHINE)}\n"
    )


if __name__ == "__main__":
    main()
