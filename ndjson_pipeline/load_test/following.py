"""When what happened to the files of a load test, by the records that the pipeline keeps."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.contract.dates import parse_utc_timestamp
from lambda_ingest.contract.errors import ManifestKeyError
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.records import FileStatus, ManifestStatus, manifest_record_key
from lambda_ingest.contract.rows import instant_of, text_of
from ndjson_pipeline.desk.aws_errors import sentence_of
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.manifest_rows import ManifestRow, row_of

_ATTRIBUTES = ("file_key", "status", "manifest_path", "created_at", "reason")


@dataclass(frozen=True)
class FileTimes:
    """A file of a load test; instants are AWS's.

    Attributes:
        name: below the input prefix.
        put_at: when it was there.
        status: of its record; None where it has none.
        reason: why it was refused.
        manifest: the filename of its manifest.
        manifest_status: that manifest's.
        recorded_at: when its record began.
        manifested_at: when its manifest was committed.
        started_at: when Glue began with it.
        converted_at: when its Parquet was complete.
        is_tried_again: whether its failed manifest is tried again by itself.
        error: why its manifest failed.
    """

    name: str
    put_at: datetime
    status: str | None = None
    reason: str | None = None
    manifest: str | None = None
    manifest_status: str | None = None
    recorded_at: datetime | None = None
    manifested_at: datetime | None = None
    started_at: datetime | None = None
    converted_at: datetime | None = None
    is_tried_again: bool = False
    error: str | None = None

    @property
    def is_lost(self) -> bool:
        """Whether no record knows it."""
        return self.status is None

    @property
    def is_refused(self) -> bool:
        """Whether it lies in quarantine."""
        return self.status == FileStatus.QUARANTINED

    @property
    def is_failed(self) -> bool:
        """Whether its manifest failed for good."""
        return self.manifest_status == ManifestStatus.FAILED and not self.is_tried_again

    @property
    def is_converted(self) -> bool:
        """Whether its Parquet is there."""
        return self.manifest_status == ManifestStatus.COMPLETED

    @property
    def is_pending(self) -> bool:
        """Whether it waits for its batch."""
        return self.status == FileStatus.PENDING

    @property
    def is_settled(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.is_refused or self.is_failed or self.is_converted


@dataclass
class Follower:
    """Reads what became of files whose names begin alike; a look costs their rows and their open manifests.

    Attributes:
        desk: the deployment.
        date_prefix: theirs.
        stem: what their names begin with.
        unseen: what could not be seen, each as a sentence.
    """

    desk: Desk
    date_prefix: str
    stem: str
    unseen: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._completed: dict[str, ManifestRow] = {}
        self._started: dict[str, datetime | None] = {}

    def look(self, put_at: Mapping[str, datetime]) -> list[FileTimes]:
        """Return the files as they are now, in order of their names.

        Args:
            put_at: when each was there, by its name.

        Raises:
            ClientError: DynamoDB refused or failed.
        """
        rows = {
            str(row["file_key"]): row
            for row in self.desk.rows.of_date(self.date_prefix, begins_with=self.stem, attributes=_ATTRIBUTES)
        }
        paths = {text_of(row, "manifest_path") for row in rows.values()} - {None}
        manifests = self._manifests(str(path) for path in paths)
        found = []
        for name, instant in sorted(put_at.items()):
            row = rows.get(name, {})
            path = text_of(row, "manifest_path") or ""
            manifest = manifests.get(path)
            found.append(
                FileTimes(
                    name,
                    instant,
                    status=text_of(row, "status"),
                    reason=text_of(row, "reason"),
                    manifest=path.rpartition("/")[2] or None,
                    recorded_at=instant_of(row, "created_at"),
                    **({} if manifest is None else self._times(manifest)),  # type: ignore[arg-type]
                )
            )
        return found

    def _times(self, manifest: ManifestRow) -> dict[str, object]:
        is_done = manifest.status == ManifestStatus.COMPLETED
        return {
            "manifest_status": manifest.status,
            "manifested_at": _instant(manifest.created_at),
            "started_at": self._glue_start(manifest),
            "converted_at": _instant(manifest.ended_at) if is_done else None,
            "is_tried_again": manifest.retry_at is not None,
            "error": manifest.error,
        }

    def _manifests(self, paths: Iterable[str]) -> dict[str, ManifestRow]:
        found: dict[str, ManifestRow] = {}
        for path in paths:
            done = self._completed.get(path)
            if done is not None:
                found[path] = done
                continue
            try:
                name = ManifestName.from_uri(path)
            except ManifestKeyError as error:
                self.unseen[str(error)] = None
                continue
            row = self.desk.rows.get(name.date_prefix, manifest_record_key(name.filename))
            if row is None:
                continue
            found[path] = row_of(row)
            if found[path].status == ManifestStatus.COMPLETED:
                self._completed[path] = found[path]
        return found

    def _glue_start(self, manifest: ManifestRow) -> datetime | None:
        """Return when Glue began; where Glue does not say, when the manifest was claimed."""
        run = manifest.glue_run_id
        if run is None:
            return None
        if self._started.get(run) is None:
            try:
                answer = self.desk.glue.get_job_run(JobName=self.desk.names.glue_job, RunId=run)
                self._started[run] = answer["JobRun"].get("StartedOn")
            except (ClientError, BotoCoreError) as error:
                self.unseen[
                    f"Glue's start ({sentence_of(error, self.desk.calls)}): counted is when a run claimed "
                    "the manifest"
                ] = None
                self._started[run] = _instant(manifest.started_at)
        started = self._started[run]
        return None if started is None else started.astimezone(UTC)


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_utc_timestamp(text)
    except (ValueError, OverflowError):
        return None
