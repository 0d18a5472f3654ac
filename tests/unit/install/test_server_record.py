"""What a server records of its newest installation, and who is refused by it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.unit.sites import small_site
from ucontact_appliance.errors import UnreachableError, UsageError
from ucontact_appliance.install.server_record import (
    KnownRuns,
    ServerRecord,
    load_known_runs,
    new_record,
    parse_record,
    refuse_unknown,
    remember_run,
)

SITE_FILE = Path("site.yml")
TRUNK = {"name": "provider", "host": "sip.example.com", "username": "acme-account"}


def test_a_record_comes_back_as_it_was_written() -> None:
    record = new_record(small_site(), "laptop", 7)
    assert parse_record(record.encoded(), small_site().hosts[0]) == record
    assert parse_record("-", small_site().hosts[0]) is None


def test_a_record_has_neither_paths_nor_accounts() -> None:
    hosts = [{"name": "one", "address": "192.0.2.10", "user": "installer", "key": "/root/key"}]
    site = small_site(hosts=hosts, telephony={"trunks": [TRUNK]})
    text = new_record(site, "laptop", 1).model_dump_json()
    for private in ("installer", "/root/key", "acme-account"):
        assert private not in text
    assert "192.0.2.10" in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64!",
        base64.b64encode(b"{").decode(),
        base64.b64encode(b"{}").decode(),
        base64.b64encode(b"\x00" * 2_000_000).decode(),
    ],
)
def test_a_damaged_record_is_an_error_with_the_way_out(text: str) -> None:
    with pytest.raises(UnreachableError, match=r"installation\.json, can't be read") as caught:
        parse_record(text, small_site().hosts[0])
    assert "mv /var/lib/ucontact/installation.json" in caught.value.helps
    assert caught.value.evidence


def refused(found: ServerRecord, known: KnownRuns, **site: object) -> UsageError:
    here = small_site(**site)
    with pytest.raises(UsageError) as caught:
        refuse_unknown(here.hosts[0], found, known, here, SITE_FILE)
    return caught.value


def test_a_run_that_is_known_here_lets_everything_pass(tmp_path: Path) -> None:
    path = tmp_path / "demo" / "runs.json"
    first, second = (new_record(small_site(agents=agents), "laptop", 1) for agents in (10, 20))
    for record in (first, second):
        remember_run(path, record)
    assert path.stat().st_mode & 0o777 == 0o600
    for found in (first, second):  # a server that was put back to an earlier state, too
        refuse_unknown(small_site().hosts[0], found, load_known_runs(path), small_site(), SITE_FILE)


def test_an_older_site_file_is_refused_with_what_it_would_take_away() -> None:
    there = small_site(telephony={"extensions": ["6001", "6002", "6003"]})
    error = refused(new_record(there, "laptop-2", 4), KnownRuns())
    assert "newer installation" in error.what
    assert "run 4 of " in error.evidence
    assert "laptop-2" in error.evidence
    assert "-  - '6003'" in error.evidence
    assert "ucontact install --site site.yml --replace-newer" in error.helps
    assert error.exit_code == 2


def test_the_same_site_file_from_elsewhere_is_refused_too() -> None:
    error = refused(new_record(small_site(), "laptop-2", 1), KnownRuns())
    assert "its site.yml is the same" in error.evidence
    assert f"ucontact adopt {small_site().hosts[0].address}" in error.helps


def test_a_server_of_another_site_is_refused() -> None:
    error = refused(new_record(small_site(site="other"), "laptop-2", 1), KnownRuns())
    assert "belongs to the site other" in error.what


def test_a_long_difference_is_bounded() -> None:
    many = [f"{number}" for number in range(6000, 6500)]
    there = small_site(telephony={"extensions": many})
    error = refused(new_record(there, "laptop-2", 1), KnownRuns())
    assert len(error.evidence.splitlines()) < 70
    assert "more lines" in error.evidence


@pytest.mark.parametrize("text", ["", "{", json.dumps({"runs": [{"run": "x"}]})])
def test_a_damaged_list_of_runs_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "runs.json").write_text(text)
    with pytest.raises(UnreachableError, match=r"runs\.json, can't be read"):
        load_known_runs(tmp_path / "runs.json")
