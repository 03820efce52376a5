"""Checks on merged_parquet."""

from dataclasses import replace

import dagster as dg
import pytest

from glue_jobs.schema.reasons import Reason
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.conversion.checks import (
    CheckedDate,
    all_manifests_completed,
    catalog_follows_contract,
    rejected_fraction,
    rescued_share,
    row_conservation,
    schema_changed,
    schema_has_room,
)
from ndjson_pipeline.conversion.console import Console
from ndjson_pipeline.conversion.rejected_lines import RejectedLines
from ndjson_pipeline.glue.report import (
    CatalogOutcome,
    GlueReport,
    ManifestOutcome,
    RescuedColumn,
    SchemaOutcome,
)
from ndjson_pipeline_tests.pipeline.harness import make_record

DATE_CHECKED = CheckedDate("2026-01-30", "q", " --feed orders")


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
    result = rejected_fraction([report(100, 100 - rejected, rejected)], DATE_CHECKED)
    assert result.passed is passes
    assert result.severity is dg.AssetCheckSeverity.WARN


def test_no_record_at_all_is_no_rejection() -> None:
    assert rejected_fraction([], DATE_CHECKED).passed


def losing(**told: object) -> GlueReport:
    plain = report(45_001, 45_000, 1)
    outcome = replace(plain.manifests["s3://m/a"], input_size_mb=10.0, **told)
    return replace(plain, manifests={"s3://m/a": outcome})


def test_a_lost_file_is_a_warning_that_names_it_and_leads_to_what_is_left_of_it() -> None:
    """One of ten files, and one record of 45,001."""
    lost = "s3://i/7: an array of JSON, expected lines"
    result = rejected_fraction(
        [losing(lost_files=(lost,), rejected_bytes=1_048_576, rejected_files=("s3://q/rejected/1",))],
        replace(DATE_CHECKED, console=Console("eu-central-1", "eu-central-1.console.aws.amazon.com")),
    )
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert {name: value.value for name, value in result.metadata.items()} == {
        "rejected_fraction": 1 / 45_001,
        "rejected_fraction_of_bytes": 0.1,
        "records_rejected": 1,
        "rejected_bytes": 1_048_576,
        "files_lost": 1,
        "files": lost,
        "rejected_records": "s3://q/rejected/2026-01-30/",
        "rejected_records_of": "s3://q/rejected/1",
        "rejected_records_page": (
            "https://eu-central-1.console.aws.amazon.com/s3/object/q?region=eu-central-1&prefix=rejected/1"
        ),
        "command": "ndjson-pipeline rejects --date 2026-01-30 --feed orders",
    }


@pytest.mark.parametrize(
    ("told", "passes"),
    [
        ({"rejected_bytes": 104_857}, True),
        ({"rejected_bytes": 104_858}, False),
        ({"lost_files": ("s3://i/tiny: gone",)}, False),
        ({"rejected_bytes": 10**9}, False),
    ],
)
def test_bytes_count_as_records_do_and_a_lost_file_however_small(
    told: dict[str, object], passes: bool
) -> None:
    result = rejected_fraction([losing(**told)], DATE_CHECKED)
    assert result.passed is passes
    assert 0 <= result.metadata["rejected_fraction_of_bytes"].value <= 1


def test_of_many_lost_files_the_first_are_named() -> None:
    files = tuple(f"s3://i/{number:02}: gone" for number in range(30))
    named = rejected_fraction([losing(lost_files=files)], DATE_CHECKED).metadata["files"].value
    assert named.splitlines()[-2:] == ["s3://i/19: gone", "and 10 more"]


def rescuing(*columns: tuple[str, str, int], processed: int = 1_000) -> GlueReport:
    rescued = tuple(RescuedColumn(path, reason, records) for path, reason, records in columns)
    return replace(report(processed, processed, 0), rescued_columns=rescued)


def test_a_column_above_a_hundredth_is_a_warning_that_names_it_with_the_reasons() -> None:
    """Whole amounts came first, cents later: 9,900 of 10,000 are not in their column."""
    amounts = rescuing(("amount", "not exact", 9_900), ("id", "other kind", 100), processed=10_000)
    result = rescued_share([amounts], DATE_CHECKED)
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    told = {name: value.value for name, value in result.metadata.items()}
    assert told["columns"] == "amount: 99.0% of the records (not exact 9,900)"
    assert (told["columns_above"], told["highest_share"]) == (1, 0.99)
    assert told["what_to_do"].startswith("not exact: ")
    assert "other kind" not in told["what_to_do"]


def test_shares_are_of_all_runs_and_all_reasons_of_a_column_together() -> None:
    runs = [rescuing(("a[].b", "other kind", 6)), rescuing(("a[].b", "not exact", 15)), report(9, 9, 0)]
    told = rescued_share(runs, DATE_CHECKED).metadata
    assert told["columns"].value == "a[].b: 1.0% of the records (other kind 6, not exact 15)"
    assert rescued_share([*runs, report(500, 500, 0)], DATE_CHECKED).passed


