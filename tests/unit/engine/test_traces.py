from collections.abc import Sequence

import pytest

from tests.unit.checks.subjects import FakeRunner
from ucontact_appliance.engine.traces import remove_call_traces
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.call import CallTraces
from ucontact_appliance.facts.runner import Completed

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
