"""What the bench measures of a command, and the table that it makes of it."""

from __future__ import annotations

import sys

import pytest

from tests.bench.measure import Row, Sample, command, elsewhere, table


def test_a_command_is_measured() -> None:
    sample = command([sys.executable, "-c", "x = bytearray(50_000_000); sum(range(3_000_000))"])
    assert sample.seconds > 0
    assert sample.processor > 0
    assert sample.memory_mb >= 48


def test_a_command_that_fails_ends_the_bench_with_its_words() -> None:
    with pytest.raises(RuntimeError, match=r"ended with 3: [\s\S]*no such thing"):
        command([sys.executable, "-c", "import sys; print('no such thing'); sys.exit(3)"])


def test_what_is_done_elsewhere_has_no_figures_of_a_process() -> None:
    sample = elsewhere(lambda: None)
    assert (sample.processor, sample.memory_mb) == (0.0, 0)


def test_the_table_has_medians_and_ratios() -> None:
    quick = [Sample(seconds, 1.0, 2.0, 90) for seconds in (4.0, 2.0, 3.0)]
    slow = [Sample(6.0, 5.0, 7.0, 0)]
    rows = table([Row("ours", quick, "theirs", slow), Row("theirs", slow)]).splitlines()
    assert rows[2] == "| ours | 3 | 3.0 | 2.0 | 4.0 | 1.0 | 2.0 | 90 | theirs | 0.50 |"
    assert rows[3] == "| theirs | 1 | 6.0 | 6.0 | 6.0 | 5.0 | 7.0 | - | - | - |"
