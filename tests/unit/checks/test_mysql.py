from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from tests.unit.facts.outputs import recorded
from ucontact_appliance.checks import mysql, mysql_accounts, mysql_settings
from ucontact_appliance.checks.model import Verdict
from ucontact_appliance.clients.mysql import MysqlRefusal
from ucontact_appliance.facts.mysql import Audit, MysqlAccount, ServerView, parse_audit
from ucontact_appliance.resources import load_data

TODAY = date(2026, 11, 23)
TABLE = load_data("database")
GOOD = ServerView(
    refused="",
    version="9.7.4-2",
    tls="TLSv1.3 TLS_AES_128_GCM_SHA256",
    schemas=frozenset({"ccdata", "ccrepo", "information_schema", "performance_schema"}),
    columns=frozenset(
        (table["schema"], table["name"], column["name"])
        for table in TABLE["tables"]
        for column in table["columns"]
    ),
    variables={
        "innodb_buffer_pool_size": "469762048",
        "max_connections": "100",
        "require_secure_transport": "ON",
        "local_infile": "OFF",
        "skip_name_resolve": "ON",
        "tls_version": "TLSv1.2,TLSv1.3",
        "secure_file_priv": "/var/lib/mysql-files/",
    },
)


def audited() -> Audit:
    return parse_audit(recorded("mysql_audit-sid"))


def with_account(account: MysqlAccount) -> Audit:
    found = audited()
    return replace(found, accounts=(*found.accounts, account))


def test_everything_passes_on_what_the_role_makes() -> None:
    judged = [
        mysql.judge_login(GOOD),
        mysql.judge_version(GOOD, TODAY),
        mysql.judge_schemas(GOOD),
        mysql.judge_tables(GOOD),
        mysql_accounts.judge_plaintext(MysqlRefusal(1045, "Access denied")),
        mysql_accounts.judge_accounts(audited()),
        mysql_accounts.judge_grants(audited()),
        mysql_settings.judge_memory(GOOD, 448),
        mysql_settings.judge_connections(GOOD, 100),
        mysql_settings.judge_settings(GOOD),
    ]
    assert [j.verdict for j in judged] == [Verdict.PASS] * len(judged), judged


def test_refused_login_shows_the_servers_words() -> None:
    found = mysql.judge_login(ServerView(refused="1045: Access denied for user 'doctor'"))
    assert found.verdict is Verdict.FAIL
    assert "Access denied" in found.evidence


@pytest.mark.parametrize(
    ("version", "verdict", "said"),
    [
        ("5.7.44", Verdict.PASS, "support ended on 2023-10-31"),
        ("8.0.45-0ubuntu0.24.04.1", Verdict.PASS, "support ended on 2026-04-30"),
        ("8.4.6", Verdict.PASS, "supported until 2032-04-30"),
        ("9.7.4-2", Verdict.PASS, "supported"),
        ("9.1.0", Verdict.PASS, "end of support unknown"),
        ("5.6.51", Verdict.FAIL, "5.6.51"),
        ("10.5.29-MariaDB", Verdict.FAIL, "MariaDB"),
    ],
)
def test_versions(version: str, verdict: Verdict, said: str) -> None:
    found = mysql.judge_version(replace(GOOD, version=version), TODAY)
    assert found.verdict is verdict
    assert said in found.observed


def test_missing_schema_is_named() -> None:
    found = mysql.judge_schemas(replace(GOOD, schemas=frozenset({"ccdata"})))
    assert found.verdict is Verdict.FAIL
    assert found.observed == "ccrepo missing"


def test_missing_column_and_table_are_named() -> None:
    gone = {("ccdata", "cdr", "recording")}
    found = mysql.judge_tables(replace(GOOD, columns=GOOD.columns - gone))
    assert found.verdict is Verdict.FAIL
    assert found.observed == "missing: ccdata.cdr.recording"
    only_cdr = frozenset(row for row in GOOD.columns if row[1] == "cdr")
    assert "ccrepo.site_info" in mysql.judge_tables(replace(GOOD, columns=only_cdr)).observed


def test_plaintext_that_is_let_in_fails() -> None:
    assert mysql_accounts.judge_plaintext(MysqlRefusal(0, "let in")).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        (1045, Verdict.PASS),
        (3159, Verdict.PASS),
        (2013, Verdict.SKIP),
        (2061, Verdict.SKIP),
        (1040, Verdict.SKIP),
        (-1, Verdict.SKIP),
    ],
)
def test_only_the_servers_own_refusal_counts(number: int, verdict: Verdict) -> None:
    judged = mysql_accounts.judge_plaintext(MysqlRefusal(number, "words"))
    assert judged.verdict is verdict
    assert str(number) in judged.evidence


@pytest.mark.parametrize("absent", TABLE["grants"])
def test_an_account_that_is_not_there_has_no_grants_as_planned(absent: str) -> None:
    text = recorded("mysql_audit-sid")
    left = "\n".join(line for line in text.splitlines() if f"TO `{absent}`@" not in line)
    judged = mysql_accounts.judge_grants(parse_audit(left))
    assert (judged.verdict, judged.observed) == (Verdict.FAIL, f"{absent} is missing")


