"""Every voice codec with every other one, and video passed on, by calls between agents (R06)."""

from __future__ import annotations

import asyncio

import pytest

from tests.bench.codecs import telephony
from tests.e2e.codecs import VIDEO, pairs, show, speak
from tests.e2e.conftest import MachineFactory
from tests.e2e.packages import packages_layer
from ucontact_appliance.checks.deep_calls import WANTED
from ucontact_appliance.clients.sip import SipServer
from ucontact_appliance.facts.deep_calls import MIME

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

SECRETS = {"6001": "one-secret-of-6001", "6002": "one-secret-of-6002"}
ATTEMPTS = 3  # neighbours on the machine disturb a call: the best of them counts
LEAST_PICTURES = 10


@pytest.fixture(scope="module")
def server(machine_factory: MachineFactory, tmp_path_factory: pytest.TempPathFactory) -> SipServer:
    machine = machine_factory(layers=packages_layer())
    return telephony(machine, SECRETS, tmp_path_factory.mktemp("codecs"))


def limits(*codecs: str) -> tuple[float, float]:
    """The doctor's limits for speech, those of the codec that spoils more."""
    rows = [row for row in WANTED["speech"] if row["codec"] in codecs]
    return (
        min(row["least_intact"] for row in rows),
        max(row["most_distance_db"] for row in rows),
    )


@pytest.mark.parametrize(("caller", "callee"), list(pairs()))
def test_speech_arrives_between_two_codecs(server: SipServer, caller: str, callee: str) -> None:
    least, most = limits(caller, callee)
    tries = []
    for _ in range(ATTEMPTS):
        heard = asyncio.run(speak(server, SECRETS, caller, callee))
        assert heard.agreed == ((MIME[caller].lower(),), (MIME[callee].lower(),))
        tries.append(heard)
        worse = heard.worse
        if worse is not None and worse.intact >= least and worse.distance_db <= most:
            return
    pytest.fail(str(tries))


@pytest.mark.parametrize("codec", VIDEO)
def test_video_is_passed_on(server: SipServer, codec: str) -> None:
    seen = asyncio.run(show(server, SECRETS, codec))
    assert min(seen.seen) >= LEAST_PICTURES, seen
