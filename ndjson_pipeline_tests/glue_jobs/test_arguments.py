import pytest

from glue_jobs.arguments import CatalogName, PipesParameters, parse_arguments
from glue_jobs.errors import ArgumentsError
from glue_jobs.reading.reader import Reading, RecordFormat
from glue_jobs.reading.record_path import parse_record_path

REQUIRED = [
    "--JOB_NAME=convert",
    "--MANIFEST_PATH",
    "s3://m/a.json, s3://m/b.json,,s3://m/a.json",
    "--MANIFEST_BUCKET",
    "m",
    "--OUTPUT_BUCKET=o",
    "--COMPRESSION_TYPE",
    "snappy",
]


def test_reads_both_forms_and_keeps_each_manifest_once():
    arguments = parse_arguments(REQUIRED)
    assert arguments.job_name == "convert"
    assert arguments.manifest_paths == ("s3://m/a.json", "s3://m/b.json")
    assert (arguments.manifest_bucket, arguments.output_bucket, arguments.output_prefix) == ("m", "o", "")
    assert arguments.codec == "snappy"
    assert arguments.job_run_id is None
    assert arguments.pipes is None
    assert arguments.target_file_mb == 128
    assert arguments.max_rejected_fraction == 0.5
    assert arguments.accepts_new_columns
    assert not arguments.skips_missing
    assert arguments.reading == Reading()
    assert (arguments.max_object_members, arguments.max_columns) == (6_000, 10_000)


def test_leaves_alone_what_glue_adds():
    added = [
        "--enable-metrics",
        "--JOB_RUN_ID",
        "jr_1",
        "--extra-py-files=s3://s/j.zip",
        "--TempDir",
        "s3://t",
        "x",
    ]
    assert parse_arguments([*added, *REQUIRED]).job_run_id == "jr_1"


def test_names_all_that_is_missing_at_once():
    with pytest.raises(ArgumentsError, match="--MANIFEST_PATH, --OUTPUT_BUCKET, --COMPRESSION_TYPE"):
        parse_arguments(["--JOB_NAME", "x", "--MANIFEST_BUCKET", "m", "--OUTPUT_BUCKET", ""])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--CATALOG_DATABASE", "db"], "belong together"),
        (["--CATALOG_TABLE", "t"], "belong together"),
        (["--COMPRESSION_TYPE", "lzo"], "snappy, zstd, gzip, none"),
        (["--MANIFEST_PATH", " , "], "names no manifest"),
        (["--MAX_REJECTED_FRACTION", "2"], "between 0 and 1"),
        (["--MAX_REJECTED_FRACTION", "few"], "must be a number"),
        (["--TARGET_FILE_MB", "0"], "above 0"),
        (["--ON_MISSING", "ignore"], "fail, skip"),
        (["--SCHEMA_MODE", "melt"], "evolve, freeze"),
        (["--RECORD_FORMAT", "csv"], "lines, auto"),
        (["--RECORD_ENVELOPE", "true"], "drop, keep"),
        *(
            ([f"--{name}", text], f"{name} must be a whole number of at least 1, got {text!r}")
            for name in ("MAX_OBJECT_MEMBERS", "MAX_COLUMNS")
            for text in ("0", "-1", "1.5", "1_000", "many", "\u0663", "9" * 10)
        ),
        (["--dagster-pipes-context", "abc"], "belong together"),
    ],
)
def test_refuses_values_it_does_not_know(more, message):
    with pytest.raises(ArgumentsError, match=message):
        parse_arguments([*REQUIRED, *more])


def test_reads_optional_ones():
    arguments = parse_arguments(
        [
            *REQUIRED,
            *(
                "--OUTPUT_PREFIX",
                "/lake/ndjson/",
                "--QUARANTINE_BUCKET",
                "q",
                "--MAX_REJECTED_FRACTION",
                "0.1",
            ),
            *(
                "--ON_MISSING",
                "fail",
                "--SCHEMA_MODE=freeze",
                "--dagster-pipes-context",
                "c==",
                "--dagster-pipes-messages=m==",
            ),
        ]
    )
    assert arguments.output_prefix == "lake/ndjson"
    assert (arguments.quarantine_bucket, arguments.max_rejected_fraction) == ("q", 0.1)
    assert not arguments.skips_missing
    assert not arguments.accepts_new_columns
    assert arguments.pipes == PipesParameters("c==", "m==")


def test_reads_what_the_records_of_a_file_are():
    arguments = parse_arguments(
        [
            *REQUIRED,
            *("--RECORD_FORMAT", "auto", "--RECORD_PATH", "Records[*]", "--RECORD_ENVELOPE=keep"),
            *("--MAX_OBJECT_MEMBERS", "50", "--MAX_COLUMNS=200"),
        ]
    )
    assert arguments.reading == Reading(
        RecordFormat.AUTO, parse_record_path("Records[*]"), keeps_envelope=True
    )
    assert (arguments.max_object_members, arguments.max_columns) == (50, 200)


@pytest.mark.parametrize("text", ["", " ", "$"])
def test_the_path_of_the_value_itself_is_none(text):
    assert parse_arguments([*REQUIRED, "--RECORD_PATH", text]).reading == Reading()


def test_the_catalogs_table_is_optional():
    assert parse_arguments(REQUIRED).catalog is None
    named = parse_arguments([*REQUIRED, "--CATALOG_DATABASE", "db", "--CATALOG_TABLE=t"])
    assert named.catalog == CatalogName("db", "t")
