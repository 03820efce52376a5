"""Manifests as the ingest commits them, a Glue that does what it is told, and processes to look at."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from dagster_pipes import decode_param

from glue_jobs.manifests.reading import LIST_SUFFIX, listed_manifests
from glue_jobs.reporting.report import (
    JobInfo,
    ManifestOutcome,
    ParquetFile,
    RunOutcome,
    SchemaOutcome,
    build_report,
)
from glue_jobs.reporting.seal import NONCE_ARGUMENT, sealed
from glue_jobs.writing.names import output_key
from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.errors import ManifestKeyError
from lambda_ingest.contract.items import from_item, to_item
from lambda_ingest.contract.keys import ManifestName, s3_uri, split_s3_uri
from lambda_ingest.contract.manifest import Manifest, ManifestFile
from lambda_ingest.contract.records import ManifestStatus, manifest_record_key
from ndjson_pipeline.claims.claim import Claim
from ndjson_pipeline.claims.record import ManifestRecord
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.glue.runs import IDENTITY_ARGUMENT

DATE = "2026-01-30"
OUTPUT_BUCKET = "ndjson-output-sqs-123456789012-dev"
NONCE = "a" * 64
NOW = datetime(2026, 1, 31, 1, 2, 3, 456789, tzinfo=UTC)


def day(offset: int = 0) -> str:
    """Return the UTC date so many days from today."""
    return (utc_now().date() + timedelta(days=offset)).isoformat()


def make_name(sequence: int = 1, date_prefix: str = DATE) -> ManifestName:
    return ManifestName(date_prefix, sequence, f"{sequence:08x}")


def make_record(sequence: int = 1, date_prefix: str = DATE, **changes: Any) -> ManifestRecord:
    name = make_name(sequence, date_prefix)
    record = ManifestRecord(
        name=name,
        status=ManifestStatus.PENDING,
        manifest_path=f"s3://manifests/{name.key}",
        file_count=10,
        total_size_mb=35.0,
        attempt=0,
        created_at="2026-01-30T00:00:00.000000Z",
    )
    return replace(record, **changes)


def make_claim(sequence: int = 1, run_id: str = "run-1") -> Claim:
    return Claim(make_record(sequence, status=ManifestStatus.PROCESSING, attempt=1), run_id)


def client_error(code: str, operation: str = "Operation") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": f"{code} happened"}}, operation)


@dataclass
class ManifestTable:
    """Manifests of a deployment, and what a test does with them."""

    deployment: Deployment

    def store(self) -> ManifestRecordStore:
        return ManifestRecordStore(
            self.deployment.dynamodb,
            table=self.deployment.names.tracking_table,
            manifest_bucket=self.deployment.names.manifest_bucket,
            clock=utc_now,
        )

    def path(self, name: ManifestName) -> str:
        return s3_uri(self.deployment.names.manifest_bucket, name.key)

    def put_object(self, name: ManifestName) -> str:
        """Lay a manifest's object down without committing it."""
        file = ManifestFile(f"s3://input/pipeline/input/{name.date_prefix}-a.ndjson", 3, "etag")
        self.deployment.s3.put_object(
            Bucket=self.deployment.names.manifest_bucket,
            Key=name.key,
            Body=Manifest(name, f"{name.date_prefix}T00:00:00.000000Z", (file,)).to_json(),
        )
        return self.path(name)

    def put_item(self, **attributes: Any) -> None:
        self.deployment.dynamodb.put_item(
            TableName=self.deployment.names.tracking_table, Item=to_item(attributes)
        )

    def commit(self, sequence: int, date_prefix: str = DATE, **attributes: Any) -> ManifestName:
        """Put object and record; the record's attributes may be changed, and None leaves one out."""
        name = make_name(sequence, date_prefix)
        self.put_item(
            **{
                "date_prefix": date_prefix,
                "file_key": manifest_record_key(name.filename),
                "status": "pending",
                "manifest_path": self.put_object(name),
                "file_count": 1,
                "total_size_mb": 0,
                "attempt": 0,
                "created_at": f"{date_prefix}T00:00:00.000000Z",
                **attributes,
            }
        )
        return name

    def item(self, name: ManifestName) -> dict[str, Any]:
        response = self.deployment.dynamodb.get_item(
            TableName=self.deployment.names.tracking_table,
            Key=to_item({"date_prefix": name.date_prefix, "file_key": manifest_record_key(name.filename)}),
            ConsistentRead=True,
        )
        return from_item(response["Item"])


@dataclass
class StoppedClock:
    """Time that passes by sleeping alone."""

    now: float = 1000.0
    sleeps: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


Answer = Mapping[str, Any] | Exception


