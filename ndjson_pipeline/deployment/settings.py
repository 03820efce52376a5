"""Settings of the code location, read from the environment once and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

from lambda_ingest.contract.settings import SHARED_VARIABLES, DateSource, SettingsReader, SharedSettings
from ndjson_pipeline.deployment.names import feed_problem
from ndjson_pipeline.errors import SettingsError

ENVIRONMENT_VARIABLE = "NDJSON_ENVIRONMENT"
FEED_VARIABLE = "NDJSON_FEED"
DAGSTER_URL_VARIABLE = "NDJSON_DAGSTER_URL"
LAUNCH_MIN_MB_VARIABLE = "LAUNCH_MIN_MB"
LAUNCH_MAX_WAIT_VARIABLE = "LAUNCH_MAX_WAIT_SECONDS"
WORKER_TYPE_VARIABLE = "GLUE_WORKER_TYPE"
WORKERS_VARIABLE = "GLUE_NUMBER_OF_WORKERS"
MAX_WORKERS_VARIABLE = "GLUE_MAX_WORKERS"
PLACES_VARIABLE = "GLUE_MAX_CONCURRENT_RUNS"
# All that `PipelineSettings` reads.
SETTINGS_VARIABLES = (
    ENVIRONMENT_VARIABLE,
    FEED_VARIABLE,
    DAGSTER_URL_VARIABLE,
    LAUNCH_MIN_MB_VARIABLE,
    LAUNCH_MAX_WAIT_VARIABLE,
    WORKER_TYPE_VARIABLE,
    WORKERS_VARIABLE,
    MAX_WORKERS_VARIABLE,
    PLACES_VARIABLE,
    *SHARED_VARIABLES,
)
ENVIRONMENTS = ("dev", "prod")
# A size alone would let a date's last few manifests wait for ever.
WAIT_BESIDE_A_SIZE = timedelta(minutes=15)
# Dagster gives no pool more places (`get_max_concurrency_limit_value`).
_MOST_PLACES = 1000


@dataclass(frozen=True)
class PipelineSettings:
    """Which deployment the code location works for, and how.

    Attributes:
        environment: `dev` or `prod`; the last part of every name in AWS.
        feed: the stream's name; empty for the one that has none.
        dagster_url: where the UI answers, without a last slash, for links in alerts; None gives no links.
        launch_min_mb: a date is launched once so much of it waits, in MB; 0 sets no such bound.
        launch_max_wait: a date is launched once its oldest manifest waited so long; 0 launches at once.
        worker_type: of the Glue job's workers.
        number_of_workers: of the Glue job, driver included; a run is given at least these.
        max_workers: a run is given at most these.
        max_concurrent_runs: how many runs of the feed convert at once: the places of its pool, and the
            MaxConcurrentRuns of its Glue job.
        ttl_days: how long a record lives after it has ended; this and the following as the Lambdas have it.
        partition_start_date: the first partition.
        input_prefix: what every input key begins with; ends in `/`.
        input_extensions: what the name of an input file ends in, one of these.
        date_sources: where its date is looked for, in this order.
    """

    environment: str = "dev"
    feed: str = ""
    dagster_url: str | None = None
    launch_min_mb: float = 0.0
    launch_max_wait: timedelta = timedelta(0)
    worker_type: str = "G.1X"
    number_of_workers: int = 2
    max_workers: int = 10
    max_concurrent_runs: int = 2
    ttl_days: int = SharedSettings.ttl_days
    partition_start_date: date = SharedSettings.partition_start_date
    input_prefix: str = SharedSettings.input_prefix
    input_extensions: tuple[str, ...] = SharedSettings.input_extensions
    date_sources: tuple[DateSource, ...] = SharedSettings.date_sources

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read the variables of `SETTINGS_VARIABLES`; an absent or empty one keeps its default.

        Raises:
            SettingsError: names every variable that makes no sense, and what was expected.
        """
        reader = SettingsReader(variables)
        environment = reader.text(ENVIRONMENT_VARIABLE) or cls.environment
        if environment not in ENVIRONMENTS:
            reader.problems.append(
                f"{ENVIRONMENT_VARIABLE} must be one of {', '.join(ENVIRONMENTS)}, got {environment!r}"
            )
        feed = reader.text(FEED_VARIABLE) or cls.feed
        if problem := feed_problem(feed):
            reader.problems.append(f"{FEED_VARIABLE} {problem}")
        dagster_url = (reader.text(DAGSTER_URL_VARIABLE) or "").rstrip("/") or None
        if dagster_url is not None and not dagster_url.startswith(("http://", "https://")):
            reader.problems.append(
                f"{DAGSTER_URL_VARIABLE} must be an address such as https://dagster.example.com, "
                f"got {dagster_url!r}"
            )
        shared = SharedSettings.read(reader)
        min_mb = reader.number(LAUNCH_MIN_MB_VARIABLE, cls.launch_min_mb)
        max_wait = timedelta(seconds=reader.number(LAUNCH_MAX_WAIT_VARIABLE, 0.0))
        workers = reader.whole(WORKERS_VARIABLE, cls.number_of_workers, lowest=2)
        most = max(cls.max_workers, workers)
        settings = cls(
            environment,
            feed=feed,
            dagster_url=dagster_url,
            launch_min_mb=min_mb,
            launch_max_wait=max_wait or (WAIT_BESIDE_A_SIZE if min_mb else max_wait),
            worker_type=reader.text(WORKER_TYPE_VARIABLE) or cls.worker_type,
            number_of_workers=workers,
            max_workers=reader.whole(MAX_WORKERS_VARIABLE, most, lowest=workers),
            max_concurrent_runs=reader.whole(
                PLACES_VARIABLE, cls.max_concurrent_runs, lowest=1, highest=_MOST_PLACES
            ),
            ttl_days=shared.ttl_days,
            partition_start_date=shared.partition_start_date,
            input_prefix=shared.input_prefix,
            input_extensions=shared.input_extensions,
            date_sources=shared.date_sources,
        )
        if reader.problems:
            raise SettingsError("Environment variables need mending: " + "; ".join(reader.problems) + ".")
        return settings
