from collections.abc import Sequence

import pytest

from tests.unit.checks.subjects import FakeRunner
from tests.unit.facts.outputs import recorded
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.call import CallTraces
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.operate import traces
from ucontact_appliance.operate.traces import (
    marked_channels,
    marked_contacts,
    remove_call_traces,
    remove_marked,
)

_PATH = "/var/spool/asterisk/monitor/2026/11/23/20261123-020336_6001_*43_1795399416.3.gsm"


def _host(status: int = 0) -> tuple[FakeRunner, list[Sequence[str]]]:
    ran: list[Sequence[str]] = []

    def answer(argv: Sequence[str]) -> Completed:
        ran.append(argv)
        return Completed(tuple(argv), status, "", "said no", 0.0)

    return FakeRunner(answer), ran


def test_exactly_the_calls_own_recording_and_row_are_removed() -> None:
    (telephony, files), (database, queries) = _host(), _host()
    remove_call_traces(telephony, database, CallTraces("1795399416.3", _PATH), row=True)
    assert files == [["rm", "-f", "--", _PATH]]
    (query,) = queries
    assert query[-1] == "delete from ccdata.cdr where uniqueid = '1795399416.3'"


def test_without_a_recording_or_a_row_nothing_is_touched() -> None:
    (telephony, files), (database, queries) = _host(), _host()
    remove_call_traces(telephony, database, CallTraces("1795399416.3", ""), row=False)
    assert files == queries == []


@pytest.mark.parametrize(
    ("uniqueid", "path"),
    [
        ("", _PATH),
        ("1' or '1'='1", _PATH),
        ("1795399416.3", "/etc/passwd"),
        ("1795399416.3", "/var/spool/asterisk/monitor/../../../../etc/x_1795399416.3.gsm"),
        ("1795399416.3", "/var/spool/asterisk/monitor/2026/other_1795399416.4.gsm"),
        ("1795399416.3", "/var/spool/asterisk/monitor/a b_1795399416.3.gsm"),
    ],
)
def test_anything_else_is_refused_before_anything_runs(uniqueid: str, path: str) -> None:
    (telephony, files), (database, queries) = _host(), _host()
    with pytest.raises(ValueError, match="call"):
        remove_call_traces(telephony, database, CallTraces(uniqueid, path), row=True)
    assert files == queries == []


def test_a_refusal_of_the_host_is_told() -> None:
    (telephony, _), (database, _) = _host(1), _host()
    with pytest.raises(UnreachableError) as caught:
        remove_call_traces(telephony, database, CallTraces("1795399416.3", _PATH), row=True)
    assert "said no" in caught.value.evidence


_MARK = "0123456789ab"
_ROW = "PJSIP/6001-00000003!internal!*43!4!Up!Echo!!6001!{}!!3!2!!1795399416.3\n"
_KEY = "6001;@ded7e91f711db8ad691565f2279f861a"


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "_WRITING_SECONDS", 0.0)


def _telephony(
    channels: list[str], contacts: str = "", deleted: str = "", held_back: int = 0
) -> tuple[FakeRunner, list[str]]:
    """A telephony host that shows those channels, one listing after the other, then none."""
    ran: list[str] = []

    def answer(argv: Sequence[str]) -> Completed:
        words = " ".join(argv)
        ran.append(words)
        text = ""
        if "show channels" in words:
            text = channels.pop(0) if channels else ""
        elif "database show" in words:
            text = contacts
        elif "cdr show status" in words:
            text = recorded("cdr_status-sid").replace(":         0 rec", f":  {held_back} rec")
        elif argv[0] == "find":
            text = deleted
        return Completed(tuple(argv), 0, text, "", 0.0)

    return FakeRunner(answer), ran


def _database(ids: str, status: int = 0) -> tuple[FakeRunner, list[str]]:
    ran: list[str] = []

    def answer(argv: Sequence[str]) -> Completed:
        ran.append(" ".join(argv))
        return Completed(tuple(argv), status, ids if "select" in ran[-1] else "", "", 0.0)

    return FakeRunner(answer), ran


def test_marked_channels_of_real_listings() -> None:
    trunk = recorded("trunk_test_channels-sid")
    assert list(marked_channels(trunk, _MARK).values()) == ["1795437207.45", "1795437207.46"]
    echo = recorded("marked_channels-sid")
    assert list(marked_channels(echo, "00000000abcd")) == ["PJSIP/6001-0000001f"]
    assert marked_channels(trunk + echo, "ffffffffffff") == {}


def test_the_contact_of_a_real_registration_is_found_by_the_mark_alone() -> None:
    shown = recorded("registrar_contacts-sid")
    assert marked_contacts(shown, "00000000abcd") == (_KEY,)
    assert marked_contacts(shown, "ffffffffffff") == ()
    assert marked_contacts("0 results found.", "00000000abcd") == ()


def test_everything_with_the_mark_is_taken_away_and_counted() -> None:
    shown = recorded("registrar_contacts-sid").replace("00000000abcd", _MARK)
    telephony, ran = _telephony([_ROW.format(f"{_MARK}main")], shown, "one.gsm\n")
    database, queries = _database("1795399416.3\n")
    found = remove_marked(telephony, database, _MARK)
    assert found.words == "1 call, 1 registration, 1 recording, 1 call record"
    assert "asterisk -rx channel request hangup PJSIP/6001-00000003" in ran
    assert f"asterisk -rx database del registrar/contact {_KEY}" in ran
    (find,) = [line for line in ran if line.startswith("find")]
    assert "( -name *_1795399416.3.* ) -print -delete" in find
    assert queries[-1].endswith(
        f"delete from ccdata.cdr where accountcode like '{_MARK}%' "
        f"or channel like 'Local/%m{_MARK}%'"
    )


@pytest.mark.parametrize(("held_back", "asked"), [(0, 0), (2, 1)])
def test_records_that_asterisk_holds_back_are_written_first(held_back: int, asked: int) -> None:
    telephony, ran = _telephony([], held_back=held_back)
    database, _ = _database("1795399416.3\n")
    assert remove_marked(telephony, database, _MARK).rows == 1
    assert ran.count("asterisk -rx cdr submit") == asked


def test_calls_that_bear_another_mark_or_none_are_let_alone() -> None:
    telephony, ran = _telephony([_ROW.format("") + _ROW.format("ffffffffffffmain")])
    database, queries = _database("")
    found = remove_marked(telephony, database, _MARK)
    assert found.words == "nothing was left"
    assert not [line for line in ran if "hangup" in line or "del" in line or "find" in line]
    assert len(queries) == 1


def test_a_record_that_names_no_call_deletes_no_file() -> None:
    telephony, ran = _telephony([])
    database, _ = _database("*\n..\n")
    remove_marked(telephony, database, _MARK)
    assert not [line for line in ran if line.startswith("find")]


def test_a_database_host_without_a_client_has_no_records_to_delete() -> None:
    telephony, _ = _telephony([])
    database, queries = _database("", 127)
    assert remove_marked(telephony, database, _MARK).rows == 0
    assert len(queries) == 1


@pytest.mark.parametrize("mark", ["", "%", "0123456789a", "0123456789AB", "0' or '1'='1"])
def test_what_is_no_mark_touches_nothing(mark: str) -> None:
    (telephony, ran), (database, queries) = _telephony([]), _database("")
    with pytest.raises(ValueError, match="mark"):
        remove_marked(telephony, database, mark)
    assert ran == queries == []
