"""MySQL comes to what the site needs, keeps what is there, and is judged by what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import MachineFactory
from tests.e2e.packages import packages_layer
from tests.e2e.services import Service, service
from tests.e2e.small import Small
from ucontact_appliance.site.secrets import Secrets

pytestmark = pytest.mark.machine


@pytest.fixture(scope="module")
def database(machine_factory: MachineFactory, tmp_path_factory: pytest.TempPathFactory) -> Service:
    folder = tmp_path_factory.mktemp("site")
    return service(machine_factory(layers=packages_layer()), folder, "database", "mysql")


def sql(database: Service, statement: str) -> str:
    """What MySQL answers to root on the machine."""
    return database.site.sh(f"mysql -N <<'SQL'\n{statement}\nSQL")


def test_everything_passes(database: Service) -> None:
    assert database.faults() == set()


def test_second_run_changes_nothing(database: Service) -> None:
    again = database.play()
    assert again.changed == 0, again.changed_names
    dry = database.play(check=True)
    assert dry.changed == 0, dry.changed_names


def test_no_password_is_left_behind(database: Service) -> None:
    for name, value in database.secrets.items():
        if not name.startswith("database."):
            continue
        left = database.site.sh(
            f"grep -rlaF {value} /var/lib/mysql /etc/mysql /var/log /root /tmp 2>/dev/null || true"
        )
        assert left == ""
        assert value not in database.site.sh("journalctl -b --no-pager")


def test_rows_stay_and_missing_columns_come_back(database: Service) -> None:
    sql(database, "INSERT INTO ccdata.cdr (uniqueid, src) VALUES ('kept', '6001')")
    sql(database, "ALTER TABLE ccdata.cdr DROP COLUMN recording")
    sql(database, "UPDATE ccrepo.site_info SET value = 'ours' WHERE name = 'site'")
    assert database.faults() == {"mysql.tables"}
    assert database.play().changed == 1
    assert sql(database, "SELECT uniqueid, src FROM ccdata.cdr").split() == ["kept", "6001"]
    assert sql(database, "SELECT value FROM ccrepo.site_info WHERE name = 'site'").strip() == "ours"
    assert database.faults() == set()


def test_changed_secret_changes_the_account_once(database: Service) -> None:
    changed = Secrets({**database.secrets, "database.accounts.doctor": "Another1Password2"})
    assert database.faults(changed) == {"mysql.login"}
    assert database.play(secrets=changed).changed == 1
    assert database.play(secrets=changed).changed == 0
    assert database.faults(changed) == set()
    assert database.play().changed == 1
    assert database.faults() == set()


def test_password_that_somebody_else_set_is_set_back(database: Service) -> None:
    sql(database, "ALTER USER 'doctor'@'127.0.0.1' IDENTIFIED BY 'by hand'")
    assert database.faults() == {"mysql.login"}
    assert database.play().changed == 1
    assert database.faults() == set()


_FAULTS = (
    ("DROP DATABASE ccrepo", {"mysql.schemas"}),
    ("CREATE USER ''@'localhost'", {"mysql.accounts"}),
    (
        "CREATE USER 'asterisk'@'%' IDENTIFIED BY 'x' REQUIRE SSL",
        {"mysql.accounts", "mysql.grants"},
    ),
    ("ALTER USER 'integra'@'127.0.0.1' REQUIRE NONE", {"mysql.accounts"}),
    (
        "ALTER USER root@localhost IDENTIFIED WITH caching_sha2_password BY ''",
        {"mysql.accounts"},
    ),
    ("GRANT ALL ON *.* TO 'integra'@'127.0.0.1' WITH GRANT OPTION", {"mysql.grants"}),
    ("REVOKE INSERT ON ccdata.cdr FROM 'asterisk'@'127.0.0.1'", {"mysql.grants"}),
)


def test_each_fault_is_found_and_all_are_mended_in_one_run(database: Service) -> None:
    known: dict[str, str] = {}
    for fault, faults in _FAULTS:
        sql(database, fault)
        found = database.findings()
        told = {id: found[id].observed + found[id].evidence for id in database.faults()}
        # Beside the earlier ones: each is named by a new check, or by new words of a known one.
        assert set(told) == known.keys() | faults
        assert all(told[id] != known.get(id) for id in faults), fault
        known = told
    database.play()
    assert database.faults() == set()
    assert database.play().changed == 0


@pytest.mark.parametrize(
    ("fault", "faults"),
    [
        # Those of the long tier are global variables as in the last one.
        pytest.param(
            "SET GLOBAL local_infile = ON", {"mysql.settings"}, marks=pytest.mark.exhaustive
        ),
        ("SET PERSIST innodb_buffer_pool_size = 67108864", {"mysql.memory"}),
        pytest.param(
            "SET GLOBAL max_connections = 7", {"mysql.connections"}, marks=pytest.mark.exhaustive
        ),
        pytest.param(
            "SET GLOBAL ssl_cipher = 'AES128-GCM-SHA256'; ALTER INSTANCE RELOAD TLS",
            {"mysql.protocols"},
            marks=pytest.mark.exhaustive,
        ),
        (
            "SET GLOBAL require_secure_transport = OFF;"
            " ALTER USER 'doctor'@'127.0.0.1' REQUIRE NONE",
            {"mysql.settings", "mysql.accounts", "mysql.plaintext"},
        ),
    ],
)
def test_what_was_set_at_run_time_is_found_and_gone_after_the_remedy(
    database: Service, fault: str, faults: set[str]
) -> None:
    sql(database, fault)
    assert database.faults() == faults
    for found in faults - {"mysql.accounts", "mysql.plaintext"}:
        assert "RESET PERSIST'; systemctl restart mysql" in database.findings()[found].remedy
    database.site.sh("mysql -e 'RESET PERSIST'; systemctl restart mysql")
    database.play()
    assert database.faults() == set()


def test_stopped_service_is_named_with_what_helps(database: Service) -> None:
    database.site.sh("systemctl stop mysql")
    assert database.faults() == {"mysql.service"}
    assert database.findings()["mysql.service"].remedy.endswith("systemctl restart mysql")
    database.site.sh("systemctl restart mysql")
    assert database.faults() == set()


def test_bad_configuration_never_replaces_a_good_one(database: Service) -> None:
    before = database.site.sh("cat /etc/mysql/ucontact.cnf")
    variables = database.site.inventory["all"]["vars"]
    variables["database_tls_ca"] = "/etc/ssl/ucontact/ca.pem\nno_such_option = 1"
    try:
        with pytest.raises(AssertionError, match="no_such_option"):
            database.play()
    finally:
        del variables["database_tls_ca"]
    assert database.site.sh("cat /etc/mysql/ucontact.cnf") == before
    assert database.faults() == set()


def test_interrupted_installation_is_finished(database: Service) -> None:
    database.site.sh("touch /etc/mysql/ucontact.cnf")  # written, and MySQL not restarted
    assert len(database.play().changed_names) == 1
    assert database.play().changed == 0
    assert database.faults() == set()


def test_new_certificate_is_served_without_a_restart(database: Service) -> None:
    started = "systemctl show -p ExecMainStartTimestampMonotonic mysql"
    before = database.site.sh(started)
    expiry = "SHOW GLOBAL STATUS LIKE 'Ssl_server_not_after'"
    served = sql(database, expiry)
    database.site.sh(
        "cd /etc/ssl/ucontact && cp internal.pem /root/kept.pem && openssl req -x509"
        " -key private/internal.key -subj /CN=short -days 3 -out internal.pem"
    )
    assert database.play().changed == 1
    assert sql(database, expiry) != served
    database.site.sh("cp /root/kept.pem /etc/ssl/ucontact/internal.pem")
    assert database.play().changed == 1
    assert sql(database, expiry) == served
    assert database.site.sh(started) == before


@pytest.mark.exhaustive
def test_server_of_the_package_comes_to_the_same(
    machine_factory: MachineFactory, tmp_path: Path
) -> None:
    """The way of Ubuntu, whose package brings the unit; run with Debian's package of that kind."""

    def packaged(site: Small) -> None:
        for host in site.inventory["all"]["hosts"].values():
            host["own_packages"] = {"mysql": ["mysql-server"]}

    made = service(machine_factory("sid"), tmp_path, "database", "mysql", packaged)
    assert made.faults() == set()
    again = made.play()
    assert again.changed == 0, again.changed_names
    assert "ucontact.cnf" not in made.site.sh("systemctl cat mysql")


