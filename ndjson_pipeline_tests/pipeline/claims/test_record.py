"""Items of the tracking table read as manifest records."""

from decimal import Decimal
from typing import Any

import pytest

from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims import record as record_module
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.errors import RecordFormatError
from ndjson_pipeline_tests.pipeline.harness import DATE, make_name

NAME = make_name(1)
KEY = f"MANIFEST#{NAME.filename}"
ITEM = {
    "date_prefix": DATE,
    "file_key": KEY,
    "status": "completed",
    "manifest_path": f"s3://manifests/{NAME.key}",
    "file_count": Decimal(10),
    "total_size_mb": Decimal("33.4"),
    "attempt": Decimal(2),
    "dagster_run_id": "run-2",
    "glue_job_run_id": "jr_2",
    "records_processed": Decimal(1234),
    "created_at": "2026-01-30T00:00:00.000000Z",
}


def parse_record(item: dict[str, Any]) -> ManifestRecord:
    return record_module.parse_record(item, "manifests")


def test_reads_every_attribute() -> None:
    record = parse_record(ITEM)
    assert (record.name, record.status, record.manifest_path) == (
        NAME,
        ManifestStatus.COMPLETED,
        ITEM["manifest_path"],
    )
    assert (record.file_count, record.total_size_mb, record.attempt) == (10, 33.4, 2)
    assert (record.dagster_run_id, record.glue_job_run_id) == ("run-2", "jr_2")
    assert (record.records_processed, record.error_message) == (1234, None)
    assert (record.date_prefix, record.file_key) == (DATE, KEY)


def test_a_record_that_another_tool_wrote_needs_key_path_and_status_alone() -> None:
    minimal = {name: ITEM[name] for name in ("date_prefix", "file_key", "status", "manifest_path")}
    record = parse_record(minimal)
    assert (record.attempt, record.file_count, record.total_size_mb) == (0, 0, 0.0)
    assert record.records_processed is None


@pytest.mark.parametrize("missing", ["status", "manifest_path"])
def test_a_missing_attribute_is_named_with_the_key(missing: str) -> None:
    item = {name: value for name, value in ITEM.items() if name != missing}
    with pytest.raises(RecordFormatError, match=missing) as refused:
        parse_record(item)
    assert f"{DATE} / {KEY}" in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"file_key": "MANIFEST"},
        {"file_key": "2026-01-30-a.ndjson"},
        {"file_key": "LOCK"},
        {"file_key": "MANIFEST#"},
        {"file_key": "MANIFEST#manifest-2026-01-30-batch-1.json"},
        {"date_prefix": "2026-01-29"},
        {"status": "done"},
        {"status": ""},
        {"status": 7},
        {"status": ["pending"]},
        {"manifest_path": "manifests/x.json"},
        {"manifest_path": 7},
        {"manifest_path": f"s3://manifests/{make_name(2).key}"},
        {"manifest_path": f"s3://manifests/manifests/2026-01-29/{NAME.filename}"},
        {"file_count": "many"},
        {"total_size_mb": "large"},
        {"attempt": {"n": 1}},
        {"records_processed": "all"},
        {"attempt": "2"},
        {"attempt": Decimal("1.5")},
        {"attempt": Decimal(-1)},
        {"attempt": True},
        {"attempt": Decimal("1e20")},
        {"file_count": "10"},
        {"total_size_mb": "33.4"},
        {"total_size_mb": Decimal(-1)},
        {"dagster_run_id": Decimal(7)},
        {"glue_job_run_id": {"jr": 1}},
        {"error_message": ["bad"]},
        {"retry_at": Decimal(1)},
        {"created_at": Decimal(1)},
        {"manifest_sha256": "short"},
        {"manifest_sha256": Decimal(1)},
        {"alerts_due": "none"},
        {
            "alerts_due": [
                {"run_id": Decimal(1), "attempt": Decimal(1), "error_message": "", "failed_time": ""}
            ]
        },
        {"counted": "all"},
        {"file_key": KEY.replace("000001", "00000\uff11")},
    ],
    ids=str,
)
def test_a_row_of_another_shape_is_refused_by_its_key(changes: dict[str, Any]) -> None:
    item = {**ITEM, **changes}
    with pytest.raises(RecordFormatError) as refused:
        parse_record(item)
    assert f"{item['date_prefix']} / {item['file_key']}" in str(refused.value)


def test_a_row_without_any_key_is_refused() -> None:
    with pytest.raises(RecordFormatError):
        parse_record({})


@pytest.mark.parametrize(
    "stored",
    [
        f"s3://elsewhere/{NAME.key}",
        f"s3://manifests/evil/{NAME.key}",
    ],
)
def test_where_a_manifest_lies_follows_from_its_key_and_is_not_believed(
    stored: str, caplog: pytest.LogCaptureFixture
) -> None:
    record = parse_record({**ITEM, "manifest_path": stored})
    assert record.manifest_path == f"s3://manifests/{NAME.key}"
    assert stored in caplog.text
