from array import array
from pathlib import Path

import av
import pytest

from ucontact_appliance.clients.audio import decode_gsm, find_tone, mono_bytes, tone_samples


@pytest.mark.parametrize("rate", [8000, 48000])
def test_the_tone_is_found_with_its_level(rate: int) -> None:
    heard = find_tone(tone_samples(0, rate * 2, rate, 440.0), rate, 440.0)
    assert heard.seconds == pytest.approx(2.0)
    assert heard.level_dbfs == pytest.approx(-10.5, abs=0.2)  # 0.3 of full scale
    assert heard.share > 0.98


@pytest.mark.parametrize(
    "samples",
    [
        array("h", bytes(32000)),  # silence
        tone_samples(0, 16000, 8000, 470.0),  # another tone
        tone_samples(0, 16000, 8000, 440.0, level=0.001),  # far too faint
    ],
)
def test_what_is_not_the_tone_is_not_heard(samples: "array[int]") -> None:
    assert find_tone(samples, 8000, 440.0).seconds == 0.0


def test_a_tone_with_a_pause_counts_by_its_time() -> None:
    tone = tone_samples(0, 8000, 8000, 440.0)
    heard = find_tone(tone + array("h", bytes(16000)), 8000, 440.0)
    assert heard.seconds == pytest.approx(1.0)
    assert heard.total_seconds == 2.0


def test_a_real_recording_of_an_echo_call_holds_the_tone() -> None:
    samples, rate = decode_gsm(
        Path(__file__).with_name("recorded").joinpath("echo-440hz.gsm").read_bytes()
    )
    heard = find_tone(samples, rate, 440.0)
    assert rate == 8000
    assert heard.total_seconds == pytest.approx(2.0)  # 33 bytes each 20 ms
    assert heard.seconds > 1.6
    assert find_tone(samples, rate, 550.0).seconds == 0.0


def test_random_bytes_are_no_recording_with_a_tone() -> None:
    try:
        samples, rate = decode_gsm(bytes(range(256)) * 33)
    except ValueError:
        return
    assert find_tone(samples, rate, 440.0).seconds == 0.0


def test_nothing_is_no_recording() -> None:
    with pytest.raises(ValueError, match="no GSM"):
        decode_gsm(b"")


def test_only_the_first_channel_is_taken() -> None:
    frame = av.AudioFrame(format="s16", layout="stereo", samples=2)
    frame.planes[0].update(
        array("h", [1, -1, 2, -2]).tobytes().ljust(frame.planes[0].buffer_size, b"\0")
    )
    assert mono_bytes(frame) == array("h", [1, 2]).tobytes()
