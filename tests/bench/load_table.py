"""What the load bench measures, and the page that it makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.load import BRIDGED, RECORDED
from ucontact_appliance.planning.capacity_model import MICROSECONDS_PER_PERCENT, table

_PACKETS = 100  # per second of one leg: 50 sent, 50 received


@dataclass(frozen=True)
class Kind:
    """One thing that is measured: levels from `step` to `most`, in steps.

    `predicted` is a kind of data/capacity.yml, empty for none. `goal` is what was asked for, 0 for
    nothing. `cost` names the second figure of what was found.
    """

    id: str
    title: str
    way: str
    step: int
    most: int
    number: str = ""
    codec: str = "alaw"
    callee: str = "alaw"
    both_ways: bool = True
    predicted: str = ""
    goal: int = 0
    cost: str = "% of a core per call"


KINDS = (
    Kind("plain", "plain calls, G.711, voice both ways", "calls", 50, 400, BRIDGED,
         predicted="plain", goal=400),
    Kind("one-way", "plain calls, G.711, voice one way", "calls", 100, 500, BRIDGED,
         both_ways=False, goal=400),
    Kind("recorded", "recorded calls, G.711", "calls", 25, 200, RECORDED, predicted="recorded",
         goal=150),
    Kind("transcoded", "transcoded calls, opus to alaw", "calls", 10, 100, BRIDGED, codec="opus",
         predicted="opus"),
    Kind("dtls", "agents' calls in opus, DTLS-SRTP on one side", "agents", 10, 40),
    Kind("logins", "agents logged in over secure WebSockets", "logins", 50, 500, goal=500,
         cost="ms of processor per login"),
    Kind("queue", "calls per second to a queue", "queue", 5, 30,
         cost="s for the slowest to an agent"),
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """The greatest level without a failure, what it took there, and why the next one was not good.

    The reason is empty where the run ended without a failure.
    """

    level: int
    cost: float
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.level} ({self.reason or 'no failure'}), {self.cost:.2f}"


@dataclass(frozen=True)
class Prediction:
    """The document of `ucontact profile --benchmark --json`."""

    document: Mapping[str, Any]

    def calls(self, kind: Kind) -> str:
        """How many the plan would allow, and what limits them; "-" for what is not predicted."""
        row = self._row(kind)
        return f"{row['calls']['likely']} ({row['binding']})" if row else "-"

    def cost(self, kind: Kind) -> str:
        """Percent of a core per call."""
        row = self._row(kind)
        if kind.id == "dtls":  # not in the table: a relayed call, and libsrtp alone
            plain = next(r for r in self.document["carried"] if r["kind"] == "plain")
            srtp = table().telephony_server.srtp_us * _PACKETS / MICROSECONDS_PER_PERCENT
            return f"{plain['percent']['likely'] + srtp:.2f}"
        return f"{row['percent']['likely']:.2f}" if row else "-"

    def _row(self, kind: Kind) -> Mapping[str, Any] | None:
        rows: list[Mapping[str, Any]] = self.document["carried"]
        return next((row for row in rows if row["kind"] == kind.predicted), None)


def page(
    prediction: Prediction, found: Mapping[str, Mapping[str, Found]], **facts: str | int
) -> str:
    """docs/load.md."""
    template = Path(__file__).with_name("load.md").read_text(encoding="utf-8")
    kept = f"{prediction.document['kept_free']:.0%}"
    return template.format(table=load_table(prediction, found), kept_free=kept, **facts)


def load_table(prediction: Prediction, found: Mapping[str, Mapping[str, Found]]) -> str:
    """A row per kind: predicted, measured, and the distribution's."""
    lines = [
        "| | goal | planned | appliance | what ended it | distribution | what ended it | "
        "predicted cost | measured cost | distribution's |",
        "|---|---:|---|---:|---|---:|---|---:|---:|---:|",
    ]
    for kind in KINDS:
        ours, theirs = found["appliance"][kind.id], found["distribution"][kind.id]
        cells = (
            kind.title,
            str(kind.goal or "-"),
            prediction.calls(kind),
            str(ours.level),
            ours.reason or "no failure",
            str(theirs.level),
            theirs.reason or "no failure",
            prediction.cost(kind),
            f"{ours.cost:.2f} {kind.cost}",
            f"{theirs.cost:.2f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
