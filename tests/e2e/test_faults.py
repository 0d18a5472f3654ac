"""The fast subset of the catalogue of faults; `make faults` injects all of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.faults.catalogue import FAULTS, USUAL
from tests.faults.model import Fault, Outcome
from tests.faults.runner import prove_all
from tests.faults.snapshot import Snapshot, snapshot

pytestmark = pytest.mark.machine

_FAST = tuple(fault for fault in FAULTS if fault.fast)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    """The installed site, and each fault gets it back."""
    with snapshot(f"t-{uuid.uuid4().hex[:8]}", tmp_path_factory.mktemp("faults")) as made:
        yield made


@pytest.fixture(scope="module")
def outcomes(site: Snapshot) -> dict[str, Outcome]:
    """What came of each fault; findings on the clean site fail here."""
    clean = site.clean(USUAL)
    return {outcome.fault.id: outcome for outcome in prove_all(site, _FAST, clean)}


@pytest.mark.parametrize("fault", _FAST, ids=lambda fault: fault.id)
def test_the_cause_is_named_the_rest_is_silent_and_the_remedy_mends(
    outcomes: dict[str, Outcome], fault: Fault
) -> None:
    assert outcomes[fault.id].problems == ()
    assert outcomes[fault.id].mended
