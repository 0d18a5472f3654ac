"""A spool in a folder and its index in sqlite, for the services of recordings."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from ucontact_appliance.resources import load_data

_LITERAL = re.compile(r"_utf8mb4 x'([0-9a-f]*)'")


class _Differences:
    """What sqlite says otherwise than MySQL."""

    @staticmethod
    def statement(text: str) -> str:
        """The statement as sqlite takes it."""
        text = _LITERAL.sub(lambda found: _quoted(bytes.fromhex(found[1]).decode()), text)
        return text.replace("INSERT IGNORE", "INSERT OR IGNORE")


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


@dataclass
class RecordingsDatabase:
    """The tables that the services of recordings use; `away` is a database that does not answer."""

    service: ModuleType
    away: bool = False
    statements: int = 0
    connection: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:"))

    def __post_init__(self) -> None:
        for table in load_data("database")["tables"]:
            if table["name"] in ("cdr", "queue_log", "recordings"):
                columns = ", ".join(_column(column) for column in table["columns"])
                unique = ", unique (path)" if table["name"] == "recordings" else ""
                self.connection.execute(f"create table {table['name']} ({columns}{unique})")
        self.connection.create_function(
            "SHA2", 2, lambda text, _: hashlib.sha256(text.encode()).hexdigest()
        )
        self.connection.create_function("CONCAT", -1, lambda *parts: "".join(map(str, parts)))

    def execute(self, statements: list[str]) -> None:
        """As ucontact_odbc.execute."""
        self.rows(statements)

    def rows(self, statements: list[str]) -> list[str]:
        """As ucontact_odbc.rows."""
        found: list[str] = []
        for one in statements:
            if self.away:
                raise self.service.TroubleError("isql: no connection")
            assert len(one) < 9000
            self.statements += 1
            answer = self.connection.execute(_Differences.statement(one)).fetchall()
            found += [row[0][1:] for row in answer]
        return found

    def index(self, columns: str = "path") -> list[Any]:
        """The rows of the index, by path; one column as itself, several as tuples."""
        found = self.connection.execute(f"select {columns} from recordings order by path")
        return [row[0] if len(row) == 1 else row for row in found]

    def call(self, uniqueid: str, **columns: str) -> None:
        """Add a call's record."""
        columns = {"linkedid": uniqueid, "src": "6001", "dst": "s"} | columns
        names = ", ".join(("uniqueid", *columns))
        marks = ", ".join("?" * (1 + len(columns)))
        self.connection.execute(
            f"insert into cdr ({names}) values ({marks})", (uniqueid, *columns.values())
        )

    def connect(self, uniqueid: str, queue: str, agent: str) -> None:
        """Add the queue log's row of an answered call."""
        self.connection.execute(
            "insert into queue_log (id, time, callid, queuename, agent, event)"
            " values ('x', '', ?, ?, ?, 'CONNECT')",
            (uniqueid, queue, agent),
        )

    def hold(self, path: str) -> None:
        """Set a legal hold."""
        self.connection.execute("update recordings set legal_hold = 1 where path = ?", (path,))


def _column(column: dict[str, str]) -> str:
    if "AUTO_INCREMENT" in column["type"]:
        return f"{column['name']} integer primary key"
    kind = column["type"].replace("NOT NULL AUTO_INCREMENT", "").replace("UNSIGNED", "")
    return f"`{column['name']}` {kind}"


def write(root: Path, path: str, content: bytes = b"gsm" * 1100) -> Path:
    """A recording at that path below the spool."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file
