"""SIP messages and their text (RFC 3261 7)."""

from __future__ import annotations

from dataclasses import dataclass

_BREAK = "\r\n"
_HEADER_NAMES = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "c": "content-type", "l": "content-length"}  # fmt: skip # noqa: E501


@dataclass(frozen=True)
class SipMessage:
    """A SIP request or response: start line, headers in order (names in lower case), body."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: str = ""

    def header(self, name: str) -> str:
        """The first value of the header; empty when it is missing."""
        return next((value for key, value in self.headers if key == name), "")

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of the header, in order."""
        return tuple(value for key, value in self.headers if key == name)

    @property
    def status(self) -> int:
        """The status of a response; 0 for a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def reason(self) -> str:
        """The reason phrase after the status."""
        return " ".join(self.start.split()[2:])

    @property
    def method(self) -> str:
        """The method of a request, or the one that a response answers."""
        return self.header("cseq").split()[-1] if self.status else self.start.split()[0]

    def text(self) -> str:
        """The message as sent over the wire."""
        length = len(self.body.encode())
        lines = [self.start, *(f"{_shown(k)}: {v}" for k, v in self.headers)]
        return _BREAK.join([*lines, f"Content-Length: {length}", "", self.body])


def _shown(name: str) -> str:
    special = {"call-id": "Call-ID", "cseq": "CSeq", "www-authenticate": "WWW-Authenticate"}
    return special.get(name, name.title())


def parse_message(text: str) -> SipMessage:
    """Parse a message. Raises ValueError when it is not SIP."""
    head, _, body = text.partition(_BREAK * 2)
    start, *lines = head.split(_BREAK)
    if "SIP/2.0" not in start:
        raise ValueError(f"no SIP message: {start[:80]!r}")
    headers: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in " \t" and headers:  # a folded line (RFC 3261 7.3.1)
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line.strip()}")
            continue
        name, _, value = line.partition(":")
        key = name.strip().lower()
        headers.append((_HEADER_NAMES.get(key, key), value.strip()))
    wanted = ("content-length",)
    return SipMessage(start, tuple(pair for pair in headers if pair[0] not in wanted), body)
