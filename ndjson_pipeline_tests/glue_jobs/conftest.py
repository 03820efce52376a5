"""A local S3, one Spark for all tests, and runs of the job without Spark."""

import gzip
import json
import os
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pyspark
import pytest
from moto.server import ThreadedMotoServer
from pyspark.sql import SparkSession

from glue_jobs.arguments import JobArguments, parse_arguments
from glue_jobs.job import Environment, run_job
from glue_jobs.reporting.pipes import Announcer
from glue_jobs.spark import PartRunner, start_spark
from glue_jobs.storage import s3_client
from glue_jobs.task import PartResult, PartTask, convert_part
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.manifest import Manifest, ManifestFile, digest_of

DATE = "2026-01-30"
NOW = datetime(2026, 1, 31, 1, 2, 3, 456789, tzinfo=UTC)
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    try:
        yield endpoint
    finally:
        request = urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")
        urllib.request.urlopen(request).close()
        server.stop()


@pytest.fixture
def aws_environment(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    environment = {**CREDENTIALS, "AWS_ENDPOINT_URL": moto_endpoint}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    s3_client.cache_clear()
    yield environment
    s3_client.cache_clear()


class InProcessRunner:
    """Runs tasks here, one after the other."""

    def __init__(self, client: Any, cores: int = 2) -> None:
        self.client = client
        self.cores = cores
        self.tasks: list[PartTask] = []

    def run(self, tasks: Sequence[PartTask]) -> list[PartResult]:
        self.tasks.extend(tasks)
        return [convert_part(task, self.client) for task in tasks]


class RecordingAnnouncer(Announcer):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.reports: list[tuple[str | None, Mapping[str, Any]]] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def report(self, uri: str | None, report: Mapping[str, Any]) -> None:
        self.reports.append((uri, report))


@dataclass
class Lake:
    """Buckets of one test, and what a test does with them."""

    client: Any
    tag: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    def __post_init__(self) -> None:
        self.input, self.manifests, self.output, self.quarantine = (
            f"{kind}-{self.tag}" for kind in ("input", "manifest", "output", "quarantine")
        )
        for bucket in (self.input, self.manifests, self.output, self.quarantine):
            self.client.create_bucket(Bucket=bucket)

    def put(self, name: str, content: bytes | Sequence[Mapping[str, Any]]) -> ManifestFile:
        if not isinstance(content, bytes):
            content = "".join(json.dumps(row) + "\n" for row in content).encode()
        key = f"pipeline/input/{DATE}-{name}.ndjson"
        answer = self.client.put_object(Bucket=self.input, Key=key, Body=content)
        uri = f"s3://{self.input}/{key}"
        return ManifestFile(uri, len(content), answer["ETag"].strip('"'), answer.get("VersionId"))

    def manifest(self, files: Sequence[ManifestFile], sequence: int = 1, date: str = DATE) -> str:
        name = ManifestName(date, sequence, digest_of(date, sequence, files))
        document = Manifest(name, "2026-01-30T00:00:00.000000Z", tuple(files)).to_json()
        self.client.put_object(Bucket=self.manifests, Key=name.key, Body=document)
        return f"s3://{self.manifests}/{name.key}"

    def argv(self, *uris: str, **more: str) -> list[str]:
        values = {
            "JOB_NAME": "convert",
            "MANIFEST_PATH": ",".join(uris),
            "MANIFEST_BUCKET": self.manifests,
            "OUTPUT_BUCKET": self.output,
            "COMPRESSION_TYPE": "snappy",
            **more,
        }
        return [word for name, value in values.items() for word in (f"--{name}", value)]

    def arguments(self, *uris: str, **more: str) -> JobArguments:
        return parse_arguments(self.argv(*uris, **more))

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        answer = self.client.list_objects_v2(Bucket=bucket, Prefix=prefix)
        return sorted(item["Key"] for item in answer.get("Contents", []))

    def get(self, bucket: str, key: str) -> bytes:
        return self.client.get_object(Bucket=bucket, Key=key)["Body"].read()

    def output_keys(self) -> list[str]:
        return self.keys(self.output)

    def rejects(self) -> list[dict[str, Any]]:
        return [
            json.loads(line)
            for key in self.keys(self.quarantine, "rejected/")
            for line in gzip.decompress(self.get(self.quarantine, key)).splitlines()
        ]

    def schema(self) -> dict[str, Any]:
        (key,) = (key for key in self.keys(self.manifests, "schemas/") if "/commits/" not in key)
        return json.loads(self.get(self.manifests, key))

    def download(self, folder: Path) -> list[Path]:
        paths = []
        for key in self.output_keys():
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.client.get_object(Bucket=self.output, Key=key)["Body"].read())
            paths.append(path)
        return paths

    def tables(self) -> list[pa.Table]:
        return [
            pq.read_table(pa.BufferReader(self.client.get_object(Bucket=self.output, Key=key)["Body"].read()))
            for key in self.output_keys()
        ]

    def rows(self) -> list[dict[str, Any]]:
        return [row for table in self.tables() for row in table.to_pylist()]

    def reports(self) -> list[dict[str, Any]]:
        answer = self.client.list_objects_v2(Bucket=self.manifests, Prefix="logs/glue/")
        keys = sorted(item["Key"] for item in answer.get("Contents", []))
        return [
            json.loads(self.client.get_object(Bucket=self.manifests, Key=key)["Body"].read()) for key in keys
        ]


