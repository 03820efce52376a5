"""How fast files go in."""

import pytest

from ndjson_pipeline.loading.pace import LARGEST_BATCH, Depth, Pace, has_grown


@pytest.mark.parametrize(("rate", "batch"), [(0.1, 1), (1, 1), (4.5, 4), (10, 10), (1000, LARGEST_BATCH)])
def test_a_batch_is_no_more_than_a_second_or_a_call_takes(rate: float, batch: int) -> None:
    assert Pace(rate).batch == batch


def test_so_many_go_in_a_second_on_average_and_a_pause_is_not_made_up_for() -> None:
    pace = Pace(20)
    assert pace.wait(10, 100.0) == 0
    assert pace.wait(10, 100.0) == pytest.approx(0.5)
    assert pace.wait(10, 100.5) == pytest.approx(0.5)
    assert pace.wait(10, 500.0) == 0
    assert pace.wait(10, 500.0) == pytest.approx(0.5)


def test_new_dead_letters_are_told_from_old_ones() -> None:
    assert not has_grown(Depth(5, 3), Depth(0, 3))
    assert has_grown(Depth(0, 4), Depth(0, 3))
