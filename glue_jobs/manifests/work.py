"""One manifest on its way through a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from glue_jobs.reporting.report import LONGEST_REASON, FileNote, ManifestOutcome, ParquetFile
from glue_jobs.schema.observed import Observed
from glue_jobs.schema.tallies import Tallies
from lambda_ingest.contract.keys import s3_uri
from lambda_ingest.contract.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_s3 import S3Client

    from glue_jobs.task import PartResult, PartTask
    from lambda_ingest.contract.manifest import Manifest


# In an error; the report names more of them.
_MOST_NAMED: Final = 20


def named(notes: Sequence[FileNote]) -> str:
    """Name files with what is to be said of each, the first of many."""
    text = "; ".join(printable(f"{note.uri}: {note.reason}") for note in notes[:_MOST_NAMED])
    return f"{text}; and {len(notes) - _MOST_NAMED} more" if len(notes) > _MOST_NAMED else text


@dataclass
class ManifestWork:
    """A manifest, with what became of it; an error ends it, and leaves the others alone.

    Attributes:
        uri: its S3 URI.
        sha256: that its object must have, as hex; None where that is not known.
        manifest: None where it can't be read.
        parts: by number, the latest result of each.
        observed: counts of values beyond the columns settled at the run's start.
        completed: keys of output files that are visible.
        unchecked: what of it nobody gave the means to check.
        error: why it failed; None where it did not.
    """

    uri: str
    sha256: str | None = None
    manifest: Manifest | None = None
    parts: dict[int, PartResult] = field(default_factory=dict)
    observed: Observed = field(default_factory=Observed)
    completed: set[str] = field(default_factory=set)
    unchecked: tuple[str, ...] = ()
    error: str | None = None

    @property
    def results(self) -> list[PartResult]:
        """The parts' results, in order."""
        return [self.parts[number] for number in sorted(self.parts)]

    @property
    def missing(self) -> list[FileNote]:
        """Files that could not be read for good."""
        return [note for result in self.results for note in result.missing]

    @property
    def records_read(self) -> int:
        """Lines that are not blank."""
        return sum(result.records_read for result in self.results)

    @property
    def records_rejected(self) -> int:
        """Lines that are no records."""
        return sum(result.records_rejected for result in self.results)

    @property
    def unreadable(self) -> list[FileNote]:
        """Files of which a part could not be read."""
        return [note for result in self.results for note in result.unreadable]

    @property
    def file_bytes(self) -> int:
        """Sizes of the files that are there, as the manifest lists them."""
        missing = {note.uri for note in self.missing}
        files = () if self.manifest is None else self.manifest.files
        return sum(file.size_bytes for file in files if file.uri not in missing)

    @property
    def rejected_bytes(self) -> int:
        """What rejected lines take of the files, with the rest of those that could not be read on."""
        return min(sum(result.rejected_bytes for result in self.results), self.file_bytes)

    def take(self, client: S3Client, result: PartResult) -> None:
        """Take in a part's result in place of an earlier one."""
        earlier = self.parts.get(result.task.part)
        if earlier is not None and earlier.upload is not None:
            earlier.upload.abort(client)
        self.parts[result.task.part] = result
        if result.error_message is not None and self.error is None:
            self.error = result.error_message

    def check(self, tasks: list[PartTask], max_rejected_fraction: float) -> None:
        """Hold the counts against each other, and against what the run allows."""
        if self.error is not None or self.manifest is None:
            return
        rows = sum(result.records_written for result in self.results)
        files = sum(len(result.task.files) for result in self.results)
        lines, rejected = self.records_read, self.records_rejected
        if len(self.parts) != len(tasks) or files != len(self.manifest.files) or lines != rows + rejected:
            self.error = (
                f"{files} of {len(self.manifest.files)} files: {lines} lines in, but {rows} rows out "
                f"and {rejected} rejected; its earlier output is left as it was"
            )
        elif (too_much := self._too_much(max_rejected_fraction)) is not None:
            kept = ", ".join(self.rejected_files()) or "not kept, since there is no --QUARANTINE_BUCKET"
            lost = named(self.unreadable)
            self.error = (
                f"{too_much} rejected, more than the {max_rejected_fraction:g} of all "
                "that --MAX_REJECTED_FRACTION allows; its earlier output is left as it was; rejected "
                f"records: {kept}{f'; files that could not be read on: {lost}' if lost else ''}"
            )

    def _too_much(self, max_rejected_fraction: float) -> str | None:
        """Say which share of the manifest is rejected, where it is more than what the run allows."""
        lines, rejected = self.records_read, self.records_rejected
        if rejected > max_rejected_fraction * lines:
            return f"{rejected} of {lines} records"
        # A lost file is one rejected record, whatever it held.
        if self.rejected_bytes > max_rejected_fraction * self.file_bytes:
            return f"{self.rejected_bytes:,} of {self.file_bytes:,} bytes"
        return None

    def rejected_files(self) -> list[str]:
        """Return S3 URIs of the objects that keep the rejected records."""
        return [
            s3_uri(result.task.quarantine_bucket, result.rejects_key)
            for result in self.results
            if result.rejects_key is not None and result.task.quarantine_bucket is not None
        ]

    def give_up(self, client: S3Client) -> None:
        """Give up output that is not visible."""
        for result in self.results:
            if result.upload is not None and result.task.output_key not in self.completed:
                result.upload.abort(client)

    @staticmethod
    def _rescued_columns(results: Sequence[PartResult]) -> dict[tuple[str, str], int]:
        """Return how many rows have something rescued, by path and reason."""
        tallies = Tallies()
        for result in results:
            tallies.merge(result.rescued_columns)
        return tallies.counts

    def outcome(self) -> ManifestOutcome:
        """Return what the report says of the manifest."""
        results = self.results
        visible = [result for result in results if result.task.output_key in self.completed]
        return ManifestOutcome(
            manifest_path=self.uri,
            date_prefix=None if self.manifest is None else self.manifest.name.date_prefix,
            file_count=0 if self.manifest is None else len(self.manifest.files),
            records_read=self.records_read,
            records_processed=sum(result.records_written for result in visible),
            records_rejected=self.records_rejected,
            rejected_bytes=self.rejected_bytes,
            rescued_columns=self._rescued_columns(visible),
            records_rescued=sum(result.records_rescued for result in visible),
            input_bytes=sum(result.input_bytes for result in results),
            parquet_files=tuple(
                ParquetFile(
                    s3_uri(result.task.output_bucket, result.task.output_key),
                    result.upload.size,
                    result.records_written,
                    self.uri,
                )
                for result in visible
                if result.upload is not None
            ),
            rejected_files=tuple(self.rejected_files()),
            missing_files=tuple(self.missing),
            unreadable_files=tuple(self.unreadable),
            unchecked=self.unchecked,
            error_message=None if self.error is None else printable(self.error, LONGEST_REASON),
        )
