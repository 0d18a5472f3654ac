"""Recordings of video on a telephony server: the services, FFmpeg, and what waits for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import ProbeContext

CAPTURE_UNIT = "ucontact-video-capture.service"
VIDEO_UNIT = "ucontact-video.service"
_FOLDER = "/var/spool/asterisk/video"
_ROW = re.compile(r"(\d{1,12})\.\d+ (.+)")


@dataclass(frozen=True)
class VideoRecordings:
    """States of both units, whether FFmpeg is there, and captures of calls that have ended.

    `waiting` are the ages in seconds of those that will become a .webm, `unusable` the names of
    those that can't.
    """

    capture: str
    remux: str
    ffmpeg: bool
    waiting: tuple[float, ...]
    unusable: tuple[str, ...]
    evidence: str


_SCRIPT = script(
    capture=f"systemctl is-active {CAPTURE_UNIT} || true",
    remux=f"systemctl is-active {VIDEO_UNIT} || true",
    ffmpeg="command -v ffmpeg || true",
    now="date +%s",
    files=f"find {_FOLDER} -maxdepth 1 -type f '(' -name '*.capture' -o -name '*.failed' ')' "
    r"-printf '%T@ %P\0' 2>/dev/null | tr '\n\0' '?\n' | sort -n | head -n 1000",
    words=f"journalctl --no-pager --quiet --lines 5 --output cat --unit {CAPTURE_UNIT} "
    f"--unit {VIDEO_UNIT} 2>/dev/null || true",
)


def video_recordings(reach: ProbeContext) -> VideoRecordings:
    """Look at the services that record video."""
    return parse_video(reach.runner.run(["sh", "-c", _SCRIPT], timeout=20.0).stdout)


def parse_video(text: str) -> VideoRecordings:
    """Parse the units' states and lines of `TIME NAME`. Without a time, captures have age 0."""
    part = sections(text)
    now = part.get("now", "").strip()
    rows = [_ROW.fullmatch(line) for line in part.get("files", "").splitlines()]
    files = [(float(row[1]), row[2]) for row in rows if row]
    return VideoRecordings(
        capture=part.get("capture", "").strip(),
        remux=part.get("remux", "").strip(),
        ffmpeg=bool(part.get("ffmpeg", "").strip()),
        waiting=tuple(
            max(0.0, float(now) - time) if now.isdigit() else 0.0
            for time, name in files
            if name.endswith(".capture")
        ),
        unusable=tuple(name for _, name in files if name.endswith(".failed")),
        evidence=part.get("words", "").strip(),
    )
