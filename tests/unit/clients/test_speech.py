from __future__ import annotations

import random
from array import array

import pytest

from ucontact_appliance.clients.audio import tone_samples
from ucontact_appliance.clients.speech import RATE, hear_speech, resampled, speech_samples

_LEAD = array("h", [0] * 5040)


def _lossy(share: float) -> array[int]:
    """Packets of 20 ms lost, and silence in their place."""
    chance = random.Random(7)
    made: array[int] = array("h")
    speech = speech_samples()
    for at in range(0, len(speech), 160):
        lost = chance.random() < share
        made += array("h", [0] * 160) if lost else speech[at : at + 160]
    return made


def test_the_signal_is_the_same_each_time_and_never_clips() -> None:
    assert len(speech_samples()) == 3 * RATE
    assert 16000 < max(map(abs, speech_samples())) < 17000
    assert speech_samples() == speech_samples.__wrapped__()


@pytest.mark.parametrize("gain", [1, 4])
def test_speech_that_came_back_whole_is_found_and_intact(gain: int) -> None:
    quieter = array("h", (value // gain for value in speech_samples()))
    heard = hear_speech(_LEAD + quieter + _LEAD, RATE)
    assert heard is not None
    assert heard.delay_ms == 630.0
    assert heard.intact == 1.0
    assert heard.distance_db < 0.05
    assert heard.gain_db == pytest.approx(0 if gain == 1 else -12.04, abs=0.1)


def test_another_rate_changes_nothing() -> None:
    heard = hear_speech(resampled(_LEAD + speech_samples(), RATE, 48000), 48000)
    assert heard is not None
    assert heard.intact == 1.0
    assert heard.distance_db < 0.1


def test_the_more_is_lost_the_worse_it_is() -> None:
    heard = [hear_speech(_LEAD + _lossy(share) + _LEAD, RATE) for share in (0.0, 0.05, 0.3)]
    intact = [one.intact for one in heard if one]
    distances = [one.distance_db for one in heard if one]
    assert intact == sorted(intact, reverse=True)
    assert distances == sorted(distances)
    assert intact[0] == 1.0
    assert intact[1] < 0.98
    assert intact[2] < 0.85


def test_half_of_the_speech_is_half_intact() -> None:
    half = speech_samples()[: 3 * RATE // 2] + array("h", [0] * (3 * RATE // 2))
    heard = hear_speech(_LEAD + half, RATE)
    assert heard is not None
    assert 0.4 < heard.intact < 0.6


def test_silence_and_nothing_are_not_taken_for_speech() -> None:
    assert hear_speech(array("h", [0] * 5 * RATE), RATE) is None
    assert hear_speech(array("h"), RATE) is None


def test_a_tone_is_no_speech() -> None:
    heard = hear_speech(tone_samples(0, 5 * RATE, RATE, 440), RATE)
    assert heard is None or heard.intact == 0.0
