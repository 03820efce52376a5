"""Reports as their writers write them, and as they must not be."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from lambda_ingest.batches.cutter import CommittedManifest
from lambda_ingest.invocation import ExecutionInfo, InvocationResult, report_document
from ndjson_pipeline.errors import ReportFormatError
from ndjson_pipeline.glue.report import CatalogOutcome, RescuedColumn, parse_glue_report
from ndjson_pipeline.sensors.lambda_report import DateCounts, parse_lambda_report, sum_counts
from ndjson_pipeline_tests.pipeline.harness import NOW, glue_report_document, outcome

URI = "s3://manifests/logs/r.json"
GOOD_PATH, BAD_PATH = "s3://m/manifests/a.json", "s3://m/manifests/b.json"
GLUE_REPORT = glue_report_document(
    outcome(GOOD_PATH, rows=7, rejected=1), outcome(BAD_PATH, rows=2, rejected=0, error="bad file")
)


def lambda_counts(files_processed: str) -> bytes:
    counts = f'"files_processed": {files_processed}, "files_quarantined": 0, "manifests_created": 0'
    return f'{{"dates": {{"2026-01-30": {{{counts}}}}}}}'.encode()


def lambda_report() -> dict[str, Any]:
    result = InvocationResult()
    result.processed.update({"2026-01-30": 3, "2026-01-29": 1})
    result.quarantined.update({"2026-01-30": 2})
    return report_document(result, ExecutionInfo("request", "function", 256, 12), NOW)


def test_a_glue_report_reads_as_its_writer_meant_it() -> None:
    report = parse_glue_report(URI, json.loads(json.dumps(GLUE_REPORT)))
    assert report.uri == URI
    assert set(report.manifests) == {GOOD_PATH, BAD_PATH}
    good, bad = report.manifests[GOOD_PATH], report.manifests[BAD_PATH]
    assert (good.is_completed, good.records_read, good.records_processed) == (True, 8, 7)
    assert (good.records_rejected, good.error_message) == (1, None)
    assert (bad.is_completed, bad.error_message) == (False, "bad file")
    assert (report.records_read, report.records_processed, report.records_rejected) == (10, 9, 1)
    assert (report.input_size_mb, report.execution_seconds) == (2.0, 12.5)
    assert (good.records_rescued, good.parquet_files, good.input_size_mb, good.output_size_mb) == (
        *(1, 1),
        *(1.0, 0.25),
    )
    assert good.output_folder == "s3://ndjson-output-sqs-123456789012-dev/merged-parquet-2026-01-30/"
    assert bad.output_folder is None
    assert report.schema is not None
    assert (report.schema.version, report.schema.new_columns) == (4, ("b", "c.d"))


def test_a_report_of_a_run_that_ended_before_it_knew_the_contract_has_no_schema() -> None:
    assert parse_glue_report(URI, change(GLUE_REPORT, "schema", to=None)).schema is None


CATALOG = {
    "database": "db",
    "table": "t",
    "schema_version": 4,
    "updated": True,
    "left_out": [{"path": "a:b", "reason": "no name"}, {"path": None, "reason": "2 more are left out"}],
    "error_message": None,
}


def test_a_report_tells_of_the_catalogs_table_where_there_is_one() -> None:
    assert parse_glue_report(URI, change(GLUE_REPORT, "catalog", to=None)).catalog is None
    # As an earlier version of the job wrote it.
    assert parse_glue_report(URI, {**GLUE_REPORT}).catalog is None
    told = parse_glue_report(URI, change(GLUE_REPORT, "catalog", to=CATALOG)).catalog
    assert told == CatalogOutcome("db.t", 4, ("a:b: no name", "2 more are left out"), None)
    failed = {**CATALOG, "schema_version": None, "left_out": [], "error_message": "denied\x1b"}
    told = parse_glue_report(URI, change(GLUE_REPORT, "catalog", to=failed)).catalog
    assert told == CatalogOutcome("db.t", None, (), "denied\\x1b")


RESCUED = [{"path": "user.tags[].price", "records": 3, "reason": "not exact"}]


def test_a_report_tells_what_was_rescued_and_what_was_lost() -> None:
    told = change(
        GLUE_REPORT, "rescued_columns", to=[*RESCUED, {**RESCUED[0], "path": "\x1b[2J" + "x" * 999}]
    )
    told = change(told, "schema", "is_full", to=True)
    told["manifests"][0] |= {
        "rejected_bytes": 12,
        "rejected_files": ["s3://q/rejected/1", "no place"],
        "missing_files": [{"uri": "s3://i/a", "reason": "gone"}],
        "unreadable_files": [{"uri": "s3://i/b\n", "reason": "gzip"}, {"uri": None, "reason": "7 more"}],
    }
    report = parse_glue_report(URI, json.loads(json.dumps(told)))
    assert report.rescued_columns[0] == RescuedColumn("user.tags[].price", "not exact", 3)
    assert report.rescued_columns[1].path.startswith("\\x1b[2J")
    assert len(report.rescued_columns[1].path) < 600
    assert report.schema is not None
    assert report.schema.is_full
    good = report.manifests[GOOD_PATH]
    assert (good.rejected_bytes, good.rejected_files) == (12, ("s3://q/rejected/1",))
    assert good.lost_files == ("s3://i/a: gone", "s3://i/b\\n: gzip", "7 more")


def test_of_a_report_that_names_too_much_a_part_is_read() -> None:
    many = change(GLUE_REPORT, "rescued_columns", to=RESCUED * 5_000)
    assert len(parse_glue_report(URI, many).rescued_columns) == 1_000


def change(document: dict[str, Any], *path: Any, to: Any = None, drop: bool = False) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    place = changed
    for part in path[:-1]:
        place = place[part]
    if drop:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return changed


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        "text",
        None,
        change(GLUE_REPORT, "processing_summary", drop=True),
        change(GLUE_REPORT, "manifests", drop=True),
        change(GLUE_REPORT, "manifests", to=None),
        change(GLUE_REPORT, "manifests", to=["text"]),
        change(GLUE_REPORT, "manifests", to=7),
        change(GLUE_REPORT, "manifests", 0, "status", drop=True),
        change(GLUE_REPORT, "manifests", 0, "records_read", drop=True),
        change(GLUE_REPORT, "manifests", 0, "records_read", to=None),
        change(GLUE_REPORT, "manifests", 0, "records_processed", to="many"),
        change(GLUE_REPORT, "manifests", 0, "records_rejected", to=float("inf")),
        change(GLUE_REPORT, "processing_summary", to=[]),
        change(GLUE_REPORT, "rescued_columns", to={}),
        change(GLUE_REPORT, "rescued_columns", to=["text"]),
        change(GLUE_REPORT, "rescued_columns", to=[{**RESCUED[0], "records": -1}]),
        change(GLUE_REPORT, "rescued_columns", to=[{**RESCUED[0], "path": None}]),
        change(GLUE_REPORT, "schema", "is_full", to="yes"),
        change(GLUE_REPORT, "schema", "generation", to=1.5),
        change(GLUE_REPORT, "manifests", 0, "rejected_bytes", to=-1),
        change(GLUE_REPORT, "manifests", 0, "rejected_files", to="text"),
        change(GLUE_REPORT, "manifests", 0, "unreadable_files", to=[{"uri": 7, "reason": "text"}]),
        change(GLUE_REPORT, "catalog", to="text"),
        change(GLUE_REPORT, "catalog", to={**CATALOG, "schema_version": "4"}),
        change(GLUE_REPORT, "catalog", to={**CATALOG, "left_out": [7]}),
        change(GLUE_REPORT, "processing_summary", "input_size_mb", to="large"),
        change(GLUE_REPORT, "processing_summary", "parquet_files_created", drop=True),
    ],
)
def test_a_glue_report_of_another_shape_is_refused_by_its_uri(document: Any) -> None:
    with pytest.raises(ReportFormatError, match=URI):
        parse_glue_report(URI, document)


def test_a_lambda_report_reads_as_its_writer_meant_it() -> None:
    counts = parse_lambda_report(URI, json.dumps(lambda_report()).encode())
    assert counts == {
        "2026-01-29": DateCounts(1, 0, 0, 1, URI),
        "2026-01-30": DateCounts(3, 2, 0, 1, URI),
    }


def test_a_lambda_report_counts_its_manifests_by_date() -> None:
    result = InvocationResult()
    result.manifests += [
        CommittedManifest(
            manifest_path=f"s3://m/{n}", date_prefix="2026-01-30", file_count=10, file_key=f"M#{n}"
        )
        for n in range(2)
    ]
    document = report_document(result, ExecutionInfo("request", "function", 256, 12), NOW)
    (counts,) = parse_lambda_report(URI, json.dumps(document).encode()).values()
    assert (counts.files_processed, counts.manifests_created) == (0, 2)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"\xff\xfe\x00",
        b"[]",
        b"7",
        b"null",
        b"{}",
        b'{"dates": null}',
        b'{"dates": []}',
        b'{"dates": {"2026-01-30": null}}',
        b'{"dates": {"2026-01-30": {"files_processed": 1}}}',
        lambda_counts('"x"'),
        lambda_counts("Infinity"),
        lambda_counts("null"),
    ],
)
def test_a_lambda_report_of_another_shape_is_refused_by_its_uri(content: bytes) -> None:
    with pytest.raises(ReportFormatError, match=URI):
        parse_lambda_report(URI, content)


def test_a_lambda_report_of_no_date_counts_nothing() -> None:
    assert parse_lambda_report(URI, b'{"dates": {}}') == {}


def test_counts_are_summed_and_keep_the_last_report() -> None:
    one: Callable[[int, str], DateCounts] = lambda n, uri: DateCounts(n, 1, 2, 1, uri)  # noqa: E731
    assert sum_counts([one(3, "a"), one(4, "b")]) == DateCounts(7, 2, 4, 2, "b")
    assert sum_counts([one(5, "c")]) == DateCounts(5, 1, 2, 1, "c")
