"""A capture becomes a file of what the parties sent, and then a .webm in its place."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import pytest

from tests.unit.roles.rtp_capture import (
    BEGIN,
    NAME,
    PATH,
    PICTURES_A_SECOND,
    Record,
    about,
    call,
    colour_of,
    rtp,
    written,
)
from tests.unit.roles.services import telephony_service

CALLER, CALLED = (200, 90, 90), (60, 200, 120)
COLOURS = {2: CALLER, 4: CALLED}
# Stands for FFmpeg: its words, and what it reads, go where it is to write.
FFMPEG = '#!/bin/sh\nfor last; do :; done\n{ echo "$@"; } > "$last"\n'


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = telephony_service("video-remux")
    for name in ("monitor", "video"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(module.recordings, "ROOT", os.fsencode(tmp_path / "monitor"))
    monkeypatch.setattr(module.video, "FOLDER", os.fsencode(tmp_path / "video"))
    program(tmp_path, FFMPEG)
    monkeypatch.setattr(module, "FFMPEG", str(tmp_path / "ffmpeg"))
    return module


def program(folder: Path, text: str) -> None:
    """What runs in FFmpeg's place."""
    (folder / "ffmpeg").write_text(text)
    (folder / "ffmpeg").chmod(0o755)


def captured(service: ModuleType, records: list[Record]) -> Path:
    """A capture of a call that has ended."""
    path = Path(os.fsdecode(service.video.FOLDER)) / f"{NAME}.capture"
    path.write_bytes(written(service.video, records))
    return path


def unpacked(service: ModuleType, records: list[Record], folder: Path) -> tuple[Any, list[Any]]:
    """What was found, and per track (codec, its frames)."""
    made = folder / "made.mkv"
    found = service.unpack(os.fsencode(captured(service, records)), os.fsencode(made))
    with av.open(str(made)) as container:
        names = [stream.codec_context.name for stream in container.streams]
        frames: list[list[Any]] = [[] for __ in names]
        for packet in container.demux():
            frames[packet.stream.index] += packet.decode()
    return found, list(zip(names, frames, strict=True))


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_the_pictures_are_what_each_party_sent(
    service: ModuleType, tmp_path: Path, codec: str
) -> None:
    found, tracks = unpacked(service, call(codec, COLOURS, 2.0), tmp_path)
    # The called party's picture comes first.
    assert [one for one, _ in found] == [
        (1, "video"),
        (0, "video"),
        (1, "audio"),
        (0, "audio"),
    ]
    assert [name for name, _ in tracks] == [codec, codec, "opus", "pcm_alaw"]
    for (_, frames), colour in zip(tracks[:2], (CALLED, CALLER), strict=True):
        assert len(frames) == 2 * PICTURES_A_SECOND
        for frame in (frames[0], frames[-1]):
            assert colour_of(frame) == pytest.approx(colour, abs=3)
        assert frames[-1].time == pytest.approx(2.0, abs=0.1)
    for _, frames in tracks[2:]:
        assert len(frames) == 100
        assert frames[-1].time == pytest.approx(1.98, abs=0.01)


def test_late_and_doubled_packets_are_put_in_order(service: ModuleType, tmp_path: Path) -> None:
    records = call("vp8", COLOURS, 2.0)
    mixed = records[:7]
    for at in range(7, len(records), 7):
        mixed += [*records[at : at + 7][::-1], records[at]]
    _, tracks = unpacked(service, mixed, tmp_path)
    assert [len(frames) for _, frames in tracks] == [30, 30, 100, 100]


def test_a_lost_packet_costs_its_picture_only(service: ModuleType, tmp_path: Path) -> None:
    records = call("vp8", COLOURS, 2.0)
    lost = [at for at, (_, stream, _) in enumerate(records) if stream == 2][10]
    del records[lost]
    _, tracks = unpacked(service, records, tmp_path)
    assert [len(frames) for _, frames in tracks] == [30, 29, 100, 100]


def test_a_pause_of_the_capture_stays_a_pause(service: ModuleType, tmp_path: Path) -> None:
    """The capturing service was restarted: what came meanwhile is missing, and no time is."""
    records = [one for one in call("vp8", COLOURS, 3.0) if not 1.0 < one[0] - BEGIN < 2.0]
    _, tracks = unpacked(service, records, tmp_path)
    assert tracks[0][1][-1].time == pytest.approx(2.93, abs=0.1)
    assert len(tracks[0][1]) == pytest.approx(2 * PICTURES_A_SECOND, abs=2)