@pytest.fixture
def lake(aws_environment: dict[str, str]) -> Lake:
    return Lake(boto3.client("s3"))


@pytest.fixture
def runner(lake: Lake) -> InProcessRunner:
    return InProcessRunner(lake.client)


@pytest.fixture
def announcer() -> RecordingAnnouncer:
    return RecordingAnnouncer()


@pytest.fixture
def run(lake: Lake, runner: InProcessRunner, announcer: RecordingAnnouncer) -> Callable[..., None]:
    """Run the job; arguments as `Lake.arguments` takes them."""
    return lambda *uris, **more: run_job(
        lake.arguments(*uris, **more), make_environment(lake, lambda: nullcontext(runner), announcer)
    )


def no_glue() -> Any:
    raise AssertionError("Glue must not be asked without a run id")


def no_catalog() -> Any:
    raise AssertionError("the Data Catalog must not be asked without its arguments")


def make_environment(
    lake: Lake,
    start_runner: Callable[[], AbstractContextManager[PartRunner]],
    announcer: Announcer,
    make_glue: Callable[[], Any] = no_glue,
    make_catalog: Callable[[], Any] = no_catalog,
) -> Environment:
    return Environment(
        s3=lake.client,
        make_glue=make_glue,
        make_catalog=make_catalog,
        region=None,
        now=lambda: NOW,
        sleep=time.sleep,
        unique=lambda: uuid.uuid4().hex,
        start_runner=start_runner,
        announcer=announcer,
    )


@pytest.fixture(scope="session")
def spark_context(moto_endpoint: str) -> Iterator[Any]:
    """One Spark for all tests; its workers find the local S3 by Spark's settings."""
    patch = pytest.MonkeyPatch()
    # What the JVM passes on holds for all tests; the tests' own process keeps its environment.
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": moto_endpoint}.items():
        patch.setenv(name, value)
    patch.setenv(
        "PYSPARK_SUBMIT_ARGS",
        "--master local[2] --driver-memory 1g --conf spark.sql.shuffle.partitions=2 "
        "--conf spark.sql.session.timeZone=UTC pyspark-shell",
    )
    patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    try:
        context = start_spark("tests")
    finally:
        patch.undo()
    try:
        yield context
    finally:
        context.stop()
        gateway = pyspark.SparkContext._gateway
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(timeout=30)
        pyspark.SparkContext._gateway = pyspark.SparkContext._jvm = None
        os.environ.pop("PYSPARK_GATEWAY_PORT", None)


@pytest.fixture(scope="session")
def spark_session(spark_context: Any) -> Any:
    return SparkSession(spark_context)
