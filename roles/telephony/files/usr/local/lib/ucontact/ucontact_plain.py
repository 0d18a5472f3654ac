"""The plain content of a recording, which may be encrypted on the disk. Python 3.5 and later."""

import fcntl
import hashlib
import os
import stat
import subprocess
import tempfile
import threading

import ucontact_recordings

BLOCK_BYTES = 1 << 16
OPENSSL = "/usr/bin/openssl"
DECRYPTION_KEY = "/etc/ucontact-recordings/key.pem"
MEMORY = "/run/ucontact-playback"  # a tmpfs: what was decrypted gets to no disk of ours
# OpenSSL takes three times a recording's size of memory.
DECRYPTIONS = threading.BoundedSemaphore(2)
DECRYPTION_SECONDS = 120


class MissingError(Exception):
    """No such recording, or not as it was indexed."""


class UnreadableError(Exception):
    """An encrypted recording can't be decrypted now."""


def open_recording(path, size, digest):
    """The plain content of the recording of that path below the spool, open.

    Raises MissingError, UnreadableError.
    """
    name = path.encode("utf-8")
    # Encrypted first: its plain file is overwritten before it is removed.
    for stored in (name + ucontact_recordings.ENCRYPTED, name) * 2:
        try:
            file = os.fdopen(_opened(stored.split(b"/")), "rb")
        except (OSError, ValueError) as error:
            wrong = str(error)
            continue
        if stored != name:
            with file:
                return decrypted(file, size, digest)
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()  # it is encrypted by now
            continue
        found = os.fstat(file.fileno())
        if stat.S_ISREG(found.st_mode) and found.st_size == size:
            return file
        file.close()
        wrong = "no file of %d bytes" % size
        break
    raise MissingError(wrong)


def decrypted(file, size, digest):
    """The plain content of an encrypted recording, in memory, if it is what was indexed.

    Raises MissingError when it is not, UnreadableError.
    """
    words = [OPENSSL, "cms", "-decrypt", "-binary", "-inform", "DER", "-inkey", DECRYPTION_KEY]
    with DECRYPTIONS:
        try:
            plain = tempfile.TemporaryFile(dir=MEMORY)  # noqa: SIM115
            done = subprocess.run(
                words,
                stdin=file,
                stdout=plain,
                stderr=subprocess.PIPE,
                timeout=DECRYPTION_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnreadableError(str(error)) from error
    if done.returncode:
        plain.close()
        raise UnreadableError(done.stderr.decode("utf-8", "replace").strip()[-300:])
    plain.seek(0)
    found = hashlib.sha256()
    for block in iter(lambda: plain.read(BLOCK_BYTES), b""):
        found.update(block)
    if plain.tell() != size or found.hexdigest() != digest:
        plain.close()
        raise MissingError("not what was indexed")
    plain.seek(0)
    return plain


def _opened(parts):
    """The file descriptor; each part of the path by itself, so that none can be a link."""
    if any(part in (b"", b".", b"..") for part in parts):
        raise ValueError("no path below the spool")
    folder = os.open(ucontact_recordings.ROOT, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            deeper = os.open(part, flags, dir_fd=folder)
            os.close(folder)
            folder = deeper
        return os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
