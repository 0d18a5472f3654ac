"""Queues, and the copy of their log."""

from __future__ import annotations

import pytest

from tests.unit.sites import small_site
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.checks.queues import judge_queues
from ucontact_appliance.facts.queues import parse_queues
from ucontact_appliance.site.inbound import Queue

# Recorded on a rehearsal machine (Asterisk 22.10).
_FIGURES = "(0s holdtime, 0s talktime), W:0, C:0, A:0, SL:0.0%, SL2:0.0% within 0s"
_PAUSED = (
    "      6002 (Local/6002@agent/n from PJSIP/6002) (ringinuse disabled)\x1b[1;36;40m (dynamic)"
    "\x1b[0m\x1b[0m\x1b[0m \x1b[1;33;40m(paused:lunch was 4 secs ago)\x1b[0m "
    "(\x1b[1;32;40mNot in use\x1b[0m) has taken no calls yet"
)
SALES = f"""\
sales has 1 calls (max unlimited) in 'rrmemory' strategy {_FIGURES}
   Members:
{_PAUSED}
   Callers:
      1. PJSIP/trunk-first-0000000b (wait: 0:02, prio: 0)
"""
HELP = f"""\
help has 0 calls (max unlimited) in 'rrmemory' strategy {_FIGURES}
   No Members
   No Callers
"""


def queues(*wanted: tuple[str, str]) -> tuple[Queue, ...]:
    rows = [
        {"name": name, "number": f"80{index}", "agents": ["6001"], "strategy": strategy}
        for index, (name, strategy) in enumerate(wanted)
    ]
    return small_site(telephony={"queues": rows}).telephony.queues


def test_queues_with_their_members_and_callers() -> None:
    help_, sales = parse_queues(f"{HELP}\n{SALES}").queues
    assert (help_.name, help_.waiting, help_.members) == ("help", 0, ())
    assert (sales.strategy, sales.waiting, sales.members) == ("rrmemory", 1, ("6002",))


@pytest.mark.parametrize(
    ("shown", "wanted", "verdict", "told"),
    [
        (SALES, (), Verdict.SKIP, "the site has no queues"),
        (SALES, (("sales", "rrmemory"),), Verdict.PASS, "sales: 1 agents logged in"),
        (HELP, (("help", "rrmemory"),), Verdict.PASS, "help: 0 agents logged in"),
        (SALES, (("sales", "linear"),), Verdict.FAIL, "sales has the strategy rrmemory"),
        (SALES, (("sales", "rrmemory"), ("gone", "linear")), Verdict.FAIL, "gone is missing"),
        (
            HELP.replace("0 calls", "2 calls"),
            (("help", "rrmemory"),),
            Verdict.WARN,
            "help: 2 callers and no agent",
        ),
    ],
)
def test_verdicts(
    shown: str, wanted: tuple[tuple[str, str], ...], verdict: Verdict, told: str
) -> None:
    judged = judge_queues(parse_queues(shown), queues(*wanted))
    assert (judged.verdict, judged.observed) == (verdict, told)
