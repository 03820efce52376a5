"""The command line in this process, on the local AWS: an empty pipeline, a busy one, and broken ones."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
import typer.main
from botocore.client import BaseClient

from glue_jobs.writing.names import output_key, rejects_key
from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.items import to_item
from lambda_ingest.contract.manifest import Manifest, ManifestFile
from lambda_ingest.contract.records import LOCK_FILE_KEY, lock_partition, manifest_record_key
from ndjson_pipeline.cli.app import run
from ndjson_pipeline.cli.output import WIDTH
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline_tests.moto_state import empty_bucket, empty_table
from ndjson_pipeline_tests.pipeline.harness import DATE, ManifestTable, make_name

INPUT_PREFIX = "pipeline/input/"
CONVERTED, WAITING, REFUSED = f"{DATE}-converted.ndjson", f"{DATE}-waiting.ndjson", f"{DATE}-refused.ndjson"
# What a producer may call a file, and must never reach a terminal as it is.
HOSTILE = f"{DATE}-a\x1b[31m\u202ered\nline.ndjson"


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    @property
    def widest(self) -> int:
        return max((len(line) for line in self.out.splitlines()), default=0)


Cli = Callable[..., Done]


@pytest.fixture(autouse=True, scope="session")
def command_line_made_once() -> Iterator[None]:
    """A process makes it of its functions' signatures once, and these tests run many commands in one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", cache(typer.main.get_command))
        yield


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run a command as the process would; nothing is retried, for nothing here gets better by waiting."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for name in ("AWS_ENDPOINT_URL", "NDJSON_FEED", "NDJSON_DAGSTER_URL"):
        monkeypatch.delenv(name, raising=False)

    def command(*arguments: str) -> Done:
        capsys.readouterr()
        code = run(arguments)
        captured = capsys.readouterr()
        done = Done(code, captured.out, captured.err)
        assert "Traceback" not in done.out + done.err
        if "--json" not in arguments:
            assert done.widest <= WIDTH, done.out
        return done

    return command


@dataclass(frozen=True)
class Busy:
    """A pipeline with something of everything."""

    table: ManifestTable

    @property
    def deployment(self) -> Deployment:
        return self.table.deployment

    def file(self, name: str, status: str, **attributes: Any) -> str:
        """Put a file's record, and return the object's URI."""
        uri = f"s3://{self.deployment.names.input_bucket}/{INPUT_PREFIX}{name}"
        values = {
            "date_prefix": DATE,
            "file_key": name,
            "status": status,
            "file_path": uri,
            "file_size_mb": 3,
            "file_size_bytes": 3_145_728,
            "etag": "e" * 32,
            "created_at": f"{DATE}T01:00:00.000000Z",
            "updated_at": f"{DATE}T01:00:00.000000Z",
        }
        self.table.put_item(**{**values, **attributes})
        return uri

    def object(self, bucket: str, key: str, body: bytes = b"{}\n", **options: Any) -> None:
        self.deployment.s3.put_object(Bucket=bucket, Key=key, Body=body, **options)


@pytest.fixture
def busy(manifests: ManifestTable) -> Busy:
    """Manifests of each status, files of each, rows of other shapes, a lock, metrics, rejects, Parquet."""
    busy = Busy(manifests)
    names, s3 = busy.deployment.names, busy.deployment.s3
    done = make_name(1)
    uri = busy.file(CONVERTED, "manifested", manifest_path=manifests.path(done))
    manifests.commit(
        1,
        status="completed",
        attempt=1,
        dagster_run_id="run-1",
        glue_job_run_id="jr_" + "a" * 64,
        records_processed=7,
        completed_time=f"{DATE}T02:00:00.000000Z",
    )
    s3.put_object(
        Bucket=names.manifest_bucket,
        Key=done.key,
        Body=Manifest(done, f"{DATE}T00:00:00Z", (ManifestFile(uri, 3_145_728, "e" * 32),)).to_json(),
    )
    busy.object(names.output_bucket, output_key("", done, 0, "snappy"), bytes(1000))
    rejected = {
        "source_file": uri,
        "line_number": 3,
        "byte_offset": 99,
        "reason": "not JSON",
        "raw": "{\x1b]0;owned\x07",
        "manifest_path": manifests.path(done),
    }
    packed = gzip.compress(json.dumps(rejected).encode() + b"\nnot even an object\n")
    busy.object(names.quarantine_bucket, rejects_key("", done, 0), packed)
    manifests.commit(2, status="failed", attempt=2, error_message="why\x1b[0m " * 30, failed_date=DATE)
    manifests.commit(3, status="processing", attempt=1, dagster_run_id="run-3", processing_start_time="?")
    manifests.commit(4)
    manifests.put_item(date_prefix=DATE, file_key="MANIFEST", status="completed")
    manifests.put_item(date_prefix=DATE, file_key="no-path", status=3)
    manifests.put_item(date_prefix=DATE, file_key=manifest_record_key("other"), status="?", file_count=1)
    busy.file(WAITING, "pending", pending_date=DATE)
    busy.file(REFUSED, "quarantined", reason="size out of tolerance: 9 MB")
    busy.file("encoded-hostile", "manifested", file_path=f"s3://b/{HOSTILE}", overwritten_at="x")
    key = f"{INPUT_PREFIX}{REFUSED}"
    metadata = {
        "quarantine_reason": "size out of tolerance%3A 9 MB",
        "original_bucket": names.input_bucket,
    }
    busy.object(names.quarantine_bucket, key, b"refused", Metadata=metadata)
    until = int(utc_now().timestamp()) + 200
    manifests.put_item(
        date_prefix=lock_partition(DATE), file_key=LOCK_FILE_KEY, lock_id="held-by-a", ttl=until
    )
    busy.deployment.dynamodb.put_item(
        TableName=names.metrics_table,
        Item=to_item(
            {"metric_type": "files_processed", "timestamp": int(utc_now().timestamp()) - 60, "value": 12}
        ),
    )
    return busy


@pytest.fixture
def emptied(deployment: Deployment) -> Any:
    """Empty what the module's deployment leaves: quarantine, input and metrics."""
    yield
    names = deployment.names
    for bucket in (names.quarantine_bucket, names.input_bucket):
        empty_bucket(bucket)
    empty_table(names.metrics_table)


Deny = Callable[..., None]


@pytest.fixture
def deny(monkeypatch: pytest.MonkeyPatch) -> Deny:
    """Let AWS answer AccessDenied, of all operations or of some."""
    send = BaseClient._make_request

    def denying(*operations: str) -> None:
        def answer(client: BaseClient, model: Any, request: Any, context: Any) -> Any:
            if model.name == "GetCallerIdentity" or (operations and model.name not in operations):
                return send(client, model, request, context)
            error = {"Code": "AccessDeniedException", "Message": "not authorized"}
            return SimpleNamespace(status_code=403), {"Error": error, "ResponseMetadata": {}}

        monkeypatch.setattr(BaseClient, "_make_request", answer)

    return denying


def errors_of(done: Done) -> list[str]:
    """Return what a command says on stderr from its error on; before, it may have told how far it was."""
    lines = done.err.splitlines()
    first = next((place for place, line in enumerate(lines) if line.startswith("ndjson-pipeline: ")), 0)
    return lines[first:]


def drain(sqs: Any, url: str) -> None:
    """Delete all messages; PurgeQueue may be called once a minute."""
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
