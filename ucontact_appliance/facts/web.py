"""NGINX's state and configuration on a host, and its answers to requests (R01, R17, R22)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ucontact_appliance.clients.http import HttpRequest, Response, fetch
from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.source import ProbeContext

UNIT = "nginx.service"
# The unit touches this file at each start and reload (role web): newer files are not loaded yet.
_STAMP = "/run/nginx-loaded"
_READ = (
    "/etc/nginx",
    "/etc/ssl/ucontact/portal.pem",
    "/etc/ssl/ucontact/portal-ca.pem",
    "/etc/ssl/ucontact/private/portal.key",
)


@dataclass(frozen=True)
class Nginx:
    """The service, its version, and whether its files are valid and loaded.

    `version` is empty when NGINX is not installed. `unloaded` are files changed since NGINX last
    read them; None when unknown. `problem` is the error output of `nginx -t`. `rivals` are names
    that two servers share at one address: NGINX uses only the first of the two.
    """

    active: str
    enabled: str
    version: str
    problem: str
    unloaded: tuple[str, ...] | None
    evidence: str
    rivals: tuple[str, ...] = ()


_RIVAL = re.compile(r'conflicting server name "([^"]*)"')
_NGINX = "PATH=$PATH:/usr/sbin:/sbin\n" + script(
    unit=f"systemctl show {UNIT} -p ActiveState -p SubState -p UnitFileState",
    version="nginx -v 2>&1",
    test="nginx -t 2>&1 && echo good",
    unloaded=f"find {' '.join(_READ)} -type f -newer {_STAMP} 2>&1 && echo told",
)


def nginx(reach: ProbeContext) -> Nginx:
    """Probe the service."""
    return parse_nginx(reach.runner.run(["sh", "-c", _NGINX]).stdout)


def parse_nginx(text: str) -> Nginx:
    """Parse the output of the probe's script."""
    part = sections(text)
    unit = dict(line.split("=", 1) for line in part["unit"].splitlines() if "=" in line)
    version = re.search(r"nginx/([0-9.]+)", part["version"])
    tested = part["test"].splitlines()
    newer = part["unloaded"].splitlines()
    return Nginx(
        active=unit.get("ActiveState", "unknown"),
        enabled=unit.get("UnitFileState", ""),
        version=version.group(1) if version else "",
        problem="" if tested[-1:] == ["good"] else "\n".join(tested),
        unloaded=tuple(newer[:-1]) if newer[-1:] == ["told"] else None,
        evidence=text.strip(),
        rivals=tuple(dict.fromkeys(_RIVAL.findall(part["test"]))),
    )


@dataclass(frozen=True)
class HeaderLine:
    """An `add_header` directive: the header's name, the enclosing contexts, its value."""

    name: str
    contexts: tuple[str, ...]
    value: str = field(default="", compare=False)


@dataclass(frozen=True)
class Configuration:
    """The whole configuration as `nginx -T` prints it.

    `headers` is every `add_header`; `maps` are the `map` blocks that make header values depend on
    the path, by variable; `server_files` are the files that contain `server` blocks, each once.
    """

    headers: tuple[HeaderLine, ...]
    maps: dict[str, tuple[tuple[str, str], ...]]
    server_files: tuple[str, ...]


def configuration(reach: ProbeContext) -> Configuration:
    """Read the configuration from `nginx -T`."""
    command = ["sh", "-c", "PATH=$PATH:/usr/sbin:/sbin; nginx -T 2>/dev/null"]
    text = reach.runner.run(command).stdout
    return Configuration(parse_header_lines(text), parse_maps(text), parse_server_files(text))


def parse_server_files(text: str) -> tuple[str, ...]:
    """Parse `nginx -T`, which prints a comment with its path before each file."""
    parts = re.split(r"^# configuration file (\S+):$", text, flags=re.MULTILINE)
    return tuple(
        dict.fromkeys(
            path
            for path, body in zip(parts[1::2], parts[2::2], strict=True)
            if any("server" in contexts for contexts, _ in _directives(body))
        )
    )


# A quoted word, a comment, one of the grammar's three punctuation marks, or a bare word.
_TOKEN = re.compile(
    r"""\s*("(?:\\.|[^"])*"|'(?:\\.|[^'])*'|\#[^\n]*|[{};]|(?:\\.|[^\s{};"'\#])+)"""
)


def parse_header_lines(text: str) -> tuple[HeaderLine, ...]:
    """The `add_header` directives of a configuration; included files count where they are included.

    `nginx -T` prints included files one after the other, not in place. Our files are included in
    `http`, so top-level directives outside the main file count as directives of `http`.
    """
    return tuple(
        HeaderLine(words[1], contexts, _bare(words[2]) if len(words) > 2 else "")
        for contexts, words in _directives(text)
        if words[:1] == ["add_header"] and len(words) > 1
    )


def parse_maps(text: str) -> dict[str, tuple[tuple[str, str], ...]]:
    """The `map $uri $variable { … }` blocks: pairs of pattern and value, verbatim."""
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    for contexts, words in _directives(text):
        kind, _, variable = contexts[-1].rpartition(" ") if contexts else ("", "", "")
        if kind == "map $uri" and len(words) == 2:
            found[variable] = (*found.get(variable, ()), (_bare(words[0]), _bare(words[1])))
    return found


def _bare(word: str) -> str:
    return word[1:-1] if word[:1] in ("'", '"') else word


def _directives(text: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    contexts: list[str] = []
    words: list[str] = []
    for match in _TOKEN.finditer(text):
        token = match.group(1)
        if token.startswith("#"):
            continue
        if token == "{":
            contexts.append(" ".join(words))
            words = []
        elif token == "}":
            contexts = contexts[:-1]
            words = []
        elif token == ";":
            yield tuple(contexts), words
            words = []
        else:
            words.append(token)


def page(
    reach: ProbeContext, path: str, scheme: str = "https", method: str = "GET", name: str = ""
) -> Response:
    """The web server's answer on this host, for the portal's name or the given one."""
    return fetch(HttpRequest(reach.address, name or reach.site.fqdn, path, scheme, method))


def login(reach: ProbeContext, path: str, user: str, password: str) -> Response:
    """The answer to a login. Never use a real password: the certificate is not verified."""
    form = (("user", user), ("password", password))
    return fetch(HttpRequest(reach.address, reach.site.fqdn, path, "https", "POST", form))
