"""Asterisk's queues."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ucontact_appliance.facts.source import ProbeContext

_QUEUE = re.compile(
    r"^(?P<name>\S+) +has (?P<waiting>\d+) calls? \(.*\) in '(?P<strategy>\w+)' strategy"
)
_MEMBER = re.compile(r"^ {6}(?P<name>\S+) \(")


@dataclass(frozen=True)
class LoadedQueue:
    """A queue that Asterisk has: its strategy, callers who wait, and agents who are logged in."""

    name: str
    strategy: str
    waiting: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class LoadedQueues:
    """Every queue of `queue show`, but those in the database that nobody has called yet."""

    queues: tuple[LoadedQueue, ...]
    evidence: str


def loaded_queues(context: ProbeContext) -> LoadedQueues:
    """Ask Asterisk."""
    return parse_queues(context.runner.run(["asterisk", "-rx", "queue show"]).stdout)


def parse_queues(text: str) -> LoadedQueues:
    """From `queue show`: a line per queue, indented ones for its members and callers."""
    found: list[tuple[re.Match[str], list[str]]] = []
    for line in text.splitlines():
        if queue := _QUEUE.match(line):
            found.append((queue, []))
        elif found and (member := _MEMBER.match(line)):
            found[-1][1].append(member["name"])
    return LoadedQueues(
        tuple(
            LoadedQueue(queue["name"], queue["strategy"], int(queue["waiting"]), tuple(members))
            for queue, members in found
        ),
        text.strip(),
    )
