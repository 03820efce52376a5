"""Settings: defaults of the contract, and every problem said at once."""

from datetime import date

import pytest

from lambda_ingest.contract.settings import DateSource
from lambda_ingest.errors import SettingsError
from lambda_ingest.settings import Settings

REQUIRED = {"MANIFEST_BUCKET": "manifests", "TRACKING_TABLE": "tracking"}


def test_the_defaults_are_those_of_the_contract() -> None:
    settings = Settings.from_environment(REQUIRED)
    assert settings == Settings(
        manifest_bucket="manifests",
        tracking_table="tracking",
        metrics_table=None,
        quarantine_bucket=None,
        input_prefix="pipeline/input/",
        max_files_per_manifest=10,
        min_files_for_partial_batch=1,
        late_flush_seconds=60,
        expected_file_size_mb=3.5,
        size_tolerance_percent=10,
        lock_ttl_seconds=300,
        ttl_days=30,
        max_batch_age_seconds=None,
        max_batch_mb=None,
        partition_start_date=date(2025, 1, 1),
        refusal_alert_threshold=10,
        input_extensions=(".ndjson", ".ndjson.gz"),
        date_sources=(DateSource.NAME,),
    )


def test_every_variable_is_read() -> None:
    settings = Settings.from_environment(
        REQUIRED
        | {
            "METRICS_TABLE": "metrics",
            "QUARANTINE_BUCKET": "quarantine",
            "INPUT_BUCKET": "input",
            "QUEUE_URL": "https://queue",
            "ALERT_TOPIC_ARN": "arn:topic",
            "INPUT_PREFIX": "drop",
            "MAX_FILES_PER_MANIFEST": "10000",
            "MIN_FILES_FOR_PARTIAL_BATCH": "2",
            "LATE_FLUSH_SECONDS": "0",
            "REFUSAL_ALERT_THRESHOLD": "0",
            "EXPECTED_FILE_SIZE_MB": "0",
            "SIZE_TOLERANCE_PERCENT": "5.5",
            "LOCK_TTL_SECONDS": "60",
            "TTL_DAYS": "7",
            "MAX_BATCH_AGE_SECONDS": "900",
            "MAX_BATCH_MB": "64.5",
            "PARTITION_START_DATE": "2024-02-29",
            "INPUT_EXTENSIONS": ".json, .log.gz,.json",
            "DATE_SOURCES": "path, name,arrival",
        }
    )
    assert settings.input_prefix == "drop/"
    assert settings.max_files_per_manifest == 10_000
    assert settings.late_flush_seconds == 0
    assert settings.refusal_alert_threshold == 0
    assert settings.max_batch_age_seconds == 900
    assert settings.max_batch_mb == 64.5
    assert settings.partition_start_date == date(2024, 2, 29)
    assert settings.queue_url == "https://queue"
    assert settings.input_extensions == (".json", ".log.gz")
    assert settings.date_sources == (DateSource.PATH, DateSource.NAME, DateSource.ARRIVAL)


def test_all_problems_are_named_in_one_error() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(
            {
                "MANIFEST_BUCKET": "  ",
                "MAX_FILES_PER_MANIFEST": "10001",
                "TTL_DAYS": "soon",
                "EXPECTED_FILE_SIZE_MB": "nan",
                "PARTITION_START_DATE": "2025-02-30",
                "INPUT_EXTENSIONS": ".ndjson,csv",
                "DATE_SOURCES": "name,folder",
            }
        )
    said = str(caught.value)
    for part in (
        "MANIFEST_BUCKET is required",
        "TRACKING_TABLE is required",
        "MAX_FILES_PER_MANIFEST must be 1 to 10000, got 10001",
        "TTL_DAYS must be a whole number, got 'soon'",
        "EXPECTED_FILE_SIZE_MB must be 0 or more",
        "PARTITION_START_DATE must be a date",
        "INPUT_EXTENSIONS must be extensions such as .ndjson,.ndjson.gz, got '.ndjson,csv': 'csv' is no",
        "DATE_SOURCES must be a list of name, path, arrival, got 'name,folder': 'folder' is none",
    ):
        assert part in said


@pytest.mark.parametrize("name", ["MAX_BATCH_AGE_SECONDS", "MAX_BATCH_MB"])
def test_zero_and_empty_switch_the_optional_cuts_off(name: str) -> None:
    for value in ("0", ""):
        settings = Settings.from_environment(REQUIRED | {name: value})
        assert getattr(settings, name.lower()) is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(
            ("INPUT_EXTENSIONS", text)
            for text in (",", ".", "..", "ndjson", ".a b", ".a/b", ".ndjson,", ".ndjson.tmp")
        ),
        *(("INPUT_EXTENSIONS", text) for text in ("*", ".PART", ".ndj\u0455on")),
        *(("DATE_SOURCES", text) for text in (",", "Name", "name;path", "name,,path", "modified")),
        # Digits of other scripts are none here either.
        *(("TTL_DAYS", text) for text in ("\uff13\uff10", "\u0663", "1_0", "3.0", "9" * 5000)),
        *(("MAX_BATCH_MB", text) for text in ("\uff13", "1_0", "1e999", "-1")),
        ("PARTITION_START_DATE", "\uff12026-01-30"),
        ("PARTITION_START_DATE", "2026-01- 1"),
    ],
)
def test_what_makes_no_sense_is_one_clear_error(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match=f"need mending: {name} must be"):
        Settings.from_environment(REQUIRED | {name: text})
