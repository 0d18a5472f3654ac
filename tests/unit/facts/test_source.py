"""Facts are probed once, and who asked what is known."""

from __future__ import annotations

import pytest

from tests.unit.checks.subjects import FakeRunner, big_site
from tests.unit.sites import small_site
from ucontact_appliance.facts.runner import Completed
from ucontact_appliance.facts.source import FactSource, ProbeContext


def names(reach: ProbeContext) -> str:
    return reach.runner.run(["hostname"]).stdout


def breaks(reach: ProbeContext) -> str:
    reach.runner.run(["false"])
    raise TimeoutError("no answer")


def doubled(number: int) -> int:
    return 2 * number


@pytest.fixture
def source() -> FactSource:
    site = small_site()
    runner = FakeRunner(lambda argv: Completed(tuple(argv), 0, "one\n", "", 0.25))
    return FactSource(ProbeContext(site, site.hosts[0], runner))  # type: ignore[arg-type]


def test_each_look_keeps_what_was_said_to_the_host(source: FactSource) -> None:
    source.get(names)
    asked = source.asked()[0]
    (exchange,) = asked.look.exchanges
    assert (exchange.argv, exchange.status, exchange.stdout) == (("hostname",), 0, "one\n")
    assert asked.look.began is not None
    assert asked.look.began <= exchange.began


def test_a_probe_that_breaks_keeps_it_too(source: FactSource) -> None:
    with pytest.raises(TimeoutError):
        source.get(breaks)
    asked = source.asked()[0]
    assert isinstance(asked.error, TimeoutError)
    assert [exchange.argv for exchange in asked.look.exchanges] == [("false",)]


def test_a_witness_tells_its_own_questions_from_the_others(source: FactSource) -> None:
    one, two = source.witness(), source.witness()
    one.get(names)
    two.here(doubled, 2)
    two.get(names)
    assert one.sources() == ((names, ()),)
    assert two.sources() == ((doubled, (2,)), (names, ()))
    assert len(source.asked()) == len(one.asked()) == 2  # probed once, whoever asks


def test_a_command_without_an_answer_is_an_exchange_without_a_status() -> None:
    def hangs(_argv: object) -> Completed:
        raise TimeoutError("hostname: no answer within 10 s")

    site = small_site()
    source = FactSource(ProbeContext(site, site.hosts[0], FakeRunner(hangs)))  # type: ignore[arg-type]
    with pytest.raises(TimeoutError):
        source.get(names)
    (exchange,) = source.asked()[0].look.exchanges
    assert (exchange.status, exchange.stderr) == (None, "hostname: no answer within 10 s")


def test_a_fact_of_another_host_is_read_by_that_hosts_runner() -> None:
    site = big_site()
    here, other = (
        FakeRunner(lambda argv, name=name: Completed(tuple(argv), 0, name, "", 0.1))
        for name in ("here", "other")
    )
    first, second = (host.name for host in site.hosts[:2])
    runners = {first: here, second: other}
    reach = ProbeContext(site, site.hosts[0], here, runners=runners)  # type: ignore[arg-type]
    assert reach.runner_on(first).run(["hostname"]).stdout == "here"
    assert reach.runner_on(second).run(["hostname"]).stdout == "other"


def test_what_is_asked_of_the_same_host_is_recorded_however_it_is_named(source: FactSource) -> None:
    def by_name(reach: ProbeContext) -> str:
        return reach.runner_on(reach.host.name).run(["hostname"]).stdout

    source.get(by_name)
    assert len(source.asked()[0].look.exchanges) == 1
