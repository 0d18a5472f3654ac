"""MySQL as a service sees it over TLS, and as root sees it over the socket."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ucontact_appliance.clients.mysql import (
    Login,
    LoginRefusedError,
    MysqlRefusal,
    ask,
    greets,
    plaintext,
)
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.host import script, sections
from ucontact_appliance.facts.pace import usual_seconds
from ucontact_appliance.facts.source import ProbeContext
from ucontact_appliance.language.messages import _

SOCKET = "/run/mysqld/mysqld.sock"
USER = "doctor"
_CLIENT = f"mysql --no-defaults --protocol=socket --socket={SOCKET} --user=root -N -B --raw"
_QUERIES = {
    "version": "SELECT VERSION()",
    "tls": "SHOW SESSION STATUS WHERE Variable_name IN ('Ssl_version', 'Ssl_cipher')",
    "schemas": "SHOW DATABASES",
    "variables": "SHOW GLOBAL VARIABLES",
    "columns": "SELECT table_schema, table_name, column_name FROM information_schema.columns"
    " WHERE table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')",
}
_GRANT = re.compile(r"GRANT (?P<what>.+) ON (?P<on>\S+) TO (?P<who>.+?)(?P<option> WITH GRANT.*)?$")
_ROLE = re.compile(r"GRANT (?P<what>`.+|'.+) TO (?P<who>.+)$")
_PRIVILEGE = re.compile(r"([A-Z_ ]+?)\s*(?:\(([^)]*)\))?\s*(?:,|$)")

Grants = dict[str, frozenset[str]]  # privileges by `schema.table`


@dataclass(frozen=True)
class ServerView:
    """What the health checks' account can see; `refused` is the error text of a failed login.

    `columns` holds (schema, table, column).
    """

    refused: str
    version: str = ""
    tls: str = ""
    schemas: frozenset[str] = frozenset()
    columns: frozenset[tuple[str, str, str]] = frozenset()
    variables: dict[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class MysqlAccount:
    """A row of mysql.user. `ssl_type` is empty if TLS is not required."""

    user: str
    host: str
    plugin: str
    ssl_type: str
    locked: bool

    @property
    def label(self) -> str:
        """The account as MySQL writes it."""
        return f"{self.user}@{self.host}"


@dataclass(frozen=True)
class Audit:
    """All accounts, and the services' grants by `user@host`.

    `error` is the error text if the accounts can't be read, `grants_error` if the grants can't.
    """

    accounts: tuple[MysqlAccount, ...]
    grants: dict[str, Grants] = field(default_factory=dict, hash=False)
    error: str = ""
    grants_error: str = ""


def server_view(reach: ProbeContext, port: int, password: str, ca: str) -> ServerView:
    """Log in as the checks' account over verified TLS, and read version, schemas and variables.

    Raises UnreachableError when there is no server.
    """
    with reach.runner.forward(port) as local:
        try:
            rows = ask(Login(USER, password, local, ca), _QUERIES)
        except LoginRefusedError as refused:
            return ServerView(refused=str(refused))
    return ServerView(
        refused="",
        version=rows["version"][0][0],
        tls=" ".join(value for _, value in sorted(rows["tls"], reverse=True)),
        schemas=frozenset(row[0] for row in rows["schemas"]),
        columns=frozenset((row[0], row[1], row[2]) for row in rows["columns"]),
        variables={row[0]: row[1] for row in rows["variables"]},
    )


def answers(reach: ProbeContext, port: int) -> bool:
    """Whether the server sends a greeting to a new connection."""
    with reach.runner.forward(port) as local:
        return greets(local)


def greeting_seconds(reach: ProbeContext, port: int) -> float:
    """The usual time in seconds until the server sends its greeting."""
    with reach.runner.forward(port) as local:
        return usual_seconds(lambda: greets(local))


def without_tls(reach: ProbeContext, port: int, password: str) -> MysqlRefusal:
    """The server's answer to the same account without TLS."""
    with reach.runner.forward(port) as local:
        return plaintext(Login(USER, password, local, ""))


def audit(reach: ProbeContext, users: Sequence[str]) -> Audit:
    """Read, as root over the socket, all accounts and the grants of these users."""
    listed = ", ".join(f"'{user}'" for user in users)
    command = script(
        accounts=f"{_CLIENT} -e \"SELECT CONCAT_WS('|', user, host, plugin, ssl_type,"
        ' account_locked) FROM mysql.user" 2>&1 || echo "!failed"',
        grants=f"{_CLIENT} -e \"SELECT CONCAT('SHOW GRANTS FOR ', QUOTE(user), '@', QUOTE(host),"
        f" ';') FROM mysql.user WHERE user IN ({listed})\" | {_CLIENT} 2>&1",
    )
    done = reach.runner.run(["sh", "-c", command])
    if done.status and not done.stdout:
        raise UnreachableError(_("MySQL's accounts can't be read"), evidence=done.stderr.strip())
    return parse_audit(done.stdout)


def parse_audit(text: str) -> Audit:
    """Parse the script's two sections: accounts with fields separated by `|`, then SHOW GRANTS."""
    found = sections(text)
    rows = found.get("accounts", "").strip().splitlines()
    if "!failed" in rows:
        return Audit((), error="\n".join(row for row in rows if row != "!failed"))
    accounts = []
    for row in rows:
        user, host, plugin, ssl_type, locked = row.split("|")
        accounts.append(MysqlAccount(user, host, plugin, ssl_type, locked == "Y"))
    lines = found.get("grants", "").splitlines()
    errors = [line for line in lines if line.startswith("ERROR ")]
    return Audit(tuple(accounts), parse_grants(lines), grants_error="\n".join(errors))


def parse_grants(lines: Iterable[str]) -> dict[str, Grants]:
    """Parse SHOW GRANTS, by `user@host`. A role counts as a privilege on an empty target."""
    found: dict[str, dict[str, set[str]]] = {}
    for line in lines:
        match = _GRANT.match(line.strip())
        if match:
            target = _bare(match["on"])
            privileges = set(single_privileges(match["what"]))
            if match["option"]:
                privileges.add("GRANT OPTION")
        else:
            match = _ROLE.match(line.strip())
            if not match:
                continue
            target, privileges = "", {f"ROLE {_bare(match['what'])}"}
        grants = found.setdefault(_bare(match["who"]), {})
        if privileges:
            grants.setdefault(target, set()).update(privileges)
    return {
        who: {on: frozenset(privileges) for on, privileges in grants.items()}
        for who, grants in found.items()
    }


def single_privileges(words: str) -> frozenset[str]:
    """Split into single privileges: `SELECT (a, b), INSERT` is SELECT(a), SELECT(b) and INSERT."""
    found = set()
    for name, columns in _PRIVILEGE.findall(words):
        if name.strip() == "USAGE":
            continue
        if not columns:
            found.add(name.strip())
        found |= {f"{name.strip()}({_bare(part)})" for part in columns.split(",") if part}
    return frozenset(found)


def _bare(quoted: str) -> str:
    return re.sub("[`']", "", quoted).strip()
