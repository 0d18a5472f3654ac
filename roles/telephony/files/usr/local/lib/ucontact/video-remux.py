#!/usr/bin/python3
"""Make a .webm of each captured call with video, beside its recording of voice (R05, R25).

VP8 is copied as it came; H.264, which .webm can't hold, is encoded as VP8. Each party's picture is
a track of its own, and both voices are one Opus track. It works when nothing else needs the
processor or the disk, one call at a time. Python 3.5 and later.
"""

import argparse
import errno
import json
import os
import shutil
import subprocess
import sys
import time

import ucontact_depacketize as depacketize
import ucontact_matroska as matroska
import ucontact_recordings as recordings
import ucontact_video as video

EVERY_SECONDS = 5
# Encoding of H.264 may take far longer than the call.
MOST_SECONDS = 6 * 3600
FFMPEG = "/usr/bin/ffmpeg"
FAILED = b".failed"
KIND = {"vp8": depacketize.Vp8Pictures, "h264": depacketize.H264Pictures}


class RemuxError(Exception):
    """Why a capture gave no .webm."""


class NoPictureError(Exception):
    """Nobody sent a picture: the recording of voice has it all."""


def description(file):
    """What the capture's descriptions say together."""
    found = {}
    for _, stream, content in video.records(file):
        if stream == video.ABOUT:
            found = json.loads(content.decode("ascii"))
    return found


class Stream:
    """One stream of a capture, whose track is known from its first frame."""

    def __init__(self, kind, payloads):
        self.kind = kind
        self.payloads = payloads
        self.encoding = None
        self._ordered = depacketize.Ordered()
        self._frames = None

    def take(self, packet, begin):
        """The frames that are complete with this packet."""
        encoding = self.payloads.get(str(packet.payload_type), "")
        name, _, rate = encoding.partition("/")
        if self._frames is None:
            if self.kind == "video" and name in KIND:
                self._frames = KIND[name](begin)
            elif self.kind == "audio" and matroska.audio_track(encoding) is not None:
                self._frames = depacketize.Voice(int(rate.partition("/")[0]), begin)
            else:
                return
            self.encoding = encoding
        if encoding == self.encoding:
            yield from self._frame(self._ordered.add(packet))

    def rest(self):
        """The frames that are left at the end."""
        if self._frames is not None:
            yield from self._frame(self._ordered.rest())

    def _frame(self, packets):
        for packet, missing in packets:
            yield from self._frames.take(packet, missing)


def frames(file):
    """(stream, its encoding, frame) of a capture, each as soon as it is complete."""
    about = description(file)
    payloads = {int(stream): one for stream, one in about.get("payloads", {}).items()}
    streams = {
        number: Stream(kind, payloads.get(number, {}))
        for number, (_, kind) in video.STREAMS.items()
    }
    file.seek(0)
    begin = None
    for time_, number, content in video.records(file):
        if number not in streams:
            continue
        packet = video.rtp_packet(time_, number, content)
        if packet is None:
            continue
        begin = time_ if begin is None else begin
        for frame in streams[number].take(packet, begin):
            yield number, streams[number].encoding, frame
    for number, stream in streams.items():
        for frame in stream.rest():
            yield number, stream.encoding, frame


def track_of(encoding, frame):
    """The Matroska track that begins with this frame."""
    if encoding.startswith("vp8"):
        return matroska.vp8_track(frame.width, frame.height)
    if encoding.startswith("h264"):
        return matroska.h264_track(frame.width, frame.height)
    return matroska.audio_track(encoding)


def unpack(capture, target):
    """Write the capture's frames to a Matroska file; the encodings of its tracks, in order.

    Raises OSError, NoPictureError.
    """
    with open(capture, "rb") as file:
        tracks = {}
        for number, encoding, frame in frames(file):
            if number not in tracks:
                tracks[number] = (encoding, track_of(encoding, frame))
            if len(tracks) == len(video.STREAMS):
                break
        # The called party's picture comes first: players show the first one.
        order = sorted(tracks, key=lambda one: (video.STREAMS[one][1] != "video", -one))
        if not order or video.STREAMS[order[0]][1] != "video":
            raise NoPictureError
        file.seek(0)
        with open(target, "wb") as made:
            writer = matroska.Writer(made, [tracks[one][1] for one in order])
            for number, _, frame in frames(file):
                writer.frame(order.index(number) + 1, frame.milliseconds, frame.is_key, frame.data)
    return [(video.STREAMS[one], tracks[one][0]) for one in order]


