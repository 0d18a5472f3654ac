"""Exhibits: each question to a host and its raw answer without secrets, with a hash.

A finding names its exhibits. An auditor reads in them what the finding was judged by, and can
recompute the hash.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from enum import Enum
from functools import cache
from typing import Any

from ucontact_appliance.checks.model import Finding
from ucontact_appliance.facts.exchange import Exchange
from ucontact_appliance.facts.source import ProbeResult, Question
from ucontact_appliance.facts.stored import Redaction, StoredFact, args_text, probe_name, store
from ucontact_appliance.resources import load_data


class Method(str, Enum):
    """How an answer came about."""

    PROBED = "probed"
    READ = "read"
    ATTESTED = "attested"


@dataclass(frozen=True)
class Command:
    """A command on the host: its arguments, exit status (None: no answer), stdout and stderr.

    `began` is ISO 8601 in UTC.
    """

    argv: tuple[str, ...]
    status: int | None
    stdout: str
    stderr: str
    began: str
    seconds: float


@dataclass(frozen=True)
class Exhibit:
    """One question to one host. `answer` is the parsed result of the commands or the exchange.

    `problem` says why there is no answer, else it is empty. `sha256` is the hash of `content()`.
    """

    id: str
    host: str
    probe: str
    arguments: str
    method: Method
    began: str
    seconds: float
    commands: tuple[Command, ...]
    answer: Any
    problem: str
    sha256: str


def content(exhibit: Mapping[str, Any]) -> bytes:
    """Return the hashed bytes: host, probe, arguments, began, commands, answer and problem.

    They are JSON with sorted keys, no spaces, UTF-8: anybody can rebuild them from evidence.json.
    """
    kept = ("host", "probe", "arguments", "began", "commands", "answer", "problem")
    picked = {key: exhibit[key] for key in kept}
    return json.dumps(picked, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(exhibit: Mapping[str, Any]) -> str:
    """Return the SHA-256 of an exhibit's content, in hexadecimal."""
    return hashlib.sha256(content(exhibit)).hexdigest()


def exhibit_id(host: str, question: Question) -> str:
    """Return the id of a question to a host; it is the same in each report, so reports compare."""
    probe, args = question
    name = f"{host}/{probe_name(probe)}"
    if not args:
        return name
    return f"{name}~{hashlib.sha256(args_text(args).encode()).hexdigest()[:8]}"


def exhibits(host: str, asked: Sequence[ProbeResult], redaction: Redaction) -> tuple[Exhibit, ...]:
    """Return everything that was asked of one host as exhibits, without secrets."""
    stored = store(asked, redaction)
    return tuple(
        _exhibit(host, one, fact, redaction) for one, fact in zip(asked, stored, strict=True)
    )


def sources_of(finding: Finding) -> tuple[str, ...]:
    """Return the ids of the exhibits that a finding was judged by."""
    return tuple(exhibit_id(finding.host, question) for question in finding.sources)


def _problem(fact: StoredFact) -> str:
    if fact.error is not None:
        return f"{fact.error.kind}: {fact.error.what}"
    return fact.unstored


def _exhibit(host: str, asked: ProbeResult, fact: StoredFact, redaction: Redaction) -> Exhibit:
    look, answer, problem = asked.look, fact.value, _problem(fact)
    commands = tuple(_command(one, redaction) for one in look.exchanges)
    probe = probe_name(asked.probe)
    made = {
        "host": host,
        "probe": probe,
        "arguments": fact.args,
        "began": _iso(look.began),
        "commands": [asdict(one) for one in commands],
        "answer": answer,
        "problem": problem,
    }
    return Exhibit(
        id=exhibit_id(host, asked.question),
        host=host,
        probe=probe,
        arguments=fact.args,
        method=method_of(probe),
        began=_iso(look.began),
        seconds=round(look.seconds, 3),
        commands=commands,
        answer=answer,
        problem=problem,
        sha256=digest(made),
    )


def _command(exchange: Exchange, redaction: Redaction) -> Command:
    return Command(
        argv=tuple(redaction.text(word) for word in exchange.argv),
        status=exchange.status,
        stdout=redaction.text(exchange.stdout),
        stderr=redaction.text(exchange.stderr),
        began=_iso(exchange.began),
        seconds=round(exchange.seconds, 3),
    )


def _iso(time: datetime | None) -> str:
    return "" if time is None else time.astimezone(timezone.utc).isoformat(timespec="milliseconds")


@cache
def _read() -> tuple[str, ...]:
    return tuple(load_data("evidence")["read"])


def method_of(probe: str) -> Method:
    """Return the method by which that probe gets its answers."""
    read = any(probe == name or probe.startswith(f"{name}.") for name in _read())
    return Method.READ if read else Method.PROBED