class FakeGlue:
    """A Glue client whose runs show one state after the other, the last one for ever.

    Args:
        states: what GetJobRun answers in turn: a state, a run's attributes or an error.
        on_start: called with a run's arguments as it is started; what a script would do.
    """

    def __init__(
        self,
        states: Sequence[str | Answer] = ("SUCCEEDED",),
        on_start: Callable[[Mapping[str, str]], None] | None = None,
    ) -> None:
        self.states = list(states)
        self.start_errors: list[Exception] = []
        # The run is started all the same.
        self.lost_answers: list[Exception] = []
        self.list_errors: list[Exception] = []
        self.refusals: list[dict[str, Any]] = []
        self.stop_error: Exception | None = None
        self.runs: list[dict[str, Any]] = []
        self.stopped: list[str] = []
        self.pages_read = 0
        self.page_size = 100
        self._on_start = on_start

    def add_run(self, run_id: str, identity: str | None = None) -> None:
        """Note a run that was started earlier; the last added is the newest."""
        arguments = {} if identity is None else {IDENTITY_ARGUMENT: identity}
        self.runs.append({"Id": run_id, "Arguments": arguments})

    def start_job_run(
        self,
        *,
        JobName: str,  # noqa: N803
        Arguments: dict[str, str],  # noqa: N803
        WorkerType: str,  # noqa: N803
        NumberOfWorkers: int,  # noqa: N803
    ) -> dict[str, Any]:
        if self.start_errors:
            raise self.start_errors.pop(0)
        run_id = f"jr_{len(self.runs) + 1}"
        workers = {"WorkerType": WorkerType, "NumberOfWorkers": NumberOfWorkers}
        self.runs.append({"Id": run_id, "Arguments": Arguments, **workers})
        if self._on_start is not None:
            self._on_start({**Arguments, "--JOB_RUN_ID": run_id})
        if self.lost_answers:
            raise self.lost_answers.pop(0)
        return {"JobRunId": run_id}

    def get_job_run(self, *, JobName: str, RunId: str) -> dict[str, Any]:  # noqa: N803
        answer = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(answer, Exception):
            raise answer
        described = {"JobRunState": answer} if isinstance(answer, str) else answer
        arguments = next((run["Arguments"] for run in self.runs if run["Id"] == RunId), {})
        return {"JobRun": {"Id": RunId, "JobName": JobName, "Arguments": arguments, **described}}

    def batch_stop_job_run(self, *, JobName: str, JobRunIds: list[str]) -> dict[str, Any]:  # noqa: N803
        self.stopped += JobRunIds
        if self.stop_error is not None:
            raise self.stop_error
        return {"SuccessfulSubmissions": [], "Errors": self.refusals}

    def get_paginator(self, operation: str) -> "FakeGlue":
        assert operation == "get_job_runs"
        return self

    def paginate(self, *, JobName: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        if self.list_errors:
            raise self.list_errors.pop(0)
        newest_first = self.runs[::-1]
        for start in range(0, len(newest_first), self.page_size):
            self.pages_read += 1
            yield {"JobRuns": newest_first[start : start + self.page_size]}


def outcome(
    manifest_path: str,
    *,
    rows: int = 7,
    rejected: int = 1,
    error: str | None = None,
    bucket: str = OUTPUT_BUCKET,
) -> Any:
    """Return one manifest's outcome as the Glue script has it."""
    filename = manifest_path.rpartition("/")[2]
    try:
        path = s3_uri(bucket, output_key("", ManifestName.parse(filename), 0, "snappy"))
    except ManifestKeyError:
        path = s3_uri(bucket, f"merged-parquet-{DATE}/{filename}-0000.snappy.parquet")
    files = () if error is not None or not rows else (ParquetFile(path, 262_144, rows, manifest_path),)
    return ManifestOutcome(
        manifest_path=manifest_path,
        date_prefix=DATE,
        file_count=1,
        records_read=rows + rejected,
        records_processed=rows,
        records_rejected=rejected,
        records_rescued=1,
        input_bytes=1_048_576,
        parquet_files=files,
        error_message=error,
    )


def glue_report_document(*outcomes: ManifestOutcome) -> dict[str, Any]:
    """Return a report as the Glue script writes it."""
    failed = [one for one in outcomes if one.error_message is not None]
    error = f"{len(failed)} of {len(outcomes)} manifests failed" if failed else None
    schema = SchemaOutcome("s3://manifests/schemas/output/schema.json", 4, ("b", "c.d"))
    return build_report(JobInfo("job", "jr_1"), RunOutcome(list(outcomes), error, schema), 12.5, NOW)


def write_outputs(s3: Any, report: Mapping[str, Any]) -> None:
    """Write what a report says was written, each file as large as it says."""
    for file in report["parquet_files"]:
        bucket, key = split_s3_uri(file["path"])
        s3.put_object(Bucket=bucket, Key=key, Body=bytes(round(file["size_mb"] * 1_048_576)))


class PipesScript:
    """The messages that a Glue script sends to Dagster; an instance is a `FakeGlue`'s `on_start`.

    Args:
        s3: where the messages go.
        report: makes the report of the run's manifests; None sends none.
    """

    def __init__(self, s3: Any, report: Callable[[list[str]], dict[str, Any]] | None) -> None:
        self._s3 = s3
        self._report = report
        self.manifest_paths: list[str] = []

    def __call__(self, arguments: Mapping[str, str]) -> None:
        self.manifest_paths = arguments["--MANIFEST_PATH"].split(",")
        if self.manifest_paths[0].endswith(LIST_SUFFIX):
            self.manifest_paths = list(listed_manifests(self._s3, self.manifest_paths, {}))
        place = decode_param(arguments["--dagster-pipes-messages"])
        messages = [("opened", {"extras": {}})]
        if self._report is not None:
            report = self._report(self.manifest_paths)
            report["job_info"]["job_run_id"] = arguments.get("--JOB_RUN_ID")
            write_outputs(self._s3, report)
            payload = {
                "kind": "glue_report",
                "report_uri": "s3://manifests/logs/glue/r.json",
                "report": report,
            }
            messages.append(("report_custom_message", {"payload": payload}))
        messages.append(("closed", {}))
        lines = [
            json.dumps({"__dagster_pipes_version": "0.1", "method": method, "params": params})
            for method, params in messages
        ]
        self._s3.put_object(
            Bucket=place["bucket"],
            Key=f"{place['key_prefix']}/1.json",
            Body=sealed("\n".join(lines).encode(), arguments[NONCE_ARGUMENT], 1),
        )
