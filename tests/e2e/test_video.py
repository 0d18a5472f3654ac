"""Calls with video between extensions: recorded as .webm, indexed, and never in the calls' way."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from tests.e2e.installed import Installed
from tests.e2e.phone import a_phone
from tests.e2e.video_phone import Colour, VideoPhone
from tests.faults.snapshot import Snapshot
from ucontact_appliance.clients.audio import find_tone
from ucontact_appliance.clients.sip import SipServer
from ucontact_appliance.clients.tracks import AudioSink

pytestmark = [pytest.mark.machine, pytest.mark.exhaustive]

_ROOT = "/var/spool/asterisk/monitor"
CAPTURE, REMUX = "ucontact-video-capture.service", "ucontact-video.service"
CALLER, CALLED = (200, 90, 90), (60, 200, 120)
SECONDS = 8.0


@dataclass(frozen=True)
class Heard:
    """What a party got: its audio, the pictures' colour, number and longest gap in seconds."""

    audio: AudioSink
    colour: Colour | None
    pictures: int
    gap: float


@dataclass(frozen=True)
class Studio:
    """The site with recordings of video, and its phones."""

    installed: Installed
    server: SipServer

    def sh(self, script: str) -> str:
        return self.installed.sh(script)

    def asterisk(self, command: str) -> str:
        return self.sh(f"asterisk -rx '{command}'")

    def files(self, ending: str) -> set[str]:
        return set(self.sh(f"find {_ROOT} -name '*.{ending}' -printf '%P\\n'").split())

    def call(
        self, codec: str = "vp8", during: Callable[[], Any] | None = None, seconds: float = SECONDS
    ) -> tuple[Heard, Heard]:
        """6001 calls 6002, both with a picture: what each of them got."""

        async def called() -> tuple[Heard, Heard]:
            async with self.phone("6001") as caller, self.phone("6002") as other:
                caller.codec = other.codec = codec
                caller.colour, other.colour = CALLER, CALLED
                taken = asyncio.create_task(other.take_call(660.0))
                dialled = asyncio.create_task(caller.dial("6002", seconds=seconds))
                if during is not None:
                    await asyncio.sleep(seconds / 2)
                    await asyncio.to_thread(during)
                return heard(caller, await dialled), heard(other, await taken)

        return asyncio.run(called())

    def phone(self, number: str) -> Any:
        secret = self.installed.secret(f"telephony.extensions.{number}")
        return a_phone(self.server, number, secret, VideoPhone)

    def recorded(self, before: set[str]) -> str:
        """The path of the one .webm that came."""
        until("no .webm came", lambda: self.files("webm") - before)
        (path,) = self.files("webm") - before
        return path

    def probed(self, path: str) -> dict[str, Any]:
        """What ffprobe says of it."""
        shown = "format=duration:stream=codec_name:stream_tags=title"
        words = f"ffprobe -v error -of json -show_entries {shown} {_ROOT}/{path}"
        made: dict[str, Any] = json.loads(self.sh(words))
        return made

    def colour(self, path: str, track: int) -> list[int]:
        """The colour in the middle of the last picture of a video track (4:2:0, 320 by 240)."""
        middle = (120 * 320 + 160, 76800 + 60 * 160 + 80, 76800 + 19200 + 60 * 160 + 80)
        shown = "; ".join(f"od -An -tu1 -j {at} -N 1 /tmp/picture" for at in middle)
        return [
            int(one)
            for one in self.sh(
                f"ffmpeg -nostdin -v error -y -i {_ROOT}/{path} -map 0:v:{track} -update 1 "
                f"-f rawvideo -pix_fmt yuv420p /tmp/pictures && "
                f"tail -c 115200 /tmp/pictures >/tmp/picture && {shown}; rm /tmp/picture*"
            ).split()
        ]


def heard(phone: VideoPhone, audio: AudioSink) -> Heard:
    times = phone.seen.times
    gaps = [after - before for before, after in pairwise(times)]
    return Heard(audio, phone.seen.colour, len(times), max(gaps, default=0.0))


