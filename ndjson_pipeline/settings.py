"""Settings of the code location, read from the environment once and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from ndjson_pipeline.errors import SettingsError

ENVIRONMENT_VARIABLE = "NDJSON_ENVIRONMENT"
ENVIRONMENTS = ("dev", "prod")


@dataclass(frozen=True)
class PipelineSettings:
    """Which deployment the code location works for.

    Attributes:
        environment: `dev` or `prod`; the last part of every name in AWS.
    """

    environment: str = "dev"

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Read `NDJSON_ENVIRONMENT`; absent or empty means dev.

        Raises:
            SettingsError: it names no environment.
        """
        environment = variables.get(ENVIRONMENT_VARIABLE, "").strip() or cls.environment
        if environment not in ENVIRONMENTS:
            raise SettingsError(
                f"{ENVIRONMENT_VARIABLE} must be one of {', '.join(ENVIRONMENTS)}, got {environment!r}"
            )
        return cls(environment)
