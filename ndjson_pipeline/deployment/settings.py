"""Settings of the code location, read from the environment once and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from ndjson_pipeline.errors import SettingsError

ENVIRONMENT_VARIABLE = "NDJSON_ENVIRONMENT"
DAGSTER_URL_VARIABLE = "NDJSON_DAGSTER_URL"
LAUNCH_MIN_MB_VARIABLE = "LAUNCH_MIN_MB"
LAUNCH_MAX_WAIT_VARIABLE = "LAUNCH_MAX_WAIT_SECONDS"
WORKER_TYPE_VARIABLE = "GLUE_WORKER_TYPE"
WORKERS_VARIABLE = "GLUE_NUMBER_OF_WORKERS"
MAX_WORKERS_VARIABLE = "GLUE_MAX_WORKERS"
ENVIRONMENTS = ("dev", "prod")
# Every variable that the code location reads.
VARIABLES = (
    ENVIRONMENT_VARIABLE,
    DAGSTER_URL_VARIABLE,
    LAUNCH_MIN_MB_VARIABLE,
    LAUNCH_MAX_WAIT_VARIABLE,
    WORKER_TYPE_VARIABLE,
    WORKERS_VARIABLE,
    MAX_WORKERS_VARIABLE,
)
# A size alone would let a date's last few manifests wait for ever.
WAIT_BESIDE_A_SIZE = timedelta(minutes=15)


@dataclass(frozen=True)
class PipelineSettings:
    """Which deployment the code location works for.

    Attributes:
        environment: `dev` or `prod`; the last part of every name in AWS.
        dagster_url: where the UI answers, without a last slash, for links in alerts; None gives no links.
        launch_min_mb: a date is launched once so much of it waits, in MB; 0 sets no such bound.
        launch_max_wait: a date is launched once its oldest manifest waited so long; 0 launches at once.
        worker_type: of the Glue job's workers.
        number_of_workers: of the Glue job, driver included; a run is given at least these.
        max_workers: a run is given at most these.
    """

    environment: str = "dev"
    dagster_url: str | None = None
    launch_min_mb: float = 0.0
    launch_max_wait: timedelta = timedelta(0)
    worker_type: str = "G.1X"
    number_of_workers: int = 2
    max_workers: int = 10

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read the variables of `VARIABLES`; an absent or empty one keeps its default.

        Raises:
            SettingsError: one makes no sense; the message names it, and what was expected.
        """
        environment = variables.get(ENVIRONMENT_VARIABLE, "").strip() or cls.environment
        if environment not in ENVIRONMENTS:
            raise SettingsError(
                f"{ENVIRONMENT_VARIABLE} must be one of {', '.join(ENVIRONMENTS)}, got {environment!r}"
            )
        dagster_url = variables.get(DAGSTER_URL_VARIABLE, "").strip().rstrip("/") or None
        if dagster_url is not None and not dagster_url.startswith(("http://", "https://")):
            raise SettingsError(
                f"{DAGSTER_URL_VARIABLE} must be an address such as https://dagster.example.com, "
                f"got {dagster_url!r}"
            )
        min_mb = _number(variables, LAUNCH_MIN_MB_VARIABLE, cls.launch_min_mb)
        max_wait = timedelta(seconds=_number(variables, LAUNCH_MAX_WAIT_VARIABLE, 0.0))
        workers = _whole(variables, WORKERS_VARIABLE, cls.number_of_workers, lowest=2)
        most = max(cls.max_workers, workers)
        return cls(
            environment,
            dagster_url,
            launch_min_mb=min_mb,
            launch_max_wait=max_wait or (WAIT_BESIDE_A_SIZE if min_mb else max_wait),
            worker_type=variables.get(WORKER_TYPE_VARIABLE, "").strip() or cls.worker_type,
            number_of_workers=workers,
            max_workers=_whole(variables, MAX_WORKERS_VARIABLE, most, lowest=workers),
        )


def _number(variables: Mapping[str, str], name: str, default: float) -> float:
    text = variables.get(name, "").strip()
    try:
        value = float(text) if text else default
    except ValueError as error:
        raise SettingsError(f"{name} must be a number, got {text!r}") from error
    if not 0 <= value < float("inf"):
        raise SettingsError(f"{name} must be 0 or more, got {text}")
    return value


def _whole(variables: Mapping[str, str], name: str, default: int, *, lowest: int) -> int:
    text = variables.get(name, "").strip()
    try:
        value = int(text) if text else default
    except ValueError as error:
        raise SettingsError(f"{name} must be a whole number, got {text!r}") from error
    if value < lowest:
        raise SettingsError(f"{name} must be at least {lowest}, got {value}")
    return value
