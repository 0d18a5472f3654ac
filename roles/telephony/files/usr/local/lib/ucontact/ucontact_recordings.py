"""Recordings in Asterisk's spool, and their index ccdata.recordings. Python 3.5 and later.

Paths on disk are bytes; in the index they are text, relative to the spool, as in cdr.userfield. An
encrypted recording has its path in the index and ENCRYPTED behind it on disk.
"""

import hashlib
import os
import re
import stat
import struct
import time
from collections import namedtuple

from ucontact_odbc import TroubleError, execute, groups, literal, moment, rows

ROOT = b"/var/spool/asterisk/monitor"
ENCRYPTED = b".p7m"  # a CMS message (RFC 5751)
PATH_BYTES = 255
BLOCK_BYTES = 1 << 18
MOST_BYTES = 8 << 30  # a larger file is no call's recording, and would hold up the others
MOST_PER_STATEMENT = 40
FOLDER_SECONDS = 2  # a folder's time may not show what happens within its own tick
MOST_SECONDS = 7 * 86400  # no call is longer
# Octets per second, by the name's ending; `wav` has a header of 44 octets (signed 16 bit, 8 kHz).
OCTETS_PER_SECOND = {"gsm": 1650.0, "wav": 16000.0, "alaw": 8000.0, "ulaw": 8000.0}
WAV_HEADER = 44
# A .webm begins with its length: Matroska's Duration (RFC 9559), of FFmpeg in milliseconds.
WEBM, WEBM_CODEC = "webm", "vp8"
WEBM_DURATION = re.compile(rb"\x44\x89\x88(.{8})", re.DOTALL)
WEBM_HEAD_BYTES = 4096
ID = re.compile(r"_(?P<uniqueid>[0-9]+\.[0-9]+)\.(?P<codec>\w{1,16})$")
# DATE-TIME_CALLER_CALLED_UNIQUEID.gsm, as the dialplan's [record] names it.
PARTIES = re.compile(r"^[0-9]{8}-[0-9]{6}_(?P<src>[^_]*)_(?P<dst>.*)_[0-9.]+\.\w+$")

Recording = namedtuple("Recording", "path size mtime")


def text_of(path):
    """The path as the index has it; None for a name that the index can't hold."""
    try:
        text = path.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if len(path) <= PATH_BYTES and text.isprintable() else None


def listing(folder):
    """(names of files, names of folders) in a folder of the spool; links are left out.

    Raises OSError.
    """
    files, folders = [], []
    try:
        for entry in os.scandir(os.path.join(ROOT, folder)):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif entry.is_file(follow_symlinks=False):
                files.append(entry.name)
    except FileNotFoundError:  # it was empty, and the retention removed it
        return [], []
    return files, folders


def changed(folder, done, seen, tell):
    """(folder, its plain files, what to put into `done` when nothing is left) of what changed.

    `done` has (its time, its folders) by folder; `seen` receives every folder that exists. A name
    that begins with a dot is of a file that is not complete. Raises TroubleError.
    """
    try:
        found = os.stat(os.path.join(ROOT, folder))
    except OSError as error:
        if folder:
            return  # removed by the retention
        raise TroubleError(str(error)) from error
    seen.add(folder)
    known = done.get(folder)
    if known is not None and known[0] == found.st_mtime_ns:
        folders = known[1]
    else:
        done.pop(folder, None)
        try:
            files, folders = listing(folder)
        except OSError as error:  # recordings.tree names it
            tell(str(error))
            return
        folders = sorted(folders, reverse=True)
        settled = time.time() - found.st_mtime > FOLDER_SECONDS
        plain = [one for one in sorted(files) if one[:1] != b"." and not one.endswith(ENCRYPTED)]
        yield folder, plain, (found.st_mtime_ns, folders) if settled else None
    for name in folders:
        yield from changed(os.path.join(folder, name), done, seen, tell)


def path_of(stored):
    """The path in the index of what is stored with that name."""
    return stored[: -len(ENCRYPTED)] if stored.endswith(ENCRYPTED) else stored


def recording_of(path):
    """The recording with that path, relative to the spool; None when it is gone or is no file."""
    for stored in (path, path + ENCRYPTED):
        try:
            found = os.lstat(os.path.join(ROOT, stored))
            break
        except OSError:
            continue
    else:
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return Recording(path, found.st_size, found.st_mtime)


def all_recordings(problems, folder=b""):
    """Every recording of the spool, folder by folder, oldest folder first.

    Folders that can't be listed are added to `problems`, by their names.
    """
    try:
        files, folders = listing(folder)
    except OSError as error:
        problems["/" + os.fsdecode(folder)] = str(error)
        return
    for name in sorted({path_of(name) for name in files}):
        found = recording_of(os.path.join(folder, name))
        if found is not None:
            yield found
    for name in sorted(folders):
        yield from all_recordings(problems, os.path.join(folder, name))


def key_of(path):
    """The SHA-256 of a path, by which the index names it: isql shortens long values."""
    return hashlib.sha256(path).hexdigest()


def sha256_of(path):
    """The SHA-256 of a recording's content. Raises OSError."""
    digest = hashlib.sha256()
    with open(os.path.join(ROOT, path), "rb") as file:
        while True:
            block = file.read(BLOCK_BYTES)
            if not block:
                return digest.hexdigest()
            digest.update(block)


