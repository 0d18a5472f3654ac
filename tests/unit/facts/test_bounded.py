"""Commands with a bound on time and on the size of the answer."""

from __future__ import annotations

import resource

import pytest

from ucontact_appliance.errors import UnreachableError
from ucontact_appliance.facts.bounded import TooMuchError, run_bounded
from ucontact_appliance.facts.runner import LocalRunner


def run(script: str, stdin: bytes = b"", timeout: float = 20, limit: int = 1 << 20) -> object:
    return run_bounded(["sh", "-c", script], stdin=stdin, timeout=timeout, limit=limit)


def test_both_outputs_and_the_status_come_back() -> None:
    assert run(r"printf 'a\r\nb\r'; printf 'c\377' >&2; exit 3") == (3, "a\nb\n", "c\ufffd")


def test_what_is_sent_arrives_whole_while_answers_are_read() -> None:
    sent = b"x" * 3_000_000  # more than pipes hold in both directions
    assert run("cat", sent, limit=len(sent)) == (0, sent.decode(), "")


def test_who_does_not_read_what_is_sent_is_no_error() -> None:
    assert run("exec <&-; echo done", b"x" * 1_000_000) == (0, "done\n", "")


@pytest.mark.parametrize("where", ["1", "2"])
def test_an_endless_answer_is_cut_at_the_limit(where: str) -> None:
    with pytest.raises(TooMuchError):
        run(f"exec cat /dev/zero >&{where}")


def test_a_limit_that_is_just_kept_is_kept() -> None:
    assert run("head -c 1000 /dev/zero | tr '\\0' x", limit=1000) == (0, "x" * 1000, "")


def test_a_command_that_hangs_is_ended() -> None:
    with pytest.raises(TimeoutError, match=r"no answer within 0.2 s"):
        run("exec sleep 600", timeout=0.2)


def test_one_that_closes_its_outputs_and_hangs_is_ended_too() -> None:
    with pytest.raises(TimeoutError):
        run("exec >&- 2>&-; sleep 600", timeout=0.3)


def test_a_flood_takes_little_memory_and_is_told() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnreachableError, match="exceeds 32 MiB") as caught:
        LocalRunner().run(["cat", "/dev/zero"])
    assert caught.value.evidence == "$ cat /dev/zero"
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kb < 200 * 1024
