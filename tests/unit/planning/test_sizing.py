"""R12, R23 to R25, figure by figure from the specification."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sites import plan_for_agents, small_site
from ucontact_appliance.errors import UsageError
from ucontact_appliance.planning.host_resources import HostResources
from ucontact_appliance.planning.model import Plan, Rationale, Role, Size
from ucontact_appliance.planning.sizing import MOST_AGENTS, recording_mb, size_for
from ucontact_appliance.planning.tables import recordings
from ucontact_appliance.planning.topology import make_plan


@pytest.mark.parametrize(
    ("agents", "size", "servers"),
    [
        (1, Size.SMALL, 1),
        (29, Size.SMALL, 1),
        (30, Size.MEDIUM, 2),
        (499, Size.MEDIUM, 2),
        (500, Size.BIG, 3),
        (501, Size.BIG, 3),
        (5000, Size.BIG, 3),
    ],
)
def test_the_edges_of_r12(agents: int, size: Size, servers: int) -> None:
    plan = plan_for_agents(agents)
    assert plan.size is size
    assert len(plan.hosts) == servers


@pytest.mark.parametrize("agents", [0, -1, MOST_AGENTS + 1])
def test_nobody_can_be_sized_outside_the_range(agents: int) -> None:
    with pytest.raises(UsageError, match="a site has 1 to"):
        size_for(agents)


@given(st.integers(1, MOST_AGENTS))
def test_every_role_has_one_host_and_ranges_are_sane(agents: int) -> None:
    plan = plan_for_agents(agents)
    for role in Role:
        assert len(plan.carriers(role)) == 1
    tuning = plan.tuning
    assert tuning.telephony.rtp_start < tuning.telephony.rtp_end < tuning.stun.relay_start
    assert tuning.stun.relay_end <= 65535
    assert tuning.telephony.session_limit >= agents
    assert tuning.telephony.file_descriptors >= 10 * tuning.telephony.max_calls


@given(st.integers(1, MOST_AGENTS - 1))
def test_more_agents_never_get_less(agents: int) -> None:
    fewer, more = plan_for_agents(agents).tuning, plan_for_agents(agents + 1).tuning
    assert more.telephony.max_calls >= fewer.telephony.max_calls
    assert more.web.worker_connections >= fewer.web.worker_connections


@pytest.mark.parametrize(
    ("minutes", "audio", "video"),
    [(1, 0.1, 1.5), (10, 1.0, 20), (20, 2.8, 44), (30, 3.8, 100), (15, 1.9, 32), (0, 0, 0)],
)
def test_the_table_of_r25(minutes: float, audio: float, video: float) -> None:
    table = recordings()
    assert recording_mb(minutes, table.audio_mb) == pytest.approx(audio)
    assert recording_mb(minutes, table.video_mb) == pytest.approx(video)


def test_past_the_table_its_dearest_rate_holds() -> None:
    table = recordings()
    # dearest: 2.8 MB in 20 minutes of audio, 100 MB in 30 minutes of video
    assert recording_mb(60, table.audio_mb) == pytest.approx(3.8 + 30 * 0.14)
    assert recording_mb(60, table.video_mb) == pytest.approx(100 + 30 * 100 / 30)


@given(st.floats(0, 600), st.floats(0, 600))
def test_a_longer_recording_is_never_smaller(one: float, two: float) -> None:
    table = recordings().audio_mb
    short, long = sorted((one, two))
    assert recording_mb(short, table) <= recording_mb(long, table)


def test_hosts_that_do_not_fit_the_size_are_refused_with_the_number_needed() -> None:
    with pytest.raises(UsageError, match="which needs 2 servers"):
        make_plan(small_site(agents=30), {})


def test_the_database_of_a_medium_site_can_move_to_telephony() -> None:
    hosts = [{"name": "a", "address": "192.0.2.1"}, {"name": "b", "address": "192.0.2.2"}]
    for where, host in (("backend", "b"), ("telephony", "a")):
        site = small_site(agents=100, hosts=hosts, database_on=where)
        assert make_plan(site, {}).carriers(Role.DATABASE)[0].name == host


def test_memory_decides_buffer_pool_and_heap() -> None:
    little = make_plan(small_site(), {"one": HostResources(memory_mb=2048)}).tuning
    much = make_plan(small_site(), {"one": HostResources(memory_mb=65536)}).tuning
    assert little.database.buffer_pool_mb < much.database.buffer_pool_mb
    assert little.backend.heap_mb >= 256
    assert little.database.buffer_pool_mb + little.backend.heap_mb < 2048 / 2


def reason(plan: Plan, figure: str) -> Rationale:
    return next(row for row in plan.reasons if row.figure == figure)


def test_figures_of_a_hundred_agents_by_hand() -> None:
    plan = plan_for_agents(100)
    # R24: 100 x 256 kbit/s. R25: 100 agents talk 300 min a day in calls of 5 min at 0.5 MB.
    assert reason(plan, "network for voice").number == 25.6
    assert reason(plan, "recordings per day").number == 3.0
    assert reason(plan, "recordings kept").value == "270.00 GB"
    # GSM 06.10: 33 bytes each 20 ms, 99 kB a minute; 30000 minutes.
    assert "2.97 GB" in reason(plan, "recordings per day").because
    assert reason(plan, "simultaneous calls").number == 200


def test_video_calls_take_what_r23_and_r25_say() -> None:
    site = small_site(recordings={"video_share": 0.5})
    plan = make_plan(site, {})
    assert reason(plan, "network for video").number == 40.0  # 5 agents x 8 Mbit/s
    assert reason(plan, "network for voice").number == 1.28
    # 600 calls of 5 min: 0.5 MB of sound and, of half of them, 1.5 + (20 - 1.5) x 4 / 9 MB.
    assert reason(plan, "recordings per day").number == pytest.approx(3.217, abs=0.001)


def test_the_last_day_of_the_disk_is_told_where_it_was_seen() -> None:
    seen = make_plan(small_site(), {"one": HostResources(free_mb=25 * 1024)})
    assert reason(seen, "days until the disk is full").number == 89
    figures = {row.figure for row in make_plan(small_site(), {}).reasons}
    assert "days until the disk is full" not in figures


@given(st.integers(1, 10000))
def test_media_and_relays_never_share_a_port(agents: int) -> None:
    tuning = plan_for_agents(agents).tuning
    assert tuning.telephony.rtp_end < tuning.stun.relay_start
    assert tuning.stun.relay_end <= 65535


@given(st.integers(1, 10000))
def test_every_number_of_a_plan_is_for_programs_too(agents: int) -> None:
    assert all(row.number is not None for row in plan_for_agents(agents).reasons)
