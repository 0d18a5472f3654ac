"""A telephony server beyond what it is planned for: 503 at once, and emergency calls pass."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.bench.far_end import FarEnd, far_end
from tests.e2e.capacity import certify, prepared
from tests.e2e.conftest import MachineFactory
from tests.e2e.load import RECORDED, TRUNK, Load, run
from tests.e2e.packages import packages_layer, telephony_packages
from tests.e2e.phone import a_phone
from tests.e2e.support import apply_role
from ucontact_appliance.clients.sip import SipRefusedError, SipServer

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

MOST, OF_ONE = 3, 2
SECRETS = {"6001": "one-secret-of-6001", "6002": "one-secret-of-6002"}


@dataclass(frozen=True)
class Full:
    """A server that is planned for three calls, and the machine that calls it."""

    load: Load
    far: FarEnd
    server: SipServer

    def place(self, calls: int) -> dict[str, Any]:
        """Calls that come in, and leave again by the product's own way out."""
        return self.far.do(
            "place", number=f"{RECORDED}100", calls=calls, rate=20, codec="alaw", callee="alaw"
        )

    def dial(self, number: str) -> int:
        """How 6001's call ends: 200 when it was answered."""

        async def one() -> int:
            async with a_phone(self.server, "6001", SECRETS["6001"]) as phone:
                try:
                    await phone.dial(number, seconds=1.0)
                except SipRefusedError as error:
                    return error.status
                return 200

        return asyncio.run(one())


@pytest.fixture(scope="module")
def machines_of(
    machine_factory: MachineFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Full]:
    folder: Path = tmp_path_factory.mktemp("overload")
    telephony, source = machine_factory(layers=packages_layer()), machine_factory()
    certify(telephony)
    site = prepared(telephony, source.address, folder)
    parameters = {
        **site.parameters,
        "telephony_extensions": [{"number": n, "secret": s} for n, s in SECRETS.items()],
        "telephony_max_calls": MOST,
        "telephony_extension_calls": OF_ONE,
        "telephony_emergency_numbers": ["911"],
        "telephony_emergency_trunks": [TRUNK],
    }
    apply_role(telephony, "packages", telephony_packages(), folder)
    apply_role(telephony, "telephony", parameters, folder)
    roots = folder / "roots.pem"
    roots.write_text(run(telephony, "cat /etc/ssl/ucontact/portal.pem"), encoding="utf-8")
    load = Load(telephony, source)
    way_out = f"Goto,internal,9${{EXTEN:{len(RECORDED)}}},1"
    load.ask(f"dialplan add extension _{RECORDED}X.,1,{way_out} into from-trunks")
    with far_end(source, telephony) as far:
        end = time.monotonic() + 30
        while " Avail " not in load.ask("pjsip show contacts"):
            assert time.monotonic() < end
            load.ask(f"pjsip qualify trunk-{TRUNK}")
            time.sleep(1)
        name = "capacity.ucontact.test"
        yield Full(load, far, SipServer(name, telephony.address, 8089, "/ws", str(roots)))


@pytest.fixture
def full(machines_of: Full) -> Iterator[Full]:
    """As many calls as the server is planned for."""
    assert machines_of.place(MOST) == {"up": MOST, "failed": {}}
    yield machines_of
    machines_of.far.do("clear")


def test_one_call_too_many_is_refused_at_once_and_the_others_go_on(full: Full) -> None:
    begin = time.monotonic()
    assert full.place(5) == {"up": MOST, "failed": {"503": 5}}
    assert time.monotonic() - begin < 2.0
    heard = full.far.do("talk", seconds=2.0, both_ways=True)
    assert heard["up"] == MOST
    assert heard["received"] == heard["sent"] == MOST * 100
    log = run(full.load.target, "cat /var/log/asterisk/messages.log")
    assert "refused with 503: 3 calls are up" in log


def test_an_agent_is_refused_too_but_for_emergency_calls(full: Full) -> None:
    assert full.dial("9100") == full.dial("6002") == full.dial("*43") == 503
    # By itself, and behind the prefix of a trunk.
    assert full.dial("911") == full.dial("9911") == 200


def test_a_call_that_ends_makes_room(full: Full) -> None:
    full.far.do("clear")
    assert full.dial("9100") == 200
    assert full.place(MOST) == {"up": MOST, "failed": {}}


def test_one_extension_does_not_take_all_calls(machines_of: Full) -> None:
    async def several() -> list[int]:
        results = []
        async with a_phone(machines_of.server, "6001", SECRETS["6001"]) as phone:
            held = [asyncio.create_task(_held(machines_of)) for _ in range(OF_ONE)]
            await asyncio.sleep(4)
            try:
                await phone.dial("*43", seconds=1.0)
                results.append(200)
            except SipRefusedError as error:
                results.append(error.status)
            results += await asyncio.gather(*held)
        return results

    assert asyncio.run(several()) == [503, 200, 200]
    assert machines_of.dial("*43") == 200


async def _held(full: Full) -> int:
    async with a_phone(full.server, "6001", SECRETS["6001"]) as phone:
        await phone.dial("*43", seconds=8.0)
    return 200
