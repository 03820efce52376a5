"""One Spark task: a share of a manifest's files becomes one Parquet file."""

from __future__ import annotations

import logging
import time
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from glue_jobs.encode import ROW_GROUP_BYTES, ParquetEncoder
from glue_jobs.errors import (
    GlueJobError,
    OutputWriteError,
    RejectedRecordsError,
    RowCountError,
    SchemaConflictError,
)
from glue_jobs.output import write_part
from glue_jobs.parse import parse_segment, sample_schema, segments
from glue_jobs.reading import read_files
from glue_jobs.schema import LearnedSchema, TypesConflictError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import pyarrow as pa
    from mypy_boto3_s3 import S3Client

    from lambda_ingest.contract.manifest import ManifestFile

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PartTask:
    """What one task is to do.

    Attributes:
        manifest_uri: the manifest it belongs to.
        part: its number in the manifest, from 0.
        files: its share of the manifest's files.
        output_bucket: where the Parquet goes.
        output_key: its name there.
        codec: snappy, zstd, gzip or none.
        processed_at: the run's instant, aware.
        known: columns known in advance; the file has them all, whether its share does or not.
        region: of the worker's S3 client; None leaves it to the worker's settings.
    """

    manifest_uri: str
    part: int
    files: tuple[ManifestFile, ...]
    output_bucket: str
    output_key: str
    codec: str
    processed_at: datetime
    known: LearnedSchema
    region: str | None


@dataclass(frozen=True)
class PartResult:
    """What became of a task; figures only, no rows.

    Attributes:
        task: what was asked.
        records_read: lines that are not blank.
        records_written: rows of the Parquet file, as its footer counts them.
        records_rejected: lines that are no records.
        input_bytes: read from S3.
        output_bytes: of the Parquet file; 0 where there were no rows, and so no file.
        learned: the columns as its values have them.
        seconds: time by step: `read` (waiting for S3), `parse`, `encode`, `write`.
        error_message: why it failed; None where it did not.
    """

    task: PartTask
    records_read: int = 0
    records_written: int = 0
    records_rejected: int = 0
    input_bytes: int = 0
    output_bytes: int = 0
    learned: LearnedSchema = field(default_factory=LearnedSchema)
    seconds: dict[str, float] = field(default_factory=dict)
    error_message: str | None = None


def convert_part(task: PartTask, client: S3Client) -> PartResult:
    """Convert a share of a manifest's files.

    A failure is a result too: it concerns this manifest, and must not take the others' tasks along.
    """
    try:
        conversion = _Conversion(task, client, task.known)
        result = conversion.run()
        if result is None:
            # A later file had columns that the row groups already written lack. By now all are known.
            logger.info("%s: columns changed after the first row group, converting again", task.output_key)
            result = _Conversion(task, client, conversion.learned).run()
        if result is None:
            message = f"columns of {task.output_key} changed between two readings of the same files"
            return PartResult(task, error_message=message)
        return result
    except GlueJobError as error:
        return PartResult(task, error_message=str(error))
    except Exception as error:  # noqa: BLE001 - becomes the part's error message
        # Whatever else it is, the other manifests of the run go on. No message: it may show content.
        trace = "".join(traceback.format_tb(error.__traceback__))
        logger.error("%s failed with %s\n%s", task.output_key, type(error).__name__, trace)
        return PartResult(
            task,
            error_message=f"{type(error).__name__} while converting to {task.output_key}; see executor's log",
        )


