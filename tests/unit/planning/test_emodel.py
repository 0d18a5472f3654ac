"""The E-model against the values that ITU-T G.107 and G.109 print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ucontact_appliance.planning.emodel import CodecImpairment, opinion, rating, sound

DELAYS = st.floats(0, 1000)
LOSSES = st.floats(0, 100)


def test_with_default_values_it_is_what_the_standard_says() -> None:
    assert rating(0, 0) == pytest.approx(93.2, abs=0.05)


@pytest.mark.parametrize(
    ("rated", "mos"), [(90, 4.34), (80, 4.02), (70, 3.60), (60, 3.10), (50, 2.58)]
)
def test_opinions_are_those_of_the_standards_curve(rated: float, mos: float) -> None:
    assert opinion(rated) == pytest.approx(mos, abs=0.006)  # G.107, B.3


def test_opinions_end_at_both_ends() -> None:
    assert (opinion(-5), opinion(0), opinion(100), opinion(120)) == (1.0, 1.0, 4.5, 4.5)


def test_a_codec_that_conceals_loss_bears_it_better() -> None:
    deaf = CodecImpairment("no concealment", 0.0, 4.3)
    assert rating(0, 1, deaf) < rating(0, 1)
    # G.107, 7-29: 95 * 1 / (1 + 25.1)
    assert rating(0, 0) - rating(0, 1) == pytest.approx(3.64, abs=0.01)


@given(DELAYS, DELAYS, LOSSES)
def test_more_delay_never_sounds_better(one: float, other: float, loss: float) -> None:
    less, more = sorted((one, other))
    # Around 0 the model's own side tone masks a little echo: a tenth of a point, no more.
    assert rating(more, loss) <= rating(less, loss) + 0.2


@given(DELAYS, LOSSES, LOSSES)
def test_more_loss_never_sounds_better(delay: float, one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert rating(delay, more) <= rating(delay, less) + 1e-9


def test_jitter_costs_what_its_buffer_delays() -> None:
    assert sound(50, 20, 0).rating < sound(50, 0, 0).rating
    assert sound(50, 20, 0) == sound(90, 0, 0)
