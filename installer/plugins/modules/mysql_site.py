#!/usr/bin/python
# -*- coding: utf-8 -*-
"""Ansible module: converge the schemas, tables and accounts of a site's MySQL server.

Works as root on the socket with the `mysql` client, so that the target needs no driver; SQL and
passwords go to its standard input, never to a command line. Data is never dropped or rewritten:
missing objects are added. Given accounts get exactly the given hosts, passwords and grants.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: mysql_site
short_description: Schemas, tables and accounts of a MySQL server
description:
  - Converges a local MySQL 5.7 to 9.x through its socket as root, with the mysql client.
  - Adds missing schemas, tables, columns and rows; never drops or changes existing ones.
  - Brings the named accounts to exactly these hosts, passwords and grants, with TLS required.
  - Removes anonymous accounts and the test schema, binds root to the socket.
options:
  socket:
    description: The server's socket.
    type: path
    required: true
  schemas:
    description: Names of schemas that must be there.
    type: list
    elements: str
    default: []
  tables:
    description: Tables that must be there, with at least these columns.
    type: list
    elements: dict
    default: []
    suboptions:
      schema: {description: Its schema., type: str, required: true}
      name: {description: Its name., type: str, required: true}
      columns:
        description: Its columns, in order.
        type: list
        elements: dict
        required: true
        suboptions:
          name: {description: Name of the column., type: str, required: true}
          type: {description: The definition in SQL., type: str, required: true}
      keys:
        description: Key definitions in SQL, given when the table is made.
        type: list
        elements: str
        default: []
  rows:
    description: Rows that must be there; one whose key is there already is left alone.
    type: list
    elements: dict
    default: []
    suboptions:
      schema: {description: Schema of its table., type: str, required: true}
      table: {description: Its table., type: str, required: true}
      key: {description: The column that tells the row., type: str, required: true}
      values: {description: Texts by column., type: dict, required: true}
  accounts:
    description: Accounts, each brought to exactly these hosts, password and grants.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the account., type: str, required: true}
      hosts: {description: Addresses it may come from., type: list, elements: str, required: true}
      password: {description: Its password., type: str, required: true}
      grants:
        description: Everything that it may do.
        type: list
        elements: dict
        required: true
        suboptions:
          target: {description: 'Such as ccdata.cdr or ccrepo.*', type: str, required: true}
          privileges:
            description: 'Such as SELECT, or SELECT(uniqueid, calldate) for columns.'
            type: list
            elements: str
            required: true
  certificate:
    description: >-
      PEM file of the certificate that the server should be serving; when it serves another, it is
      told to read its files again. Left out, nothing is compared.
    type: path
author: uContact appliance
"""

EXAMPLES = r"""
- name: Schemas and accounts
  mysql_site:
    socket: /run/mysqld/mysqld.sock
    schemas: [ccdata]
    accounts:
      - name: asterisk
        hosts: [127.0.0.1]
        password: "{{ password }}"
        grants:
          - {target: ccdata.cdr, privileges: [SELECT, INSERT]}
"""

RETURN = r"""
changes:
  description: What was changed, in words, without any secret.
  returned: always
  type: list
  elements: str
"""

import hashlib  # noqa: E402
import re  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.common.text.converters import to_bytes  # noqa: E402

SCHEMA_OPTIONS = "CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"
NAME = re.compile(r"^[A-Za-z0-9_]{1,64}$")
HOST = re.compile(r"^[A-Za-z0-9_.:%/-]{1,255}$")
PRIVILEGE = re.compile(r"^[A-Z][A-Z_ ]*(\([a-zA-Z0-9_, ]+\))?$")
OF_ACCOUNTS = ("CREATE USER", "ALTER USER", "DROP USER", "GRANT", "REVOKE")
SYSTEM_SCHEMAS = ("mysql", "sys", "information_schema", "performance_schema")
# Expensive enough against guessing from a stolen fingerprint, cheap enough for each run.
ROUNDS = 50000
FINGERPRINT = "ucontact_fingerprint"
GRANT = re.compile(r"^GRANT (?P<what>.+?) ON (?P<on>\S+) TO ", re.S)
GRANTED_ROLE = re.compile(r"^GRANT (?P<roles>`.+) TO ", re.S)


