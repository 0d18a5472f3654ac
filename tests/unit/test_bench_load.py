"""The parts of the bench by name, and the table of what a server carries."""

from __future__ import annotations

import pytest

from tests.bench import __main__ as bench
from tests.bench import codecs
from tests.bench.load import Extent, _failed
from tests.bench.load_table import KINDS, Found, Prediction, load_table, page
from tests.e2e.codecs import PairHeard, PicturesSeen
from ucontact_appliance.clients.speech import SpeechHeard

DOCUMENT = {
    "kept_free": 0.3,
    "carried": [
        {"kind": "plain", "calls": {"likely": 310}, "binding": "processor",
         "percent": {"likely": 0.45}},
        {"kind": "recorded", "calls": {"likely": 130}, "binding": "disk",
         "percent": {"likely": 1.08}},
    ],
}  # fmt: skip


def found() -> dict[str, dict[str, Found]]:
    return {
        "appliance": {kind.id: Found(kind.most, 0.5) for kind in KINDS},
        "distribution": {kind.id: Found(100, 0.6, "3 calls failed: 503 (3)") for kind in KINDS},
    }


def test_only_the_parts_that_are_named_run(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, float]] = []
    parts = {
        name: bench.Part("", 1, lambda scale, name=name: ran.append((name, scale)))
        for name in ("one", "two", "three")
    }
    monkeypatch.setattr(bench, "PARTS", parts)
    bench.main(["three", "one", "--scale", "0.5"])
    assert ran == [("one", 0.5), ("three", 0.5)]
    ran.clear()
    bench.main([])
    assert ran == [("one", 1.0), ("two", 1.0), ("three", 1.0)]


@pytest.mark.parametrize("words", [["nonsense"], ["load", "--scale", "0"], ["--scale", "2"]])
def test_what_it_does_not_know_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.main(words)
    assert ended.value.code == 2
    assert "no such part" in capsys.readouterr().err or "--scale" in words


def test_help_names_every_part(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        bench.main(["--help"])
    assert ended.value.code == 0
    screen = capsys.readouterr().out
    assert all(f"  {name}" in screen for name in bench.PARTS)


def test_levels_end_at_the_greatest_or_at_its_share() -> None:
    plain = next(kind for kind in KINDS if kind.id == "plain")
    assert Extent().levels(plain)[-1] == plain.most >= plain.goal
    assert list(Extent(0.01).levels(plain)) == [plain.step]


def test_the_table_has_prediction_goal_and_both_configurations() -> None:
    rows = load_table(Prediction(DOCUMENT), found()).splitlines()
    assert len(rows) == 2 + len(KINDS)
    assert rows[2] == (
        "| plain calls, G.711, voice both ways | 400 | 310 (processor) | 400 | no failure | 100 "
        "| 3 calls failed: 503 (3) | 0.45 | 0.50 % of a core per call | 0.60 |"
    )
    dtls = next(row for row in rows if "DTLS" in row)
    # 0.45 % of a plain call, and 100 packets of 4.7 us.
    assert "| 0.50 | 0.50 % of a core per call |" in dtls


def test_the_page_is_complete() -> None:
    text = page(Prediction(DOCUMENT), found(), version="1", day="2026-11-30", cores=2)
    assert "{" not in text
    assert "with 30% of the" in text


def test_a_failure_is_told_by_its_status() -> None:
    assert _failed({"503": 2, "0": 1, "200": 4}) == (
        "7 calls failed: no answer (1), cut off (4), 503 (2)"
    )


def pair(intact: float | None) -> PairHeard:
    good = SpeechHeard(0.0, 1.0, 0.1, 0.0, 3.0)
    worse = None if intact is None else SpeechHeard(0.0, intact, 1.5, 0.0, 3.0)
    return PairHeard("opus", "alaw", (("opus",), ("pcma",)), good, worse)


def test_the_median_call_of_a_pair_counts_and_none_is_the_worst() -> None:
    takes = [pair(0.97), pair(None), pair(0.99)]
    assert codecs.middle(takes) is takes[0]


def test_the_page_of_codecs_has_a_row_per_pair_and_video_codec() -> None:
    text = codecs.page(
        [pair(0.97), pair(None)], [PicturesSeen("vp8", (60, 61), (50, 52))], "Asterisk 22", "today"
    )
    assert "| opus | alaw | transcodes | 97% intact, 1.50 dB | 100% intact, 0.10 dB |" in text
    assert "| opus | alaw | transcodes | none | 100% intact, 0.10 dB |" in text
    assert "| vp8 | 60 and 61 | 52 and 50 |" in text
    assert "{" not in text
