"""AWS's clock, by the `Date` of its answers."""

import math
from email.utils import formatdate

import pytest

from ndjson_pipeline.load_test.clocks import ServerClock

BEGIN = 1_769_774_400.0


def answers(ahead: float, count: int, lasts: float = 0.05) -> ServerClock:
    clock = ServerClock()
    for number in range(count):
        asked = BEGIN + number * 0.137
        named = math.floor(asked + lasts / 2 + ahead)
        clock.learn(asked, asked + lasts, formatdate(named, usegmt=True))
    return clock


@pytest.mark.parametrize("ahead", [0.0, -37.25, 3600.4])
def test_many_answers_tell_it_to_a_fraction_of_a_second(ahead: float) -> None:
    clock = answers(ahead, 60)
    assert clock.ahead == pytest.approx(ahead, abs=0.1)
    assert clock.uncertainty is not None
    assert abs(clock.ahead - ahead) <= clock.uncertainty <= 0.1
    assert clock.at_server(BEGIN).timestamp() == pytest.approx(BEGIN + ahead, abs=0.1)


def test_one_answer_tells_it_to_half_a_second_and_none_tells_nothing() -> None:
    assert answers(5.3, 1).uncertainty == pytest.approx(0.525)
    assert (ServerClock().ahead, ServerClock().uncertainty) == (0.0, None)


@pytest.mark.parametrize("date", [None, "", "yesterday"])
def test_an_answer_without_a_date_tells_nothing(date: str | None) -> None:
    clock = ServerClock()
    clock.learn(BEGIN, BEGIN + 1, date)
    assert clock.uncertainty is None


def test_a_clock_that_is_set_meanwhile_is_told_by_most_answers() -> None:
    clock = answers(0.0, 30)
    clock.learn(BEGIN, BEGIN + 0.1, formatdate(BEGIN + 900, usegmt=True))
    assert clock.ahead == pytest.approx(0, abs=0.6)
    assert clock.uncertainty == 0.5