@pytest.mark.parametrize(
    "reports", [[], [report(1, 1, 0)], [rescuing(("a", "other kind", 10))], [rescuing(processed=0)]]
)
def test_few_rescued_values_are_no_warning(reports: list[GlueReport]) -> None:
    assert rescued_share(reports, DATE_CHECKED).passed


def test_places_that_the_report_does_not_name_count_together() -> None:
    result = rescued_share([rescuing(("*", "no column", 11))], DATE_CHECKED)
    assert result.metadata["columns"].value.startswith("all other places together: 1.1%")


@pytest.mark.parametrize("reports", [[], [report(1, 1, 0)], [rescuing(("a", "other kind", 5), processed=0)]])
def test_shares_of_nothing_are_none(reports: list[GlueReport]) -> None:
    assert rescued_share(reports, DATE_CHECKED).metadata["highest_share"].value == 0.0


def test_there_is_advice_against_each_reason() -> None:
    for reason in Reason:
        told = rescued_share([rescuing(("a", str(reason), 1_000))], DATE_CHECKED).metadata["what_to_do"].value
        assert told.startswith(f"{reason}: ")
        assert "look into _rescued" not in told


def test_a_full_schema_is_a_warning_that_names_the_setting() -> None:
    schema = SchemaOutcome("s3://m/schemas/out/schema.json", 7, (), is_full=True)
    full = replace(report(1, 1, 0), schema=schema)
    result = schema_has_room([full, report(1, 1, 0)])
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert "--MAX_COLUMNS" in result.metadata["what_to_do"].value
    later = replace(full, schema=replace(schema, version=8, is_full=False))
    assert schema_has_room([later, full]).passed
    assert schema_has_room([report(1, 1, 0)]).passed


def test_open_manifests_are_named() -> None:
    assert all_manifests_completed([], DATE_CHECKED).passed
    failed = make_record(2, status=ManifestStatus.FAILED)
    result = all_manifests_completed([failed, make_record(3)], DATE_CHECKED)
    assert not result.passed
    assert result.metadata["failed"].value == 1
    assert result.metadata["pending"].value == 1
    assert failed.name.filename in str(result.metadata["manifests"].value)


def changed(version: int, *columns: str) -> GlueReport:
    return replace(report(1, 1, 0), schema=SchemaOutcome("s3://m/schemas/out/schema.json", version, columns))


def test_new_columns_are_a_warning_that_names_them_and_the_contract() -> None:
    result = schema_changed([changed(3, "a", "b.c"), changed(4, "a"), report(1, 1, 0)], DATE_CHECKED)
    assert not result.passed
    assert result.severity is dg.AssetCheckSeverity.WARN
    assert {name: value.value for name, value in result.metadata.items()} == {
        "new_columns": 2,
        "columns": "a\nb.c",
        "contract_version": 4,
        "contract": "s3://m/schemas/out/schema.json",
    }


def test_the_very_first_columns_are_no_warning() -> None:
    """Whether others knew the contract or not, and whichever run of several brought them."""
    first = replace(DATE_CHECKED, first_columns=frozenset({"a", "b.c"}))
    assert schema_changed([changed(1, "a", "b.c")], DATE_CHECKED).passed
    assert schema_changed([changed(1, "a", "b.c"), changed(2, "a", "b.c")], first).passed
    # A type was declared before there was any record.
    assert schema_changed([changed(2, "a", "b.c")], first).passed
    later = schema_changed([changed(1, "a", "b.c"), changed(2, "a", "b.c", "d")], first)
    assert (later.passed, later.metadata["columns"].value) == (False, "d")


def test_a_warning_names_the_files_whose_lines_were_rejected() -> None:
    lines = RejectedLines(is_all=False)
    lines.by_file[("s3://i/a.ndjson", "not valid JSON")] = 7
    lines.by_file[("s3://i/b.ndjson", "not an object")] = 9
    metadata = rejected_fraction(
        [losing(rejected_files=("s3://q/rejected/1",))], DATE_CHECKED, lines
    ).metadata
    table = metadata["rejected_by_file"]
    assert isinstance(table, dg.TableMetadataValue)
    assert [record.data for record in table.records] == [
        {"file": "s3://i/b.ndjson", "reason": "not an object", "records": 9},
        {"file": "s3://i/a.ndjson", "reason": "not valid JSON", "records": 7},
    ]
    assert not [one for one in metadata.values() if isinstance(one, dg.UrlMetadataValue)]


@pytest.mark.parametrize("reports", [[], [report(1, 1, 0)], [changed(3)]])
def test_without_new_columns_the_schema_stands(reports: list[GlueReport]) -> None:
    assert schema_changed(reports, DATE_CHECKED).passed


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
