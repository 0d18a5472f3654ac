"""Write files atomically: temporary file, fsync, rename."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from ucontact_appliance.language.messages import _
from ucontact_appliance.os_errors import refused, refusing

_PRIVATE_DIR = 0o700


def private_dir(path: Path) -> Path:
    """The folder, created with 0700 if it is missing."""
    with refusing(_("the folder {path} can't be created", path=path), path):
        path.mkdir(mode=_PRIVATE_DIR, parents=True, exist_ok=True)
    return path


def write_atomic(
    path: Path, content: str | bytes, mode: int = 0o644, owner: tuple[int, int] | None = None
) -> None:
    """Replace `path` atomically: after a crash it has either the old content or the new.

    `owner` is user id and group id. Default: those of this process.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as stream:
            if owner is not None:
                os.fchown(stream.fileno(), *owner)
            os.fchmod(stream.fileno(), mode)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
        temporary = None
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise refused(
            _("{path} can't be written; any previous content is unchanged", path=path),
            _unnamed(error),
            path,
        ) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def _unnamed(error: OSError) -> OSError:
    """The error without the name of our temporary file, which would confuse the reader."""
    return OSError(error.errno, error.strerror)


def write_private(path: Path, content: str | bytes) -> None:
    """`write_atomic` with 0600, in a 0700 folder."""
    private_dir(path.parent)
    write_atomic(path, content, 0o600)
