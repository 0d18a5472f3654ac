from __future__ import annotations

from tests.unit.facts.outputs import recorded
from ucontact_appliance.facts.mysql import parse_audit, parse_grants, single_privileges


def test_accounts_and_grants_as_recorded() -> None:
    found = parse_audit(recorded("mysql_audit-sid"))
    assert not found.error
    accounts = {account.label: account for account in found.accounts}
    assert accounts["asterisk@127.0.0.1"].ssl_type == "ANY"
    assert accounts["root@localhost"].plugin == "auth_socket"
    assert accounts["mysql.sys@localhost"].locked
    assert not accounts["doctor@127.0.0.1"].locked
    assert found.grants["asterisk@127.0.0.1"] == {
        "ccdata.cdr": frozenset({"SELECT", "INSERT"}),
        "ccdata.cdr_open": frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"}),
        "ccdata.cel": frozenset({"SELECT", "INSERT"}),
        "ccdata.queue_log": frozenset({"SELECT", "INSERT"}),
        "ccdata.queue_members": frozenset({"SELECT", "UPDATE"}),
        "ccdata.queues": frozenset({"SELECT"}),
        "ccdata.recordings": frozenset({"SELECT", "INSERT"})
        | {f"UPDATE({one})" for one in ("agent", "deleted", "dst", "linkedid", "queue", "src")},
    }
    assert found.grants["doctor@127.0.0.1"]["ccdata.*"] == frozenset({"REFERENCES"})
    assert "SELECT(uniqueid)" in found.grants["doctor@127.0.0.1"]["ccdata.cdr"]


def test_server_that_is_down_is_told_in_its_own_words() -> None:
    words = "ERROR 2002 (HY000): Can't connect to local MySQL server through socket"
    found = parse_audit(f"---- accounts\n{words}\n!failed\n---- grants\n{words}\n")
    assert found.error == words
    assert not found.accounts


def test_grants_of_mysql_5_7_and_roles() -> None:
    found = parse_grants(
        [
            "GRANT USAGE ON *.* TO 'doctor'@'%' REQUIRE SSL",
            "GRANT ALL PRIVILEGES ON `ccrepo`.* TO 'doctor'@'%' WITH GRANT OPTION",
            "GRANT `admin`@`%` TO `doctor`@`%`",
        ]
    )
    assert found["doctor@%"] == {
        "ccrepo.*": frozenset({"ALL PRIVILEGES", "GRANT OPTION"}),
        "": frozenset({"ROLE admin@%"}),
    }


def test_privileges_are_told_apart() -> None:
    assert single_privileges("SELECT (`a`, `b`), INSERT, CREATE TEMPORARY TABLES") == {
        "SELECT(a)",
        "SELECT(b)",
        "INSERT",
        "CREATE TEMPORARY TABLES",
    }
    assert single_privileges("USAGE") == frozenset()
