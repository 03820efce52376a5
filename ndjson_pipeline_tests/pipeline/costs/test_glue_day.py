"""A simulated day is the sensor's: the benchmark `steady` lets the sensor itself go through it."""

import math

import pytest

from benchmarks.orchestration import steady
from ndjson_pipeline.costs.glue_day import GlueDay, glue_day, percentiles
from ndjson_pipeline.costs.glue_day import _Span as Span
from ndjson_pipeline.costs.load import Load
from ndjson_pipeline.costs.pace import SECONDS_A_DAY
from ndjson_pipeline.sensors import manifest_sensor


def hours_of(rate: float, dial: int, hours: float, monkeypatch: pytest.MonkeyPatch) -> steady.Figures:
    # The benchmark stops the sensor's clock by its module's name.
    monkeypatch.setattr(manifest_sensor, "utc_now", manifest_sensor.utc_now)
    return steady.Day(rate, dial, hours).run()


@pytest.mark.parametrize(("rate", "dial"), [(0.1, 0), (0.1, 5), (0.5, 0), (1.25, 0), (4, 5)])
def test_the_sensor_launches_as_the_day_says(rate: float, dial: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hours = 1.0
    real = hours_of(rate, dial, hours, monkeypatch)
    monkeypatch.setattr("ndjson_pipeline.costs.load.SECONDS_A_DAY", hours * 3600)
    monkeypatch.setattr("ndjson_pipeline.costs.glue_day.SECONDS_A_DAY", hours * 3600)
    day = glue_day(Load(rate * hours * 3600, dial_minutes=dial))
    assert day.runs == real.runs
    assert day.dpu_hours == pytest.approx(real.dpu_seconds / 3600, rel=1e-6)
    # The benchmark keeps whole seconds of single files; the day lets them lie evenly between two.
    expected = [real.percentile(share) for share in (0.5, 0.95, 0.99)]
    assert day.latencies == pytest.approx(expected, abs=1.5 + 1 / rate)


def test_files_that_fill_no_batch_wait_for_the_day_s_end() -> None:
    day = glue_day(Load(7))
    assert day.runs == 1
    assert day.latencies[1] > SECONDS_A_DAY / 2
    assert day.ends_after_midnight > 0


def test_no_files_are_no_day() -> None:
    assert glue_day(Load(0)) == GlueDay(0, 2, 0.0)


@pytest.mark.parametrize("files", [1, 9, 11, 1_000, 100_003])
def test_every_file_is_converted_once(files: int) -> None:
    day = glue_day(Load(files, file_mb=1))
    assert 1 <= day.runs <= math.ceil(files / 10)
    assert day.latencies == tuple(sorted(day.latencies))
    assert day.latencies[0] > 0


def test_more_places_keep_up_where_few_do_not() -> None:
    load = Load(100_000_000)
    few = glue_day(load)
    many = glue_day(Load(100_000_000, places=20))
    assert few.ends_after_midnight > 3600 > many.ends_after_midnight
    assert few.latencies[1] > many.latencies[1]


def test_a_file_larger_than_a_run_takes_makes_a_run_of_its_own() -> None:
    day = glue_day(Load(24, file_mb=200_000, files_per_manifest=1))
    assert day.runs == 24
    assert day.workers == 10


def test_percentiles_are_those_of_all_files() -> None:
    spans = [Span(50, 0, 10), Span(50, 10, 20), Span(1, 1_000, 1_000)]
    half, most = percentiles(spans, (0.5, 0.99))
    assert half == pytest.approx(10.1, abs=0.01)
    assert most == pytest.approx(20, abs=0.01)
    assert percentiles([], (0.5, 0.95)) == [0.0, 0.0]
