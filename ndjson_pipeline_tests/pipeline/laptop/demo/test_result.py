"""The demonstration's numbers."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

from lambda_ingest.contract.dates import utc_timestamp
from ndjson_pipeline.laptop.demo.observation import GlueTimes, TrackedState
from ndjson_pipeline.laptop.demo.result import DemoResult, StageSeconds, measure_stages
from ndjson_pipeline_tests.pipeline.harness import make_record

BEGAN = datetime(2026, 1, 30, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def test_stages_are_derived_from_what_the_platform_recorded() -> None:
    records = [
        make_record(number, created_at=utc_timestamp(at(committed)), glue_job_run_id=run_id)
        for number, (committed, run_id) in enumerate([(12, "jr_1"), (13, "jr_1"), (16, "jr_2")], start=1)
    ]
    stages = measure_stages(
        began=BEGAN,
        ready=at(10),
        uploaded=at(11.5),
        reported=at(41.25),
        tracked=TrackedState(
            Counter(),
            records,
            {record.manifest_path: at(30 + number) for number, record in enumerate(records)},
        ),
        glue={"jr_1": GlueTimes(at(15), at(25)), "jr_2": GlueTimes(at(22), at(29.5))},
    )
    assert stages == StageSeconds(
        start=10.0, upload=1.5, ingest=6.0, launch_median=3.0, launch_longest=6.0, convert=14.5, report=9.25
    )


def test_stages_of_nothing_are_zero() -> None:
    stages = measure_stages(
        began=BEGAN,
        ready=at(10),
        uploaded=at(10),
        reported=at(10),
        tracked=TrackedState(Counter(), [], {}),
        glue={},
    )
    assert stages == StageSeconds(10.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def test_a_glue_run_that_glue_has_forgotten_counts_for_no_launch() -> None:
    records = [make_record(1, created_at=utc_timestamp(at(12)), glue_job_run_id="jr_9")]
    stages = measure_stages(
        began=BEGAN,
        ready=at(10),
        uploaded=at(11),
        reported=at(40),
        tracked=TrackedState(Counter(), records, {}),
        glue={},
    )
    assert (stages.launch_median, stages.convert, stages.report) == (0.0, 0.0, 0.0)


def test_a_stage_is_never_negative_where_clocks_differ() -> None:
    records = [make_record(1, created_at=utc_timestamp(at(9)), glue_job_run_id="jr_1")]
    stages = measure_stages(
        began=BEGAN,
        ready=at(10),
        uploaded=at(11),
        reported=at(20),
        tracked=TrackedState(Counter(), records, {records[0].manifest_path: at(21)}),
        glue={"jr_1": GlueTimes(at(8), at(12))},
    )
    assert min(stages.__dict__.values()) >= 0.0


def test_the_document_is_json_with_its_stages() -> None:
    stages = StageSeconds(1, 2, 3, 4, 5, 6, 7)
    result = DemoResult(3, 1, 100, 100, 1, 1000, 500, 1, 28.5, stages)
    document = json.loads(json.dumps(result.to_document()))
    assert (document["files"], document["rows_out"], document["stages"]["convert"]) == (3, 100, 6)
