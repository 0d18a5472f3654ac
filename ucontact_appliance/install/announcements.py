"""The recordings for callers that site.yml names: judged before a server gets them."""

from __future__ import annotations

import wave
from pathlib import Path

from ucontact_appliance.errors import UsageError
from ucontact_appliance.language.messages import Message, _, with_note
from ucontact_appliance.os_errors import refused
from ucontact_appliance.site.inbound import Announcement
from ucontact_appliance.site.telephony import Telephony

_RATE_HZ, _SAMPLE_BYTES, _CHANNELS = 8000, 2, 1  # what Asterisk's format_wav reads
_MOST_BYTES = 32 << 20  # half an hour


def demand_announcements(telephony: Telephony) -> None:
    """Raises UnreachableError or UsageError for a file that Asterisk could not play."""
    for announcement in telephony.announcements:
        _demand(announcement)


def _demand(announcement: Announcement) -> None:
    path = announcement.file
    try:
        with path.open("rb") as stream, wave.open(stream) as sound:
            found = (sound.getframerate(), sound.getsampwidth(), sound.getnchannels())
            frames = sound.getnframes()
    except OSError as error:
        raise refused(_("{path} can't be read", path=path), error, path) from error
    except (wave.Error, EOFError) as error:
        told = _("it is no WAV file with PCM: {error}", error=error)
        raise _unusable(announcement, told) from None
    if found != (_RATE_HZ, _SAMPLE_BYTES, _CHANNELS):
        told = _(
            "it has {rate} Hz, {bits} bits and {channels} channels",
            rate=found[0],
            bits=found[1] * 8,
            channels=found[2],
        )
        raise _unusable(announcement, told)
    if not frames or frames * _SAMPLE_BYTES > _MOST_BYTES:
        raise _unusable(announcement, _("it lasts {seconds} s", seconds=frames // _RATE_HZ))


def _unusable(announcement: Announcement, evidence: Message) -> UsageError:
    path: Path = announcement.file
    return UsageError(
        _("announcement {name}: {path} can't be used", name=announcement.name, path=path),
        evidence=evidence,
        helps=with_note(
            f"ffmpeg -i {path} -ar {_RATE_HZ} -ac {_CHANNELS} {announcement.name}.wav",
            _("at most 30 minutes; name the new file in site.yml"),
        ),
    )