class RefusedError(Exception):
    """Input that is never sent to the server."""


class Client(object):
    """The mysql client on the socket, as root."""

    def __init__(self, module, socket):
        self.module = module
        self.argv = [
            module.get_bin_path("mysql", required=True),
            "--no-defaults",
            "--protocol=socket",
            "--socket=" + socket,
            "--user=root",
            "--default-character-set=utf8mb4",
            "--batch",
            "--raw",
            "--skip-column-names",
        ]

    def reachable(self):
        """Whether root can connect to the server."""
        return self.module.run_command(self.argv, data="SELECT 1;\n")[0] == 0

    def query(self, sql):
        """The rows of the result, as tuples of strings."""
        if sql.startswith(OF_ACCOUNTS):
            # Binary logs are replayed on a restored server, whose accounts are its own.
            sql = "SET SESSION sql_log_bin = 0;\n" + sql
        status, out, err = self.module.run_command(self.argv, data=sql + ";\n")
        if status:
            # The server quotes only a few words near a syntax error; Ansible masks passwords.
            self.module.fail_json(msg="MySQL refused: " + err.strip())
        return [tuple(line.split("\t")) for line in out.splitlines()]


def identifier(name):
    """The name in backticks."""
    if not NAME.match(name):
        raise RefusedError("%r is no name for a schema, table or column" % name)
    return "`%s`" % name


def text(value):
    """The value as an SQL string literal."""
    if any(ord(char) < 32 for char in value):
        raise RefusedError("a text with control characters is not sent to the server")
    return "'%s'" % value.replace("\\", "\\\\").replace("'", "''")


def account_of(name, host):
    """'name'@'host'."""
    if not NAME.match(name) or not HOST.match(host):
        raise RefusedError("%r@%r is no account" % (name, host))
    return "%s@%s" % (text(name), text(host))


def target_of(on):
    """`schema`.`table`, `schema`.* or *.* from schema.table."""
    schema, _dot, table = on.partition(".")
    return "%s.%s" % tuple("*" if part == "*" else identifier(part) for part in (schema, table))


def privileges_of(words):
    """The privileges as a set of single ones: SELECT(a, b) is {SELECT(a), SELECT(b)}."""
    single = set()
    # Commas outside of parentheses separate privileges.
    for word in re.findall(r"[^,(]+(?:\([^)]*\))?", words):
        name, bracket, columns = word.strip().partition("(")
        name = name.strip().upper()
        if not name or name == "USAGE":
            continue
        if not bracket:
            single.add(name)
        for column in columns.rstrip(")").split(",") if bracket else ():
            single.add("%s(%s)" % (name, column.strip().strip("`")))
    return single


def parse_grants(lines):
    """SHOW GRANTS as {target: privileges}; roles are under the empty target."""
    grants = {}
    for line in lines:
        match = GRANT.match(line)
        if match:
            found = privileges_of(match.group("what"))
            if "WITH GRANT OPTION" in line:
                found.add("GRANT OPTION")
            if found:
                grants.setdefault(match.group("on").replace("\\_", "_"), set()).update(found)
            continue
        match = GRANTED_ROLE.match(line)
        if match:
            grants.setdefault("", set()).add(match.group("roles"))
    return grants


def wanted_grants(grants):
    """The grants of the parameters, in the format of `parse_grants`."""
    wanted = {}
    for grant in grants:
        for privilege in grant["privileges"]:
            if not PRIVILEGE.match(privilege):
                raise RefusedError("%r is no privilege" % privilege)
        found = privileges_of(", ".join(grant["privileges"]))
        wanted.setdefault(target_of(grant["target"]), set()).update(found)
    return wanted


