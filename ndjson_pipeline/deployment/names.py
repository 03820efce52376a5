"""Names of everything in AWS, derived from the environment, the account and the feed."""

import re
from dataclasses import dataclass

from ndjson_pipeline.errors import SettingsError

# The pool of the feed without a name; each other feed's is called as the feed is. Runs hold its places while
# they convert, which keeps them below the MaxConcurrentRuns of the feed's Glue job.
GLUE_POOL = "glue"
CATALOG_TABLE = "merged_parquet"
# Dagster's code location of the feed without a name; each other feed's is called as the feed is.
CODE_LOCATION = "ndjson_pipeline"

# A bucket's name has at most 63 characters: `ndjson-{feed}-quarantine-sqs-{account}-prod` has 62 with twenty.
FEED_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")


@dataclass(frozen=True)
class Names:
    """What each thing of one feed is called in one environment of one account.

    Attributes:
        environment: `dev` or `prod`.
        account: the 12 digits of the AWS account.
        feed: the stream's name; empty for the one that has none.

    Raises:
        SettingsError: the feed's name can't stand in the name of a bucket.
    """

    environment: str
    account: str
    feed: str = ""

    def __post_init__(self) -> None:
        if problem := feed_problem(self.feed):
            raise SettingsError(f"The feed's name {problem}.")

    @property
    def prefix(self) -> str:
        """What nearly every name begins with: `ndjson`, or `ndjson-{feed}`."""
        return f"ndjson-{self.feed}" if self.feed else "ndjson"

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
        return f"{self.prefix}-parquet-events-{self.environment}"

    @property
    def dead_letter_queue(self) -> str:
        """Messages that failed three times."""
        return f"{self.prefix}-parquet-events-dlq-{self.environment}"

    @property
    def tracking_table(self) -> str:
        """Files, manifests and locks."""
        return f"{self.prefix}-parquet-sqs-file-tracking-{self.environment}"

    @property
    def metrics_table(self) -> str:
        """Counts over time."""
        return f"{self.prefix}-parquet-metrics-{self.environment}"

    @property
    def manifest_builder_function(self) -> str:
        """The Lambda behind the queue."""
        return f"{self.prefix}-parquet-manifest-builder-{self.environment}"

    @property
    def sweeper_function(self) -> str:
        """The Lambda behind the timer."""
        return f"{self.prefix}-parquet-sweeper-{self.environment}"

    @property
    def generator_function(self) -> str:
        """The Lambda that writes test input."""
        return f"generate-{self.prefix}-{self.environment}"

    @property
    def glue_job(self) -> str:
        """The conversion job."""
        return f"{self.prefix}-parquet-batch-job-{self.environment}"

    @property
    def alert_topic(self) -> str:
        """The SNS topic of failures."""
        return f"{self.prefix}-parquet-alerts-{self.environment}"

    @property
    def glue_role(self) -> str:
        """The IAM role that the Glue job runs as."""
        return f"{self.prefix}-parquet-glue-{self.environment}"

    @property
    def catalog_database(self) -> str:
        """The database of the Glue Data Catalog; Athena wants no hyphens in it."""
        return f"{self.prefix}-parquet-{self.environment}".replace("-", "_")

    @property
    def catalog_table(self) -> str:
        """The table over the Parquet, in `catalog_database`."""
        return CATALOG_TABLE

    def _bucket(self, purpose: str) -> str:
        return f"{self.prefix}-{purpose}-sqs-{self.account}-{self.environment}"


def feed_problem(feed: str) -> str | None:
    """Say what is wrong with a feed's name, or return None; pure.

    Args:
        feed: the name; empty for the feed that has none.
    """
    if feed and not FEED_NAME.fullmatch(feed):
        return (
            f"must be a small letter and up to 19 small letters, digits and hyphens, such as web-orders; "
            f"got {feed!r}"
        )
    if feed == GLUE_POOL:
        return f"must not be {GLUE_POOL!r}, for so the pool of the feed without a name is called"
    return None


def location_name(feed: str) -> str:
    """Return what a feed's code location is called, wherever Dagster runs.

    Args:
        feed: the feed's name; empty for the one that has none.
    """
    return feed or CODE_LOCATION
