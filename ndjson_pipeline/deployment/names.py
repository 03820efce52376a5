"""Names of everything in AWS, derived from the environment and the account."""

from dataclasses import dataclass

# Runs that hold Glue's places: the instance's limit on this pool keeps them below Glue's MaxConcurrentRuns.
GLUE_POOL = "glue"


@dataclass(frozen=True)
class Names:
    """What each thing is called in one environment of one account.

    Attributes:
        environment: `dev` or `prod`.
        account: the 12 digits of the AWS account.
    """

    environment: str
    account: str

    @property
    def input_bucket(self) -> str:
        """Where producers drop NDJSON files."""
        return self._bucket("input")

    @property
    def manifest_bucket(self) -> str:
        """Manifests and reports."""
        return self._bucket("manifest")

    @property
    def output_bucket(self) -> str:
        """Parquet."""
        return self._bucket("output")

    @property
    def quarantine_bucket(self) -> str:
        """Refused files and rejected records."""
        return self._bucket("quarantine")

    @property
    def scripts_bucket(self) -> str:
        """The Glue script and its modules."""
        return self._bucket("scripts")

    @property
    def buckets(self) -> tuple[str, ...]:
        """All five."""
        return (
            self.input_bucket,
            self.manifest_bucket,
            self.output_bucket,
            self.quarantine_bucket,
            self.scripts_bucket,
        )

    @property
    def queue(self) -> str:
        """S3 events on their way to the manifest builder."""
        return f"ndjson-parquet-events-{self.environment}"

    @property
    def dead_letter_queue(self) -> str:
        """Messages that failed three times."""
        return f"ndjson-parquet-events-dlq-{self.environment}"

    @property
    def tracking_table(self) -> str:
        """Files, manifests and locks."""
        return f"ndjson-parquet-sqs-file-tracking-{self.environment}"

    @property
    def metrics_table(self) -> str:
        """Counts over time."""
        return f"ndjson-parquet-metrics-{self.environment}"

    @property
    def manifest_builder_function(self) -> str:
        """The Lambda behind the queue."""
        return f"ndjson-parquet-manifest-builder-{self.environment}"

    @property
    def sweeper_function(self) -> str:
        """The Lambda behind the timer."""
        return f"ndjson-parquet-sweeper-{self.environment}"

    @property
    def generator_function(self) -> str:
        """The Lambda that writes test input."""
        return f"generate-ndjson-{self.environment}"

    @property
    def glue_job(self) -> str:
        """The conversion job."""
        return f"ndjson-parquet-batch-job-{self.environment}"

    @property
    def alert_topic(self) -> str:
        """The SNS topic of failures."""
        return f"ndjson-parquet-alerts-{self.environment}"

    def _bucket(self, purpose: str) -> str:
        return f"ndjson-{purpose}-sqs-{self.account}-{self.environment}"
