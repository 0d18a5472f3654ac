"""The pure parts of the Ansible module `mysql_site`; the rest needs a server (tests/e2e)."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from ucontact_appliance.resources import INSTALLER


def load() -> ModuleType:
    path = INSTALLER / "plugins" / "modules" / "mysql_site.py"
    spec = importlib.util.spec_from_file_location("mysql_site", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MODULE = load()


def test_grants_are_read_and_written_alike() -> None:
    lines = [
        "GRANT USAGE ON *.* TO `doctor`@`127.0.0.1`",
        "GRANT REFERENCES ON `ccdata`.* TO `doctor`@`127.0.0.1`",
        "GRANT SELECT (`a`, `b`), INSERT ON `ccdata`.`cdr` TO `doctor`@`127.0.0.1`",
    ]
    wanted = [
        {"target": "ccdata.*", "privileges": ["REFERENCES"]},
        {"target": "ccdata.cdr", "privileges": ["INSERT", "SELECT(b, a)"]},
    ]
    assert MODULE.parse_grants(lines) == MODULE.wanted_grants(wanted)
    assert MODULE.listed({"SELECT(a)", "INSERT"}) == "INSERT, SELECT (`a`)"


def test_what_is_too_much_is_seen() -> None:
    found = MODULE.parse_grants(
        [
            "GRANT ALL PRIVILEGES ON *.* TO 'x'@'%' WITH GRANT OPTION",
            "GRANT `admin`@`%` TO `x`@`%`",
        ]
    )
    assert found == {"*.*": {"ALL PRIVILEGES", "GRANT OPTION"}, "": {"`admin`@`%`"}}


@pytest.mark.parametrize("name", ["a`b", "", "a b", "a;b", "x" * 65])
def test_strange_names_are_never_sent(name: str) -> None:
    with pytest.raises(MODULE.RefusedError):
        MODULE.identifier(name)


def test_strange_accounts_and_privileges_are_never_sent() -> None:
    with pytest.raises(MODULE.RefusedError):
        MODULE.account_of("a", "1'; DROP USER root; --")
    with pytest.raises(MODULE.RefusedError):
        MODULE.wanted_grants([{"target": "a.b", "privileges": ["SELECT ON *.* TO x; --"]}])
    with pytest.raises(MODULE.RefusedError):
        MODULE.text("line\nbreak")


def test_texts_are_quoted() -> None:
    assert MODULE.text("it's a \\ test") == "'it''s a \\\\ test'"


def test_hash_of_the_old_plug_in() -> None:
    # The manual's example for PASSWORD('password').
    assert MODULE.native_hash("password") == "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19"


def test_fingerprint_fits_one_password_and_one_stored_hash() -> None:
    proof = MODULE.fingerprint("right", "AB01")
    assert proof == MODULE.fingerprint("right", "AB01")
    assert proof != MODULE.fingerprint("wrong", "AB01")
    assert proof != MODULE.fingerprint("right", "AB02")
    assert "right" not in proof
