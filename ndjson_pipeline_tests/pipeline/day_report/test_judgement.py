"""A day's headline, and what is wrong with it."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from lambda_ingest.contract.dates import utc_timestamp
from ndjson_pipeline.claims.totals import DateTotals, ManifestNumbers
from ndjson_pipeline.day_report.figures import Day, Expired, Parquet
from ndjson_pipeline.day_report.judgement import Tone, judge
from ndjson_pipeline_tests.pipeline.day_report.days import BEGIN, broken_day, good_day
from ndjson_pipeline_tests.pipeline.harness import DATE

AT_ONCE = timedelta(0)


def test_a_day_that_is_done_says_so() -> None:
    verdict = judge(good_day(), AT_ONCE)
    assert verdict.tone is Tone.GOOD
    assert verdict.headline == f"All 9,998 accepted files of {DATE} are in Parquet. 14 files refused."
    assert verdict.problems == []


def test_one_file_is_not_all_files() -> None:
    day = Day(DATE, BEGIN + timedelta(days=2))
    day.files.by_status["manifested"] = 1
    day.manifests.by_status["completed"], day.manifests.files["completed"] = 1, 1
    assert judge(day, AT_ONCE).headline == f"The one file of {DATE} is in Parquet."


def test_what_failed_comes_first_with_its_command() -> None:
    verdict = judge(broken_day(), AT_ONCE)
    assert verdict.tone is Tone.BAD
    assert verdict.headline.startswith(f"3 manifests of {DATE} have failed")
    assert [one.command for one in verdict.problems] == [
        "ndjson-pipeline reprocess --failed",
        "ndjson-pipeline flush",
    ]


def test_today_goes_on_and_is_not_wrong() -> None:
    day = good_day(at=BEGIN + timedelta(hours=12))
    day.files.by_status["pending"] = 7
    day.files.oldest_pending = BEGIN
    day.manifests.by_status["pending"], day.manifests.files["pending"] = 1, 10
    day.manifests.oldest_waiting = day.at - timedelta(minutes=5)
    verdict = judge(day, AT_ONCE)
    assert verdict.tone is Tone.OPEN
    assert "The day goes on: 9,998 files" in verdict.headline
    assert "7 in no batch yet, 10 in batches that wait" in verdict.headline
    assert verdict.problems == []


def test_what_is_tried_again_by_itself_goes_on() -> None:
    day = good_day()
    day.manifests.by_status["failed"], day.manifests.files["failed"] = 1, 10
    verdict = judge(day, AT_ONCE)
    assert verdict.tone is Tone.OPEN
    assert "10 tried again by themselves" in verdict.headline


def waits_for_a_run(day: Day) -> None:
    day.manifests.by_status["pending"] = 1
    day.manifests.oldest_waiting = day.at - timedelta(hours=2)


def runs_too_long(day: Day) -> None:
    day.manifests.by_status["processing"] = 1
    day.manifests.oldest_going = day.at - timedelta(days=1)


def lost_its_parquet(day: Day) -> None:
    day.manifests.empty, day.manifests.empty_count = ["manifest-x.json"], 1


def does_not_add_up(day: Day) -> None:
    day.totals = DateTotals(numbers=ManifestNumbers(records_read=10, records_processed=8, records_rejected=1))


@pytest.mark.parametrize(
    ("change", "command"),
    [
        (waits_for_a_run, "doctor"),
        (runs_too_long, "doctor"),
        (lost_its_parquet, "reprocess --manifest manifest-x.json"),
        (does_not_add_up, f"reprocess --date {DATE}"),
    ],
)
def test_what_is_wrong_names_a_command(change: Callable[[Day], None], command: str) -> None:
    day = good_day()
    change(day)
    verdict = judge(day, AT_ONCE)
    assert verdict.tone is Tone.BAD
    assert [one.command for one in verdict.problems] == [f"ndjson-pipeline {command}"]
    assert verdict.headline == verdict.problems[0].what


def test_what_waits_within_the_dial_is_not_wrong() -> None:
    day = good_day()
    waits_for_a_run(day)
    assert judge(day, timedelta(hours=3)).problems == []


def test_files_of_a_past_date_may_wait_for_the_sweep() -> None:
    day = good_day(at=BEGIN + timedelta(days=1, minutes=30))
    day.files.by_status["pending"], day.files.oldest_pending = 3, BEGIN
    assert judge(day, AT_ONCE).tone is Tone.OPEN


@pytest.mark.parametrize(
    ("prepare", "headline"),
    [
        (lambda day: None, f"No file of {DATE} was seen."),
        (lambda day: setattr(day, "may_be_gone", True), f"Nothing of {DATE} is left to see: rows of that"),
        (
            lambda day: day.files.by_status.update(quarantined=2),
            f"No file of {DATE} was accepted. 2 files refused.",
        ),
    ],
)
def test_a_day_without_rows_is_neither_good_nor_bad(prepare: Callable[[Day], None], headline: str) -> None:
    day = Day(DATE, BEGIN + timedelta(days=2))
    prepare(day)
    verdict = judge(day, AT_ONCE)
    assert verdict.tone is Tone.UNKNOWN
    assert verdict.headline.startswith(headline)


def test_an_old_day_says_what_can_no_longer_be_known() -> None:
    day = Day(DATE, BEGIN + timedelta(days=200), may_be_gone=True)
    day.expired = Expired(manifests=12, read=10, files=100, without_parquet=1)
    day.parquet = Parquet("s3://output/", 11)
    verdict = judge(day, AT_ONCE)
    assert verdict.headline == (
        f"The rows of {DATE} have expired: 12 manifests in S3 list 100 files, and 11 Parquet files lie there."
    )
    assert any("can no longer be known" in note for note in verdict.notes)
    assert any("10 were read" in note for note in verdict.notes)
    assert any("no Parquet is there" in note for note in verdict.notes)


def test_an_instant_is_told_to_the_second() -> None:
    day = broken_day()
    assert day.files.oldest_pending is not None
    assert utc_timestamp(day.files.oldest_pending)[:19] in judge(day, AT_ONCE).problems[1].what
