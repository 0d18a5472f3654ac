"""The fast subset of the catalogue of faults; `make faults` injects all of them."""

from __future__ import annotations

import pytest

from tests.faults.catalogue import FAULTS, USUAL
from tests.faults.model import Fault, Outcome
from tests.faults.runner import prove_all
from tests.faults.snapshot import Snapshot

pytestmark = pytest.mark.machine

_FAST = tuple(fault for fault in FAULTS if fault.fast)


@pytest.fixture(scope="module")
def outcomes(small_site: Snapshot) -> dict[str, Outcome]:
    """What came of each fault, each of which gets the site as it was installed.

    Findings on the clean site fail here.
    """
    clean = small_site.clean(USUAL)
    return {outcome.fault.id: outcome for outcome in prove_all(small_site, _FAST, clean)}


@pytest.mark.parametrize("fault", _FAST, ids=lambda fault: fault.id)
def test_the_cause_is_named_the_rest_is_silent_and_the_remedy_mends(
    outcomes: dict[str, Outcome], fault: Fault
) -> None:
    assert outcomes[fault.id].problems == ()
    assert outcomes[fault.id].mended
