"""What became of some files: their records, their manifests, the runs, and the Parquet."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from lambda_ingest.contract.errors import ManifestKeyError
from lambda_ingest.contract.items import Item, from_item, to_item
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.records import FileStatus, manifest_record_key
from lambda_ingest.contract.rows import text_of
from ndjson_pipeline.claims.record import ManifestRecord, parse_record
from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline.errors import RecordFormatError

# DynamoDB's limit of one BatchGetItem.
_ITEMS_A_CALL = 100

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SeenFile:
    """A file's record.

    Attributes:
        name: the file's.
        status: pending, manifested, quarantined; None where it has no record yet.
        manifest_path: once it is in one.
        reason: why it was refused.
    """

    name: str
    status: str | None
    manifest_path: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class GlueRunSeen:
    """A Glue run.

    Attributes:
        run_id: Glue's.
        state: such as SUCCEEDED.
        seconds: how long it worked.
    """

    run_id: str
    state: str
    seconds: int


@dataclass(frozen=True)
class Observation:
    """How far some files are.

    Attributes:
        files: each, in order.
        manifests: the records of all manifests that hold one of them.
        glue_runs: those that converted them.
        parquet_files: objects that the manifests became.
        parquet_bytes: their size.
    """

    files: tuple[SeenFile, ...]
    manifests: tuple[ManifestRecord, ...]
    glue_runs: tuple[GlueRunSeen, ...] = ()
    parquet_files: int = 0
    parquet_bytes: int = 0

    def count(self, status: FileStatus | None) -> int:
        """How many files have a status."""
        return sum(1 for file in self.files if file.status == status)

    @property
    def runs(self) -> frozenset[str]:
        """The Dagster runs that claimed one of the manifests last."""
        return frozenset(record.dagster_run_id for record in self.manifests if record.dagster_run_id)


class Observer:
    """Looks at a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment

    def look(self, date_prefix: str, names: Sequence[str]) -> Observation:
        """Read the records of files and of their manifests, strongly.

        Raises:
            ClientError, BotoCoreError: DynamoDB does not answer.
        """
        files = [self._file(name, item) for name, item in self._items(date_prefix, names)]
        paths = dict.fromkeys(file.manifest_path for file in files if file.manifest_path)
        found = [record for path in paths if (record := self._manifest(path)) is not None]
        return Observation(tuple(files), tuple(found))

    def look_at_output(self, observation: Observation) -> Observation:
        """Add the Glue runs and the Parquet of manifests that have ended.

        Raises:
            ClientError, BotoCoreError: Glue or S3 does not answer.
        """
        ids = dict.fromkeys(
            record.glue_job_run_id for record in observation.manifests if record.glue_job_run_id
        )
        sizes = [size for record in observation.manifests for size in self._output_sizes(record.name)]
        return Observation(
            files=observation.files,
            manifests=observation.manifests,
            glue_runs=tuple(map(self._glue_run, ids)),
            parquet_files=len(sizes),
            parquet_bytes=sum(sizes),
        )

    def _items(self, date_prefix: str, names: Sequence[str]) -> Iterator[tuple[str, Item]]:
        table = self._deployment.names.tracking_table
        found: dict[str, Item] = {}
        remaining = iter(names)
        while part := list(islice(remaining, _ITEMS_A_CALL)):
            keys = [to_item({"date_prefix": date_prefix, "file_key": name}) for name in part]
            request: Any = {table: {"Keys": keys, "ConsistentRead": True}}
            # What DynamoDB had no capacity for comes back, after the client's own patience.
            while request:
                answer = self._deployment.dynamodb.batch_get_item(RequestItems=request)
                for raw in answer["Responses"].get(table, []):
                    item = from_item(raw)
                    found[str(item["file_key"])] = item
                request = answer.get("UnprocessedKeys")
        yield from ((name, found.get(name, {})) for name in names)

    def _file(self, name: str, item: Item) -> SeenFile:
        return SeenFile(
            name, text_of(item, "status"), text_of(item, "manifest_path"), text_of(item, "reason")
        )

    def _manifest(self, path: str) -> ManifestRecord | None:
        try:
            name = ManifestName.from_uri(path)
            key = {"date_prefix": name.date_prefix, "file_key": manifest_record_key(name.filename)}
            answer = self._deployment.dynamodb.get_item(
                TableName=self._deployment.names.tracking_table, Key=to_item(key), ConsistentRead=True
            )
            return parse_record(from_item(answer.get("Item", {})), self._deployment.names.manifest_bucket)
        except (ManifestKeyError, RecordFormatError) as error:
            _logger.warning("%s has no record that can be read: %s", path, error)
            return None

    def _glue_run(self, run_id: str) -> GlueRunSeen:
        run = self._deployment.glue.get_job_run(JobName=self._deployment.names.glue_job, RunId=run_id)[
            "JobRun"
        ]
        return GlueRunSeen(run_id, str(run["JobRunState"]), int(run.get("ExecutionTime", 0)))

    def _output_sizes(self, name: ManifestName) -> Iterator[int]:
        folder = self._output_folder()
        stem = f"{folder}merged-parquet-{name.date_prefix}/part-{name.sequence:06d}-{name.digest}-"
        pages = self._deployment.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._deployment.names.output_bucket, Prefix=stem
        )
        for page in pages:
            yield from (one["Size"] for one in page.get("Contents", []))

    def _output_folder(self) -> str:
        """Return the folder that the job writes below, with a slash; empty where it has none."""
        job = self._deployment.glue.get_job(JobName=self._deployment.names.glue_job)["Job"]
        arguments = {**job.get("DefaultArguments", {}), **job.get("NonOverridableArguments", {})}
        prefix = arguments.get("--OUTPUT_PREFIX", "").strip().strip("/")
        return f"{prefix}/" if prefix else ""