def test_one_party_without_a_camera(service: ModuleType, tmp_path: Path) -> None:
    found, tracks = unpacked(service, call("vp8", {4: CALLED}, 1.0), tmp_path)
    assert [one for one, _ in found] == [(1, "video"), (1, "audio"), (0, "audio")]
    assert len(tracks[0][1]) == PICTURES_A_SECOND


def test_a_webm_lies_beside_its_recording(service: ModuleType, tmp_path: Path) -> None:
    capture = captured(service, call("vp8", COLOURS, 1.0))
    service.round_of_work()
    made = (tmp_path / "monitor" / PATH).with_suffix(".webm")
    words = made.read_text().split()
    for n, party in enumerate(("6002", "6001")):
        assert words[words.index(f"-metadata:s:v:{n}") + 1] == f"title={party}"
        assert words[words.index(f"-c:v:{n}") + 1] == "copy"
    assert words[words.index("-c:a") + 1] == "libopus"
    assert not capture.exists()
    assert list((tmp_path / "video").iterdir()) == []


def test_h264_is_encoded_as_vp8(service: ModuleType, tmp_path: Path) -> None:
    captured(service, call("h264", COLOURS, 1.0))
    service.round_of_work()
    words = (tmp_path / "monitor" / PATH).with_suffix(".webm").read_text().split()
    assert words[words.index("-c:v:0") + 1] == "libvpx"


def test_a_call_without_a_picture_leaves_nothing(service: ModuleType, tmp_path: Path) -> None:
    captured(service, call("vp8", {}, 1.0))
    service.round_of_work()
    assert list((tmp_path / "video").iterdir()) == []
    assert list((tmp_path / "monitor").rglob("*.webm")) == []


def test_what_ffmpeg_refuses_is_set_aside_and_forgotten_with_the_retention(
    service: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(tmp_path, "#!/bin/sh\necho broken >&2; exit 1\n")
    captured(service, call("vp8", COLOURS, 1.0))
    service.round_of_work()
    (kept,) = (tmp_path / "video").iterdir()
    assert kept.name == f"{NAME}.failed"
    assert "broken" in capsys.readouterr().err
    service.forget(time.time(), 1)
    assert kept.exists()
    service.forget(time.time() + 2 * 86400, 1)
    assert not kept.exists()


def test_without_ffmpeg_the_capture_waits(service: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "ffmpeg").unlink()
    capture = captured(service, call("vp8", COLOURS, 1.0))
    service.round_of_work()
    assert list((tmp_path / "video").iterdir()) == [capture]


@pytest.mark.parametrize("path", ["../../etc/passwd", "/2026/11/30/a_1.1.gsm", "", "a_1.1.gsm"])
def test_a_capture_can_not_choose_another_place(
    service: ModuleType, tmp_path: Path, path: str
) -> None:
    records = call("vp8", COLOURS, 0.2)
    records[0] = (BEGIN, 0, about("vp8").replace(PATH.encode(), path.encode()))
    captured(service, records)
    service.round_of_work()
    assert [one.suffix for one in (tmp_path / "video").iterdir()] == [".failed"]
    assert list((tmp_path / "monitor").iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80",
        rtp(99, 1, 1, 2, b"", last=True),
        rtp(99, 1, 1, 2, b"\x90", last=True),
        rtp(99, 1, 1, 2, b"\x90\x80", last=True),
        b"\x90" + rtp(99, 1, 1, 2, b"\x00", last=True)[1:],
        b"\xa0" + rtp(99, 1, 1, 2, b"\xff\xff", last=True)[1:],
    ],
)
@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_packets_of_others_are_left_out(
    service: ModuleType, tmp_path: Path, codec: str, content: bytes
) -> None:
    records = call(codec, COLOURS, 1.0)
    strange = [(BEGIN + 0.5, 2, content), (BEGIN + 0.5, 9, content)]
    _, tracks = unpacked(service, sorted([*records, *strange], key=lambda one: one[0]), tmp_path)
    assert len(tracks[0][1]) == PICTURES_A_SECOND
    assert len(tracks[1][1]) >= PICTURES_A_SECOND - 2
