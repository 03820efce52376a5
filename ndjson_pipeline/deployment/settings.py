"""Settings of the code location, read from the environment once and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Self

from lambda_ingest.contract.settings import SHARED_VARIABLES, SettingsReader, SharedSettings
from ndjson_pipeline.errors import SettingsError

ENVIRONMENT_VARIABLE = "NDJSON_ENVIRONMENT"
DAGSTER_URL_VARIABLE = "NDJSON_DAGSTER_URL"
# All that `PipelineSettings` reads.
SETTINGS_VARIABLES = (ENVIRONMENT_VARIABLE, DAGSTER_URL_VARIABLE, *SHARED_VARIABLES)
ENVIRONMENTS = ("dev", "prod")


@dataclass(frozen=True)
class PipelineSettings:
    """Which deployment the code location works for.

    Attributes:
        environment: `dev` or `prod`; the last part of every name in AWS.
        dagster_url: where the UI answers, without a last slash, for links in alerts; None gives no links.
        ttl_days: how long a record lives after it has ended; this and the following as the Lambdas have it.
        partition_start_date: the first partition.
        input_prefix: what every input key begins with; ends in `/`.
    """

    environment: str = "dev"
    dagster_url: str | None = None
    ttl_days: int = SharedSettings.ttl_days
    partition_start_date: date = SharedSettings.partition_start_date
    input_prefix: str = SharedSettings.input_prefix

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read `NDJSON_ENVIRONMENT` (empty means dev), `NDJSON_DAGSTER_URL`, and what the Lambdas share.

        Raises:
            SettingsError: they name no environment, or no address, or a shared setting is wrong.
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
        reader = SettingsReader(variables)
        shared = SharedSettings.read(reader)
        if reader.problems:
            raise SettingsError("Environment variables need mending: " + "; ".join(reader.problems) + ".")
        return cls(
            environment,
            dagster_url,
            ttl_days=shared.ttl_days,
            partition_start_date=shared.partition_start_date,
            input_prefix=shared.input_prefix,
        )
