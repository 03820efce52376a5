"""Settings of the code location, read from the environment once and checked."""

import re
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
OWNERS_VARIABLE = "ASSET_OWNERS"
CODE_URL_VARIABLE = "CODE_URL"
RUNBOOK_URL_VARIABLE = "RUNBOOK_URL"
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
    OWNERS_VARIABLE,
    CODE_URL_VARIABLE,
    RUNBOOK_URL_VARIABLE,
    *SHARED_VARIABLES,
)
ENVIRONMENTS = ("dev", "prod")
# A size alone would let a date's last few manifests wait for ever.
WAIT_BESIDE_A_SIZE = timedelta(minutes=15)
# Dagster gives no pool more places (`get_max_concurrency_limit_value`).
_MOST_PLACES = 1000
# What Dagster takes for an owner (`is_valid_owner`, whose `|` in the last class no address has).
_OWNER = re.compile(r"team:.+|[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}")


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
        asset_owners: who the assets belong to, as the UI shows it: addresses, or `team:` and a name.
        code_url: where the project's root lies on a forge, without a last slash, such as
            https://github.com/acme/ndjson/blob/v3; None links to the files of a checkout, where this is one.
        runbook_url: the page that an operator is to read; None is the project's own.
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
    asset_owners: tuple[str, ...] = ()
    code_url: str | None = None
    runbook_url: str | None = None
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
        dagster_url = _url(reader, DAGSTER_URL_VARIABLE, "https://dagster.example.com")
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
            asset_owners=reader.list_of(
                OWNERS_VARIABLE, (), _owner, "a list such as data@example.com,team:platform"
            ),
            code_url=_url(reader, CODE_URL_VARIABLE, "https://github.com/acme/ndjson/blob/main"),
            runbook_url=_url(reader, RUNBOOK_URL_VARIABLE, "https://wiki.example.com/ndjson"),
            ttl_days=shared.ttl_days,
            partition_start_date=shared.partition_start_date,
            input_prefix=shared.input_prefix,
            input_extensions=shared.input_extensions,
            date_sources=shared.date_sources,
        )
        if reader.problems:
            raise SettingsError("Environment variables need mending: " + "; ".join(reader.problems) + ".")
        return settings


def _url(reader: SettingsReader, name: str, example: str) -> str | None:
    """Read an address of the web, without a last slash."""
    url = (reader.text(name) or "").rstrip("/") or None
    if url is not None and not url.startswith(("http://", "https://")):
        reader.problems.append(f"{name} must be an address such as {example}, got {url!r}")
    return url


def _owner(text: str) -> str:
    """Read an owner of an asset.

    Raises:
        ValueError: it is none that Dagster takes.
    """
    if not _OWNER.fullmatch(text):
        raise ValueError(f"{text!r} is no address, nor team: and a name")
    return text
