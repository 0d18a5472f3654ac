"""Send notifications: mail by this machine's own sendmail, JSON to a webhook."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

import httpx

from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.language.messages import _, with_note

_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]+(@[A-Za-z0-9.-]+)?")
_SENDMAIL_PLACES = "/usr/sbin:/usr/lib:/usr/local/sbin"
_MAIL_SECONDS = 30
_POST_SECONDS = 10.0
_PAUSE_SECONDS = 5.0
_TRIES = 2


def mail_address(text: str) -> str:
    """Return the address if it is valid in a mail header, else raise UsageError."""
    if not _ADDRESS.fullmatch(text):
        raise UsageError(
            _("{text!r} is not a mail address", text=text),
            helps="ucontact doctor timer set --mail noc@example.com",
        )
    return text


def webhook_address(text: str, *, allow_http: bool = False) -> str:
    """Return the address; http only if allowed. Raises UsageError, which shows at most its host."""
    example = "ucontact doctor timer set --webhook https://chat.example.com/hooks/TOKEN"
    try:
        parts = urlsplit(text)
        host, __ = parts.hostname, parts.port
    except ValueError:
        raise UsageError(_("the webhook's address is not a valid URL"), helps=example) from None
    if parts.scheme not in ("https", "http") or not host:
        raise UsageError(
            _("a webhook's address must begin with https:// and a host"), helps=example
        )
    if parts.scheme == "http" and not allow_http:
        raise UsageError(
            _(
                "{public_part} would receive the site's findings unencrypted",
                public_part=public_part(text),
            ),
            evidence=_("the webhook's address begins with http://"),
            helps=with_note(_("use its https:// address"), _("or allow it with --allow-http")),
        )
    return text


def public_part(url: str) -> str:
    """Return scheme and host of a webhook's address; the rest may be secret."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}/…"


def find_sendmail() -> str:
    """Return the path of sendmail. Raises UsageError when this machine has none."""
    found = shutil.which("sendmail") or shutil.which("sendmail", path=_SENDMAIL_PLACES)
    if found is None:
        raise UsageError(
            _("this machine has no sendmail, so it can't send mail"),
            evidence=_(
                "looked for: sendmail in PATH and {sendmail_places}",
                sendmail_places=_SENDMAIL_PLACES,
            ),
            helps=with_note("apt-get install msmtp-mta", _("or postfix; then configure its relay")),
        )
    return found


def send_mail(address: str, subject: str, text: str) -> None:
    """Pass one mail to sendmail. Raises UnreachableError when sendmail fails."""
    mail = EmailMessage()
    mail["To"] = address
    mail["Subject"] = " ".join(subject.split())
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers
    mail.set_content(text)
    program = find_sendmail()
    try:
        # -i: a line with a single dot does not end the mail; an address after -- is no option.
        done = subprocess.run(
            [program, "-i", "--", address],
            input=mail.as_bytes(),
            capture_output=True,
            timeout=_MAIL_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unsent(address, str(error)) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise _unsent(address, f"exit status {done.returncode} {said}".strip())


def _unsent(address: str, evidence: str) -> UnreachableError:
    return UnreachableError(
        _("sendmail did not accept the mail to {address}", address=address),
        evidence=evidence,
        helps=f"echo test | sendmail -v {address}",
    )


def post(
    url: str, document: Mapping[str, Any], pause: Callable[[float], None] = time.sleep
) -> None:
    """Post JSON; retry once after a pause. Redirects are not followed.

    Raises UnreachableError, which shows at most the address's host.
    """
    why = ""
    for attempt in range(_TRIES):
        if attempt:
            pause(_PAUSE_SECONDS)
        try:
            answer = httpx.post(
                url, json=dict(document), timeout=_POST_SECONDS, follow_redirects=False
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = type(error).__name__  # its text may contain the address, which is secret
            continue
        if answer.is_success:
            return
        why = f"it answered {answer.status_code}"
        if not (answer.is_server_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS):
            break  # a retry would get the same answer
    raise UnreachableError(
        _("the webhook at {public_part} did not accept the message", public_part=public_part(url)),
        evidence=why,
        helps=with_note("ucontact doctor timer set --webhook URL", _("with the current address")),
    )