@pytest.mark.parametrize("kept", [True, False])
def test_an_error_among_the_grants_is_the_grants_fault_alone(kept: bool) -> None:
    error = "ERROR 1141 (42000) at line 2: There is no such grant defined for user 'integra'"
    text = recorded("mysql_audit-sid")
    head = text.partition("---- grants")[0]
    found = parse_audit(f"{text if kept else head + '---- grants'}\n{error}\n")
    judged = mysql_accounts.judge_grants(found)
    assert (judged.verdict, judged.evidence) == (Verdict.FAIL, error)
    assert mysql_accounts.judge_accounts(found).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("account", "said"),
    [
        (MysqlAccount("", "localhost", "caching_sha2_password", "", False), "anonymous"),
        (MysqlAccount("root", "%", "caching_sha2_password", "ANY", False), "root@%"),
        (
            MysqlAccount("root", "localhost", "caching_sha2_password", "", False),
            "root@localhost uses",
        ),
        (MysqlAccount("asterisk", "%", "caching_sha2_password", "ANY", False), "from anywhere"),
        (MysqlAccount("integra", "10.0.0.1", "caching_sha2_password", "", False), "without TLS"),
        (MysqlAccount("doctor", "10.0.0.1", "caching_sha2_password", "ANY", True), "locked"),
    ],
)
def test_bad_accounts(account: MysqlAccount, said: str) -> None:
    found = mysql_accounts.judge_accounts(with_account(account))
    assert found.verdict is Verdict.FAIL
    assert said in found.observed
    assert found.remedy == ""  # the installation mends these


def test_missing_account_is_named() -> None:
    found = audited()
    left = tuple(account for account in found.accounts if account.user != "asterisk")
    assert (
        "asterisk is missing"
        in mysql_accounts.judge_accounts(replace(found, accounts=left)).observed
    )


def test_strangers_account_is_told_and_not_ours_to_mend() -> None:
    secure = MysqlAccount("backup", "10.0.0.9", "caching_sha2_password", "ANY", False)
    found = mysql_accounts.judge_accounts(with_account(secure))
    assert found.verdict is Verdict.WARN
    assert "SHOW GRANTS FOR 'backup'@'10.0.0.9'" in found.remedy
    plain = mysql_accounts.judge_accounts(with_account(replace(secure, ssl_type="")))
    assert plain.verdict is Verdict.FAIL
    assert "ALTER USER 'backup'@'10.0.0.9' REQUIRE SSL" in plain.remedy
    role = replace(secure, ssl_type="", locked=True)
    assert mysql_accounts.judge_accounts(with_account(role)).verdict is Verdict.WARN


def test_unreadable_accounts_fail_with_the_words() -> None:
    found = Audit((), error="ERROR 2002 (HY000): Can't connect")
    for judged in (mysql_accounts.judge_accounts(found), mysql_accounts.judge_grants(found)):
        assert judged.verdict is Verdict.FAIL
        assert "2002" in judged.evidence


def test_too_wide_and_too_narrow_grants() -> None:
    found = audited()
    wide = {**found.grants["integra@127.0.0.1"], "*.*": frozenset({"DROP"})}
    narrow = {"ccdata.cdr": frozenset({"SELECT"})}
    role = {**found.grants["doctor@127.0.0.1"], "": frozenset({"ROLE admin@%"})}
    grants = {
        "integra@127.0.0.1": wide,
        "asterisk@127.0.0.1": narrow,
        "doctor@127.0.0.1": role,
    }
    judged = mysql_accounts.judge_grants(replace(found, grants=grants))
    assert judged.verdict is Verdict.FAIL
    assert "integra@127.0.0.1 has unplanned DROP on *.*" in judged.observed
    assert "asterisk@127.0.0.1 lacks INSERT on ccdata.cdr" in judged.observed
    assert "doctor@127.0.0.1 has unplanned ROLE admin@% on roles" in judged.observed


@pytest.mark.parametrize(("planned", "verdict"), [(448, "pass"), (440, "pass"), (320, "fail"), (512, "fail")])  # fmt: skip # noqa: E501
def test_buffer_pool_may_be_rounded_up_a_little(planned: int, verdict: str) -> None:
    assert mysql_settings.judge_memory(GOOD, planned).verdict.value == verdict


def test_connections_other_than_planned_fail() -> None:
    assert mysql_settings.judge_connections(GOOD, 200).verdict is Verdict.FAIL


def test_each_loose_setting_is_named_with_its_reason() -> None:
    for name in TABLE["settings"]:
        loose = replace(GOOD, variables={**GOOD.variables, name: "other"})
        found = mysql_settings.judge_settings(loose)
        assert found.verdict is Verdict.FAIL
        assert found.observed.startswith(f"{name}=other: ")


def test_old_servers_are_not_asked_for_tls_1_3() -> None:
    old = replace(GOOD, version="5.7.44", variables={**GOOD.variables, "tls_version": "TLSv1.2"})
    assert mysql_settings.judge_settings(old).verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("greeted", "seconds", "verdict"),
    [(True, 0.1, Verdict.PASS), (True, 2.5, Verdict.FAIL), (False, 0.0, Verdict.FAIL)],
)
def test_a_server_that_stalls_does_not_answer(
    greeted: bool, seconds: float, verdict: Verdict
) -> None:
    assert mysql.judge_answers(greeted, seconds, 3306).verdict is verdict
