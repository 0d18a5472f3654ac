"""SHA-256 of each file in a tar stream that passes by."""

from __future__ import annotations

import hashlib
import os
import tarfile
import threading
from typing import IO

from ucontact_appliance.errors import PhaseFailedError
from ucontact_appliance.language.messages import _

_PIECE = 1 << 20


class FileHashes:
    """Reads a tar stream in a thread of its own, as it is fed, and keeps no content of it."""

    def __init__(self) -> None:
        reading, self._writing = os.pipe()
        self._lines: list[str] = []
        self._error: Exception | None = None
        self._reader = threading.Thread(
            target=self._read, args=(os.fdopen(reading, "rb"),), daemon=True
        )
        self._reader.start()

    def feed(self, piece: bytes) -> None:
        """Take the next octets of the stream."""
        view = memoryview(piece)
        while view:
            view = view[os.write(self._writing, view) :]

    def sums(self) -> str:
        """Return the hashes in the form of sha256sum(1), by path below /; call it at the end.

        Raises PhaseFailedError if the stream is no tar archive.
        """
        os.close(self._writing)
        self._reader.join()
        if self._error is not None:
            raise PhaseFailedError(
                _("the files in the backup can't be read"), evidence=str(self._error)
            ) from self._error
        return "".join(f"{line}\n" for line in self._lines)

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            try:
                with tarfile.open(fileobj=stream, mode="r|") as archive:
                    for member in archive:
                        content = archive.extractfile(member) if member.isreg() else None
                        if content is not None:
                            self._lines.append(_line(member.name, content))
            except Exception as error:  # reported by `sums`, in the thread of the caller
                self._error = error
            while stream.read(_PIECE):  # whoever feeds it must not wait
                pass


def _line(name: str, content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := content.read(_PIECE):
        digest.update(piece)
    path = name.lstrip("/")
    escaped = path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == path else chr(92)}{digest.hexdigest()}  {escaped}"