def native_hash(password):
    """The hash that mysql_native_password stores."""
    inner = hashlib.sha1(to_bytes(password)).digest()
    return "*" + hashlib.sha1(inner).hexdigest().upper()


def fingerprint(password, stored):
    """Proof that this module set `stored`, the server's salted hash, from `password`.

    The server can't tell whether a password is correct, and no library here computes its hash. So
    the module stores this with the account: it changes when the secret does, and no longer
    matches when anybody else sets a password.
    """
    derived = hashlib.pbkdf2_hmac("sha256", to_bytes(password), to_bytes(stored), ROUNDS)
    return "".join("%02x" % byte for byte in bytearray(derived))


class Site(object):
    """One run: the wanted state, and the changes made."""

    def __init__(self, module, client):
        self.module = module
        self.client = client
        self.changes = []
        version = client.query("SELECT VERSION()")[0][0]
        self.version = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
        self.has_attributes = self.version >= (8, 0, 21)

    def change(self, words, *statements):
        """Record the change, and apply it unless in check mode."""
        self.changes.append(words)
        if not self.module.check_mode:
            self.client.query(";\n".join(statements))

    def schemas(self, names):
        """Create the missing schemas."""
        known = {row[0] for row in self.client.query("SHOW DATABASES")}
        for name in names:
            if name not in known:
                self.change(
                    "schema %s made" % name,
                    "CREATE DATABASE IF NOT EXISTS %s %s" % (identifier(name), SCHEMA_OPTIONS),
                )

    def table(self, table):
        """Create the table, or add its missing columns."""
        where = "%s.%s" % (identifier(table["schema"]), identifier(table["name"]))
        known = [
            row[0].lower()
            for row in self.client.query(
                "SELECT column_name FROM information_schema.columns"
                " WHERE table_schema = %s AND table_name = %s"
                % (text(table["schema"]), text(table["name"]))
            )
        ]
        columns = ["%s %s" % (identifier(c["name"]), c["type"]) for c in table["columns"]]
        label = "%s.%s" % (table["schema"], table["name"])
        if not known:
            body = ", ".join(columns + table["keys"])
            self.change(
                "table %s made" % label,
                "CREATE TABLE IF NOT EXISTS %s (%s) ENGINE=InnoDB %s"
                % (where, body, SCHEMA_OPTIONS),
            )
            return
        # B905: zip has no `strict` before Python 3.10, and this runs on the target's.
        for column, definition in zip(table["columns"], columns):
            if column["name"].lower() not in known:
                self.change(
                    "column %s.%s added" % (label, column["name"]),
                    "ALTER TABLE %s ADD COLUMN %s" % (where, definition),
                )

    def row(self, row):
        """Insert the row unless its key exists."""
        where = "%s.%s" % (identifier(row["schema"]), identifier(row["table"]))
        values = {name: text("%s" % value) for name, value in row["values"].items()}
        key = row["key"]
        label = "%s.%s %s" % (row["schema"], row["table"], values[key])
        exists = self.client.query(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = %s AND table_name = %s"
            % (text(row["schema"]), text(row["table"]))
        ) and self.client.query(
            "SELECT 1 FROM %s WHERE %s = %s" % (where, identifier(key), values[key])
        )
        if not exists:
            names = sorted(values)
            self.change(
                "row %s added" % label,
                "INSERT INTO %s (%s) VALUES (%s)"
                % (
                    where,
                    ", ".join(identifier(name) for name in names),
                    ", ".join(values[name] for name in names),
                ),
            )

    def strangers(self):
        """Remove anonymous accounts and the test schema; allow root only on the socket."""
        rows = self.client.query("SELECT user, host, plugin FROM mysql.user")
        for user, host, plugin in rows:
            if user == "":
                self.change(
                    "anonymous account at %s removed" % host, "DROP USER ''@%s" % text(host)
                )
            elif user == "root" and host != "localhost":
                self.change("account root@%s removed" % host, "DROP USER 'root'@%s" % text(host))
            elif user == "root" and plugin != "auth_socket":
                self.change(
                    "root bound to the socket",
                    "ALTER USER 'root'@'localhost' IDENTIFIED WITH auth_socket",
                )
        if ("test",) in self.client.query("SHOW DATABASES"):
            tables = self.client.query(
                "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'test'"
            )
            # An empty one is left by a distribution; one with tables is somebody's data.
            if tables == [("0",)]:
                self.change("empty schema test removed", "DROP DATABASE `test`")

    def account(self, account):
        """Give the account exactly these hosts, this password and these grants; require TLS."""
        rows = self.client.query(
            "SELECT host, plugin, ssl_type, account_locked FROM mysql.user WHERE user = %s"
            % text(account["name"])
        )
        known = {row[0]: row[1:] for row in rows}
        for host in account["hosts"]:
            self.one_account(account, host, known.get(host))
        for host in known:
            if host not in account["hosts"]:
                self.change(
                    "account %s@%s removed" % (account["name"], host),
                    "DROP USER %s" % account_of(account["name"], host),
                )

    def one_account(self, account, host, known):
        """Converge the account for one host."""
        who = account_of(account["name"], host)
        label = "%s@%s" % (account["name"], host)
        password = account["password"]
        if known is None:
            self.change(
                "account %s made" % label,
                "CREATE USER %s IDENTIFIED BY %s REQUIRE SSL" % (who, text(password)),
            )
            self.leave_fingerprint(who, password)
            found = {}
        else:
            plugin, ssl_type, locked = known
            if not self.password_fits(who, plugin, password):
                self.change(
                    "password of %s set" % label,
                    "ALTER USER %s IDENTIFIED BY %s" % (who, text(password)),
                )
                self.leave_fingerprint(who, password)
            if ssl_type == "":
                self.change("TLS required of %s" % label, "ALTER USER %s REQUIRE SSL" % who)
            if locked != "N":
                self.change("account %s unlocked" % label, "ALTER USER %s ACCOUNT UNLOCK" % who)
            found = self.found_grants(who)
        wanted = wanted_grants(account["grants"])
        # Revoking on *.* may also revoke what was granted on one schema: read the grants again.
        if self.revoke(who, label, found, wanted) and not self.module.check_mode:
            found = self.found_grants(who)
        self.grant(who, label, found, wanted)

    def found_grants(self, who):
        """The account's grants, by target."""
        return parse_grants(row[0] for row in self.client.query("SHOW GRANTS FOR %s" % who))

    def stored(self, who):
        """The server's hash of an account in hex, as its salt may contain a tab or a line break."""
        return self.client.query(
            "SELECT HEX(authentication_string) FROM mysql.user"
            " WHERE CONCAT(QUOTE(user), '@', QUOTE(host)) = %s" % text(who)
        )[0][0]

    def password_fits(self, who, plugin, password):
        """Whether the account has this password, as far as this can be known."""
        stored = self.stored(who)
        if plugin == "mysql_native_password":
            return bytearray.fromhex(stored).decode("latin-1") == native_hash(password)
        if not self.has_attributes:
            return False
        left = self.client.query(
            "SELECT IFNULL(attribute->>'$.%s', '') FROM information_schema.user_attributes"
            " WHERE CONCAT(QUOTE(user), '@', QUOTE(host)) = %s" % (FINGERPRINT, text(who))
        )
        return left == [(fingerprint(password, stored),)]

    def leave_fingerprint(self, who, password):
        """Store the fingerprint with the account, if the server supports attributes."""
        if not self.module.check_mode and self.has_attributes:
            proof = '{"%s": "%s"}' % (FINGERPRINT, fingerprint(password, self.stored(who)))
            self.client.query("ALTER USER %s ATTRIBUTE %s" % (who, text(proof)))

    def revoke(self, who, label, found, wanted):
        """Revoke excess privileges; return whether there were any."""
        revoked = False
        for on in sorted(found):
            extra = found[on] - wanted.get(on, set())
            if extra and on == "":
                statements = ["REVOKE %s FROM %s" % (roles, who) for roles in sorted(extra)]
                self.change("roles of %s revoked" % label, *statements)
            elif extra:
                self.change(
                    "%s lost %s on %s" % (label, ", ".join(sorted(extra)), on),
                    "REVOKE %s ON %s FROM %s" % (listed(extra), on, who),
                )
            revoked = revoked or bool(extra)
        return revoked

    def grant(self, who, label, found, wanted):
        """Grant missing privileges."""
        for on in sorted(wanted):
            missing = wanted[on] - found.get(on, set())
            if missing:
                self.change(
                    "%s got %s on %s" % (label, ", ".join(sorted(missing)), on),
                    "GRANT %s ON %s TO %s" % (listed(missing), on, who),
                )

    def certificate(self, path):
        """Make the server reload its TLS files if it serves another certificate.

        Before 8.0.16 it can't; there the role certificates restarts it.
        """
        if self.version < (8, 0, 16):
            return
        openssl = self.module.get_bin_path("openssl", required=True)
        status, out, _err = self.module.run_command(
            [openssl, "x509", "-in", path, "-noout", "-enddate"]
        )
        if status:
            if self.module.check_mode:
                return
            self.module.fail_json(msg="%s can't be read as a certificate" % path)
        wanted = " ".join(out.strip().partition("=")[2].split())
        rows = self.client.query("SHOW GLOBAL STATUS LIKE 'Ssl_server_not_after'")
        served = " ".join(rows[0][1].split()) if rows and len(rows[0]) > 1 else ""
        if served != wanted:
            self.change("certificate read again", "ALTER INSTANCE RELOAD TLS")