class _Conversion:
    """One pass over a task's files."""

    def __init__(self, task: PartTask, client: S3Client, known: LearnedSchema) -> None:
        self.learned = LearnedSchema(dict(known.types), dict(known.origins))
        self._task = task
        self._client = client
        self._encoder: ParquetEncoder | None = None
        self._waiting: list[tuple[pa.Table, int]] = []
        self._waiting_bytes = 0
        self._outgrown = False
        self._seconds = dict.fromkeys(("read", "parse", "encode", "write"), 0.0)

    def run(self) -> PartResult | None:
        """Read, parse, encode, write.

        Returns:
            The figures, or None where columns changed after the first row group: then nothing is written, but
            all columns are learned.
        """
        lines = rejected = input_bytes = 0
        for position, (file, data) in enumerate(self._timed_reads()):
            input_bytes += len(data)
            file_lines, file_rejected = self._take(data, file.uri, position)
            lines += file_lines
            rejected += file_rejected
        if self._outgrown:
            return None
        content, written = self._encoded()
        if lines != written + rejected:
            raise RowCountError(
                f"{self._task.output_key}: {lines} lines in, but {written} rows out and {rejected} rejected; "
                "nothing is written"
            )
        output_bytes = 0 if content is None else self._write(content)
        return PartResult(
            self._task, lines, written, rejected, input_bytes, output_bytes, self.learned, self._seconds
        )

    def _timed_reads(self) -> Iterator[tuple[ManifestFile, bytes]]:
        started = time.perf_counter()
        for file, data in read_files(self._client, self._task.files):
            self._seconds["read"] += time.perf_counter() - started
            yield file, data
            del data
            started = time.perf_counter()

    def _take(self, data: bytes, uri: str, position: int) -> tuple[int, int]:
        """Parse one file; returns its lines and those of them rejected."""
        lines = 0
        started = time.perf_counter()
        if not self.learned.types:
            sample = sample_schema(data)
            if sample is not None:
                self.learned.learn(sample, uri)
        for segment in segments(data):
            parsed = parse_segment(segment, self.learned.schema)
            lines += parsed.lines
            if parsed.rejected:
                first = parsed.rejected[0]
                raise RejectedRecordsError(f"{uri} line {first.line_number}: {first.reason}")
            for table in parsed.tables:
                widened = self.learned.learn(table.schema, uri)
                self._outgrown = self._outgrown or (widened and self._encoder is not None)
                self._keep(table, position)
            self._seconds["parse"] += time.perf_counter() - started
            if self._waiting_bytes >= ROW_GROUP_BYTES:
                self._encode()
            started = time.perf_counter()
        return lines, 0

    def _keep(self, table: pa.Table, position: int) -> None:
        if self._outgrown:
            self._waiting.clear()
            return
        self._waiting.append((table, position))
        self._waiting_bytes += table.nbytes

    def _encode(self) -> None:
        if not self._waiting or self._outgrown:
            return
        started = time.perf_counter()
        if self._encoder is None:
            uris = [file.uri for file in self._task.files]
            self._encoder = ParquetEncoder(
                self.learned.schema, self._task.codec, self._task.processed_at, uris
            )
        try:
            self._encoder.write(self._waiting)
        except TypesConflictError as conflict:
            raise SchemaConflictError(
                f"column {conflict.column!r} has fractions, and whole numbers past 2^53 that no double holds "
                f"exactly, in files up to {self._task.files[self._waiting[-1][1]].uri}; "
                "make the producer write such numbers as text"
            ) from conflict
        self._waiting.clear()
        self._waiting_bytes = 0
        self._seconds["encode"] += time.perf_counter() - started

    def _encoded(self) -> tuple[pa.Buffer | None, int]:
        """Close the Parquet file; returns its bytes and rows, None and 0 where there are no rows."""
        self._encode()
        if self._encoder is None:
            return None, 0
        started = time.perf_counter()
        content, rows = self._encoder.finish()
        self._seconds["encode"] += time.perf_counter() - started
        return content, rows

    def _write(self, content: pa.Buffer) -> int:
        """Write the file; returns its bytes."""
        started = time.perf_counter()
        try:
            write_part(self._client, self._task.output_bucket, self._task.output_key, content)
        except (ClientError, BotoCoreError) as error:
            raise OutputWriteError(
                f"s3://{self._task.output_bucket}/{self._task.output_key} can't be written: {error}"
            ) from error
        self._seconds["write"] += time.perf_counter() - started
        return int(content.size)


def unify_parts(results: Sequence[PartResult]) -> LearnedSchema:
    """Return the columns of all parts of a manifest.

    Raises:
        SchemaConflictError: parts hold a column with types that have no common one.
    """
    unified = LearnedSchema()
    for result in results:
        unified.learn(result.learned.schema, result.learned.origins)
    return unified
