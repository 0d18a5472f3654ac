"""Throughput of a path in both directions: iperf3 between its ends, parsed from its JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ucontact_appliance.facts.runner import Runner
from ucontact_appliance.language.messages import _

_GRACE_SECONDS = 10.0
_NOT_FOUND = 127  # the shell's exit status for a command that does not exist


@dataclass(frozen=True)
class Throughput:
    """Received throughput per direction in kbit/s; None, with the reason in `missing`.

    `up` is towards the far end.
    """

    up_kbps: float | None
    down_kbps: float | None
    seconds: int
    missing: str = ""


def throughput(runner: Runner, far_end: str, port: int, seconds: int) -> Throughput:
    """Measure for `seconds` in each direction, over one TCP connection at a time."""
    found: list[float] = []
    for direction in ((), ("--reverse",)):
        words = ["iperf3", "--client", far_end, "--port", str(port), "--json"]
        words += ["--time", str(seconds), *direction]
        done = runner.run(words, timeout=seconds + _GRACE_SECONDS)
        if done.status == _NOT_FOUND:
            return Throughput(None, None, seconds, _("iperf3 is not installed on the sending host"))
        told, missing = parse_iperf(done.stdout or done.stderr)
        if told is None:
            return Throughput(None, None, seconds, missing)
        found.append(told)
    return Throughput(found[0], found[1], seconds)


def parse_iperf(text: str) -> tuple[float | None, str]:
    """The received throughput in kbit/s from `iperf3 --json`; else the reason why it is unknown."""
    try:
        told: dict[str, Any] = json.loads(text)
        if "error" in told:
            return None, str(told["error"]).removeprefix("error - ")
        return float(told["end"]["sum_received"]["bits_per_second"]) / 1000, ""
    except (ValueError, KeyError, TypeError):
        return None, f"iperf3 said: {text.strip()[:200] or 'nothing'}"
