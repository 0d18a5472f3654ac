"""The deep stage's further calls, which its checks share.

They follow the call of `checks/call.py`, whose findings say whether a call can be made at all. The
codecs' calls go first and side by side: they are listened to. The others need no quiet.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ucontact_appliance.checks.call import caller
from ucontact_appliance.checks.model import Judgement, Stage, Subject, Verdict, check
from ucontact_appliance.facts.call import Attempt, echo_call
from ucontact_appliance.facts.deep_calls import Named, codec_calls, keeps_marks, video_calls
from ucontact_appliance.language.messages import Message, _
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
    """The call of `checks/call.py`."""
    return subject.facts.get(echo_call, *caller(subject))


def calls_by_codec(subject: Subject) -> tuple[Named, ...]:
    """A call by each voice codec alone."""
    first_call(subject)  # one after the other
    return subject.facts.get(codec_calls, caller(subject), _CODECS)


def calls_with_video(subject: Subject) -> tuple[Named, ...]:
    """A call by each video codec alone."""
    calls_by_codec(subject)  # beside the ways: neither is listened to
    pictures = int(WANTED["video"]["least_pictures"])
    return subject.facts.get(video_calls, caller(subject), _VIDEO_CODECS, pictures)


def keeping_marks(judge: Callable[[Subject], Judgement]) -> Callable[[Subject], Judgement]:
    """Make no call whose traces could not be found again."""

    def judged(subject: Subject) -> Judgement:
        if not subject.facts.get(keeps_marks):
            return Judgement(
                Verdict.SKIP,
                _(
                    "the installed dialplan is of an earlier version, and keeps no mark of such "
                    "calls"
                ),
                remedy="{install}",
            )
        return judge(subject)

    return judged


def evidence_of(calls: Sequence[Named]) -> str:
    """The evidence of each call, below its name."""
    return "\n\n".join(f"{one.name}\n{one.attempt.evidence}" for one in calls)


def missed(attempt: Attempt) -> Message:
    """The step that the call did not reach, and why."""
    return _("not {missed}: {why}", missed=attempt.missed, why=attempt.why)
