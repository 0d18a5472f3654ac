"""The catalogue of faults holds together with the registry of checks."""

from __future__ import annotations

import collections
import re

import pytest

from tests.faults.catalogue import FAULTS, USUAL
from tests.faults.coverage import NO_REASON, REASONS, proven, unproven
from tests.faults.model import Fault, Kind
from ucontact_appliance.checks.model import Stage
from ucontact_appliance.findings.registry import CHECKS

_STAGED = {check.id for check in CHECKS if Stage.DOCTOR in check.stages}


def test_there_are_at_least_sixty_faults_of_every_kind() -> None:
    assert len(FAULTS) >= 60
    assert {fault.kind for fault in FAULTS} == set(Kind)


def test_ids_are_unique_and_plain() -> None:
    counted = collections.Counter(fault.id for fault in FAULTS)
    assert [name for name, times in counted.items() if times > 1] == []
    assert all(re.fullmatch(r"[a-z][a-z0-9-]+", name) for name in counted)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_a_fault_does_something_and_names_checks_of_the_doctor(fault: Fault) -> None:
    assert fault.inject or fault.here
    assert fault.causes
    assert fault.causes <= _STAGED
    assert fault.also.keys() <= _STAGED
    assert not fault.causes & fault.also.keys()
    assert all(fault.also.values())
    assert not (fault.causes | fault.also.keys()) & USUAL


def test_the_fast_subset_is_small_and_of_many_kinds() -> None:
    fast = [fault for fault in FAULTS if fault.fast]
    assert 3 <= len(fast) <= 8
    assert len({fault.kind for fault in fast}) >= 3


def test_every_check_is_proven_or_says_why_it_is_not() -> None:
    assert [name for name, reason in unproven().items() if reason == NO_REASON] == []


def test_no_reason_is_left_behind_for_a_check_that_is_proven_or_gone() -> None:
    whole = {name for name in REASONS if not name.endswith(".")}
    assert whole <= _STAGED - proven()
