"""Carrying data from one server to another, here from one folder to another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from ucontact_appliance.errors import PhaseFailedError, UnreachableError
from ucontact_appliance.facts.runner import ANSWER_BYTES, Completed, LocalRunner, SshSettings
from ucontact_appliance.moving import carry as moves
from ucontact_appliance.moving.carry import (
    MoveEndpoints,
    _carry,
    demand_room,
    demand_sources,
    load_places,
    settle,
)
from ucontact_appliance.moving.stores import STORES, Store, store_of
from ucontact_appliance.planning.model import Role
from ucontact_appliance.planning.moves import DataLocation, DataMove
from ucontact_appliance.site.model import Host

ONE = Host(name="one", address="192.0.2.1")
TWO = Host(name="two", address="192.0.2.2")
MOVE = DataMove(Role.TELEPHONY, ONE, "a", TWO)
ENDS = MoveEndpoints(LocalRunner(), LocalRunner(), (LocalRunner(),))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The recordings' store, from the folder `old` to the folder `new`."""
    old, new = tmp_path / "old", tmp_path / "new"
    (old / "2026").mkdir(parents=True)
    (old / "2026" / "call one.gsm").write_bytes(b"\x00" * 3300)
    (old / "empty.gsm").write_bytes(b"")
    new.mkdir()
    recordings = store_of(Role.TELEPHONY)
    root = "/var/spool/asterisk/monitor"

    def at(folder: Path, script: str) -> str:
        return script.replace(root, str(folder))

    return replace(
        recordings,
        there=at(old, recordings.there),
        room=str(old),
        pack=at(old, recordings.pack),
        unpack=at(new, recordings.unpack),
        proof=at(old, recordings.proof),
        verify=at(new, recordings.verify),
        writers=(),
        units=(),
    )


def test_what_arrives_is_what_left(store: Store, tmp_path: Path) -> None:
    steps: list[str] = []
    assert "moved from one to two, and proved" in _carry(ENDS, MOVE, store, steps.append)
    assert (tmp_path / "new" / "2026" / "call one.gsm").read_bytes() == b"\x00" * 3300
    assert (tmp_path / "old" / "empty.gsm").exists()
    assert [step.split()[0] for step in steps] == ["Stop", "Copy", "Verify", "Retire"]


def test_what_is_there_already_stays(store: Store, tmp_path: Path) -> None:
    (tmp_path / "new" / "newer.gsm").write_bytes(b"1")
    _carry(ENDS, MOVE, store, str)
    assert (tmp_path / "new" / "newer.gsm").read_bytes() == b"1"


def test_a_stream_that_breaks_off_is_a_failure(store: Store) -> None:
    broken = replace(store, pack=f"{store.pack} | head -c 2000; exit 3")
    with pytest.raises(PhaseFailedError, match="copying the recordings failed"):
        _carry(ENDS, MOVE, broken, str)


def test_what_arrived_otherwise_is_a_failure(store: Store, tmp_path: Path) -> None:
    spoilt = replace(store, unpack=f"{store.unpack}; echo x >> {tmp_path}/new/empty.gsm")
    with pytest.raises(PhaseFailedError, match="differs from the data on one") as caught:
        _carry(ENDS, MOVE, spoilt, str)
    assert "empty.gsm" in caught.value.evidence


class Full(LocalRunner):
    """A server without a free block."""

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 10.0,
        stdin: str | None = None,
        limit: int = ANSWER_BYTES,
    ) -> Completed:
        return Completed(tuple(argv), 0, "0\n", "", 0.0)


def test_no_room_stops_nothing(store: Store) -> None:
    steps: list[str] = []
    with pytest.raises(PhaseFailedError, match="does not fit on two"):
        _carry(replace(ENDS, target=Full()), MOVE, store, steps.append)
    assert steps == []


def test_room_is_judged_before_an_install_changes_anything(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def reached(host: Host, ssh: SshSettings) -> Iterator[LocalRunner]:
        yield LocalRunner() if host.name == "one" else target

    ssh = SshSettings(Path("known_hosts"))
    monkeypatch.setattr(moves, "runner_for", reached)
    monkeypatch.setattr(moves, "store_of", lambda role: store)
    target = LocalRunner()
    demand_room([MOVE], ssh)
    target = Full()
    with pytest.raises(PhaseFailedError, match="does not fit on two"):
        demand_room([MOVE], ssh)
    monkeypatch.setattr(moves, "store_of", lambda role: replace(store, there="false"))
    demand_room([MOVE], ssh)


def test_where_nothing_is_nothing_moves(store: Store) -> None:
    assert "there is none on one" in _carry(ENDS, MOVE, replace(store, there="false"), str)


def test_a_server_that_is_gone_is_told_with_the_way_out(tmp_path: Path) -> None:
    gone = replace(MOVE, source=Host(name="one", address="127.0.0.1", port=1))
    with pytest.raises(UnreachableError) as caught:
        demand_sources([gone], SshSettings(tmp_path / "known_hosts"), tmp_path / "site.yml")
    assert caught.value.what.endswith("(127.0.0.1) is unreachable")
    assert "--abandon telephony" in caught.value.helps


def test_another_server_in_the_old_ones_place_is_told(tmp_path: Path) -> None:
    here = replace(MOVE, source=Host(name="one", address="local"), machine="of another server")
    with pytest.raises(UnreachableError, match="is a different server now"):
        demand_sources([here], SshSettings(tmp_path / "known_hosts"), tmp_path / "site.yml")


def test_places_are_remembered_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "places.json"
    assert load_places(path) == {}
    settle(path, Role.DATABASE, DataLocation(ONE, "a"))
    settle(path, Role.TELEPHONY, DataLocation(ONE, "a"))
    settle(path, Role.DATABASE, DataLocation(TWO, "b"))
    assert load_places(path) == {
        Role.DATABASE: DataLocation(TWO, "b"),
        Role.TELEPHONY: DataLocation(ONE, "a"),
    }


def test_a_damaged_list_of_places_is_told(tmp_path: Path) -> None:
    path = tmp_path / "places.json"
    path.write_text('{"database": {}}')
    with pytest.raises(UnreachableError, match="list of the site's data locations"):
        load_places(path)


def test_every_role_has_a_store() -> None:
    assert {store.role for store in STORES} == set(Role)
