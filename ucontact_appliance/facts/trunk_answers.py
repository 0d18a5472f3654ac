"""What providers answer to our registrations, and why no TLS connection to them comes about.

Asterisk tells both in its log only. It tries again at least every five minutes (pjsip_trunks.conf).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ucontact_appliance.facts.source import ProbeContext

_LOG = "/var/log/asterisk/messages.log"
_BYTES, _LINES = 1_000_000, 300
_LATEST = timedelta(minutes=15)
_STAMP = re.compile(r"\[(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\]")
_REGISTRATION = re.compile(
    r"(?:response '(?P<response>\d{3})'|'(?P<fatal>\d{3})' fatal response|"
    r"(?P<forbidden>403) Forbidden fatal response|(?P<silent>No response))"
    r" received from 'sips?:(?P<peer>[^;']+)[^']*'"
    r" on registration attempt to 'sips?:(?P<account>[^@']+)@"
)
# Newer releases name the port too. One refused certificate has a line for each reason.
_TLS = re.compile(
    r"Transport '[^']*' to remote '(?P<host>[^']+)' - (?:(?P<peer>\S+:\d+) - )?(?P<reason>.{1,200})"
)
_WORDS = "received from 'sip|Transport '[^']*' to remote '"


@dataclass(frozen=True)
class TrunkAnswer:
    """What the log says of a peer, `HOST:PORT` or `HOST`; `line` is the newest one about it.

    `status` is the SIP status of the answer to `account`'s REGISTER, 0 for none; `reasons` say in
    Asterisk's words why its certificate was refused.
    """

    peer: str
    account: str
    status: int
    reasons: tuple[str, ...]
    line: str


_ASK = (
    "date '+%F %T'; "
    f"tail -c {_BYTES} {_LOG} 2>/dev/null | grep -E {shlex.quote(_WORDS)} | tail -n {_LINES}; true"
)


def trunk_answers(context: ProbeContext) -> tuple[TrunkAnswer, ...]:
    """Read what the log has said in the last quarter of an hour, the newest per peer."""
    return parse_answers(context.runner.run(["sh", "-c", _ASK]).stdout.splitlines())


def parse_answers(lines: Sequence[str]) -> tuple[TrunkAnswer, ...]:
    """From the server's time, and lines of the log in their order."""
    now = _time(lines[0]) if lines else None
    found: dict[tuple[str, str], TrunkAnswer] = {}
    for line in lines[1:]:
        stamp = _STAMP.match(line)
        written = _time(stamp["time"]) if stamp else None
        if now is None or written is None or now - written > _LATEST:
            continue
        if told := _REGISTRATION.search(line):
            status = int(told["response"] or told["fatal"] or told["forbidden"] or 0)
            peer, account = told["peer"], told["account"]
            found[peer, account] = TrunkAnswer(peer, account, status, (), line)
        elif told := _TLS.search(line):
            peer, reason = told["peer"] or told["host"], told["reason"].strip()
            before = found.get((peer, ""))
            known = before.reasons if before else ()
            reasons = known if reason in known else (*known, reason)
            found[peer, ""] = TrunkAnswer(peer, "", 0, reasons, line)
    return tuple(found.values())


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None
