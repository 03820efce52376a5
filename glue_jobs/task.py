"""One Spark task: a share of a manifest's files becomes one Parquet file."""

from __future__ import annotations

import logging
import time
import traceback
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from glue_jobs.errors import GlueJobError, MissingInputError, RowCountError
from glue_jobs.parsing.row_reader import row_reader
from glue_jobs.reading.inputs import open_files
from glue_jobs.reading.lines import Rejected
from glue_jobs.reading.reader import FileReader, Reading
from glue_jobs.reporting.report import FileNote
from glue_jobs.schema.columns import Columns
from glue_jobs.schema.fit import can_become
from glue_jobs.schema.learning import Learning
from glue_jobs.schema.observed import Observed
from glue_jobs.schema.tallies import Tallies, most_frequent
from glue_jobs.writing.encode import ROW_GROUP_BYTES, ParquetEncoder
from glue_jobs.writing.rejects import RejectsWriter
from glue_jobs.writing.upload import Upload, UploadSink

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from mypy_boto3_s3 import S3Client

    from glue_jobs.parsing.results import Rows
    from glue_jobs.reading.inputs import InputFile
    from lambda_ingest.contract.manifest import ManifestFile

logger = logging.getLogger(__name__)

# One to learn, one with all columns, one more for the first value that they do not take.
_PASSES: Final = 3
# Of the contract's, on each output file: what an older one's columns were changed by hand since.
GENERATION_METADATA: Final = "schema-generation"
_MOST_RESCUED_NAMES: Final = 10_000
_PLACES_TOLD: Final = 1_000


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
        settled: the dataset's columns; the file has them all, whether its share does or not.
        has_rescued: whether the file has a column of what does not fit, even without need.
        generation: of the contract that has these columns.
        quarantine_bucket: where rejected records go; None where there is none.
        rejects_key: their name there.
        region: of the worker's S3 client; None leaves it to the worker's settings.
        reading: how the files become records.
    """

    manifest_uri: str
    part: int
    files: tuple[ManifestFile, ...]
    output_bucket: str
    output_key: str
    codec: str
    processed_at: datetime
    settled: Columns
    has_rescued: bool
    quarantine_bucket: str | None
    rejects_key: str
    region: str | None
    generation: int = 0
    reading: Reading = field(default_factory=Reading)


@dataclass(frozen=True)
class PartResult:
    """What became of a task; figures only, no rows.

    Attributes:
        task: what was asked.
        records_read: lines that are not blank.
        records_written: rows of the Parquet file, as its footer counts them.
        records_rejected: lines that are no records.
        rejected_bytes: what they take of the files in S3; where a file's rest could not be read, that too.
        records_rescued: rows of which something did not fit its column.
        rescued_columns: how many of them, by path and reason.
        rescued_names: names of the records' members, folded, of which something is rescued, empty or not;
            None where they are too many.
        input_bytes: read from S3.
        upload: the Parquet file, not visible yet; None where there were no rows.
        columns: of the file.
        has_rescued: whether the file has a column of what did not fit.
        observed: counts of values beyond the settled columns.
        rejects_key: of the object with rejected records; None where none are kept.
        missing: files that are gone or changed.
        unreadable: files of which a part could not be read, or of which nothing is a record.
        seconds: time by step: `read` (waiting for S3), `parse`, `encode` (sending included).
        error_message: why it failed; None where it did not.
    """

    task: PartTask
    records_read: int = 0
    records_written: int = 0
    records_rejected: int = 0
    rejected_bytes: int = 0
    records_rescued: int = 0
    rescued_columns: Mapping[tuple[str, str], int] = field(default_factory=dict)
    rescued_names: frozenset[str] | None = frozenset()
    input_bytes: int = 0
    upload: Upload | None = None
    columns: Columns = field(default_factory=Columns)
    has_rescued: bool = False
    observed: Observed = field(default_factory=Observed)
    rejects_key: str | None = None
    missing: tuple[FileNote, ...] = ()
    unreadable: tuple[FileNote, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    error_message: str | None = None


def convert_part(task: PartTask, client: S3Client) -> PartResult:
    """Convert a share of a manifest's files; its Parquet file waits to be completed.

    A failure is a result too: it concerns this manifest, and must not take the others' tasks along.
    """
    conversion = None
    try:
        columns, has_rescued, observed = task.settled, task.has_rescued, None
        for _ in range(_PASSES):
            conversion = _Conversion(task, client, columns, has_rescued)
            result = conversion.run()
            # Only the first pass has counts: the next one takes all columns as settled.
            if observed is None:
                observed = conversion.learning.observed if columns.accepts_new else Observed()
            if result is not None:
                return replace(result, observed=observed)
            logger.info("%s: columns changed after the first rows, converting again", task.output_key)
            columns = conversion.learning.columns
            has_rescued = has_rescued or conversion.has_rescued
        return PartResult(task, error_message=f"files of {task.output_key} changed between readings")
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

    def __init__(self, task: PartTask, client: S3Client, columns: Columns, has_rescued: bool) -> None:
        self.learning = Learning(columns)
        self.has_rescued = has_rescued
        self._task = task
        self._client = client
        self._rows = row_reader(self.learning)
        self._waiting: list[Rows] = []
        self._rejects = RejectsWriter(client, task.quarantine_bucket, task.rejects_key, task.manifest_uri)
        self._sink: UploadSink | None = None
        self._encoder: ParquetEncoder | None = None
        self._outgrown = False
        self._lines = 0
        self._rejected_bytes = 0
        self._records_rescued = 0
        self._tallies = Tallies()
        self._rescued_names: set[str] | None = set()
        self._input_bytes = 0
        self._missing: list[FileNote] = []
        self._unreadable: list[FileNote] = []
        self._seconds = dict.fromkeys(("read", "parse", "encode"), 0.0)

    def run(self) -> PartResult | None:
        """Read, parse, encode, send.

        Returns:
            The figures, or None where columns changed after rows were made for them: then nothing is kept,
            but all columns are learned.
        """
        try:
            for position, file in enumerate(open_files(self._client, self._task.files)):
                try:
                    self._read(file, position)
                except MissingInputError as error:
                    self._missing.append(FileNote(error.uri, error.reason))
                self._input_bytes += file.bytes_read
            self._take_rows()
            self.learning.finish()
            self._encode()
            return None if self._outgrown else self._finish()
        finally:
            # What is finished by now does not mind.
            self._rows.close()
            self._rejects.abort()
            if self._sink is not None:
                self._sink.abort()

    def _finish(self) -> PartResult:
        written, upload = 0, None
        started = time.perf_counter()
        if self._encoder is not None:
            written = self._encoder.finish()
        if self._lines != written + self._rejects.count:
            raise RowCountError(
                f"{self._task.output_key}: {self._lines} lines in, but {written} rows out and "
                f"{self._rejects.count} rejected; nothing is written"
            )
        rejects_key = self._rejects.finish()
        if self._sink is not None:
            upload = self._sink.finish()
            self._sink = None
        self._seconds["encode"] += time.perf_counter() - started
        return PartResult(
            self._task,
            records_read=self._lines,
            records_written=written,
            records_rejected=self._rejects.count,
            rejected_bytes=self._rejected_bytes,
            records_rescued=self._records_rescued,
            rescued_columns=most_frequent(self._tallies.counts, _PLACES_TOLD),
            rescued_names=None if self._rescued_names is None else frozenset(self._rescued_names),
            input_bytes=self._input_bytes,
            upload=upload,
            columns=self.learning.columns,
            has_rescued=self._encoder is not None and self._encoder.has_rescued,
            rejects_key=rejects_key,
            missing=tuple(self._missing),
            unreadable=tuple(self._unreadable),
            seconds=self._seconds,
        )

    def _read(self, file: InputFile, position: int) -> None:
        reader = FileReader(self._task.reading)
        uri = file.file.uri
        lines, rejected, noted = self._lines, self._rejects.count, len(self._unreadable)
        lost_bytes = self._rejects.lost_bytes
        for segment in reader.segments(self._timed(file.pieces())):
            if isinstance(segment, Rejected):
                self._lines += 1
                self._rejects.write(segment, uri)
                if segment.ends_file:
                    self._unreadable.append(FileNote(uri, segment.reason))
                    self._rejected_bytes += segment.unread_bytes
                continue
            started = time.perf_counter()
            count = self._rows.read(segment, position)
            self._lines += count.lines
            self._rejects.write_all(count.rejected, uri)
            self._seconds["parse"] += time.perf_counter() - started
            if self._rows.size >= ROW_GROUP_BYTES:
                self._take_rows()
                self._encode()
        self._rejected_bytes += file.stored_bytes(self._rejects.lost_bytes - lost_bytes)
        if len(self._unreadable) == noted and 0 < self._lines - lines == self._rejects.count - rejected:
            self._unreadable.append(FileNote(uri, reader.why_no_record()))

    def _timed(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        started = time.perf_counter()
        for piece in pieces:
            self._seconds["read"] += time.perf_counter() - started
            yield piece
            # A small file comes in one piece, which must not outlive its use.
            del piece
            started = time.perf_counter()

    def _take_rows(self) -> None:
        """Take the rows that wait, and note what is rescued in them."""
        started = time.perf_counter()
        for rows in self._rows.take():
            if rows.rescued is not None:
                self._note_rescued(rows)
            if not self._outgrown:
                self._waiting.append(rows)
        self._seconds["parse"] += time.perf_counter() - started

    def _note_rescued(self, rows: Rows) -> None:
        self._records_rescued += rows.records_rescued
        self._tallies.merge(rows.tallies.counts)
        if self._rescued_names is not None:
            self._rescued_names |= rows.rescued_names
            if len(self._rescued_names) > _MOST_RESCUED_NAMES:
                self._rescued_names = None
        self.has_rescued = True

    def _are_outgrown(self, rows: Rows) -> bool:
        """Return whether rows made for earlier columns are not the same for the columns of now."""
        before, after = rows.columns, self.learning.columns
        changed = set() if before is after else after.changed_names(before)
        if not changed:
            return False
        # Something may be rescued that has a column now, or taken that is nothing for the columns of now.
        return not rows.rescued_names.isdisjoint(changed) or not all(
            name in after.types and can_become(column, after.types[name])
            for name, column in before.types.items()
        )

    def _encode(self) -> None:
        """Encode the rows that wait, unless they or those before them need other columns."""
        started = time.perf_counter()
        columns, encoder = self.learning.columns, self._encoder
        # Rows lie already in other columns, or without one for what does not fit.
        if encoder is not None and (
            encoder.columns.types != columns.types or (self.has_rescued and not encoder.has_rescued)
        ):
            self._outgrown = True
        self._outgrown = self._outgrown or any(map(self._are_outgrown, self._waiting))
        waiting, self._waiting = self._waiting, []
        if self._outgrown or not waiting:
            return
        if encoder is None:
            encoder = self._open_encoder()
        encoder.write(waiting)
        self._seconds["encode"] += time.perf_counter() - started

    def _open_encoder(self) -> ParquetEncoder:
        task = self._task
        self._sink = UploadSink(
            self._client,
            task.output_bucket,
            task.output_key,
            "application/vnd.apache.parquet",
            {GENERATION_METADATA: str(task.generation)},
        )
        self._encoder = ParquetEncoder(
            self._sink,
            self.learning.columns,
            self.has_rescued,
            task.codec,
            task.processed_at,
            [file.uri for file in task.files],
        )
        return self._encoder
