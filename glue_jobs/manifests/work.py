"""One manifest on its way through a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glue_jobs.reporting.report import LONGEST_REASON, FileNote, ManifestOutcome, ParquetFile
from glue_jobs.schema.observed import Observed
from lambda_ingest.contract.keys import s3_uri
from lambda_ingest.contract.text import printable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from glue_jobs.task import PartResult, PartTask
    from lambda_ingest.contract.manifest import Manifest


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
        elif rejected > max_rejected_fraction * lines:
            kept = ", ".join(self.rejected_files()) or "not kept, since there is no --QUARANTINE_BUCKET"
            self.error = (
                f"{rejected} of {lines} records rejected, more than the {max_rejected_fraction:g} of all "
                "that --MAX_REJECTED_FRACTION allows; its earlier output is left as it was; rejected "
                f"records: {kept}"
            )

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
            unreadable_files=tuple(note for result in results for note in result.unreadable),
            unchecked=self.unchecked,
            error_message=None if self.error is None else printable(self.error, LONGEST_REASON),
        )
