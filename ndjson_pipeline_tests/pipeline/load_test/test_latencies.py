"""How long files took, and the picture of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ndjson_pipeline.load_test.following import FileTimes
from ndjson_pipeline.load_test.latencies import latencies_of, percentile, seconds_to
from ndjson_pipeline.load_test.plot import draw

BEGIN = datetime(2026, 1, 30, 12, 0, tzinfo=UTC)


def file(number: int) -> FileTimes:
    put = BEGIN + timedelta(seconds=number / 10)
    return FileTimes(
        f"{number:06d}",
        put,
        "manifested",
        manifest_status="completed",
        recorded_at=put + timedelta(seconds=number / 100),
        manifested_at=put + timedelta(seconds=1),
        started_at=put + timedelta(seconds=10),
        converted_at=put + timedelta(seconds=60 + number),
    )


FILES = [file(number) for number in range(1, 101)]


@pytest.mark.parametrize(
    ("count", "percent", "expected"),
    [(100, 50, 50), (100, 95, 95), (100, 99, 99), (1, 99, 1), (2, 50, 1), (10, 95, 10), (10, 100, 10)],
)
def test_a_percentile_is_one_that_was_measured(count: int, percent: float, expected: float) -> None:
    assert percentile([float(one) for one in range(1, count + 1)], percent) == expected


def test_each_stage_is_measured_from_the_put() -> None:
    found = {one.stage: one for one in latencies_of(FILES)}
    assert found["its record"].p50 == pytest.approx(0.5)
    assert (found["Parquet"].p50, found["Parquet"].p99, found["Parquet"].longest) == (110, 159, 160)
    assert {one.files for one in found.values()} == {100}


def test_what_did_not_come_is_not_counted_and_no_time_runs_back() -> None:
    files = [
        replace(FILES[0], converted_at=None),
        replace(FILES[1], recorded_at=BEGIN - timedelta(seconds=1)),
    ]
    found = {one.stage: one for one in latencies_of(files)}
    assert found["Parquet"].files == 1
    assert seconds_to("its record", files)[0] == 0
    assert latencies_of([FileTimes("a", BEGIN)]) == []


@pytest.mark.parametrize(
    "files", [FILES, FILES[:1], [FileTimes("a", BEGIN)], [*FILES[:3], FileTimes("b", BEGIN)]]
)
def test_the_picture_is_a_png_whatever_came(files: list[FileTimes], tmp_path: Path) -> None:
    draw(files, "a load test", tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
