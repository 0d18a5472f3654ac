"""MySQL."""

from __future__ import annotations

from tests.faults.catalogue.helpers import edit, ids, sql
from tests.faults.model import Fault, Kind

FAULTS = (
    Fault(
        "mysql-grant-wide",
        "the telephony server's account may do everything in ccdata",
        Kind.DATABASE,
        ids("mysql.grants"),
        inject="who=$(mysql -Ne \"select concat(quote(user), '@', quote(host)) from mysql.user "
        'where user = \'asterisk\'" | head -1) && mysql -e "GRANT ALL ON ccdata.* TO $who"',
    ),
    Fault(
        "mysql-account-dropped",
        "the telephony server's account is gone",
        Kind.DATABASE,
        ids("mysql.accounts mysql.grants"),
        inject="mysql -Ne \"select concat('drop user ', quote(user), '@', quote(host), ';') "
        "from mysql.user where user = 'asterisk'\" | mysql",
        also={"asterisk.records": "it is the account that call records are written with"},
    ),
    Fault(
        "mysql-account-plain",
        "the backend's account may come without TLS",
        Kind.DATABASE,
        ids("mysql.accounts"),
        inject="mysql -Ne \"select concat('alter user ', quote(user), '@', quote(host), "
        "' require none;') from mysql.user where user = 'integra'\" | mysql",
    ),
    Fault(
        "mysql-account-foreign",
        "an account that the appliance did not make may come from anywhere, without TLS",
        Kind.DATABASE,
        ids("mysql.accounts"),
        inject=sql("CREATE USER 'helper'@'%' IDENTIFIED BY 'Helper-2026'"),
        mend=sql("DROP USER 'helper'@'%'"),
    ),
    Fault(
        "mysql-password",
        "the password of the checks' account is another",
        Kind.DATABASE,
        ids("mysql.login"),
        inject="mysql -Ne \"select concat('alter user ', quote(user), '@', quote(host), "
        "' identified by ', quote('Other-2026!')) from mysql.user where user = 'doctor'\" | "
        "sed 's/$/;/' | mysql",
    ),
    Fault(
        "mysql-schema-dropped",
        "the schema ccdata is gone",
        Kind.DATABASE,
        ids("mysql.schemas"),
        inject=sql("DROP DATABASE ccdata"),
        also={"asterisk.records": "the table of call records went with it"},
    ),
    Fault(
        "mysql-table-dropped",
        "the table of call records is gone",
        Kind.DATABASE,
        ids("mysql.tables"),
        inject=sql("DROP TABLE ccdata.cdr"),
        also={"asterisk.records": "call records are written there"},
    ),
    Fault(
        "mysql-read-only",
        "the running server takes no writes",
        Kind.DATABASE,
        ids("mysql.writable"),
        inject=sql("SET GLOBAL super_read_only = ON"),
    ),
    Fault(
        "mysql-locked",
        "a session holds a lock that nobody can write past",
        Kind.DATABASE,
        ids("mysql.writable"),
        inject="systemd-run -q --unit=holder mysql -e "
        "'FLUSH TABLES WITH READ LOCK; SELECT SLEEP(3600)' && sleep 2",
        mend="systemctl stop holder",
    ),
    Fault(
        "mysql-connections",
        "the running server takes 20 connections only",
        Kind.DATABASE,
        ids("mysql.connections"),
        inject=sql("SET GLOBAL max_connections = 20"),
    ),
    Fault(
        "mysql-memory",
        "the running server has another buffer pool than the plan's",
        Kind.DATABASE,
        ids("mysql.memory"),
        inject=sql(
            "SET GLOBAL innodb_buffer_pool_size = @@innodb_buffer_pool_size + 1024*1024*1024"
        )
        + " && sleep 2",
    ),
    Fault(
        "mysql-plain",
        "nothing requires TLS any more: neither the server nor the account of the checks",
        Kind.DATABASE,
        ids("mysql.plaintext mysql.settings mysql.accounts"),
        inject=sql("SET GLOBAL require_secure_transport = OFF")
        + " && mysql -Ne \"select concat('alter user ', quote(user), '@', quote(host), "
        "' require none;') from mysql.user where user = 'doctor'\" | mysql",
    ),
    Fault(
        "mysql-port",
        "MySQL listens on another port",
        Kind.DATABASE,
        ids("ports.mysql"),
        inject=edit(
            "/etc/mysql/ucontact.cnf", "s/^port = .*/port = 3307/", "systemctl restart mysql"
        ),
        also={
            "mysql.login": "nothing answers on the port that services are told",
            "backend.schemas": "the backend finds no database",
        },
    ),
    Fault(
        "mysql-transport",
        "the running server no longer requires TLS",
        Kind.DATABASE,
        ids("mysql.settings"),
        inject=sql("SET GLOBAL require_secure_transport = OFF"),
    ),
    Fault(
        "mysql-protocols",
        "the running server has no cipher left for TLS 1.2 that suits its certificate",
        Kind.DATABASE,
        ids("mysql.protocols"),
        inject=sql("SET GLOBAL ssl_cipher = 'AES128-GCM-SHA256'; ALTER INSTANCE RELOAD TLS"),
    ),
)
