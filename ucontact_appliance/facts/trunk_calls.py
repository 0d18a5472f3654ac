"""A call through each trunk that has a test number, placed by Asterisk's own command line.

The dialplan's context `test-trunk-NAME` dials, hangs up three seconds after the answer, and keeps
the result in its channel's variables for some seconds, where this module reads it.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from ucontact_appliance.facts.source import ProbeContext

_SECONDS = 40.0  # 20 of ringing, 3 of talk, 6 while the result is kept, and a margin
_STEP_SECONDS = 0.4
_NUMBER = re.compile(r"\+?[0-9*#]{2,32}")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_VARIABLE = re.compile(r"^\s*(\w+)=(.*)$", re.MULTILINE)
_SIP = re.compile(r"SIP (\d{3}) ?(.*)")


@dataclass(frozen=True)
class TrunkCall:
    """A trunk call's result: `outcome` is the DIALSTATUS (`ANSWER`, `BUSY`, `CHANUNAVAIL`, …).

    Empty: the call's end was not seen, and `evidence` says what was seen. `status` and `reason`
    are the provider's last SIP response (0: none). `answered_after` is in seconds, None without an
    answer; `talked` is the number of seconds until the hang-up.
    """

    trunk: str
    number: str
    outcome: str
    status: int
    reason: str
    answered_after: float | None
    talked: float
    evidence: str


def trunk_call(reach: ProbeContext, trunk: str, number: str) -> TrunkCall:
    """Call the number through the trunk. Raises ValueError for an invalid number or trunk name."""
    if not _NUMBER.fullmatch(number) or not _NAME.fullmatch(trunk):
        raise ValueError(f"no number to call through a trunk: {number!r} through {trunk!r}")
    context = f"test-trunk-{trunk}"
    place = f"Local/{number}m{reach.mark}trunk@{context}"
    # "n": no optimization of the Local channel, so that the result stays on its second half.
    asked = reach.runner.run(
        ["asterisk", "-rx", f"channel originate {place}/n application Milliwatt"]
    )
    seen, evidence = "", asked.evidence
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        time.sleep(_STEP_SECONDS)
        listed = reach.runner.run(["asterisk", "-rx", "core show channels concise"]).stdout
        half = parse_half(listed, place)
        if not half:
            break
        seen = reach.runner.run(["asterisk", "-rx", f"core show channel {half}"]).stdout
        if "outcome=" in seen:
            reach.runner.run(["asterisk", "-rx", f"channel request hangup {half}"])
            break
    return parse_trunk_call(trunk, number, seen, evidence)


def parse_half(text: str, place: str) -> str:
    """The name of that Local channel's second half in `core show channels concise`."""
    names = (line.split("!")[0] for line in text.splitlines())
    return next((name for name in names if name.startswith(f"{place}-") and name[-2:] == ";2"), "")


def parse_trunk_call(trunk: str, number: str, channel: str, evidence: str) -> TrunkCall:
    """Parse `core show channel` of the half that dialled."""
    found = {name: value.strip() for name, value in _VARIABLE.findall(channel)}
    told = _SIP.search(found.get("sip_response", ""))
    answered = found.get("outcome") == "ANSWER"
    talked = _seconds(found, "ANSWEREDTIME")
    return TrunkCall(
        trunk=trunk,
        number=number,
        outcome=found.get("outcome", ""),
        status=int(told[1]) if told else 0,
        reason=told[2] if told else "",
        answered_after=max(_seconds(found, "DIALEDTIME") - talked, 0.0) if answered else None,
        talked=talked,
        evidence="\n".join(
            [evidence, *(f"{name}={found[name]}" for name in _EVIDENCE if found.get(name))]
        ).strip(),
    )


_EVIDENCE = (
    "outcome",
    "sip_response",
    "DIALSTATUS",
    "HANGUPCAUSE",
    "DIALEDTIME_MS",
    "ANSWEREDTIME_MS",
    "DIALEDTIME",
    "ANSWEREDTIME",
)


def _seconds(found: dict[str, str], name: str) -> float:
    """The variable in seconds, from its milliseconds form where Asterisk has it (16 and later)."""
    for key, unit in ((f"{name}_MS", 1000.0), (name, 1.0)):
        value = found.get(key, "")
        if value.isdigit():
            return int(value) / unit
    return 0.0
