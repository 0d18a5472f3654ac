"""`make bench`, its part about codecs: how speech arrives between each two, and video frames (R06).

Writes docs/codecs.md. Alone: `python -m tests.bench codecs`.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from tests.e2e.capacity import certify
from tests.e2e.codecs import VIDEO, PairHeard, PicturesSeen, pairs, show, speak
from tests.e2e.load import run
from tests.e2e.packages import telephony_packages
from tests.e2e.support import TELEPHONY_SECRETS, apply_role
from ucontact_appliance import __version__
from ucontact_appliance.clients.sip import SipServer
from ucontact_appliance.clients.speech import SpeechHeard
from ucontact_appliance.lab import machines
from ucontact_appliance.lab.records import Machine, MachineSpec

_PAGE = Path("docs/codecs.md")
_SECRETS = {"6001": "one-secret-of-6001", "6002": "one-secret-of-6002"}
_ROUNDS = 3


def main() -> None:
    """Call each pair several times, and write the page."""
    name = f"b-codecs-{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder:
        try:
            machine = machines.up(MachineSpec(name), _quiet)
            server = telephony(machine, _SECRETS, Path(folder))
            heard = [
                [asyncio.run(speak(server, _SECRETS, *pair)) for _ in range(_ROUNDS)]
                for pair in pairs()
            ]
            seen = [asyncio.run(show(server, _SECRETS, codec)) for codec in VIDEO]
            asterisk = run(machine, "asterisk -V").strip()
        finally:
            machines.down([one.name for one in machines.listed() if one.name == name], _quiet)
    text = page([middle(takes) for takes in heard], seen, asterisk, _today())
    _PAGE.write_text(text, encoding="utf-8")
    print(text)


def telephony(machine: Machine, secrets: dict[str, str], folder: Path) -> SipServer:
    """Install the role with these extensions; returns where agents connect to."""
    certify(machine)
    apply_role(machine, "packages", telephony_packages(), folder)
    extensions = [{"number": number, "secret": secret} for number, secret in secrets.items()]
    parameters = {"telephony_extensions": extensions, **TELEPHONY_SECRETS}
    apply_role(machine, "telephony", parameters, folder)
    roots = folder / "roots.pem"
    roots.write_text(run(machine, "cat /etc/ssl/ucontact/portal.pem"), encoding="utf-8")
    return SipServer("capacity.ucontact.test", machine.address, 8089, "/ws", str(roots))


def middle(takes: Sequence[PairHeard]) -> PairHeard:
    """The take whose worse end is the median: other programs of this machine disturb a call."""
    return sorted(takes, key=lambda take: take.worse.intact if take.worse else 0.0)[len(takes) // 2]


def page(heard: Sequence[PairHeard], seen: Sequence[PicturesSeen], asterisk: str, day: str) -> str:
    """docs/codecs.md."""
    template = Path(__file__).with_name("codecs.md").read_text(encoding="utf-8")
    rows = [
        "| caller | callee | server | speech at the callee | speech at the caller |",
        "|---|---|---|---|---|",
        *(_row(pair) for pair in heard),
    ]
    video = [
        "| codec | frames sent | frames that the other end decoded |",
        "|---|---:|---:|",
        *(
            f"| {one.codec} | {one.sent[0]} and {one.sent[1]} | {one.seen[1]} and {one.seen[0]} |"
            for one in seen
        ),
    ]
    return template.format(
        version=__version__,
        day=day,
        asterisk=asterisk,
        rounds=_ROUNDS,
        speech="\n".join(rows),
        video="\n".join(video),
    )


def _row(pair: PairHeard) -> str:
    how = "transcodes" if pair.is_transcoded else "relays"
    cells = (pair.caller, pair.callee, how, _heard(pair.at_callee), _heard(pair.at_caller))
    return f"| {' | '.join(cells)} |"


def _heard(speech: SpeechHeard | None) -> str:
    if speech is None:
        return "none"
    return f"{speech.intact:.0%} intact, {speech.distance_db:.2f} dB"


def _today() -> str:
    return str(datetime.now(timezone.utc).date())


def _quiet(_text: str) -> None:
    """Nobody watches the lab."""
