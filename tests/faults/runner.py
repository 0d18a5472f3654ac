"""Injecting a fault, asking the doctor, and doing what it says."""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from tests.faults.model import Fault, Kind, Outcome
from tests.faults.snapshot import Findings, Snapshot

BAD = frozenset({"fail", "error", "warn"})
_SETTLE_SECONDS = 60.0  # a remedy may be a reboot
_INSTALL = "ucontact install"
_AT_ONCE = 8  # faults that one installation mends
_ROUNDS = 2
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


def prove_all(
    site: Snapshot,
    faults: Sequence[Fault],
    clean: Findings,
    *,
    installs: bool = True,
    known: Mapping[str, Outcome] = MappingProxyType({}),
    on_note: Callable[[str], None] = lambda note: None,
) -> Iterator[Outcome]:
    """What comes of each fault, as it comes; a fault whose remedy is an installation comes twice.

    Installations take the longest by far: they are left for the end, and then one is run for
    several faults that show at the same time. Where that does not clear all, each is tried alone.
    What is `known`, because an interrupted run found it good, is not looked at again.
    """
    waiting: list[Outcome] = []
    for fault in faults:
        before = known.get(fault.id)
        outcome = before or _guarded(site, fault, clean, installs=False)
        yield outcome
        if installs and outcome.good and not outcome.mended:
            waiting.append(outcome)
    for _ in range(_ROUNDS):
        cleared: set[str] = set()
        for batch in batches([outcome for outcome in waiting if _mixes(outcome.fault)]):
            for outcome in _together(site, batch, clean, on_note):
                cleared.add(outcome.fault.id)
                yield outcome
        waiting = [outcome for outcome in waiting if outcome.fault.id not in cleared]
    for outcome in waiting:
        yield _guarded(site, outcome.fault, clean, installs=True)


def _mixes(fault: Fault) -> bool:
    # What a person has to do is no installation's; and what lacks here spoils every installation.
    return not (fault.mend or fault.mend_here or fault.kind is Kind.CONTROLLER)


def batches(waiting: Sequence[Outcome]) -> list[list[Outcome]]:
    """In each at most one fault whose remedy does something else before it installs.

    The others are dealt out so that faults of one kind, which hide one another, are far apart.
    """
    kinds = list(Kind)
    waiting = sorted(waiting, key=lambda outcome: kinds.index(outcome.fault.kind))
    special = [outcome for outcome in waiting if not _bare(outcome)]
    plain = [outcome for outcome in waiting if _bare(outcome)]
    count = max(len(special), math.ceil(len(plain) / _AT_ONCE))
    return [[*special[n : n + 1], *plain[n::count]] for n in range(count)]


def _bare(outcome: Outcome) -> bool:
    return all(line.startswith(_INSTALL) for line in outcome.remedies)


def _guarded(site: Snapshot, fault: Fault, clean: Findings, *, installs: bool) -> Outcome:
    try:
        return prove(site, fault, clean, installs=installs)
    except Exception as error:  # one fault that breaks the runner must not hide the others
        return Outcome(fault, (), (), (f"{type(error).__name__}: {error}",), 0.0, False)


def _together(
    site: Snapshot, batch: Sequence[Outcome], clean: Findings, on_note: Callable[[str], None]
) -> list[Outcome]:
    """Those of the batch whose causes all show beside the others', once their remedies cleared all.

    None where anything is left: which of them it comes from is not known.
    """
    started = time.monotonic()
    on_note(f"together: {', '.join(outcome.fault.id for outcome in batch)}")
    try:
        site.restore()
        there = [outcome for outcome in batch if not _injected(site, outcome.fault)]
        found = site.doctor()
        seen = [outcome for outcome in there if outcome.fault.causes <= bad(found)]
        causes = frozenset().union(*(outcome.fault.causes for outcome in seen))
        problems = _mended(site, clean, _least(_remedies(causes, found))) if seen else []
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        problems = [f"{type(error).__name__}: {error}"]
    if problems or not seen:
        on_note(f"not claimed: {'; '.join(problems) or 'none of them shows'}")
        return []  # each is tried again, and alone tells what is wrong
    share = (time.monotonic() - started) / len(seen)
    ids = tuple(outcome.fault.id for outcome in seen)
    return [
        replace(
            outcome,
            mended=True,
            seconds=round(outcome.seconds + share, 1),
            beside=tuple(other for other in ids if other != outcome.fault.id),
        )
        for outcome in seen
    ]


