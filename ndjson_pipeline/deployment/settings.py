"""Settings of the code location, read from the environment once and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from ndjson_pipeline.errors import SettingsError

ENVIRONMENT_VARIABLE = "NDJSON_ENVIRONMENT"
DAGSTER_URL_VARIABLE = "NDJSON_DAGSTER_URL"
ENVIRONMENTS = ("dev", "prod")


@dataclass(frozen=True)
class PipelineSettings:
    """Which deployment the code location works for.

    Attributes:
        environment: `dev` or `prod`; the last part of every name in AWS.
        dagster_url: where the UI answers, without a last slash, for links in alerts; None gives no links.
    """

    environment: str = "dev"
    dagster_url: str | None = None

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read `NDJSON_ENVIRONMENT`, where absent or empty means dev, and `NDJSON_DAGSTER_URL`.

        Raises:
            SettingsError: they name no environment, or no address.
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
        return cls(environment, dagster_url)
