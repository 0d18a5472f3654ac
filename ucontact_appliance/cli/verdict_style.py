"""The colours of verdicts on screen."""

from __future__ import annotations

from ucontact_appliance.checks.model import Verdict

VERDICT_STYLE = {
    Verdict.PASS: "green",
    Verdict.WARN: "yellow",
    Verdict.FAIL: "bold red",
    Verdict.SKIP: "dim",
    Verdict.ERROR: "bold magenta",
}