def listed(privileges):
    """The privileges in GRANT's syntax."""
    words = []
    for privilege in sorted(privileges):
        name, bracket, column = privilege.partition("(")
        words.append("%s (%s)" % (name, identifier(column.rstrip(")"))) if bracket else name)
    return ", ".join(words)


def main():
    """Entry point of the module."""
    text_option = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "socket": {"type": "path", "required": True},
            "schemas": {"type": "list", "elements": "str", "default": []},
            "tables": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "schema": text_option,
                    "name": text_option,
                    "columns": {
                        "type": "list",
                        "elements": "dict",
                        "required": True,
                        "options": {"name": text_option, "type": text_option},
                    },
                    "keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
                },
            },
            "rows": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "schema": text_option,
                    "table": text_option,
                    "key": {"type": "str", "required": True, "no_log": False},
                    "values": {"type": "dict", "required": True},
                },
            },
            "accounts": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": text_option,
                    "hosts": {"type": "list", "elements": "str", "required": True},
                    "password": {"type": "str", "required": True, "no_log": True},
                    "grants": {
                        "type": "list",
                        "elements": "dict",
                        "required": True,
                        "options": {
                            "target": text_option,
                            "privileges": {"type": "list", "elements": "str", "required": True},
                        },
                    },
                },
            },
            "certificate": {"type": "path"},
        },
        supports_check_mode=True,
    )
    client = Client(module, module.params["socket"])
    if module.check_mode and not client.reachable():
        module.exit_json(changed=True, changes=["everything: there is no server yet"])
    site = Site(module, client)
    try:
        site.schemas(module.params["schemas"])
        for table in module.params["tables"]:
            site.table(table)
        for row in module.params["rows"]:
            site.row(row)
        site.strangers()
        for account in module.params["accounts"]:
            site.account(account)
        if module.params["certificate"]:
            site.certificate(module.params["certificate"])
    except RefusedError as refusal:
        module.fail_json(msg=str(refusal))
    module.exit_json(changed=bool(site.changes), changes=site.changes)


if __name__ == "__main__":
    main()
