"""Tickets that the backend signs for one operation with a recording. Python 3.5 and later.

A ticket is base64url(FIELDS).HMAC: FIELDS are lines of UTF-8 (the operation, until when in seconds
since 1970, and what the operation needs), and HMAC is hexadecimal SHA-256 of the first part.
"""

import base64
import binascii
import hashlib
import hmac
import re

MOST_CHARACTERS = 2048
MOST_SECONDS = 300  # a ticket that is valid for longer is refused
_FORM = re.compile(r"^([A-Za-z0-9_-]+={0,2})\.([0-9a-f]{64})$")


class RefusedError(Exception):
    """The ticket is not the backend's, is over, or is for something else."""


def sign(fields, secret):
    """The ticket of these fields."""
    packed = base64.urlsafe_b64encode("\n".join(fields).encode("utf-8")).decode("ascii")
    return "%s.%s" % (packed, _mac(packed, secret))


def opened(ticket, operation, count, secret, now):
    """The `count` fields of a ticket for this operation, without operation and time."""
    form = _FORM.match(ticket) if len(ticket) <= MOST_CHARACTERS else None
    if not form or not hmac.compare_digest(_mac(form.group(1), secret), form.group(2)):
        raise RefusedError("the signature is wrong")
    try:
        fields = base64.urlsafe_b64decode(form.group(1)).decode("utf-8").split("\n")
        until = int(fields[1])
    except (binascii.Error, ValueError, IndexError) as error:
        raise RefusedError("the ticket is damaged") from error
    if fields[0] != operation or len(fields) != count + 2:
        raise RefusedError("the ticket is for something else")
    if not now <= until <= now + MOST_SECONDS:
        raise RefusedError("the ticket is over")
    return fields[2:]


def _mac(packed, secret):
    return hmac.new(secret.encode("ascii"), packed.encode("ascii"), hashlib.sha256).hexdigest()