def prove(site: Snapshot, fault: Fault, clean: Findings, *, installs: bool = True) -> Outcome:
    """The fault on a fresh snapshot, the doctor's answer, and its remedies as printed.

    Without `installs` the remedies of a fault are left alone where one of them is an installation.
    """
    started = time.monotonic()
    site.restore()
    problems, found = _seen(site, fault, clean)
    remedies = _remedies(fault.causes, found)
    if any(line.startswith(_INSTALL) for line in remedies):
        problems += _unseen(site, fault)
    runs = bool(found) and (installs or not any(_INSTALL in line for line in remedies))
    if runs:
        problems += _mended(site, clean, remedies, fault)
    names = tuple(sorted(bad(found) - bad(clean)))
    seconds = round(time.monotonic() - started, 1)
    return Outcome(fault, names, tuple(remedies), tuple(problems), seconds, runs)


def _unseen(site: Snapshot, fault: Fault) -> list[str]:
    """Whether an installation that looks first would run no phase for what was broken there."""
    if not fault.inject or fault.always_mended or site.differs():
        return []
    return ["an installation would skip every phase: nothing that it looks at differs"]


def _seen(site: Snapshot, fault: Fault, clean: Findings) -> tuple[list[str], Findings]:
    problems = _injected(site, fault)
    if problems:
        return problems, {}
    found = site.doctor()
    return differences(fault, clean, found), found


def _injected(site: Snapshot, fault: Fault) -> list[str]:
    """Inject it; why that was not possible."""
    for where, script, run in (
        ("here", fault.here, site.here),
        ("on the machine", fault.inject, site.there),
    ):
        done = run(script) if script else None
        if done is not None and done.returncode != 0:
            said = (done.stdout + done.stderr).strip()[-600:]
            return [f"could not be injected {where} ({done.returncode}): {said}"]
    return []


def _remedies(causes: frozenset[str], found: Findings) -> list[str]:
    """What is printed for the causes, in the doctor's order, each once; what takes longest last."""
    causes = causes & bad(found)
    told = dict.fromkeys(
        finding["remedy"] for check_id, finding in found.items() if check_id in causes
    )
    return sorted(told, key=lambda line: _INSTALL in line)


def _least(remedies: Sequence[str]) -> list[str]:
    """Without notes, and without what is the end of another one: that runs it too."""
    commands = list(dict.fromkeys(line.partition(" # ")[0].rstrip() for line in remedies))
    return [
        command
        for command in commands
        if not any(other != command and other.endswith(command) for other in commands)
    ]


def _mended(
    site: Snapshot, clean: Findings, remedies: Iterable[str], fault: Fault | None = None
) -> list[str]:
    """Run the remedies exactly as they are printed, and what a person does for that fault.

    What is still wrong after that.
    """
    problems = []
    mend, mend_here = (fault.mend, fault.mend_here) if fault else ("", "")
    for line in remedies:
        done = site.here(line)
        # One that only shows may show that something fails; it must be a command all the same.
        shows = mend or mend_here
        if done.returncode in _NO_COMMAND or (done.returncode and not shows):
            said = (done.stdout + done.stderr).strip()[-400:]
            problems.append(f"the remedy ends with {done.returncode}: {line}: {said}")
    for script, run in ((mend, site.there), (mend_here, site.here)):
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
