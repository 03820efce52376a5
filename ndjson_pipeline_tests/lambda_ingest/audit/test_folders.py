"""Folders are found in order, at a cost that does not grow with the files beside them."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from lambda_ingest.audit.folders import InputFolders, leap
from lambda_ingest.audit.listing import AFTER_ALL
from lambda_ingest.audit.progress import Position, Progress, TimeIsUpError
from lambda_ingest.contract.settings import DateSource

BUCKET = "input"
PREFIX = "in/"
BY_NAME = (DateSource.NAME,)
BY_PATH = (DateSource.PATH,)
DATES = ["2026-01-31", "2026-01-30", "2026-01-29"]


@pytest.fixture
def s3(aws_variables: None) -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client


def put(s3: Any, *names: str) -> None:
    for name in names:
        s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}{name}", Body=b"x")


class SmallPages:
    """A client whose listings come in pages of a few entries, and are counted."""

    def __init__(self, s3: Any, size: int) -> None:
        self._s3 = s3
        self._size = size
        self.calls = 0

    def list_objects_v2(self, **request: Any) -> Any:
        self.calls += 1
        return self._s3.list_objects_v2(**request, MaxKeys=self._size)


def walk(s3: Any, progress: Progress | None = None, sources: tuple[DateSource, ...] = BY_NAME) -> list[str]:
    folders = InputFolders(s3, bucket=BUCKET, input_prefix=PREFIX, date_sources=sources)
    return list(folders.walk(DATES, progress or Progress(lambda: 60.0, Position("events"))))


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_every_folder_is_found_once_and_before_those_in_it(s3: Any, size: int) -> None:
    put(s3, "2024-05-01-a.ndjson", "2026-01-29-a.ndjson", "2026-01-30-a.ndjson", "zz.csv")
    put(s3, "a/2026-01-30-a.ndjson", "a/b/c/2026-01-30-a.ndjson", "a/d/x", "b-b/x", "2026-01-30/x", "é/x")
    expected = ["", "2026-01-30/", "a/", "a/b/", "a/b/c/", "a/d/", "b-b/", "é/"]
    assert walk(SmallPages(s3, size)) == expected


def test_history_is_leapt_over(s3: Any) -> None:
    for year in (2022, 2023, 2024, 2025):
        put(s3, *(f"{year}-{month:02d}-{day:02d}-a.ndjson" for month in range(1, 13) for day in (1, 9, 20)))
    put(s3, *(f"2026-01-30-{number}.ndjson" for number in range(30)), "team/x")
    pages = SmallPages(s3, 3)
    assert walk(pages) == ["", "team/"]
    # A page a year, a few for the audited dates, and two for the folder.
    assert pages.calls <= 9


def test_a_walk_goes_on_from_any_of_its_folders(s3: Any) -> None:
    put(s3, "a/x", "a/b/x", "a/b/c/x", "d/x", "e/f/x")
    every = walk(s3)
    for position, folder in enumerate(every):
        going_on = Progress(lambda: 60.0, Position("events", folder=folder))
        assert walk(s3, going_on) == every[position:]


def test_a_walk_that_lists_many_pages_goes_on_with_the_next_sweep(
    s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files without a date can't be leapt over; they cost pages, and each sweep its share."""
    monkeypatch.setattr("lambda_ingest.audit.progress._MOST_PAGES", 2)
    put(s3, *(f"report-{number:02d}.csv" for number in range(20)), "zone/x")
    found: list[str] = []
    position, sweeps = Position("events"), 0
    while True:
        progress = Progress(lambda: 60.0, position)
        sweeps += 1
        try:
            for folder in InputFolders(
                SmallPages(s3, 3), bucket=BUCKET, input_prefix=PREFIX, date_sources=BY_NAME
            ).walk(  # type: ignore[arg-type]
                DATES, progress
            ):
                found.append(folder)
        except TimeIsUpError:
            assert progress.position != position
            position = progress.position
        else:
            break
    assert found == ["", "zone/"]
    assert sweeps == 4


def test_folders_of_what_is_not_finished_are_not_looked_into(s3: Any) -> None:
    put(s3, "_temporary/0/x", ".staging/x", "a/_b/x", "a/c/x")
    assert walk(s3) == ["", "a/", "a/c/"]


def test_a_folder_with_a_date_stands_for_those_in_it_where_the_date_is_audited(s3: Any) -> None:
    put(s3, "dt=2026-01-30/hour=13/x", "dt=2025-05-05/hour=13/x", "t/2026/01/29/05/x", "t/2026/01/28/x")
    put(s3, "t/2025/01/29/x", "year=2026/month=1/day=31/hour=1/x", "year=2026/month=2/day=3/x", "zone/x")
    dated = ["dt=2026-01-30/", "t/2026/01/29/", "year=2026/month=1/day=31/"]
    above = ["", "t/", "t/2026/", "t/2026/01/", "year=2026/", "year=2026/month=1/", "zone/"]
    assert walk(s3, sources=BY_PATH) == sorted([*dated, *above])
    # Beside the months of another year there may be files with a date in their name.
    others = ["t/2025/", "t/2025/01/", "year=2026/month=2/"]
    assert walk(s3, sources=(DateSource.NAME, DateSource.PATH)) == sorted([*dated, *above, *others])


@pytest.mark.parametrize("form", ["dt=%Y-%m-%d/hour=1/x", "year=%Y/month=%m/day=%d/x", "%Y/%m/%d/07/x"])
def test_the_history_of_folders_costs_no_walk(s3: Any, form: str) -> None:
    days = [date(2026, 1, 31) - timedelta(days=back) for back in range(0, 900, 9)]
    put(s3, *(day.strftime(form) for day in days))
    pages = SmallPages(s3, 1000)
    assert (
        len(
            [
                folder
                for folder in walk(pages, sources=BY_PATH)
                if folder.count("2026-01-31") or "31/" in folder
            ]
        )
        == 1
    )
    assert pages.calls <= 3


def test_a_walk_by_folders_with_dates_goes_on_from_any_of_them(s3: Any) -> None:
    put(s3, "a/dt=2026-01-29/05/x", "a/dt=2026-01-30/05/x", "a/dt=2026-01-31/05/x", "b/2026/01/30/x", "c/x")
    every = walk(s3, sources=BY_PATH)
    for position, folder in enumerate(every):
        going_on = Progress(lambda: 60.0, Position("events", folder=folder))
        assert walk(s3, going_on, BY_PATH) == every[position:]


@pytest.mark.parametrize(
    ("name", "after"),
    [
        ("report.csv", "report.csv"),
        ("2026-01-30-a.ndjson", f"2026-01-30-{AFTER_ALL}"),
        ("2023-05-01-a.ndjson", f"2023-12-31-{AFTER_ALL}"),
        # The next audited date comes before the year's end.
        ("2026-01-02-a.ndjson", "2026-01-29"),
        ("2026-02-02-a.ndjson", f"2026-12-31-{AFTER_ALL}"),
    ],
)
def test_a_leap_passes_over_names_that_nobody_audits(name: str, after: str) -> None:
    assert leap(name, DATES) == after


@given(st.dates(), st.lists(st.dates(), max_size=4))
def test_a_leap_goes_on_and_never_beyond_an_audited_dates_names(day: Any, audited: list[Any]) -> None:
    dates = [each.isoformat() for each in audited]
    name = f"{day.isoformat()}-a.ndjson"
    target = leap(name, dates)
    assert target > name
    # What sorts after this date's names and at or before the leap's end belongs to no audited date.
    assert not any(name < f"{each}-" <= target for each in dates if each != day.isoformat())
