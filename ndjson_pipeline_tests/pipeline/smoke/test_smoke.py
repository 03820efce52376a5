"""What a smoke test puts in, and how it judges what comes out."""

import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.records import FileStatus, ManifestStatus
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.smoke.observation import GlueRunSeen, Observation, SeenFile
from ndjson_pipeline.smoke.plan import IngestRules, SmokePlan, SmokePlanError, plan_smoke
from ndjson_pipeline.smoke.verdict import is_settled, problems_of

NOW = datetime(2026, 1, 30, 23, 59, tzinfo=UTC)
OFF = {"EXPECTED_FILE_SIZE_MB": "0"}


def planned(variables: dict[str, str], files: int | None = None) -> SmokePlan:
    return plan_smoke(IngestRules.from_variables(variables), files=files, now=NOW, draw=random.Random(1))


def test_twelve_files_where_twelve_make_a_batch() -> None:
    plan = planned({**OFF, "MAX_FILES_PER_MANIFEST": "12"})
    assert (len(plan.files), plan.is_one_batch, plan.date_prefix) == (12, True, "2026-01-30")
    assert all(100_000 < len(file.content) < 105_000 for file in plan.files)
    assert len({file.name for file in plan.files}) == 12


def test_ten_by_the_contracts_default() -> None:
    assert len(planned(OFF).files) == 10


def test_files_are_of_the_size_that_is_expected() -> None:
    (file,) = planned({"MAX_FILES_PER_MANIFEST": "1"}).files
    assert abs(len(file.content) - 3.5 * 1_048_576) < 0.1 * 3.5 * 1_048_576


@pytest.mark.parametrize(
    ("variables", "files", "message"),
    [
        ({}, 12, "2 of 12 files would wait until the day is over.*pass --files 10"),
        ({"MAX_FILES_PER_MANIFEST": "1000"}, None, "a batch of this deployment has 1000 files; pass --files"),
        ({"INPUT_EXTENSIONS": ".ndjson.gz"}, None, "takes no files named"),
        ({"DATE_SOURCES": "path"}, None, "takes no files named"),
        ({"MAX_FILES_PER_MANIFEST": "none"}, None, "MAX_FILES_PER_MANIFEST must be a whole number"),
    ],
    ids=["a rest", "a large batch", "extension", "date", "no number"],
)
def test_what_would_not_be_batched_today_is_refused_before_anything_is_put_in(
    variables: dict[str, str], files: int | None, message: str
) -> None:
    with pytest.raises(SmokePlanError, match=message):
        planned({**OFF, **variables}, files)


def test_a_rest_is_cut_where_batches_are_cut_by_age() -> None:
    plan = planned({**OFF, "MAX_BATCH_AGE_SECONDS": "60"}, 12)
    assert (len(plan.files), plan.is_one_batch) == (12, False)


PLAN = planned({**OFF, "MAX_FILES_PER_MANIFEST": "2"})
NAME = ManifestName.parse("manifest-2026-01-30-batch-000001-1f0c2a9b.json")
PATH = f"s3://manifests/{NAME.key}"


def record(**changes: Any) -> ManifestRecord:
    values = {
        "name": NAME,
        "status": ManifestStatus.COMPLETED,
        "manifest_path": PATH,
        "file_count": 2,
        "total_size_mb": 0.2,
        "attempt": 1,
        "created_at": "2026-01-30T23:59:01Z",
        "dagster_run_id": "run",
        "glue_job_run_id": "jr_1",
        "records_processed": PLAN.records,
    }
    return ManifestRecord(**{**values, **changes})


FILES = tuple(SeenFile(file.name, "manifested", PATH) for file in PLAN.files)
GOOD = Observation(FILES, (record(),), (GlueRunSeen("jr_1", "SUCCEEDED", 60),), 1, 1000)


def other(**changes: Any) -> ManifestRecord:
    """Another manifest of the same batch, of one file."""
    name = replace(NAME, sequence=2)
    return record(name=name, manifest_path=f"s3://manifests/{name.key}", file_count=1, **changes)


def test_one_batch_in_one_run_is_well() -> None:
    assert is_settled(GOOD)
    assert problems_of(PLAN, GOOD) == []


TWO = (
    FILES[0],
    replace(FILES[1], manifest_path=other().manifest_path),
)


@pytest.mark.parametrize(
    ("observation", "settled", "problem"),
    [
        (replace(GOOD, files=(FILES[0], SeenFile("b", None))), False, "1 of 2 files have no record"),
        (replace(GOOD, files=(FILES[0], SeenFile("b", "pending"))), False, "1 of 2 files are in no manifest"),
        (
            replace(GOOD, files=(FILES[0], SeenFile("b", "quarantined", None, "size"))),
            True,
            "b was refused: size",
        ),
        (replace(GOOD, manifests=()), False, "look at Dagster's manifest_sensor"),
        (
            replace(GOOD, manifests=(record(status=ManifestStatus.PROCESSING),)),
            False,
            "is processing: look at Dagster's manifest_sensor",
        ),
        (
            replace(GOOD, manifests=(record(status=ManifestStatus.FAILED, error_message="denied"),)),
            True,
            "failed: denied",
        ),
        # It is tried again by itself, so there is more to come.
        (
            replace(GOOD, manifests=(record(status=ManifestStatus.FAILED, retry_at="2026-01-31T00:05:00Z"),)),
            False,
            "is failed",
        ),
        (
            replace(GOOD, manifests=(record(records_processed=1),)),
            True,
            "records were put in, and 1 rows came",
        ),
        (replace(GOOD, manifests=(record(attempt=2),)), True, "took 2 attempts"),
        (replace(GOOD, parquet_files=0), True, "no Parquet"),
        (replace(GOOD, glue_runs=(GlueRunSeen("jr_1", "FAILED", 60),)), True, "jr_1 is FAILED"),
        (
            replace(
                GOOD,
                files=TWO,
                manifests=(
                    record(file_count=1, records_processed=1),
                    other(records_processed=PLAN.records - 1),
                ),
            ),
            True,
            "one batch became 2 manifests",
        ),
    ],
    ids=[
        "no record",
        "pending",
        "refused",
        "a record lost",
        "processing",
        "failed",
        "to be tried again",
        "rows lost",
        "again",
        "no output",
        "Glue",
        "two manifests",
    ],
)
def test_what_is_wrong_is_said(observation: Observation, settled: bool, problem: str) -> None:
    assert is_settled(observation) is settled
    found = problems_of(PLAN, observation)
    assert [one for one in found if problem in one], found


def test_files_of_others_in_the_same_batch_are_no_problem() -> None:
    """Producers go on meanwhile: neither the count of manifests nor the rows are the smoke test's alone."""
    seen = replace(
        GOOD,
        files=TWO,
        manifests=(record(file_count=5, records_processed=PLAN.records * 5), other(records_processed=3)),
    )
    assert problems_of(PLAN, seen) == []


def test_several_batches_may_take_several_runs() -> None:
    plan = planned({**OFF, "MAX_FILES_PER_MANIFEST": "1"}, 2)
    first, second = plan.files
    seen = replace(
        GOOD,
        files=(replace(FILES[0], name=first.name), replace(TWO[1], name=second.name)),
        manifests=(
            record(file_count=1, records_processed=first.record_count),
            other(records_processed=second.record_count, dagster_run_id="later", glue_job_run_id="jr_2"),
        ),
        glue_runs=(GlueRunSeen("jr_1", "SUCCEEDED", 60), GlueRunSeen("jr_2", "SUCCEEDED", 60)),
    )
    assert seen.count(FileStatus.MANIFESTED) == 2
    assert problems_of(plan, seen) == []
