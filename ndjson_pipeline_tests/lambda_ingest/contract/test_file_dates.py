"""Where a file's date stands."""

from datetime import UTC, date, datetime, timedelta

import pytest

from lambda_ingest.contract.file_dates import arrival_date, find_date, folder_date, partial_date
from lambda_ingest.contract.settings import DateSource
from ndjson_pipeline_tests.lambda_ingest.harness import NOON

NAME, PATH, ARRIVAL = DateSource.NAME, DateSource.PATH, DateSource.ARRIVAL
DAY = date(2026, 1, 30)
FULL_WIDTH = str.maketrans("0123456789", "".join(chr(0xFF10 + digit) for digit in range(10)))
ARABIC = str.maketrans("0123456789", "".join(chr(0x0660 + digit) for digit in range(10)))

IN_PATH = [
    "dt=2026-01-30/",
    "date=2026-01-30/",
    "year=2026/month=01/day=30/",
    "year=2026/month=1/day=30/",
    "2026/01/30/",
    "2026/01/30/13/",
    "2026/01/30/13/05/",
    "team/app/dt=2026-01-30/hour=13/",
    "topics/t/year=2026/month=01/day=30/hour=07/",
    # The nearest to the file.
    "dt=2026-01-29/2026/01/30/",
    "2026/01/29/dt=2026-01-30/",
    "2025/2026/01/30/",
    # What is no day is a folder like any other.
    "2026/01/30/2026/13/45/",
    "2026/01/30/0000/00/00/",
]


@pytest.mark.parametrize("folder", IN_PATH)
def test_a_date_in_the_folders_is_found(folder: str) -> None:
    found = find_date(f"{folder}part-00001.ndjson", [PATH])
    assert (found.source, found.day) == (PATH, DAY)
    assert folder_date(folder) == DAY


@pytest.mark.parametrize(
    "below",
    [
        "part-00001.ndjson",
        "2026-01-30/x.ndjson",
        "2026-01-30-x/x.ndjson",
        "2026/1/3/x.ndjson",
        "2026/01/x/30/x.ndjson",
        "01/30/2026/x.ndjson",
        "dt=20260130/x.ndjson",
        "DT=2026-01-30/x.ndjson",
        "xdt=2026-01-30/x.ndjson",
        "year=2026/day=30/month=01/x.ndjson",
        "year=26/month=01/day=30/x.ndjson",
        "2026/13/45/x.ndjson",
        # The file's own name is no folder.
        "2026/01/30",
        "dt=2026-01-30",
    ],
)
def test_other_folders_are_no_date(below: str) -> None:
    assert find_date(below, [PATH]).source is None


@pytest.mark.parametrize(
    ("below", "text"),
    [
        ("dt=2026-02-30/x", "dt=2026-02-30"),
        ("year=2026/month=2/day=30/x", "year=2026/month=2/day=30"),
        ("year=0000/month=2/day=1/x", "year=0000/month=2/day=1"),
    ],
)
def test_a_day_that_does_not_exist_decides_all_the_same(below: str, text: str) -> None:
    found = find_date(below, [PATH, ARRIVAL])
    assert (found.source, found.day, found.text) == (PATH, None, text)


def test_the_sources_are_asked_in_their_order() -> None:
    both = "dt=2026-01-29/2026-01-30-a.ndjson"
    assert find_date(both, [NAME, PATH]).day == DAY
    assert find_date(both, [PATH, NAME]).day == date(2026, 1, 29)
    assert find_date("dt=2026-01-29/a.ndjson", [NAME, PATH, ARRIVAL]).source is PATH
    assert find_date("a.ndjson", [NAME, PATH, ARRIVAL]).source is ARRIVAL
    assert find_date("a.ndjson", [NAME, PATH]).source is None
    # An impossible date is a mistake, and no arrival.
    assert find_date("2026-02-30-a.ndjson", [NAME, ARRIVAL]).source is NAME


@pytest.mark.parametrize("digits", [FULL_WIDTH, ARABIC])
@pytest.mark.parametrize("below", ["2026-01-30-a.ndjson", *(f"{folder}a.ndjson" for folder in IN_PATH[:6])])
def test_digits_of_other_scripts_are_no_date(below: str, digits: dict[int, int]) -> None:
    assert find_date(below.translate(digits), [NAME, PATH]).source is None
    # Nor is one among others.
    one = below.replace("0", "0".translate(digits), 1) if "2026-" in below else below.translate(digits)
    assert find_date(one, [NAME, PATH]).source is None


@pytest.mark.parametrize(
    ("folder", "begin"),
    [
        ("year=2026/", "2026-"),
        ("a/year=2026/month=1/", "2026-01-"),
        ("2026/", "2026-"),
        ("a/2026/01/", "2026-01-"),
        ("team/", None),
        ("", None),
        ("month=1/", None),
    ],
)
def test_a_folder_may_say_how_the_dates_below_it_begin(folder: str, begin: str | None) -> None:
    assert partial_date(folder) == begin


def test_an_arrival_is_the_utc_date_of_the_event() -> None:
    assert arrival_date(None, NOON) == DAY
    assert arrival_date(NOON - timedelta(days=3), NOON) == date(2026, 1, 27)
    assert arrival_date(NOON + timedelta(days=3), NOON) == DAY
    assert arrival_date(datetime(2026, 1, 29, 23, 59, 59, tzinfo=UTC), NOON) == date(2026, 1, 29)
