import json
import logging

import pytest

from glue_jobs.catalog.types import LeftOut
from glue_jobs.reporting.report import (
    CatalogOutcome,
    FileNote,
    JobInfo,
    ManifestOutcome,
    ParquetFile,
    RunOutcome,
    SchemaOutcome,
    ask_job_info,
    build_report,
    failure_message,
    percentage_saved,
    write_report,
)
from glue_jobs.schema.reasons import Reason
from glue_jobs.schema.settle import LeftWithout
from ndjson_pipeline_tests.glue_jobs.conftest import NOW

MB = 1_048_576
DONE = ManifestOutcome(
    "s3://m/1",
    "2026-01-30",
    2,
    10,
    9,
    1,
    2,
    4 * MB,
    (ParquetFile("s3://o/1", MB, 9, "s3://m/1"),),
    ("s3://q/1",),
    (FileNote("s3://i/1", "gone"),),
    rejected_bytes=77,
    rescued_columns={("user.age", Reason.OTHER_KIND): 2},
)
FAILED = ManifestOutcome("s3://m/2", error_message="absent")


def test_has_the_shape_of_the_contract():
    outcome = RunOutcome([DONE, FAILED], "1 failed", SchemaOutcome("s3://m/schema.json", 3, ("a",)))
    assert build_report(JobInfo("j", "jr_1", "5.1", "G.1X", 2), outcome, 1.23456, NOW) == {
        "job_info": {
            "job_name": "j",
            "job_run_id": "jr_1",
            "glue_version": "5.1",
            "worker_type": "G.1X",
            "number_of_workers": 2,
        },
        "processing_summary": {
            "records_processed": 9,
            "records_rejected": 1,
            "rejected_bytes": 77,
            "records_rescued": 2,
            "parquet_files_created": 1,
            "input_size_mb": 4.0,
            "output_size_mb": 1.0,
            "compression_ratio": 75.0,
            "execution_time_seconds": 1.235,
            "status": "failed",
            "error_message": "1 failed",
        },
        "parquet_files": [
            {"path": "s3://o/1", "size_mb": 1.0, "record_count": 9, "manifest_path": "s3://m/1"}
        ],
        "manifests": [
            {
                "manifest_path": "s3://m/1",
                "date_prefix": "2026-01-30",
                "status": "completed",
                "file_count": 2,
                "records_read": 10,
                "records_processed": 9,
                "records_rejected": 1,
                "rejected_bytes": 77,
                "records_rescued": 2,
                "parquet_files_created": 1,
                "input_size_mb": 4.0,
                "output_size_mb": 1.0,
                "rejected_files": ["s3://q/1"],
                "missing_files": [{"uri": "s3://i/1", "reason": "gone"}],
                "unreadable_files": [],
                "error_message": None,
            },
            {
                "manifest_path": "s3://m/2",
                "date_prefix": None,
                "status": "failed",
                "file_count": 0,
                "records_read": 0,
                "records_processed": 0,
                "records_rejected": 0,
                "rejected_bytes": 0,
                "records_rescued": 0,
                "parquet_files_created": 0,
                "input_size_mb": 0.0,
                "output_size_mb": 0.0,
                "rejected_files": [],
                "missing_files": [],
                "unreadable_files": [],
                "error_message": "absent",
            },
        ],
        "rescued_columns": [{"path": "user.age", "records": 2, "reason": "other kind"}],
        "schema": {
            "uri": "s3://m/schema.json",
            "version": 3,
            "new_columns": ["a"],
            "generation": 0,
            "is_full": False,
            "left_without_column": [],
        },
        "catalog": None,
        "timestamp": "2026-01-31T01:02:03.456789Z",
    }


def test_the_table_is_told_with_what_it_cannot_have():
    left_out = tuple(LeftOut(f"c{number}:", "has one of , : ;") for number in range(1_002))
    catalog = CatalogOutcome("db", "t", 3, True, left_out)
    entry = build_report(JobInfo("j"), RunOutcome(catalog=catalog), 1.0, NOW)["catalog"]
    named = [entry[name] for name in ("database", "table", "schema_version", "updated")]
    assert named == ["db", "t", 3, True]
    assert entry["left_out"][0] == {"path": "c0:", "reason": "has one of , : ;"}
    assert entry["left_out"][1_000:] == [{"path": None, "reason": "2 more are left out"}]
    assert entry["error_message"] is None


def test_of_many_rescued_columns_the_most_frequent_are_told_and_the_others_summed():
    outcomes = [
        ManifestOutcome(
            "s3://m/1", rescued_columns={(f"c{number}", "no column"): number for number in range(1, 301)}
        ),
        ManifestOutcome("s3://m/2", rescued_columns={("c300", "no column"): 5, ("c300", "not exact"): 1}),
    ]
    entries = build_report(JobInfo("j"), RunOutcome(outcomes), 1.0, NOW)["rescued_columns"]
    assert entries[0] == {"path": "c300", "records": 305, "reason": "no column"}
    assert len(entries) == 202
    assert entries[200:] == [
        {"path": "*", "records": sum(range(1, 101)), "reason": "no column"},
        {"path": "*", "records": 1, "reason": "not exact"},
    ]


def test_what_became_no_column_is_told():
    schema = SchemaOutcome(
        "s3://m/schema.json", 3, (), 2, True, (LeftWithout("room", "names that look like data"),)
    )
    entry = build_report(JobInfo("j"), RunOutcome(schema=schema), 1.0, NOW)["schema"]
    assert (entry["generation"], entry["is_full"]) == (2, True)
    assert entry["left_without_column"] == [{"path": "room", "reason": "names that look like data"}]


@pytest.mark.parametrize(("read", "wrote", "saved"), [(0, 0, 0.0), (100, 25, 75.0), (100, 150, -50.0)])
def test_percentage_saved(read, wrote, saved):
    assert percentage_saved(read, wrote) == saved


def test_failures_are_named():
    assert failure_message([FAILED], 2) == "1 of 2 manifests failed: s3://m/2: absent"


def test_is_written_under_its_name(lake):
    uri = write_report(lake.client, lake.manifests, {"a": "é"}, NOW, "0123456789")
    assert uri == f"s3://{lake.manifests}/logs/glue/2026-01-31-T010203-01234567-0001.json"
    body = lake.client.get_object(Bucket=lake.manifests, Key=uri.split("/", 3)[3])["Body"].read()
    assert json.loads(body) == {"a": "é"}


def test_failing_to_write_is_logged(lake, caplog):
    assert write_report(lake.client, "absent-bucket", {}, NOW, "01234567") is None
    assert "can't be written" in caplog.text


class Glue:
    def get_job_run(self, *, JobName, RunId):  # noqa: N803 - AWS's own names
        assert (JobName, RunId) == ("j", "jr_1")
        return {"JobRun": {"GlueVersion": "5.1", "WorkerType": "G.1X", "NumberOfWorkers": 2}}


def test_asks_glue_about_the_run():
    assert ask_job_info(Glue, "j", "jr_1") == JobInfo("j", "jr_1", "5.1", "G.1X", 2)


def test_by_hand_or_out_of_reach_the_fields_stay_empty(caplog):
    def out_of_reach():
        raise ConnectionError("no route")

    with caplog.at_level(logging.INFO):
        assert ask_job_info(out_of_reach, "j", None) == JobInfo("j")
        assert ask_job_info(out_of_reach, "j", "jr_1") == JobInfo("j", "jr_1")
    assert "no --JOB_RUN_ID" in caplog.text
    assert "no route" in caplog.text
