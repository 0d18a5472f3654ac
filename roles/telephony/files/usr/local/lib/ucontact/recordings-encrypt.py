#!/usr/bin/python3
"""Encrypt indexed recordings, each into a file of its own beside it (docs/recordings.md).

By `openssl cms` (RFC 5652) for the site's certificate: this account can encrypt, and read nothing
of what is encrypted. A recording is encrypted when it is in the index with the same size and
SHA-256; the plain file is overwritten and removed when the encrypted one is on the disk. Python 3.5
and later.
"""

import contextlib
import fcntl
import hashlib
import os
import subprocess
import sys
import time

import ucontact_recordings as recordings
from ucontact_odbc import TroubleError, repeat, rows

OPENSSL = "/usr/bin/openssl"
CERTIFICATE = "/etc/ucontact-recordings/certificate.pem"
EVERY_SECONDS = 10
STEP_SECONDS = 5.0  # so long a round works; the rest waits for the next one
AT_ONCE = 20
# OpenSSL reads a message as a whole when it decrypts.
MOST_BYTES = (1 << 31) - (1 << 24)
WORDS = (OPENSSL, "cms", "-encrypt", "-binary", "-stream", "-outform", "DER", "-aes-256-cbc")
OPTIONS = ("-recip", CERTIFICATE, "-keyopt", "ecdh_kdf_md:sha256")


def indexed(paths):
    """(size, SHA-256) of these recordings in the index, by path."""
    by_key = {recordings.key_of(path): path for path in paths}
    found = {}
    for group in recordings.path_groups(paths):
        statement = (
            "SELECT CONCAT('=', SHA2(path, 256), ' ', bytes, ' ', sha256) FROM recordings"
            " WHERE deleted IS NULL AND %s"
        )
        for row in rows([statement % recordings.among(group)]):
            key, size, digest = row.split(" ")
            found[by_key[key]] = (int(size), digest)
    return found


def encrypt(path, size, digest):
    """Encrypt a recording that has that size and SHA-256; what is wrong, or empty.

    Raises OSError, TroubleError when nothing can be encrypted.
    """
    place = os.path.join(recordings.ROOT, path)
    folder, name = os.path.split(place)
    made = os.path.join(folder, b"." + name + recordings.ENCRYPTED)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(made)  # of a run that was interrupted
    with open(os.open(place, os.O_RDONLY | os.O_NOFOLLOW), "rb") as plain:
        found = os.fstat(plain.fileno())
        if found.st_size != size:
            return "has %d bytes, and %d in the index" % (found.st_size, size)
        if size > MOST_BYTES:
            return "is too large"
        try:
            if _written(plain, made) != digest:
                return "is not what was indexed"
            os.utime(made, ns=(found.st_atime_ns, found.st_mtime_ns))
            os.rename(made, place + recordings.ENCRYPTED)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(made)
    _sync(folder)
    return ""


def _written(plain, made):
    """Encrypt an open file into a new one; the SHA-256 of what was encrypted."""
    digest = hashlib.sha256()
    number = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    with open(number, "wb") as target:
        process = subprocess.Popen(
            [*WORDS, *OPTIONS], stdin=subprocess.PIPE, stdout=target, stderr=subprocess.PIPE
        )
        try:
            while True:
                block = plain.read(recordings.BLOCK_BYTES)
                if not block:
                    break
                digest.update(block)
                process.stdin.write(block)
        except BrokenPipeError:
            digest = hashlib.sha256()  # OpenSSL says why
        wrong = process.communicate()[1].decode("utf-8", "replace").strip()
        if process.returncode:
            raise TroubleError("openssl: %s" % wrong[-300:])
        os.fsync(target.fileno())
    return digest.hexdigest()


def _sync(folder):
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def remove_plain(path):
    """Overwrite and remove the plain file of an encrypted recording; whether it is gone.

    Not while somebody plays it.
    """
    place = os.path.join(recordings.ROOT, path)
    with open(os.open(place, os.O_RDWR | os.O_NOFOLLOW), "r+b", 0) as plain:
        try:
            fcntl.flock(plain, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        left = os.fstat(plain.fileno()).st_size
        zeros = bytes(recordings.BLOCK_BYTES)
        while left > 0:
            left -= plain.write(zeros[: min(left, len(zeros))])
        os.fsync(plain.fileno())
        os.unlink(place)
    return True


class Encryptor:
    """What is known of the spool between rounds."""

    def __init__(self):
        self.done = {}  # folder: (its time, its folders), where nothing plain is left
        self.told = set()

    def round(self):
        """Encrypt for some seconds, the newest recordings first."""
        end = time.monotonic() + STEP_SECONDS
        seen = set()
        for folder, files, state in recordings.changed(b"", self.done, seen, self.tell):
            plain = [os.path.join(folder, name) for name in files]
            left = 0
            for at in range(0, len(plain), AT_ONCE):
                left += self.work(plain[at : at + AT_ONCE])
                if time.monotonic() > end:
                    return
            if not plain and state is not None:
                self.done[folder] = state
        self.done = {one: self.done[one] for one in self.done if one in seen}

    def work(self, paths):
        """Encrypt those of these that are indexed; how many are left plain."""
        fit = [path for path in paths if recordings.text_of(path) is not None]
        rows_of = indexed(fit)
        left = len(paths) - len(rows_of)
        for path, (size, digest) in rows_of.items():
            try:
                if not os.path.exists(os.path.join(recordings.ROOT, path) + recordings.ENCRYPTED):
                    wrong = encrypt(path, size, digest)
                    if wrong:
                        self.tell("%s %s" % (os.fsdecode(path), wrong))
                        left += 1
                        continue
                left += not remove_plain(path)
            except FileNotFoundError:
                continue  # deleted meanwhile
            except OSError as error:
                raise TroubleError("%s: %s" % (os.fsdecode(path), error)) from error
        return left

    def tell(self, text):
        """Log it, once."""
        if text not in self.told:
            self.told.add(text)
            sys.stderr.write("%s\n" % text.encode("ascii", "backslashreplace").decode("ascii"))
            sys.stderr.flush()


def main():
    """Go round for ever."""
    repeat(Encryptor().round, EVERY_SECONDS)


if __name__ == "__main__":
    main()