@pytest.mark.exhaustive
def test_old_rows_are_deleted_but_none_of_a_held_call(database: Service) -> None:
    """Of 1,203 old calls one is under legal hold; a lock of somebody else's is waited for."""
    sql(
        database,
        """USE ccdata;
        INSERT INTO recordings
        (path, uniqueid, linkedid, started, bytes, sha256, indexed, legal_hold)
        VALUES ('held', '1.1', '1.1', '2020-01-01', 1, '', '2020-01-01', 1),
               ('gone', '1.2', '1.2', '2020-01-01', 1, '', '2020-01-01', 0);
        UPDATE recordings SET deleted = '2020-06-01' WHERE path = 'gone';
        INSERT INTO cdr (calldate, uniqueid, linkedid) WITH RECURSIVE n (i) AS
        (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1203)
        SELECT /*+ SET_VAR(cte_max_recursion_depth = 2000) */ '2020-01-01', CONCAT('1.', i),
        CONCAT('1.', i) FROM n;
        INSERT INTO cdr (calldate, uniqueid) VALUES (UTC_TIMESTAMP() - INTERVAL 29 DAY, 'new');
        INSERT INTO cel (id, eventtime, uniqueid, linkedid) VALUES
        ('1', '2020-01-01', '1.1', '1.1'), ('2', '2020-01-01', '1.2', '1.2');
        INSERT INTO queue_log (id, time, callid) VALUES
        ('1', '2020-01-01', '1.1'), ('2', '2020-01-01', '1.2');
        INSERT INTO recording_access (time, user, source, recording, outcome)
        SELECT '2020-01-01', 's', '', id, 'granted' FROM recordings;""",
    )
    program = "/usr/local/lib/ucontact/row-retention.py"
    database.site.sh("""echo '{"calls": 30, "events": 30, "accesses": 30}' > /root/rows.json""")
    # Somebody holds the table for some seconds: the rows are deleted afterwards.
    shown = database.site.sh(
        f"sed 's/^BUSY_SECONDS = .*/BUSY_SECONDS = 1/' {program} > /root/rows.py; "
        "(echo 'LOCK TABLES ccdata.cdr WRITE; SELECT SLEEP(5);' | mysql) >/dev/null & "
        f"sleep 1; python3 /root/rows.py /root/rows.json"
    )
    assert shown.splitlines() == [
        "cdr: 1202 rows deleted",
        "queue_log: 1 rows deleted",
        "cel: 1 rows deleted",
        "recording_access: 1 rows deleted",
    ]
    assert sql(database, "SELECT uniqueid FROM ccdata.cdr ORDER BY id").split() == ["1.1", "new"]
    for table in ("cel", "queue_log"):
        assert sql(database, f"SELECT id FROM ccdata.{table}").strip() == "1"
    read = "ccdata.recordings r JOIN ccdata.recording_access a ON a.recording = r.id"
    left = f"SELECT r.path FROM {read}"
    assert sql(database, left).strip() == "held"
    # The unit as it is installed: with all that its sandbox allows it.
    database.site.sh(
        """sed -i 's/"calls": 0/"calls": 29/' /etc/ucontact-row-retention.json && """
        "systemctl start ucontact-row-retention.service"
    )
    assert sql(database, "SELECT uniqueid FROM ccdata.cdr ORDER BY id").split() == ["1.1"]
    assert database.faults() == {"mysql.row_retention"}
    assert database.play().changed == 1
    assert database.faults() == set()
    assert database.play().changed == 0
    sql(database, "DELETE FROM ccdata.recordings; DELETE FROM ccdata.recording_access;")
