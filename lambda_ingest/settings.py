"""Settings of the Lambdas, read from their environment once and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Self

from lambda_ingest.contract.settings import DateSource, InputSettings, SettingsReader, SharedSettings
from lambda_ingest.errors import SettingsError


@dataclass(frozen=True)
class Settings:
    """What an operator may set; sizes in MB are of 1,048,576 bytes.

    Attributes:
        manifest_bucket: where manifests and reports go.
        tracking_table: the table of files, manifests and locks.
        metrics_table: the table of counts; None writes none.
        quarantine_bucket: where refused files go; None leaves them where they are, with a record only.
        input_bucket: whose objects are input, and where the sweeper looks for lost events; None takes those
            of every bucket, and looks for none.
        queue_url: where the sweeper sends lost events again; None sends none.
        alert_topic_arn: where overwritten files are alerted; None logs them only.
        input_prefix: what every input key begins with; ends in `/`.
        input_extensions: what the name of an input file ends in, one of these; case counts.
        date_sources: where its date is looked for, in this order.
        max_files_per_manifest: 1 to 10,000.
        min_files_for_partial_batch: a past date flushes at this many.
        late_flush_seconds: a past date of which something was cut less than this ago waits for a full batch.
        expected_file_size_mb: 0 switches the size check off.
        size_tolerance_percent: how far a size may lie from the expected, either way.
        lock_ttl_seconds: how long a date's lock lives without its holder.
        ttl_days: how long a record lives after it has ended.
        max_batch_age_seconds: cut a batch once its oldest file is this old; None never does.
        max_batch_mb: cut a batch before it exceeds this; None never does.
        partition_start_date: files of earlier dates are refused.
        refusal_alert_threshold: so many refused files within an hour are alerted; 0 never is.
        audit_days: how many dates before today the sweeper's audit lists.
    """

    manifest_bucket: str
    tracking_table: str
    metrics_table: str | None = None
    quarantine_bucket: str | None = None
    input_bucket: str | None = None
    queue_url: str | None = None
    alert_topic_arn: str | None = None
    input_prefix: str = SharedSettings.input_prefix
    input_extensions: tuple[str, ...] = SharedSettings.input_extensions
    date_sources: tuple[DateSource, ...] = SharedSettings.date_sources
    max_files_per_manifest: int = 10
    min_files_for_partial_batch: int = 1
    late_flush_seconds: int = 60
    expected_file_size_mb: float = InputSettings.expected_file_size_mb
    size_tolerance_percent: float = InputSettings.size_tolerance_percent
    lock_ttl_seconds: int = 300
    ttl_days: int = SharedSettings.ttl_days
    max_batch_age_seconds: int | None = None
    max_batch_mb: float | None = None
    partition_start_date: date = SharedSettings.partition_start_date
    refusal_alert_threshold: int = 10
    audit_days: int = 3

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read and check the variables; an empty one counts as absent.

        Raises:
            SettingsError: names every variable that is missing or wrong, not just the first.
        """
        reader = SettingsReader(environment)
        shared = InputSettings.read(reader)
        settings = cls(
            manifest_bucket=reader.required("MANIFEST_BUCKET"),
            tracking_table=reader.required("TRACKING_TABLE"),
            metrics_table=reader.text("METRICS_TABLE"),
            quarantine_bucket=shared.quarantine_bucket,
            input_bucket=shared.input_bucket,
            queue_url=reader.text("QUEUE_URL"),
            alert_topic_arn=reader.text("ALERT_TOPIC_ARN"),
            input_prefix=shared.input_prefix,
            input_extensions=shared.input_extensions,
            date_sources=shared.date_sources,
            max_files_per_manifest=reader.whole(
                "MAX_FILES_PER_MANIFEST", cls.max_files_per_manifest, lowest=1, highest=10_000
            ),
            min_files_for_partial_batch=reader.whole(
                "MIN_FILES_FOR_PARTIAL_BATCH", cls.min_files_for_partial_batch, lowest=1
            ),
            late_flush_seconds=reader.whole("LATE_FLUSH_SECONDS", cls.late_flush_seconds, lowest=0),
            expected_file_size_mb=shared.expected_file_size_mb,
            size_tolerance_percent=shared.size_tolerance_percent,
            lock_ttl_seconds=reader.whole("LOCK_TTL_SECONDS", cls.lock_ttl_seconds, lowest=1),
            ttl_days=shared.ttl_days,
            max_batch_age_seconds=reader.whole_or_off("MAX_BATCH_AGE_SECONDS"),
            max_batch_mb=reader.number_or_off("MAX_BATCH_MB"),
            partition_start_date=shared.partition_start_date,
            refusal_alert_threshold=reader.whole(
                "REFUSAL_ALERT_THRESHOLD", cls.refusal_alert_threshold, lowest=0
            ),
            audit_days=reader.whole("AUDIT_DAYS", cls.audit_days, lowest=0, highest=30),
        )
        if reader.problems:
            raise SettingsError(
                "The Lambda's environment variables need mending: " + "; ".join(reader.problems) + "."
            )
        return settings
