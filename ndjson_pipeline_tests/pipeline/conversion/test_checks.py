"""Checks on merged_parquet."""

from dataclasses import replace

import dagster as dg
import pytest

from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.conversion.checks import (
    all_manifests_completed,
    rejected_fraction,
    row_conservation,
    schema_changed,
)
from ndjson_pipeline.glue.report import GlueReport, ManifestOutcome, SchemaOutcome
from ndjson_pipeline_tests.pipeline.harness import make_record


def report(read: int, processed: int, rejected: int, *, is_completed: bool = True) -> GlueReport:
    outcome = ManifestOutcome("s3://m/a", is_completed, read, processed, rejected, None)
    return GlueReport("s3://m/r", {"s3://m/a": outcome}, 1, 1.0, 1.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("reports", "passes"),
    [
        ([], True),
        ([report(10, 9, 1)], True),
        ([report(10, 9, 0)], False),
        ([report(10, 9, 1), report(5, 6, 0)], False),
        ([report(10, 3, 0, is_completed=False)], True),
    ],
)
def test_rows_are_conserved_manifest_by_manifest(reports: list[GlueReport], passes: bool) -> None:
    result = row_conservation(reports)
    assert result.passed is passes
    assert result.severity is dg.AssetCheckSeverity.ERROR


@pytest.mark.parametrize(("rejected", "passes"), [(0, True), (1, True), (2, False)])
def test_more_than_a_hundredth_of_rejected_records_is_a_warning(rejected: int, passes: bool) -> None:
    result = rejected_fraction([report(100, 100 - rejected, rejected)])
    assert result.passed is passes
    assert result.severity is dg.AssetCheckSeverity.WARN


def test_no_record_at_all_is_no_rejection() -> None:
    assert rejected_fraction([]).passed


def test_open_manifests_are_named() -> None:
    assert all_manifests_completed([]).passed
    failed = make_record(2, status=ManifestStatus.FAILED)
    result = all_manifests_completed([failed, make_record(3)])
    assert not result.passed
    assert result.metadata["failed"].value == 1
    assert result.metadata["pending"].value == 1
    assert failed.name.filename in str(result.metadata["manifests"].value)


def changed(version: int, *columns: str) -> GlueReport:
    return replace(report(1, 1, 0), schema=SchemaOutcome("s3://m/schemas/out/schema.json", version, columns))


def test_new_columns_are_a_warning_that_names_them_and_the_contract() -> None:
    result = schema_changed([changed(3, "a", "b.c"), changed(4, "a"), report(1, 1, 0)])
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert {name: value.value for name, value in result.metadata.items()} == {
        "new_columns": 2,
        "columns": "a, b.c",
        "contract_version": 4,
        "contract": "s3://m/schemas/out/schema.json",
    }


@pytest.mark.parametrize("reports", [[], [report(1, 1, 0)], [changed(3)]])
def test_without_new_columns_the_schema_stands(reports: list[GlueReport]) -> None:
    assert schema_changed(reports).passed
