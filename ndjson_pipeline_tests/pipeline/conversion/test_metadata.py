"""The numbers of a date's conversion."""

from dataclasses import replace
from typing import Any

import dagster as dg
import pytest

from ndjson_pipeline.claims.totals import DateTotals, GlueCharge, ManifestNumbers
from ndjson_pipeline.conversion.console import Console
from ndjson_pipeline.conversion.metadata import charge_of, date_metadata, numbers_of, run_metadata
from ndjson_pipeline.glue.report import RescuedColumn, parse_glue_report
from ndjson_pipeline.glue.runs import GlueRun
from ndjson_pipeline.glue.session import Conversion
from ndjson_pipeline.glue.settlement import Settlement, settle
from ndjson_pipeline_tests.pipeline.harness import (
    DATE,
    glue_report_document,
    make_claim,
    outcome,
)

PLACES: dict[str, Any] = {
    "console": Console("eu-central-1", "eu-central-1.console.aws.amazon.com"),
    "dpu_hour_price_usd": 0.5,
}
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


def test_what_did_not_fit_is_a_table_with_the_worst_first() -> None:
    rescued = (
        RescuedColumn("a", "other kind", 1),
        RescuedColumn("b", "not exact", 5),
        RescuedColumn("b", "other kind", 2),
    )
    assert BOTH.report is not None
    told = Conversion(BOTH.run, replace(BOTH.report, rescued_columns=rescued))
    table = run_metadata([told], completed(told), **PLACES)["run_rescued_columns"]
    assert isinstance(table, dg.TableMetadataValue)
    assert [record.data for record in table.records] == [
        {"column": "b", "reason": "not exact", "records": 5, "share": 0.5},
        {"column": "b", "reason": "other kind", "records": 2, "share": 0.5},
        {"column": "a", "reason": "other kind", "records": 1, "share": 1 / 14},
    ]


def test_the_numbers_of_a_run_are_those_of_its_manifests() -> None:
    assert values(run_metadata([BOTH], completed(BOTH), **PLACES)) == {
        "run_input_files": 20,
        "run_manifests_completed": 2,
        "run_records_read": 16,
        "run_records_processed": 14,
        "run_records_rejected": 2,
        "run_records_rescued": 2,
        "run_rejected_bytes": 0,
        "run_parquet_files_created": 2,
        "run_input_size_mb": 2.0,
        "run_output_size_mb": 0.5,
        "run_compression_ratio": 75.0,
        "run_execution_time_seconds": 12.5,
        "run_dpu_hours": 0.05,
        "run_cost_usd": 0.025,
        "glue_job_run_ids": "jr_1",
        "glue_log": "/aws-glue/jobs/error, stream jr_1",
        "glue_log_page": (
            "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1"
            "#logsV2:log-groups/log-group/$252Faws-glue$252Fjobs$252Ferror/log-events/jr_1"
        ),
        "glue_run": (
            "https://eu-central-1.console.aws.amazon.com/gluestudio/home?region=eu-central-1#/job/job/run/jr_1"
        ),
        "glue_reports": "s3://m/logs/glue/r.json",
        "report": (
            "https://eu-central-1.console.aws.amazon.com/s3/object/m?region=eu-central-1&prefix=logs/glue/r.json"
        ),
        "output_folder": f"s3://ndjson-output-sqs-123456789012-dev/merged-parquet-{DATE}/",
        "output": (
            "https://eu-central-1.console.aws.amazon.com/s3/buckets/ndjson-output-sqs-123456789012-dev?region=eu-central-1"
            f"&prefix=merged-parquet-{DATE}/"
        ),
    }


def test_without_a_console_names_stand_where_links_would() -> None:
    metadata = run_metadata([BOTH], completed(BOTH), console=None, dpu_hour_price_usd=0.5)
    assert not [name for name, value in metadata.items() if isinstance(value, dg.UrlMetadataValue)]
    assert metadata["glue_log"].value == "/aws-glue/jobs/error, stream jr_1"
    assert (
        metadata["output_folder"].value == f"s3://ndjson-output-sqs-123456789012-dev/merged-parquet-{DATE}/"
    )
    assert metadata["glue_reports"].value == "s3://m/logs/glue/r.json"


@pytest.mark.parametrize(
    ("input_bytes", "output_bytes", "parquet_files", "saved"),
    [
        # Two files of some lines each: the Parquet's own bytes are 18 times theirs.
        (2_000, 37_000, 2, None),
        (0, 0, 0, None),
        (102_399, 50_000, 1, None),
        (102_400, 51_200, 1, 50.0),
        (204_799, 50_000, 2, None),
        # Packed input may be smaller than what it becomes, which is worth knowing.
        (1_048_576, 2_097_152, 1, -100.0),
    ],
)
def test_the_share_that_was_saved_is_told_where_it_says_something(
    input_bytes: int, output_bytes: int, parquet_files: int, saved: float | None
) -> None:
    totals = DateTotals(
        numbers=ManifestNumbers(
            input_bytes=input_bytes, output_bytes=output_bytes, parquet_files=parquet_files
        )
    )
    assert values(date_metadata(totals)).get("compression_ratio") == saved


def test_the_ui_plots_numbers_and_follows_links() -> None:
    metadata = run_metadata([BOTH], completed(BOTH), **PLACES)
    for name in ("glue_run", "report", "output"):
        assert isinstance(metadata[name], dg.UrlMetadataValue)
    plotted = (dg.IntMetadataValue, dg.FloatMetadataValue)
    for name in (
        "run_records_read",
        "run_input_size_mb",
        "run_compression_ratio",
        "run_dpu_hours",
        "run_cost_usd",
    ):
        assert isinstance(metadata[name], plotted)


