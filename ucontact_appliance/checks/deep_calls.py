"""The further calls of the deep stage, which its checks share.

They follow the call of `checks/call.py`, whose findings say whether a call is possible at all. The
calls per codec come first, concurrently: their audio is judged. The others tolerate other load.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ucontact_appliance.checks.call import caller
from ucontact_appliance.checks.model import Judgement, Stage, Subject, Verdict, check
from ucontact_appliance.facts.call import Attempt, echo_call
from ucontact_appliance.facts.deep_calls import NamedAttempt, codec_calls, keeps_marks, video_calls
from ucontact_appliance.language.messages import _
from ucontact_appliance.planning.model import Role
from ucontact_appliance.resources import load_data

_CODECS = tuple(load_data("network")["codecs"]["audio"])
_VIDEO_CODECS = tuple(load_data("network")["codecs"]["video"])
WANTED: Mapping[str, Any] = load_data("deep")

# Each waits for the calls before its own.
deep_check = functools.partial(
    check, role=Role.TELEPHONY, stages=frozenset({Stage.DEEP}), timeout=120
)


def first_call(subject: Subject) -> Attempt:
    """Return the call of `checks/call.py`."""
    return subject.facts.get(echo_call, *caller(subject))


def calls_by_codec(subject: Subject) -> tuple[NamedAttempt, ...]:
    """Return one call per voice codec, which offers that codec alone."""
    first_call(subject)  # ends before these start
    return subject.facts.get(codec_calls, caller(subject), _CODECS)


def calls_with_video(subject: Subject) -> tuple[NamedAttempt, ...]:
    """Return one call per video codec, which offers that codec alone."""
    calls_by_codec(subject)  # may overlap with ICE calls: the audio of neither is judged
    pictures = int(WANTED["video"]["least_pictures"])
    return subject.facts.get(video_calls, caller(subject), _VIDEO_CODECS, pictures)


def keeping_marks(judge: Callable[[Subject], Judgement]) -> Callable[[Subject], Judgement]:
    """Skip if the dialplan stores no mark: the call's traces could not be found again."""

    def judged(subject: Subject) -> Judgement:
        if not subject.facts.get(keeps_marks):
            return Judgement(
                Verdict.SKIP,
                _("the installed dialplan is from an earlier version and does not mark test calls"),
                remedy="{install}",
            )
        return judge(subject)

    return judged


def evidence_of(calls: Sequence[NamedAttempt]) -> str:
    """Return the evidence of each call, under its name."""
    return "\n\n".join(f"{one.name}\n{one.attempt.evidence}" for one in calls)
