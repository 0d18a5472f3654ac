"""Proving faults: alone, and several by one installation, without claiming what was not seen."""

from __future__ import annotations

import subprocess
from typing import cast

import pytest

from tests.faults import runner
from tests.faults.model import Fault, Kind, Outcome
from tests.faults.runner import batches, prove_all
from tests.faults.snapshot import Findings, Snapshot

INSTALL, START = "ucontact install --site F --yes", "systemctl start it"


def fault(check: str, kind: Kind = Kind.WEB, **more: str) -> Fault:
    return Fault(
        f"{check}-broken", "title", kind, frozenset({check}), inject=f"break {check}", **more
    )


class Site:
    """What the runner needs of a snapshot: a set of broken things, and how each is mended."""

    def __init__(self, remedies: dict[str, str], hides: dict[str, str] | None = None) -> None:
        self.remedies, self.hides = remedies, hides or {}
        self.broken: set[str] = set()
        self.stuck: set[str] = set()
        self.overlooked: set[str] = set()
        self.lines: list[str] = []

    @property
    def installations(self) -> int:
        return sum(line.endswith(INSTALL) for line in self.lines)

    def restore(self) -> None:
        self.broken = set()

    def there(self, script: str) -> subprocess.CompletedProcess[str]:
        word, _, what = script.partition(" ")
        if word == "mend":
            self.broken.discard(what)
        else:
            self.broken.add(what)
        return subprocess.CompletedProcess([], 0, "", "")

    def here(self, line: str) -> subprocess.CompletedProcess[str]:
        self.lines.append(line)
        kept = self.stuck if len(self.broken) > 1 else set()
        self.broken = {
            one for one in self.broken if not line.endswith(self.remedies[one]) or one in kept
        }
        return subprocess.CompletedProcess([], 0, "", "")

    def differs(self) -> bool:
        return bool(self.broken - self.overlooked)

    def doctor(self) -> Findings:
        found = {}
        for check, remedy in self.remedies.items():
            root = self.hides.get(check)
            blocked = root if root in self.broken else None
            verdict = "skip" if blocked else "fail" if check in self.broken else "pass"
            found[check] = {
                "verdict": verdict, "blocked_by": blocked, "observed": "seen", "remedy": remedy
            }  # fmt: skip
        return found


def run(site: Site, faults: list[Fault], **options: bool) -> dict[str, Outcome]:
    snapshot = cast("Snapshot", site)
    came = prove_all(snapshot, faults, site.doctor(), **options)
    return {outcome.fault.id: outcome for outcome in came}


def test_several_faults_are_mended_by_one_installation() -> None:
    site = Site(dict.fromkeys("abc", INSTALL))
    found = run(site, [fault(check) for check in "abc"])
    assert site.installations == 1
    assert all(outcome.good and outcome.mended for outcome in found.values())
    assert found["a-broken"].beside == ("b-broken", "c-broken")


def test_a_fault_that_an_installation_would_overlook_is_wrong() -> None:
    site = Site({"a": INSTALL, "b": START})
    site.overlooked = {"a", "b"}
    found = run(site, [fault("a"), fault("b")], installs=False)
    assert found["a-broken"].problems == (
        "an installation would skip every phase: nothing that it looks at differs",
    )
    assert found["b-broken"].good


def test_a_remedy_that_is_no_installation_is_run_at_once_and_alone() -> None:
    site = Site({"a": START, "b": INSTALL})
    found = run(site, [fault("a"), fault("b")])
    assert found["a-broken"].beside == ()
    assert all(outcome.good and outcome.mended for outcome in found.values())


def test_what_is_run_before_an_installation_is_run_with_it_for_all() -> None:
    first, second = f"{START}; {INSTALL}", f"reload it; {INSTALL}"
    site = Site({"a": first, "b": INSTALL, "c": second, "d": INSTALL})
    found = run(site, [fault(check) for check in "abcd"])
    assert site.lines == [first, second]
    assert all(outcome.good and outcome.mended for outcome in found.values())


def test_what_is_known_is_not_looked_at_again() -> None:
    site = Site(dict.fromkeys("ab", INSTALL))
    faults = [fault(check) for check in "ab"]
    known = run(site, faults, installs=False)
    site.restore = lambda: pytest.fail("looked again")  # type: ignore[method-assign]
    again = prove_all(cast("Snapshot", site), faults, site.doctor(), installs=False, known=known)
    assert {outcome.fault.id: outcome for outcome in again} == known


def test_a_fault_that_another_hides_is_not_claimed_by_their_common_installation() -> None:
    site = Site(dict.fromkeys("ab", INSTALL), hides={"b": "a"})
    found = run(site, [fault("a"), fault("b")])
    assert site.installations == 2
    assert found["a-broken"].beside == found["b-broken"].beside == ()
    assert all(outcome.good and outcome.mended for outcome in found.values())


def test_what_does_not_clear_together_is_tried_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_SETTLE_SECONDS", 0.0)
    site = Site(dict.fromkeys("ab", INSTALL))
    site.stuck = {"a"}
    found = run(site, [fault("a"), fault("b")])
    assert all(outcome.good and outcome.mended for outcome in found.values())
    assert found["a-broken"].beside == ()


def test_where_a_person_mends_too_the_fault_is_alone() -> None:
    site = Site(dict.fromkeys("ab", INSTALL))
    found = run(site, [fault("a", mend="mend a"), fault("b")])
    assert found["b-broken"].beside == ()
    assert found["a-broken"].mended


def test_nothing_is_claimed_of_a_remedy_that_was_not_run() -> None:
    site = Site(dict.fromkeys("ab", INSTALL))
    found = run(site, [fault("a"), fault("b")], installs=False)
    assert site.installations == 0
    assert not any(outcome.mended for outcome in found.values())


def test_faults_of_one_kind_are_dealt_to_different_batches() -> None:
    waiting = [
        Outcome(fault(f"{kind.value}{number}", kind), (), (INSTALL,), (), 1.0, False)
        for kind in (Kind.WEB, Kind.HEADER)
        for number in range(8)
    ]
    dealt = batches(waiting)
    assert [len(batch) for batch in dealt] == [8, 8]
    assert all(sum(o.fault.kind is Kind.WEB for o in batch) == 4 for batch in dealt)
    assert batches([]) == []
