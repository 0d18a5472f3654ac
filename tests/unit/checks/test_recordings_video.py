"""The doctor's look at recordings of video: services, FFmpeg, and calls that wait."""

from __future__ import annotations

import pytest

from tests.unit.checks.subjects import subjects
from tests.unit.sites import small_site
from ucontact_appliance.checks.recordings_video import CHECKS, judge_video_recordings
from ucontact_appliance.facts.recordings_video import parse_video

# Recorded on a rehearsal machine (systemd 262, FFmpeg 9.0).
RECORDED = """\
---- capture
active
---- remux
active
---- ffmpeg
/usr/bin/ffmpeg
---- now
1796061300
---- files
1796061222.1234567890 20261130-175342_6001_6002_1796061222.12.capture
---- words
Started ucontact-video.service - uContact recordings of video as .webm (R05, R25).
"""
FAILED = RECORDED.replace(".capture", ".failed")


@pytest.mark.parametrize(
    ("text", "verdict", "observed"),
    [
        (RECORDED, "pass", "both services run; calls that wait for their .webm: 1"),
        (
            RECORDED.replace("1796061300", "1796065000"),
            "warn",
            "calls that wait for their .webm: 1",
        ),
        (FAILED, "warn", "captures that gave no .webm: 1"),
        (RECORDED.replace("/usr/bin/ffmpeg\n", ""), "fail", "FFmpeg is not installed"),
        (RECORDED.replace("remux\nactive", "remux\nfailed"), "fail", "ucontact-video.service is"),
        (RECORDED.replace("capture\nactive", "capture\n"), "fail", "ucontact-video-capture"),
        ("", "fail", "ucontact-video-capture.service is unknown"),
    ],
)
def test_the_verdict(text: str, verdict: str, observed: str) -> None:
    made = judge_video_recordings(parse_video(text))
    assert (made.verdict.value, str(made.observed)[: len(observed)]) == (verdict, observed)


def test_an_unusable_capture_is_named() -> None:
    made = judge_video_recordings(parse_video(FAILED))
    assert "20261130-175342_6001_6002_1796061222.12.failed" in str(made.evidence)


def test_a_capture_waits_since_its_call_ended() -> None:
    (age,) = parse_video(RECORDED).waiting
    assert age == pytest.approx(77.9, abs=0.1)


def test_a_site_without_recordings_of_video_is_not_asked() -> None:
    (check,) = CHECKS
    (subject,) = subjects()
    assert check.judge(subject).verdict.value == "skip"
    (subject,) = subjects(small_site(recordings={"video": True}))
    assert check.judge(subject).verdict.value == "fail"
