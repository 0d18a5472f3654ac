"""Digest authentication (RFC 7616) for a SIP client."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

_ALGORITHMS = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
_PARAMETER = re.compile(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


def parse_challenge(value: str) -> dict[str, str]:
    """The parameters of a Digest challenge, with names in lower case."""
    scheme, _, rest = value.partition(" ")
    if scheme.lower() != "digest":
        return {}
    return {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}


def digest_answer(
    challenge: Mapping[str, str],
    credentials: tuple[str, str],
    request: tuple[str, str],
    cnonce: str,
    count: int = 1,
) -> str:
    """The value of the Authorization header (RFC 7616).

    `credentials` are user and password, `request` is method and URI. Raises ValueError for an
    algorithm that is neither MD5 nor SHA-256.
    """
    user, password = credentials
    method, uri = request
    algorithm = challenge.get("algorithm", "MD5")
    if algorithm.upper() not in _ALGORITHMS:
        raise ValueError(f"digest algorithm {algorithm} is not known")
    make = _ALGORITHMS[algorithm.upper()]

    def hashed(text: str) -> str:
        return make(text.encode()).hexdigest()

    realm, nonce = challenge.get("realm", ""), challenge.get("nonce", "")
    secret, act = hashed(f"{user}:{realm}:{password}"), hashed(f"{method}:{uri}")
    fields = {"username": user, "realm": realm, "nonce": nonce, "uri": uri}
    plain = {"algorithm": algorithm}
    if "auth" in [word.strip() for word in challenge.get("qop", "").split(",")]:
        counted = f"{count:08x}"
        fields["response"] = hashed(f"{secret}:{nonce}:{counted}:{cnonce}:auth:{act}")
        fields["cnonce"] = cnonce
        plain |= {"qop": "auth", "nc": counted}
    else:
        fields["response"] = hashed(f"{secret}:{nonce}:{act}")
    if "opaque" in challenge:
        fields["opaque"] = challenge["opaque"]
    words = [f'{k}="{v}"' for k, v in fields.items()] + [f"{k}={v}" for k, v in plain.items()]
    return "Digest " + ", ".join(words)


def choose_challenge(values: tuple[str, ...]) -> dict[str, str]:
    """The first supported challenge: the server lists them in order of preference."""
    parsed = (parse_challenge(value) for value in values)
    known = (c for c in parsed if c and c.get("algorithm", "MD5").upper() in _ALGORITHMS)
    chosen = next(known, None)
    if chosen is None:
        raise ValueError("no digest challenge that can be answered")
    return chosen