def path_literal(path):
    """A path in SQL."""
    return literal(path.decode("utf-8"), PATH_BYTES)


def path_groups(paths):
    """Paths that the index can hold, in groups that fit into a statement."""
    return groups(paths, lambda path: 2 * len(path) + 16, MOST_PER_STATEMENT)


def among(paths):
    """The condition that a row is one of these paths."""
    return "path IN (%s)" % ", ".join(path_literal(path) for path in paths)


def holds_of(paths):
    """Whether each of these paths is under legal hold, by path; those in no index are missing."""
    found = {}
    by_key = {key_of(path): path for path in paths}
    for group in path_groups(paths):
        statement = "SELECT CONCAT('=', SHA2(path, 256), ' ', legal_hold) FROM recordings WHERE %s"
        for row in rows([statement % among(group)]):
            key, _, hold = row.partition(" ")
            found[by_key[key]] = hold != "0"
    return found


def fields_of(recording, digest, now):
    """The columns of a recording's row that the file itself tells. Raises OSError."""
    name = os.path.basename(recording.path).decode("utf-8")
    by_id, parties = ID.search(name), PARTIES.match(name)
    uniqueid = by_id.group("uniqueid") if by_id else ""
    codec = by_id.group("codec") if by_id else name.rpartition(".")[2][:16]
    duration = 0
    if codec in OCTETS_PER_SECOND:
        octets = max(0, recording.size - (WAV_HEADER if codec == "wav" else 0))
        duration = int(octets / OCTETS_PER_SECOND[codec] + 0.5)
    elif codec == WEBM:
        codec, duration = WEBM_CODEC, webm_seconds(recording.path)
    # Asterisk's unique id begins with the second in which the call began.
    started = int(uniqueid.partition(".")[0]) if uniqueid else recording.mtime - duration
    return (
        ("path", path_literal(recording.path)),
        ("uniqueid", literal(uniqueid, 150)),
        ("started", moment(min(started, now))),
        ("duration", "%d" % duration),
        ("src", literal(parties.group("src") if parties else "", 80)),
        ("dst", literal(parties.group("dst") if parties else "", 80)),
        ("codec", literal(codec, 16)),
        ("bytes", "%d" % recording.size),
        ("sha256", "'%s'" % digest),
        ("indexed", moment(now)),
    )


def webm_seconds(path):
    """The length of a .webm; 0 where its head does not say it. Raises OSError."""
    with open(os.path.join(ROOT, path), "rb") as file:
        found = WEBM_DURATION.search(file.read(WEBM_HEAD_BYTES))
    seconds = struct.unpack(">d", found.group(1))[0] / 1000 if found else 0
    return int(seconds + 0.5) if 0 < seconds < MOST_SECONDS else 0


def insertion(recording, digest, now):
    """The statement that adds a recording; one that is there stays as it is."""
    fields = fields_of(recording, digest, now)
    return "INSERT IGNORE INTO recordings (%s) VALUES (%s)" % (
        ", ".join("`%s`" % name for name, _ in fields),
        ", ".join(value for _, value in fields),
    )


def completions(condition):
    """The statements that add what call records and the queue log know, for rows without it.

    A call that its dialplan passes on has the record's destination "s": the name has the number.
    """
    record = (
        "(SELECT c.%s FROM cdr c WHERE c.uniqueid = recordings.uniqueid%s ORDER BY c.id LIMIT 1)"
    )
    connect = "FROM queue_log q WHERE q.callid = recordings.uniqueid AND q.event = 'CONNECT'"
    last = connect + " ORDER BY q.time DESC LIMIT 1"
    return [
        "UPDATE recordings SET src = COALESCE(%s, src), dst = COALESCE(%s, dst), linkedid = %s"
        " WHERE linkedid = '' AND %s AND EXISTS"
        " (SELECT 1 FROM cdr c WHERE c.uniqueid = recordings.uniqueid AND c.linkedid <> '')"
        % (
            record % ("src", " AND c.src <> ''"),
            record % ("dst", " AND c.dst NOT IN ('', 's')"),
            record % ("linkedid", " AND c.linkedid <> ''"),
            condition,
        ),
        "UPDATE recordings SET agent = (SELECT q.agent %s), queue = (SELECT q.queuename %s)"
        " WHERE queue = '' AND %s AND EXISTS (SELECT 1 %s)" % (last, last, condition, connect),
    ]


def add(recordings, now):
    """Hash these recordings and add them to the index.

    Left out are those that change meanwhile, that can't be read, or that are too large. Returns the
    paths that are in the index now.
    """
    new = []
    for recording in recordings:
        if recording.size > MOST_BYTES:
            continue
        try:
            statement = insertion(recording, sha256_of(recording.path), now)
        except OSError:
            continue  # deleted meanwhile, or not readable: recordings.tree names it
        if recording_of(recording.path) == recording:
            new.append((recording, statement))
    for group in groups(new, lambda one: 2 * len(one[0].path) + 16, MOST_PER_STATEMENT):
        statements = [statement for _, statement in group]
        execute(statements + completions(among([recording.path for recording, _ in group])))
    return [recording.path for recording, _ in new]
