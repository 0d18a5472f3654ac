"""Stored facts: what comes back, what is never stored, and that no secret is in it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.unit.checks.subjects import FakeRunner
from tests.unit.sites import small_site
from ucontact_appliance import facts
from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.source import FactSource, NotStoredError, ProbeContext
from ucontact_appliance.facts.stored import Redaction, StoredFact, StoredFacts, placeholders, store

SECRETS = {"stun.turn": "Zq3vX9bL2mN8cR5t", "telephony.extensions.6001": "Zq3vX9bL2mN8cR5tMore"}
SITE = small_site()
HOST = SITE.hosts[0]


class Colour(str, Enum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    path: Path | None
    colour: Colour


@dataclass(frozen=True)
class Rich:
    raw: bytes
    pairs: frozenset[tuple[str, str]]
    by_place: Mapping[tuple[str, int], Inner]
    numbers: tuple[int, ...]
    maybe: float | None


def rich(reach: ProbeContext, port: int) -> Rich:
    inner = Inner(Path("/etc/x"), Colour.RED)
    return Rich(b"\x00\xff", frozenset({("a", "b")}), {("one", port): inner}, (1, 2), None)


def live() -> FactSource:
    return FactSource(ProbeContext(SITE, HOST, FakeRunner()))


def replayed(source: FactSource, secrets: Mapping[str, str] = SECRETS) -> StoredFacts:
    stored = store(source.asked(), Redaction(secrets))
    through = TypeAdapter(tuple[StoredFact, ...])
    return StoredFacts(SITE, HOST, through.validate_json(through.dump_json(stored)))


def asked(probe: Callable[..., Any], *args: Hashable) -> FactSource:
    source = live()
    try:
        source.get(probe, *args)
    except Exception:
        assert source.asked()[0].error is not None
    return source


def test_a_record_comes_back_as_it_was() -> None:
    assert replayed(asked(rich, 443)).get(rich, 443) == rich(
        ProbeContext(SITE, HOST, FakeRunner()), 443
    )


def test_other_arguments_are_another_question() -> None:
    with pytest.raises(NotStoredError, match="rich is missing"):
        replayed(asked(rich, 443)).get(rich, 8089)


def without_type(reach: ProbeContext) -> object:
    return object()


def not_as_promised(reach: ProbeContext) -> tuple[int, ...]:
    return (1, 1.5)  # type: ignore[return-value]


@pytest.mark.parametrize("probe", [without_type, not_as_promised])
def test_what_does_not_come_back_is_not_stored(probe: Callable[..., Any]) -> None:
    with pytest.raises(NotStoredError, match="was not stored"):
        replayed(asked(probe)).get(probe)


def out_of_reach(reach: ProbeContext) -> str:
    raise UnreachableError("no way", evidence=SECRETS["stun.turn"], helps="ssh")


def too_slow(reach: ProbeContext) -> str:
    raise TimeoutError("no answer within 8 s")


def broken(reach: ProbeContext) -> str:
    raise KeyError("x")


def test_what_a_probe_raised_it_raises_again() -> None:
    with pytest.raises(UnreachableError) as caught:
        replayed(asked(out_of_reach)).get(out_of_reach)
    assert (caught.value.what, caught.value.helps) == ("no way", "ssh")
    assert caught.value.evidence == "[secret stun.turn]"
    with pytest.raises(TimeoutError, match="within 8 s"):
        replayed(asked(too_slow)).get(too_slow)
    with pytest.raises(RuntimeError, match="KeyError: 'x'"):
        replayed(asked(broken)).get(broken)


def configuration(reach: ProbeContext, password: str) -> dict[str, bytes]:
    pem = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQ\n-----END EC PRIVATE KEY-----\n"
    return {password: f"secret={password}\n{pem}".encode()}


def test_no_secret_is_stored_and_its_name_stands_for_it() -> None:
    value = SECRETS["telephony.extensions.6001"]
    source = asked(configuration, value)
    text = "".join(fact.model_dump_json() for fact in store(source.asked(), Redaction(SECRETS)))
    assert value not in text
    assert SECRETS["stun.turn"] not in text
    assert "MHcCAQ" not in text
    # Who judges a stored run knows the names alone: the questions are still the same.
    stand_in = placeholders(SECRETS)["telephony.extensions.6001"]
    found = replayed(source).get(configuration, stand_in)
    assert found == {stand_in: f"secret={stand_in}\n[EC PRIVATE KEY]\n".encode()}


@given(st.text(), st.sampled_from(sorted(SECRETS)), st.text())
def test_whatever_stands_around_a_secret(before: str, name: str, after: str) -> None:
    text = Redaction(SECRETS).text(before + SECRETS[name] + after)
    assert SECRETS[name] not in text
    assert f"[secret {name}]" in text


def test_a_stored_run_has_no_way_to_its_host() -> None:
    runner = replayed(live()).reach.runner
    for ask in (lambda: runner.run(["true"]), lambda: runner.command(["true"])):
        with pytest.raises(NotStoredError):
            ask()
    with pytest.raises(NotStoredError):
        runner.forward(3306)


def probes() -> Iterator[Callable[..., Any]]:
    """Every function of facts/ that asks a host and answers with a record."""
    for module in pkgutil.iter_modules(facts.__path__, f"{facts.__name__}."):
        for name, function in inspect.getmembers(
            importlib.import_module(module.name), inspect.isfunction
        ):
            here = function.__module__ == module.name and not name.startswith("_")
            first = next(iter(inspect.signature(function).parameters), "")
            if (
                here
                and first == "reach"
                and not inspect.isgeneratorfunction(inspect.unwrap(function))
            ):
                yield function


@pytest.mark.parametrize(
    "probe", list(probes()), ids=lambda probe: f"{probe.__module__}.{probe.__name__}"
)
def test_what_every_probe_promises_can_be_stored(probe: Callable[..., Any]) -> None:
    TypeAdapter(inspect.get_annotations(probe, eval_str=True)["return"])
