"""Injecting a fault, asking the doctor, and doing what it says."""

from __future__ import annotations

import time
from collections.abc import Iterable

from tests.faults.model import Fault, Outcome
from tests.faults.snapshot import Findings, Snapshot

BAD = frozenset({"fail", "error", "warn"})
_SETTLE_SECONDS = 60.0  # a remedy may be a reboot
_INSTALL = "ucontact install"
_NO_COMMAND = (2, 126, 127)  # bash's own words for it


def bad(findings: Findings) -> set[str]:
    """Ids of the checks that complain."""
    return {check_id for check_id, found in findings.items() if found["verdict"] in BAD}


def differences(fault: Fault, clean: Findings, found: Findings) -> list[str]:
    """Every way in which the doctor's answer is not the one that the catalogue expects."""
    allowed = fault.causes | fault.also.keys()
    problems = [
        f"missed: {check_id} is {found[check_id]['verdict'] if check_id in found else 'absent'}"
        for check_id in sorted(fault.causes)
        if check_id not in bad(found)
    ]
    for check_id, finding in found.items():
        was = clean.get(check_id, {}).get("verdict")
        verdict, root = finding["verdict"], finding["blocked_by"]
        if verdict == was or check_id in allowed or (root and root in allowed):
            continue
        by = f", blocked by {root}" if root else ""
        problems.append(f"not silent: {check_id} is {verdict}{by}: {finding['observed']}")
    for check_id in sorted(fault.causes & bad(found)):
        for part in ("observed", "remedy"):
            if not found[check_id][part]:
                problems.append(f"{check_id} has nothing to say as its {part!r}")
    return problems


def prove(site: Snapshot, fault: Fault, clean: Findings, *, installs: bool = True) -> Outcome:
    """The fault on a fresh snapshot, the doctor's answer, and its remedies as printed.

    Without `installs` the remedies of a fault are left alone where one of them is an installation.
    """
    started = time.monotonic()
    site.restore()
    problems, found = _seen(site, fault, clean)
    remedies = _remedies(fault, found)
    runs = bool(found) and (installs or not any(_INSTALL in line for line in remedies))
    if runs:
        problems += _mended(site, fault, clean, remedies)
    names = tuple(sorted(bad(found) - bad(clean)))
    seconds = round(time.monotonic() - started, 1)
    return Outcome(fault, names, tuple(remedies), tuple(problems), seconds, runs)


def _seen(site: Snapshot, fault: Fault, clean: Findings) -> tuple[list[str], Findings]:
    for where, script, run in (
        ("here", fault.here, site.here),
        ("on the machine", fault.inject, site.there),
    ):
        done = run(script) if script else None
        if done is not None and done.returncode != 0:
            said = (done.stdout + done.stderr).strip()[-600:]
            return [f"could not be injected {where} ({done.returncode}): {said}"], {}
    found = site.doctor()
    return differences(fault, clean, found), found


def _remedies(fault: Fault, found: Findings) -> list[str]:
    """What is printed for the causes, in the doctor's order, each once; what takes longest last."""
    causes = fault.causes & bad(found)
    told = dict.fromkeys(
        finding["remedy"] for check_id, finding in found.items() if check_id in causes
    )
    return sorted(told, key=lambda line: _INSTALL in line)


def _mended(site: Snapshot, fault: Fault, clean: Findings, remedies: Iterable[str]) -> list[str]:
    """Run the remedies exactly as they are printed; what is still wrong after that."""
    problems = []
    for line in remedies:
        done = site.here(line)
        # One that only shows may show that something fails; it must be a command all the same.
        shows = fault.mend or fault.mend_here
        if done.returncode in _NO_COMMAND or (done.returncode and not shows):
            said = (done.stdout + done.stderr).strip()[-400:]
            problems.append(f"the remedy ends with {done.returncode}: {line}: {said}")
    for script, run in ((fault.mend, site.there), (fault.mend_here, site.here)):
        mending = run(script) if script else None
        if mending is not None and mending.returncode != 0:
            problems.append(f"the mending that the remedy's note asks for fails: {mending.stderr}")
    left: set[str] = set()
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:  # a service that the remedy has started needs its seconds
        after = site.doctor()
        left = bad(after) - bad(clean)
        if not left or time.monotonic() > deadline:
            break
        time.sleep(1)
    problems += [
        f"not cleared by the remedy: {check_id}: {after[check_id]['observed']}"
        for check_id in sorted(left)
    ]
    return problems