def arguments(source, target, tracks, parties):
    """The words of FFmpeg that make the .webm."""
    pictures = [(side, encoding) for (side, kind), encoding in tracks if kind == "video"]
    voices = sum(1 for (_, kind), _ in tracks if kind == "audio")
    words = [FFMPEG, "-nostdin", "-loglevel", "error", "-y", "-i", source]
    graph = "".join(
        "[0:a:%d]aresample=48000:async=1000:first_pts=0[a%d];" % (n, n) for n in range(voices)
    )
    if voices:
        inputs = "".join("[a%d]" % n for n in range(voices))
        graph += "%samix=inputs=%d:duration=longest[voices]" % (inputs, voices)
        words += ["-filter_complex", graph]
    for n, (side, encoding) in enumerate(pictures):
        words += ["-map", "0:v:%d" % n, "-metadata:s:v:%d" % n, "title=%s" % parties[side]]
        if encoding.startswith("vp8"):
            words += ["-c:v:%d" % n, "copy"]
        else:
            words += ["-c:v:%d" % n, "libvpx", "-b:v:%d" % n, "600k", "-deadline", "realtime"]
            words += ["-cpu-used", "8"]
    if voices:
        words += ["-map", "[voices]", "-c:a", "libopus", "-b:a", "32k", "-ac", "1"]
    return [*words, "-threads", "1", "-f", "webm", target]


def install(made, path):
    """Move the .webm to its recording's folder, in one step. Raises OSError."""
    with open(made, "rb") as file:
        os.fsync(file.fileno())
    try:
        os.rename(made, path)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # The recordings are on a file system of their own. The index leaves hidden files out.
        near = os.path.join(os.path.dirname(path), b"." + os.path.basename(path))
        shutil.copyfile(made, near)
        os.rename(near, path)
        os.unlink(made)


def remux(capture):
    """Make the .webm of a capture, if there is a picture, and remove the capture.

    Raises OSError, RemuxError.
    """
    stem = os.path.splitext(capture)[0]
    with open(capture, "rb") as file:
        about = description(file)
    path = about.get("path", "")
    if video.name_of(path) is None:
        raise RemuxError("it does not name its recording")
    frames_file, made = stem + b".mkv", stem + b".webm"
    try:
        try:
            tracks = unpack(capture, frames_file)
        except NoPictureError:
            os.unlink(capture)
            return
        names = recordings.PARTIES.match(os.path.basename(path))
        parties = (names.group("src"), names.group("dst")) if names else ("caller", "called")
        words = arguments(os.fsdecode(frames_file), os.fsdecode(made), tracks, parties)
        done = subprocess.run(
            words,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=MOST_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise RemuxError(done.stderr.decode("utf-8", "replace").strip()[-300:])
        target = os.path.join(recordings.ROOT, os.fsencode(path)[: -len(b".gsm")] + b".webm")
        os.makedirs(os.path.dirname(target), mode=0o750, exist_ok=True)
        install(made, target)
    finally:
        for left in (frames_file, made):
            if os.path.exists(left):
                os.unlink(left)
    os.unlink(capture)


def captures(ending):
    """The captures with that ending, oldest first."""
    names = [name for name in os.listdir(video.FOLDER) if name.endswith(ending)]
    return sorted(os.path.join(video.FOLDER, name) for name in names)


def forget(now, days):
    """Delete captures that gave no .webm when a recording of their age would be deleted."""
    for capture in captures(FAILED):
        if os.stat(capture).st_mtime < now - days * 86400:
            os.unlink(capture)


def round_of_work():
    """Make what is to be made; a capture that can't be used is set aside."""
    for capture in captures(video.FINISHED):
        try:
            remux(capture)
        except (RemuxError, subprocess.TimeoutExpired, ValueError, KeyError) as error:
            sys.stderr.write("%s: %s\n" % (os.fsdecode(capture), error))
            sys.stderr.flush()
            os.rename(capture, os.path.splitext(capture)[0] + FAILED)
        except OSError as error:  # a full disk, FFmpeg removed: later it may be better
            sys.stderr.write("%s: %s\n" % (os.fsdecode(capture), error))
            sys.stderr.flush()
            return


def main():
    """Go round for ever."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, required=True, help="that recordings are kept")
    options = parser.parse_args()
    while True:
        round_of_work()
        forget(time.time(), options.days)
        time.sleep(EVERY_SECONDS)


if __name__ == "__main__":
    main()