def until(what: str, holds: Callable[[], Any], seconds: float = 60.0) -> None:
    """Wait for it."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.5)


@pytest.fixture(scope="module")
def site(installed: Installed, small_site: Snapshot) -> Iterator[Studio]:
    text = small_site.site_file.read_text(encoding="utf-8")
    small_site.site_file.write_text(f"{text}recordings: {{video: true}}\n", encoding="utf-8")
    done = installed.ucontact("install", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    roots = str(small_site.paths.pki / "portal-ca.pem")
    yield Studio(
        installed, SipServer("demo.ucontact.test", small_site.machine.address, 8089, "/ws", roots)
    )
    small_site.restore()


@pytest.fixture(autouse=True)
def quiet(site: Studio) -> None:
    """No call of an earlier test is up, or waits for its .webm."""
    until("a call stays up", lambda: "0 active channels" in site.asterisk("core show channels"))
    until("a capture stays", lambda: not site.sh("ls /var/spool/asterisk/video"))


def undisturbed(got: Heard, hertz: float, colour: Colour, seconds: float = SECONDS) -> None:
    """Nothing but the first moment of the call is missing to this party."""
    tone = find_tone(got.audio.samples, got.audio.rate, hertz)
    assert tone.seconds > seconds - 1.5
    assert got.colour == pytest.approx(colour, abs=4)
    assert got.pictures > 15 * (seconds - 1.5)
    assert got.gap < 1.0


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_a_call_is_recorded_with_both_pictures(site: Studio, codec: str) -> None:
    before, voices = site.files("webm"), site.files("gsm")
    caller, called = site.call(codec)
    undisturbed(caller, 660.0, CALLED)
    undisturbed(called, 440.0, CALLER)
    path = site.recorded(before)
    (voice,) = site.files("gsm") - voices
    assert path == voice.replace(".gsm", ".webm")
    size = int(site.sh(f"stat -c %s {_ROOT}/{voice}"))
    assert size / 1650 == pytest.approx(SECONDS, abs=1.0)

    found = site.probed(path)
    assert [one["codec_name"] for one in found["streams"]] == ["vp8", "vp8", "opus"]
    assert [one["tags"]["title"] for one in found["streams"][:2]] == ["6002", "6001"]
    assert float(found["format"]["duration"]) == pytest.approx(SECONDS, abs=1.0)
    assert site.colour(path, 0) == pytest.approx(CALLED, abs=6)
    assert site.colour(path, 1) == pytest.approx(CALLER, abs=6)
    mode = site.sh(f"stat -c '%U %a' {_ROOT}/{path}").split()
    assert mode == ["asterisk", "640"]


def test_it_is_indexed_verified_and_exported_with_its_call(site: Studio, tmp_path: Any) -> None:
    before = site.files("webm")
    site.call(seconds=4.0)
    path = site.recorded(before)

    def recordings(*words: str) -> str:
        done = site.installed.ucontact("recordings", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def row() -> dict[str, Any] | None:
        rows = json.loads(recordings("list", "--json"))
        return next((one for one in rows if one["path"] == path), None)

    until("the .webm is not in the index", row)
    found = row()
    assert found is not None
    sha256 = site.sh(f"sha256sum {_ROOT}/{path}").split()[0]
    assert (found["codec"], found["sha256"], found["src"], found["dst"]) == (
        "vp8",
        sha256,
        "6001",
        "6002",
    )
    assert found["duration"] == pytest.approx(4, abs=1)
    call = found["uniqueid"]
    assert len(json.loads(recordings("verify", call, "--json"))) == 2
    recordings("export", call, "--to", str(tmp_path / "case"))
    assert {one.suffix for one in (tmp_path / "case").iterdir()} == {".gsm", ".webm", ".sha256"}


def test_the_call_has_one_record(site: Studio) -> None:
    since = site.sh("mysql -N -e 'select utc_timestamp()'").strip()

    def rows(table: str) -> int:
        query = f"select count(*) from {table} where calldate >= '{since}'"
        return int(site.sh(f'mysql -N ccdata -e "{query}"'))

    seen: list[int] = []
    site.call(during=lambda: seen.append(rows("cdr_open")))
    until("no record", lambda: rows("cdr"))
    time.sleep(3.0)
    assert (seen, rows("cdr")) == ([1], 1)


def test_a_killed_recorder_does_not_disturb_the_call(site: Studio) -> None:
    before = site.files("webm")
    kill = f"systemctl kill --signal=KILL --kill-whom=main {CAPTURE} {REMUX}"
    caller, called = site.call(during=lambda: site.sh(kill), seconds=12.0)
    undisturbed(caller, 660.0, CALLED, 12.0)
    undisturbed(called, 440.0, CALLER, 12.0)
    until("it is not back", lambda: site.sh(f"systemctl is-active {CAPTURE}").strip() == "active")
    found = site.probed(site.recorded(before))
    assert float(found["format"]["duration"]) == pytest.approx(12.0, abs=1.0)


def test_a_stopped_recorder_costs_the_video_and_not_the_call(site: Studio) -> None:
    before, voices = site.files("webm"), site.files("gsm")
    site.sh(f"systemctl stop {CAPTURE}")
    try:
        caller, called = site.call()
        undisturbed(caller, 660.0, CALLED)
        undisturbed(called, 440.0, CALLER)
        _, found = site.installed.doctor("--only", "recordings.video")
        assert found["recordings.video"]["verdict"] == "fail"
        assert CAPTURE in found["recordings.video"]["observed"]
    finally:
        site.sh(f"systemctl start {CAPTURE}")
    assert len(site.files("gsm") - voices) == 1
    assert site.files("webm") == before
    _, found = site.installed.doctor("--only", "recordings.video")
    assert found["recordings.video"]["verdict"] == "pass"


def test_a_call_is_made_without_the_leg_that_can_not_be_had(site: Studio) -> None:
    """The leg is refused, as when Asterisk has no free call for it."""
    conf = "/etc/asterisk/pjsip_trunks.conf"
    site.sh(
        f"cp -a {conf} /root/kept && sed -i 's/^context = video-leg/context = nowhere/' {conf} && "
        "asterisk -rx 'module reload res_pjsip.so'"
    )
    try:
        before = site.files("webm")
        caller, called = site.call()
        undisturbed(caller, 660.0, CALLED)
        undisturbed(called, 440.0, CALLER)
        time.sleep(8.0)
        assert site.files("webm") == before
    finally:
        site.sh(f"mv /root/kept {conf} && asterisk -rx 'module reload res_pjsip.so'")


def test_an_installation_changes_nothing_and_stops_it_on_request(
    site: Studio, small_site: Snapshot
) -> None:
    again = site.installed.ucontact("install", "--yes", "--full")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "installed changed=0" in again.stdout
    text = small_site.site_file.read_text(encoding="utf-8")
    small_site.site_file.write_text(text.replace("video: true", "video: false"), encoding="utf-8")
    done = site.installed.ucontact("install", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    for unit in (CAPTURE, REMUX):
        state = site.sh(f"systemctl is-active {unit}; systemctl is-enabled {unit}; true")
        assert state.split() == ["inactive", "disabled"]
    before = site.files("webm")
    caller, _ = site.call(seconds=4.0)
    undisturbed(caller, 660.0, CALLED, 4.0)
    assert "ucontact-video" not in site.sh("asterisk -rx 'pjsip show endpoints'")
    assert site.files("webm") == before