def test_a_manifest_that_failed_adds_no_records_but_the_run_costs_what_it_costs() -> None:
    one = conversion(outcome(PATHS[0]), outcome(PATHS[1], rows=0, rejected=3, error="bad"), state="FAILED")
    numbers = values(run_metadata([one], completed(one), **PLACES))
    assert (
        numbers["run_manifests_completed"],
        numbers["run_records_read"],
        numbers["run_records_rejected"],
    ) == (1, 8, 1)
    assert numbers["run_dpu_hours"] == 0.05


def test_a_run_that_is_given_twice_counts_once_and_two_runs_are_summed() -> None:
    other = conversion(outcome(PATHS[1]), run_id="jr_2")
    first = conversion(outcome(PATHS[0]))
    settled = [*completed(first)[:1], *settle([CLAIMS[1]], other.run, other.report)]
    numbers = values(run_metadata([first, first, other], settled, **PLACES))
    assert (numbers["run_records_read"], numbers["run_dpu_hours"]) == (16, 0.1)
    assert numbers["run_execution_time_seconds"] == 25.0
    assert numbers["glue_job_run_ids"] == "jr_1, jr_2"


def test_without_a_report_glue_gives_time_and_price_alone() -> None:
    bare = Conversion(glue_run(), None)
    numbers = values(run_metadata([bare], completed(bare), **PLACES))
    assert (numbers["run_manifests_completed"], numbers["run_records_read"]) == (2, 0)
    assert (numbers["run_execution_time_seconds"], numbers["run_dpu_hours"]) == (90.0, 0.05)
    assert "report" not in numbers
    assert "output" not in numbers


def test_a_report_that_could_not_be_written_has_no_link() -> None:
    unwritten = conversion(outcome(PATHS[0]), outcome(PATHS[1]), uri=None)
    numbers = values(run_metadata([unwritten], completed(unwritten), **PLACES))
    assert numbers["run_records_read"] == 16
    assert not {"report", "glue_reports"} & set(numbers)


def test_a_price_that_is_not_known_of_every_run_is_left_out() -> None:
    known, unknown = BOTH, Conversion(glue_run("jr_2", WorkerType=None), None)
    numbers = run_metadata([known, unknown], completed(known), **PLACES)
    assert not {"run_dpu_hours", "run_cost_usd"} & set(numbers)


def test_a_date_without_conversions_has_zeroes_that_plot() -> None:
    numbers = values(run_metadata([], [], **PLACES))
    assert (numbers["run_manifests_completed"], numbers["run_dpu_hours"]) == (0, pytest.approx(0))
    assert "glue_run" not in numbers


TOTALS = DateTotals(
    manifests=3,
    manifests_unreported=1,
    numbers=ManifestNumbers(16, 14, 2, 2, 2, 2 * 1_048_576, 524_288, 20),
    glue_runs=2,
    glue_seconds=25.0,
    dpu_hours=0.1,
    cost_usd=0.05,
)


def test_the_numbers_of_a_date_are_its_totals() -> None:
    assert values(date_metadata(TOTALS)) == {
        "dagster/row_count": 14,
        "dagster/partition_row_count": 14,
        "input_files": 20,
        "manifests_completed": 3,
        "manifests_without_report": 1,
        "records_read": 16,
        "records_processed": 14,
        "records_rejected": 2,
        "records_rescued": 2,
        "parquet_files_created": 2,
        "input_size_mb": 2.0,
        "output_size_mb": 0.5,
        "compression_ratio": 75.0,
        "glue_runs": 2,
        "execution_time_seconds": 25.0,
        "dpu_hours": 0.1,
        "cost_usd": 0.05,
    }


def test_a_date_whose_price_is_not_known_of_every_glue_run_shows_none() -> None:
    numbers = date_metadata(replace(TOTALS, glue_runs_unpriced=1))
    assert not {"dpu_hours", "cost_usd"} & set(numbers)
    assert numbers["execution_time_seconds"].value == 25.0


def test_a_date_of_which_nothing_was_converted_has_zeroes_that_plot() -> None:
    numbers = values(date_metadata(DateTotals()))
    assert (numbers["manifests_completed"], numbers["dagster/row_count"]) == (0, 0)
    assert (numbers["dpu_hours"], numbers["cost_usd"]) == (pytest.approx(0), pytest.approx(0))


def test_the_numbers_of_a_manifest_are_what_its_report_tells() -> None:
    record = CLAIMS[0].record
    assert numbers_of(BOTH.report, record) == ManifestNumbers(8, 7, 1, 1, 1, 1_048_576, 262_144, 10)
    assert numbers_of(BOTH.report, replace(record, manifest_path="s3://m/another")) is None
    assert numbers_of(None, record) is None


def test_a_glue_run_is_charged_with_its_script_s_time_and_its_price() -> None:
    charged = charge_of(DATE, BOTH, 0.5)
    assert charged == GlueCharge(DATE, "jr_1", 12.5, pytest.approx(0.05), pytest.approx(0.025))
    unknown = Conversion(glue_run(WorkerType=None), None)
    assert charge_of(DATE, unknown, 0.5) == GlueCharge(DATE, "jr_1", 90.0, None, None)
