"""One log file per run; every secret is redacted before it is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

from ucontact_appliance.language.messages import _
from ucontact_appliance.os_errors import refusing
from ucontact_appliance.printable import printable
from ucontact_appliance.redact import redactor
from ucontact_appliance.site.files import private_dir


@contextmanager
def run_log(
    folder: Path, secrets: Iterable[str], tell: Callable[[str], None]
) -> Iterator[tuple[Path, Callable[[str], None]]]:
    """Yield the path of a new 0600 log file and a function that writes one line with UTC time.

    The function never raises: an installation does not fail because its log can't be written. It
    reports the first write error through `tell`.
    """
    private_dir(folder)
    redacted = redactor(secrets)
    now = datetime.now(timezone.utc)
    path = folder / f"install-{now:%Y%m%dT%H%M%SZ}-{os.getpid()}.log"
    with refusing(_("the log {path} can't be opened", path=path), path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    told: list[str] = []
    # Unbuffered: a write that failed on a full disk must not be repeated when the file is closed.
    with os.fdopen(descriptor, "wb", buffering=0) as stream:

        def write(line: str) -> None:
            stamp = datetime.now(timezone.utc).strftime("%H:%M:%S")
            try:
                stream.write(f"{stamp} {printable(redacted(line))}\n".encode(errors="replace"))
            except ValueError:  # the file is closed: a late line after the run
                return
            except OSError as error:
                if not told:
                    told.append(
                        _("the log {path} can't be written: {why}", path=path, why=error.strerror)
                    )
                    tell(told[0])

        yield path, write
