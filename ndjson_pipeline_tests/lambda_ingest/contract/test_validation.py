"""Which names and sizes are accepted."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_ingest.contract.created_objects import ObjectCreated
from lambda_ingest.contract.file_keys import sort_key_of_refused
from lambda_ingest.contract.settings import DateSource
from lambda_ingest.contract.validation import (
    AcceptedFile,
    RefusedFile,
    needs_first_arrival,
    validate,
)
from lambda_ingest.settings import Settings
from ndjson_pipeline_tests.lambda_ingest.harness import NOON

SETTINGS = Settings(manifest_bucket="m", tracking_table="t", expected_file_size_mb=0)
MB = 1_048_576


def judge(key: str, size: int = 10, settings: Settings = SETTINGS) -> AcceptedFile | RefusedFile:
    return validate(ObjectCreated("in", key, size, "e"), settings, NOON)


def reason(key: str, size: int = 10, settings: Settings = SETTINGS) -> str:
    judged = judge(key, size, settings)
    assert isinstance(judged, RefusedFile)
    return judged.reason


@pytest.mark.parametrize(
    "below",
    [
        "2026-01-30-a.ndjson",
        "team/app/2026-01-30-a.ndjson",
        "2026-01-30-a b+c=d@e,f(1).ndjson",
        "2026-01-30-Größe-日本.ndjson",
        "2026-01-30--.ndjson",
        "2025-01-01-first.ndjson",
        "2026-01-31-tomorrow.ndjson",
        "2026-01-30-a.ndjson.gz",
    ],
)
def test_names_of_the_contract_are_accepted(below: str) -> None:
    judged = judge(f"pipeline/input/{below}")
    assert isinstance(judged, AcceptedFile)
    assert judged.file_key == below
    assert judged.date_prefix == below.rpartition("/")[2][:10]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("pipeline/input/2026-01-30-a.csv", "other extension"),
        ("pipeline/input/2026-01-30-a.NDJSON", "other extension"),
        ("pipeline/input/2026-01-30-a.ndjson.GZ", "other extension"),
        ("pipeline/input/2026-01-30-a.gz", "other extension"),
        ("pipeline/input/a.ndjson", "no date"),
        ("pipeline/input/20260130-a.ndjson", "no date"),
        ("pipeline/input/2026-01-30.ndjson", "no date"),
        ("pipeline/input/2026-01-30-.ndjson", "no name after the date"),
        ("pipeline/input/2026-01-30-.ndjson.gz", "no name after the date"),
        ("pipeline/input/\uff12026-01-30-a.ndjson", "no date"),
        ("pipeline/input/2026-01-3\u0660-a.ndjson", "no date"),
        ("pipeline/input/0000-01-30-a.ndjson", "impossible date"),
        ("pipeline/input/2026-02-30-a.ndjson", "impossible date"),
        ("pipeline/input/2026-13-01-a.ndjson", "impossible date"),
        ("pipeline/input/2024-12-31-a.ndjson", "date out of range"),
        ("pipeline/input/2026-02-01-a.ndjson", "date out of range"),
        ("pipeline/input/MANIFEST#x/2026-01-30-a.ndjson", "outside the allowed pattern"),
        ("pipeline/input/2026-01-30-a#b.ndjson", "outside the allowed pattern"),
        ("pipeline/input//2026-01-30-a.ndjson", "outside the allowed pattern"),
        ("pipeline/input/2026-01-30-a\nb.ndjson", "outside the allowed pattern"),
        ("pipeline/input/2026-01-30-a%2Fb.ndjson", "outside the allowed pattern"),
        ("pipeline/input/2026-01-30-a\x00.ndjson", "outside the allowed pattern"),
        ("pipeline/input/2026-01-30-" + "a" * 1010 + ".ndjson", "outside the allowed pattern"),
    ],
)
def test_other_names_are_refused_with_the_reason(key: str, said: str) -> None:
    assert said in reason(key)


def test_an_empty_file_is_refused_even_without_a_size_check() -> None:
    assert reason("pipeline/input/2026-01-30-a.ndjson", 0) == "empty file"


@pytest.mark.parametrize(
    ("size", "is_accepted"),
    [
        (int(3.5 * MB), True),
        (int(3.15 * MB) + 1, True),
        (int(3.85 * MB), True),
        (int(3.15 * MB) - 1, False),
        (int(3.85 * MB) + 1, False),
        (1, False),
    ],
)
def test_sizes_are_accepted_within_the_tolerance(size: int, is_accepted: bool) -> None:
    settings = replace(SETTINGS, expected_file_size_mb=3.5, size_tolerance_percent=10)
    judged = judge("pipeline/input/2026-01-30-a.ndjson", size, settings)
    assert isinstance(judged, AcceptedFile) == is_accepted
    if isinstance(judged, RefusedFile):
        assert "size out of tolerance" in judged.reason


@pytest.mark.parametrize("ending", ["gz", "gzip", "zst", "zstd", "bz2", "xz", "lz4", "sz", "snappy", "GZ"])
def test_the_size_of_what_is_packed_says_nothing(ending: str) -> None:
    settings = replace(
        SETTINGS, expected_file_size_mb=3.5, input_extensions=(".ndjson", f".{ending}", f".ndjson.{ending}")
    )
    key = f"pipeline/input/2026-01-30-a.ndjson.{ending}"
    assert isinstance(judge(key, 10, settings), AcceptedFile)
    assert reason(key, 0, settings) == "empty file"
    assert "size out of tolerance" in reason("pipeline/input/2026-01-30-a.ndjson", 10, settings)


def test_other_extensions_by_setting() -> None:
    settings = replace(SETTINGS, input_extensions=(".json", ".log.gz", ".gz"))
    for name in ("a.json", "a.log.gz", "a.gz"):
        assert isinstance(judge(f"pipeline/input/2026-01-30-{name}", settings=settings), AcceptedFile)
    assert "expected .json or .log.gz or .gz" in reason(
        "pipeline/input/2026-01-30-a.ndjson", settings=settings
    )
    # The longest extension counts, so nothing is left for a name.
    assert "no name" in reason("pipeline/input/2026-01-30-.log.gz", settings=settings)


@pytest.mark.parametrize(
    ("below", "day"),
    [
        ("dt=2026-01-29/part-00001.ndjson", "2026-01-29"),
        ("dt=2026-01-29/2026-01-30-a.ndjson", "2026-01-29"),
        ("2026/01/28/13/stream.ndjson.gz", "2026-01-28"),
        ("2026-01-27-a.ndjson", "2026-01-27"),
        ("part-00001.ndjson", "2026-01-30"),
    ],
)
def test_the_date_stands_where_the_setting_says(below: str, day: str) -> None:
    sources = (DateSource.PATH, DateSource.NAME, DateSource.ARRIVAL)
    judged = judge(f"pipeline/input/{below}", settings=replace(SETTINGS, date_sources=sources))
    assert isinstance(judged, AcceptedFile)
    assert (judged.date_prefix, judged.file_key) == (day, below)


def test_the_first_arrival_is_asked_for_only_where_nothing_else_gives_a_date() -> None:
    settings = replace(SETTINGS, date_sources=(DateSource.NAME, DateSource.PATH, DateSource.ARRIVAL))
    for below, is_needed in (
        ("2026-01-30-a.ndjson", False),
        ("dt=2026-01-30/a.ndjson", False),
        ("2026-02-30-a.ndjson", False),
        ("a.ndjson", True),
        ("a.csv", True),
    ):
        created = ObjectCreated("in", f"pipeline/input/{below}", 1, "e")
        assert needs_first_arrival(created, settings) == is_needed
        assert not needs_first_arrival(created, SETTINGS)
    judged = validate(
        ObjectCreated("in", "pipeline/input/a.ndjson", 1, "e"), settings, NOON, date(2026, 1, 3)
    )
    assert judged.date_prefix == "2026-01-03"


@pytest.mark.parametrize(
    ("below", "said"),
    [
        ("a.ndjson", "no date: expected folders as dt="),
        ("dt=2026-02-30/a.ndjson", "impossible date: no such day as dt=2026-02-30"),
        ("dt=2024-12-31/a.ndjson", "date out of range"),
        ("dt=2026-01-30/a.csv", "other extension"),
        ("dt=2026-01-30/a#b.ndjson", "outside the allowed pattern"),
    ],
)
def test_what_is_wrong_with_folders_is_said(below: str, said: str) -> None:
    assert said in reason(
        f"pipeline/input/{below}", settings=replace(SETTINGS, date_sources=(DateSource.PATH,))
    )


def test_a_refused_file_is_recorded_under_its_own_date_or_the_day_it_came() -> None:
    for key, day in (
        ("pipeline/input/2024-12-31-a.ndjson", "2024-12-31"),
        ("pipeline/input/2026-01-29-a.csv", "2026-01-29"),
        ("pipeline/input/nonsense", "2026-01-30"),
        ("pipeline/input/2026-02-30-a.ndjson", "2026-01-30"),
    ):
        judged = judge(key)
        assert isinstance(judged, RefusedFile)
        assert judged.date_prefix == day


@given(st.text(min_size=0, max_size=1024))
def test_no_key_can_pose_as_another_item_of_the_table(below: str) -> None:
    sort_key = sort_key_of_refused(below)
    assert 1 <= len(sort_key.encode()) <= 1024
    assert "#" not in sort_key


@given(
    st.text(alphabet="äb#/%", min_size=1, max_size=400), st.text(alphabet="äb#/%", min_size=1, max_size=400)
)
def test_different_keys_have_different_records(first: str, second: str) -> None:
    assert (sort_key_of_refused(first) == sort_key_of_refused(second)) == (first == second)
