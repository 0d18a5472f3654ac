"""Check of recordings of video: calls are captured, and made .webm."""

from __future__ import annotations

from ucontact_appliance.checks.asterisk import telephony_check
from ucontact_appliance.checks.model import (
    Judgement,
    Severity,
    Subject,
    checks_of,
    failed,
    passed,
    skipped,
    warned,
)
from ucontact_appliance.facts.recordings_video import (
    CAPTURE_UNIT,
    VIDEO_UNIT,
    VideoRecordings,
    video_recordings,
)
from ucontact_appliance.language.messages import _

_LATE_SECONDS = 3600.0  # encoding of H.264 at low priority may take longer than the call
_SHOWN = 5


def judge_video_recordings(found: VideoRecordings) -> Judgement:
    """Require both services and FFmpeg; warn of captures that wait, or gave no .webm (R05, R25)."""
    required = _(
        "{capture} and {remux} run, FFmpeg is installed, and no capture is older than {minutes} "
        "minutes",
        capture=CAPTURE_UNIT,
        remux=VIDEO_UNIT,
        minutes=int(_LATE_SECONDS / 60),
    )
    for unit, state in ((CAPTURE_UNIT, found.capture), (VIDEO_UNIT, found.remux)):
        if state != "active":
            told = _("{unit} is {state}", unit=unit, state=state or _("unknown"))
            return failed(told, required, found.evidence)
    if not found.ffmpeg:
        return failed(_("FFmpeg is not installed"), required, found.evidence)
    if found.unusable:
        names = "\n".join(found.unusable[:_SHOWN])
        return warned(
            _("captures that gave no .webm: {count}", count=len(found.unusable)),
            required,
            f"{names}\n{found.evidence}",
        )
    late = [age for age in found.waiting if age > _LATE_SECONDS]
    if late:
        return warned(
            _("calls that wait for their .webm: {count}", count=len(late)), required, found.evidence
        )
    return passed(
        _("both services run; calls that wait for their .webm: {count}", count=len(found.waiting)),
        required,
        found.evidence,
    )


@telephony_check(
    id="recordings.video",
    title=_("Calls with video are recorded as .webm"),
    severity=Severity.HIGH,
    requirements=("R05", "R25"),
    remedy="{install}",
    needs=("asterisk.service",),
)
def _video(subject: Subject) -> Judgement:
    if not subject.site.recordings.video:
        return skipped(_("recordings.video is false in site.yml"))
    return judge_video_recordings(subject.facts.get(video_recordings))


CHECKS = checks_of(globals())
