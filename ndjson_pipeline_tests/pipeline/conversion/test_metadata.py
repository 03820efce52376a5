"""The numbers of a date's conversion."""

from typing import Any

import dagster as dg
import pytest

from ndjson_pipeline.conversion.metadata import conversion_metadata
from ndjson_pipeline.glue.report import parse_glue_report
from ndjson_pipeline.glue.runs import GlueRun
from ndjson_pipeline.glue.session import Conversion
from ndjson_pipeline.glue.settlement import Settlement, settle
from ndjson_pipeline_tests.pipeline.harness import (
    DATE,
    glue_report_document,
    make_claim,
    outcome,
)

PLACES: dict[str, Any] = {"region": "eu-central-1", "dpu_hour_price_usd": 0.5}
CLAIMS = [make_claim(1), make_claim(2)]
PATHS = [claim.record.manifest_path for claim in CLAIMS]


def glue_run(run_id: str = "jr_1", state: str = "SUCCEEDED", **attributes: Any) -> GlueRun:
    return GlueRun.from_response(
        {
            "Id": run_id,
            "JobName": "job",
            "JobRunState": state,
            "ExecutionTime": 90,
            "WorkerType": "G.1X",
            "NumberOfWorkers": 2,
            **attributes,
        }
    )


def conversion(*outcomes: Any, uri: str | None = "s3://m/logs/glue/r.json", **attributes: Any) -> Conversion:
    report = parse_glue_report(uri, glue_report_document(*outcomes))
    return Conversion(glue_run(**attributes), report)


def completed(converted: Conversion) -> list[Settlement]:
    return [one for one in settle(CLAIMS, converted.run, converted.report) if one.failure is None]


def values(metadata: dict[str, dg.MetadataValue]) -> dict[str, Any]:
    return {name: value.value for name, value in metadata.items()}


BOTH = conversion(outcome(PATHS[0]), outcome(PATHS[1]))


def test_the_numbers_of_a_date_are_those_of_its_manifests() -> None:
    assert values(conversion_metadata([BOTH], completed(BOTH), **PLACES)) == {
        "manifests_completed": 2,
        "records_read": 16,
        "records_processed": 14,
        "records_rejected": 2,
        "records_rescued": 2,
        "parquet_files_created": 2,
        "input_size_mb": 2.0,
        "output_size_mb": 0.5,
        "compression_ratio": 75.0,
        "execution_time_seconds": 12.5,
        "dpu_hours": 0.05,
        "cost_usd": 0.025,
        "glue_job_run_ids": "jr_1",
        "glue_run": (
            "https://eu-central-1.console.aws.amazon.com/gluestudio/home?region=eu-central-1#/job/job/run/jr_1"
        ),
        "glue_reports": "s3://m/logs/glue/r.json",
        "report": (
            "https://eu-central-1.console.aws.amazon.com/s3/object/m?region=eu-central-1&prefix=logs/glue/r.json"
        ),
        "output_folder": f"s3://output/merged-parquet-{DATE}/",
        "output": (
            "https://eu-central-1.console.aws.amazon.com/s3/buckets/output?region=eu-central-1"
            f"&prefix=merged-parquet-{DATE}/"
        ),
    }


def test_the_ui_plots_numbers_and_follows_links() -> None:
    metadata = conversion_metadata([BOTH], completed(BOTH), **PLACES)
    for name in ("glue_run", "report", "output"):
        assert isinstance(metadata[name], dg.UrlMetadataValue)
    plotted = (dg.IntMetadataValue, dg.FloatMetadataValue)
    for name in ("records_read", "input_size_mb", "compression_ratio", "dpu_hours", "cost_usd"):
        assert isinstance(metadata[name], plotted)


def test_a_manifest_that_failed_adds_no_records_but_the_run_costs_what_it_costs() -> None:
    one = conversion(outcome(PATHS[0]), outcome(PATHS[1], rows=0, rejected=3, error="bad"), state="FAILED")
    numbers = values(conversion_metadata([one], completed(one), **PLACES))
    assert (numbers["manifests_completed"], numbers["records_read"], numbers["records_rejected"]) == (1, 8, 1)
    assert numbers["dpu_hours"] == 0.05


def test_a_run_that_is_given_twice_counts_once_and_two_runs_are_summed() -> None:
    other = conversion(outcome(PATHS[1]), run_id="jr_2")
    first = conversion(outcome(PATHS[0]))
    settled = [*completed(first)[:1], *settle([CLAIMS[1]], other.run, other.report)]
    numbers = values(conversion_metadata([first, first, other], settled, **PLACES))
    assert (numbers["records_read"], numbers["dpu_hours"]) == (16, 0.1)
    assert numbers["execution_time_seconds"] == 25.0
    assert numbers["glue_job_run_ids"] == "jr_1, jr_2"


def test_without_a_report_glue_gives_time_and_price_alone() -> None:
    bare = Conversion(glue_run(), None)
    numbers = values(conversion_metadata([bare], completed(bare), **PLACES))
    assert (numbers["manifests_completed"], numbers["records_read"]) == (2, 0)
    assert (numbers["execution_time_seconds"], numbers["dpu_hours"]) == (90.0, 0.05)
    assert "report" not in numbers
    assert "output" not in numbers


def test_a_report_that_could_not_be_written_has_no_link() -> None:
    unwritten = conversion(outcome(PATHS[0]), outcome(PATHS[1]), uri=None)
    numbers = values(conversion_metadata([unwritten], completed(unwritten), **PLACES))
    assert numbers["records_read"] == 16
    assert not {"report", "glue_reports"} & set(numbers)


def test_a_price_that_is_not_known_of_every_run_is_left_out() -> None:
    known, unknown = BOTH, Conversion(glue_run("jr_2", WorkerType=None), None)
    numbers = conversion_metadata([known, unknown], completed(known), **PLACES)
    assert not {"dpu_hours", "cost_usd"} & set(numbers)


def test_a_date_without_conversions_has_zeroes_that_plot() -> None:
    numbers = values(conversion_metadata([], [], **PLACES))
    assert (numbers["manifests_completed"], numbers["dpu_hours"]) == (0, pytest.approx(0))
    assert "glue_run" not in numbers
