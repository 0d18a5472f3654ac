"""Reads mysqldump's text as it passes: rows of each table, the binary log's position, its end.

Rows are counted in what is stored itself: a COUNT(*) would be of another moment.
Python 3.5 and later.
"""

import re

_SCHEMA = re.compile(rb"USE `([^`]+)`;")
_INSERT = re.compile(rb"INSERT INTO `([^`]+)` VALUES \(")
_TABLE = re.compile(rb"CREATE TABLE `([^`]+)` \(")
_STRING = re.compile(rb"'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'", re.DOTALL)
# "-- CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE='binlog.000003', SOURCE_LOG_POS=157;", and
# MASTER instead of SOURCE before MySQL 8.0.26.
_POSITION = re.compile(rb"-- CHANGE [A-Z ]+ TO [A-Z]+_LOG_FILE='([^']+)', [A-Z]+_LOG_POS=(\d+);")
_COMPLETE = b"-- Dump completed"


class Dump:
    """What was seen of a dump; `rows` by schema and table, such as ccdata.cdr."""

    def __init__(self):
        self.rows = {}
        self.octets = 0
        self.position = None
        self.complete = False
        self._schema = b""

    def line(self, line):
        """Take a line."""
        self.octets += len(line)
        if line.startswith(b"INSERT"):
            found = _INSERT.match(line)
            if found:
                self._add(found.group(1), rows_of(line))
        elif line.startswith(b"CREATE TABLE"):
            found = _TABLE.match(line)
            if found:
                self._add(found.group(1), 0)
        elif line.startswith(b"USE"):
            found = _SCHEMA.match(line)
            if found:
                self._schema = found.group(1)
        elif line.startswith(b"-- CHANGE"):
            found = _POSITION.match(line)
            if found:
                self.position = {"file": found.group(1).decode(), "position": int(found.group(2))}
        elif line.startswith(_COMPLETE):
            self.complete = True

    def _add(self, table, rows):
        name = "%s.%s" % (self._schema.decode(), table.decode())
        self.rows[name] = self.rows.get(name, 0) + rows


def rows_of(line):
    """How many rows an INSERT with several of them has."""
    return _STRING.sub(b"", line).count(b"),(") + 1


def sql_command(schemas, socket, offered):
    """The arguments of mysqldump; `offered` is the text of its own help.

    One consistent moment without locks beyond the first instant, and that moment's position.
    """
    position = "--source-data=2" if "source-data" in offered else "--master-data=2"
    return [
        "mysqldump", "--no-defaults", "--socket=%s" % socket, "--user=root",
        "--single-transaction", position, "--quick", "--hex-blob", "--no-tablespaces",
        "--set-gtid-purged=OFF", "--routines", "--triggers", "--events",
        "--databases", *schemas,
    ]  # fmt: skip
