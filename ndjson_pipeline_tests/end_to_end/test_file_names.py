"""Files of all names that an operator allows, from their event to rows: Lambda, table, manifest, job."""

import bz2
import gzip
import json
import lzma
from contextlib import nullcontext
from io import BytesIO

import lz4.frame
import pyarrow.parquet as pq
from backports import zstd

from glue_jobs.arguments import parse_arguments
from glue_jobs.job import Environment, run_job
from glue_jobs.reporting.pipes import Announcer
from ndjson_pipeline_tests.glue_jobs.conftest import NOW, InProcessRunner, no_catalog, no_glue
from ndjson_pipeline_tests.glue_jobs.reading.packed import snappy
from ndjson_pipeline_tests.lambda_ingest.conftest import (  # noqa: F401 - fixtures
    aws_variables,
    ingest,
    make_settings,
    shared_clients,
)
from ndjson_pipeline_tests.lambda_ingest.harness import TODAY

LINES = b'{"id":1}\n{"id":2}\n'
# What stands behind the date and the name, and what is in the file.
PACKED = {
    ".ndjson": LINES,
    ".ndjson.gz": gzip.compress(LINES),
    ".ndjson.gzip": gzip.compress(LINES),
    ".ndjson.zst": zstd.compress(LINES),
    ".ndjson.zstd": zstd.compress(LINES),
    ".json": b'[{"id":1},{"id":2}]',
    ".json.bz2": bz2.compress(b'{"id":1}{"id":2}'),
    ".jsonl": LINES,
    ".jsonl.xz": lzma.compress(LINES),
    ".jsonl.lz4": lz4.frame.compress(LINES),
    ".ndjson.sz": snappy(LINES),
    ".NDJSON.GZ": gzip.compress(LINES),
    # A name says nothing of what is inside.
    ".log.gz": LINES,
}


def rows_of(it, manifests):
    arguments = {
        "JOB_NAME": "convert",
        "MANIFEST_PATH": ",".join(record["manifest_path"] for record in manifests),
        "MANIFEST_BUCKET": it.settings.manifest_bucket,
        "OUTPUT_BUCKET": "rows",
        "COMPRESSION_TYPE": "snappy",
        "INPUT_BUCKET": it.settings.input_bucket,
        "RECORD_FORMAT": "auto",
    }
    s3 = it.clients.s3
    s3.create_bucket(Bucket="rows")
    run_job(
        parse_arguments([word for name, value in arguments.items() for word in (f"--{name}", value)]),
        Environment(
            s3=s3,
            make_glue=no_glue,
            make_catalog=no_catalog,
            region=None,
            now=lambda: NOW,
            sleep=lambda _: None,
            unique=lambda: "0" * 32,
            start_runner=lambda: nullcontext(InProcessRunner(s3)),
            announcer=Announcer(),
        ),
    )
    tables = [
        pq.read_table(BytesIO(s3.get_object(Bucket="rows", Key=key)["Body"].read()))
        for key in it.keys("rows")
    ]
    return [row for table in tables for row in table.to_pylist()]


def test_each_extension_that_is_set_goes_from_its_event_to_rows(ingest):  # noqa: F811
    settings = {"input_extensions": tuple(PACKED), "max_files_per_manifest": len(PACKED)}
    names = {f"{TODAY}-a{number}{extension}" for number, extension in enumerate(PACKED)}
    events = [ingest.put(name, PACKED[name[name.index(".") :]]) for name in sorted(names)]
    assert ingest.deliver(*events, **settings) == []
    records = ingest.file_records()
    assert {name: record["status"] for name, record in records.items()} == dict.fromkeys(names, "manifested")
    (manifest,) = ingest.manifests()
    assert {file.uri.rpartition("/")[2] for file in manifest.files} == names
    by_file: dict[str, list[dict[str, int]]] = {}
    for row in rows_of(ingest, ingest.manifest_records()):
        by_file.setdefault(row["_source_file"].rpartition("/")[2], []).append({"id": row["id"]})
    assert by_file == {name: [{"id": 1}, {"id": 2}] for name in names}
    reports = [
        json.loads(
            ingest.clients.s3.get_object(Bucket=ingest.settings.manifest_bucket, Key=key)["Body"].read()
        )
        for key in ingest.keys(ingest.settings.manifest_bucket, "logs/glue/")
    ]
    assert [report["processing_summary"]["records_rejected"] for report in reports] == [0]


def test_of_what_is_not_set_nothing_is_loaded(ingest):  # noqa: F811
    names = [f"{TODAY}-a{number}{extension}" for number, extension in enumerate(PACKED)]
    events = [ingest.put(name, PACKED[name[name.index(".") :]]) for name in names]
    assert ingest.deliver(*events, max_files_per_manifest=100) == []
    statuses = {name[name.index(".") :]: record["status"] for name, record in ingest.file_records().items()}
    accepted = {".ndjson", ".ndjson.gz"}
    assert statuses == {
        extension: "pending" if extension in accepted else "quarantined" for extension in PACKED
    }
