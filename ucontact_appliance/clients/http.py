"""One HTTP request to a server at a given address under a given name, and its answer.

Without `roots`, certificates are not verified: `clients.tls` judges them, and a server with a bad
one must still be examined. Such a request never carries a secret.
"""

from __future__ import annotations

import shlex
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import httpx

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.language.messages import _

_SECONDS = 5.0
_BODY_CHARS = 4096
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class HttpRequest:
    """A request. `name` goes into Host and SNI, `address` is where the server is reached.

    `port` defaults to the scheme's port.
    """

    address: str
    name: str
    path: str
    scheme: str = "https"
    method: str = "GET"
    form: tuple[tuple[str, str], ...] = ()
    port: int | None = None

    @property
    def url(self) -> str:
        """The URL of the request."""
        port = f":{self.port}" if self.port else ""
        return f"{self.scheme}://{self.name}{port}{self.path}"

    @property
    def command(self) -> str:
        """The curl(1) command for the same request."""
        port = self.port or (443 if self.scheme == "https" else 80)
        data = [word for key, value in self.form for word in ("-d", f"{key}={value}")]
        method = [] if self.method == "GET" or data else ["-X", self.method]
        where = f"{self.name}:{port}:{self.address}"
        return shlex.join(["curl", "-isk", "--resolve", where, *method, *data, self.url])


@dataclass(frozen=True)
class Response:
    """The answer: status, protocol (`HTTP/2`), headers in order, and the beginning of the body."""

    request: HttpRequest
    status: int
    protocol: str
    headers: tuple[tuple[str, str], ...]
    body: str

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of the header; its name is case-insensitive."""
        return tuple(value for key, value in self.headers if key.lower() == name.lower())

    @property
    def evidence(self) -> str:
        """The exchange as curl would show it, without cookies."""
        lines = [f"$ {self.request.command}", f"{self.protocol} {self.status}"]
        lines += [f"{k}: {v}" for k, v in self.headers if k.lower() != "set-cookie"]
        return "\n".join(lines)


@dataclass(frozen=True)
class BasicLogin:
    """HTTP basic authentication (RFC 7617), and the file of roots that verify who gets it."""

    user: str
    password: str = field(repr=False)
    roots: str


def fetch(
    request: HttpRequest,
    *,
    headers: Mapping[str, str] = _NOTHING,
    seconds: float = _SECONDS,
    login: BasicLogin | None = None,
) -> Response:
    """Send the request once; redirects are not followed.

    Raises UnreachableError when no answer came, TimeoutError after `seconds`.
    """
    verify = ssl.create_default_context(cafile=login.roots) if login else False
    host = f"[{request.address}]" if ":" in request.address else request.address
    port = f":{request.port}" if request.port else ""
    try:
        with (
            httpx.Client(http2=True, verify=verify, timeout=seconds, trust_env=False) as client,
            client.stream(
                request.method,
                f"{request.scheme}://{host}{port}{request.path}",
                headers={"Host": request.name, **headers},
                data=dict(request.form) or None,
                extensions={"sni_hostname": request.name},
                auth=httpx.BasicAuth(login.user, login.password) if login else None,
            ) as answer,
        ):
            body = _beginning(answer)
    except httpx.TimeoutException as error:
        raise TimeoutError(
            _("{url}: no answer within {seconds:g} s", url=request.url, seconds=seconds)
        ) from error
    except httpx.HTTPError as error:
        raise UnreachableError(
            _("{url} does not respond", url=request.url),
            evidence=f"$ {request.command}\n{error}",
            helps=request.command,
        ) from error
    return Response(
        request=request,
        status=answer.status_code,
        protocol=answer.http_version,
        headers=tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in answer.headers.raw),
        body=body,
    )


def _beginning(answer: httpx.Response) -> str:
    """The part of the body that checks may need: a large file is not read to its end."""
    text = ""
    for piece in answer.iter_text():
        text += piece
        if len(text) >= _BODY_CHARS:
            break
    return text[:_BODY_CHARS]
