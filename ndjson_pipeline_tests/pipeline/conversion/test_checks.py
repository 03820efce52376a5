"""Checks on merged_parquet."""

from dataclasses import replace

import dagster as dg
import pytest

from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.conversion.checks import (
    all_manifests_completed,
    catalog_follows_contract,
    rejected_fraction,
    row_conservation,
    schema_changed,
)
from ndjson_pipeline.glue.report import CatalogOutcome, GlueReport, ManifestOutcome, SchemaOutcome
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


def cataloged(**told: object) -> GlueReport:
    catalog = CatalogOutcome("db.t", **{"schema_version": 3, "left_out": (), "error_message": None, **told})
    return replace(report(1, 1, 0), catalog=catalog)


@pytest.mark.parametrize("reports", [[], [report(1, 1, 0)], [cataloged()]])
def test_a_table_that_follows_the_contract_or_that_is_not_there_is_fine(reports: list[GlueReport]) -> None:
    assert catalog_follows_contract(reports).passed


def test_a_table_that_is_behind_is_a_warning_until_a_later_run_brings_it_there() -> None:
    behind = cataloged(schema_version=None, error_message="table db.t can't be updated: denied")
    result = catalog_follows_contract([cataloged(), behind, report(1, 1, 0)])
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert {name: value.value for name, value in result.metadata.items()} == {
        "table": "db.t",
        "columns_left_out": 0,
        "left_out": "",
        "error_message": "table db.t can't be updated: denied",
    }
    mended = catalog_follows_contract([behind, cataloged(left_out=("a:b: no name",))])
    assert mended.passed
    assert mended.metadata["schema_version"].value == 3
    assert mended.metadata["left_out"].value == "a:b: no name"
