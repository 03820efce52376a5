"""What can be set about the local AWS."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from lambda_ingest.contract.settings import SHARED_VARIABLES, SettingsReader, SharedSettings
from ndjson_pipeline.local_aws.clients import DEFAULT_REGION
from ndjson_pipeline.local_aws.errors import LocalAwsError
from ndjson_pipeline.local_aws.resources import LAMBDA_TIMEOUT_SECONDS, ResourceSettings


@dataclass(frozen=True)
class LocalAwsSettings:
    """How the local AWS behaves; the defaults are those of the deployment.

    Raises:
        LocalAwsError: it is for one feed twice.

    Attributes:
        environment: `dev` or `prod`; part of every name.
        feeds: the names of the feeds whose resources there are; an empty one is the feed that has none.
            Without any, it is an empty AWS, in which others make what they like.
        region: where everything is.
        resources: what `create_resources` may be told.
        manifest_builder_handler: Python entry point behind the queue, `package.module.function`.
        sweeper_handler: Python entry point behind the timer.
        generator_handler: Python entry point of the function that writes test input.
        lambda_timeout_seconds: after how long an invocation is ended.
        lambda_memory_mb: what the functions are told of their memory; not enforced.
        lambda_variables: environment variables of the functions, on top of `lambda_environment`; what the
            code location must be told alike is taken from here for it, too.
        python_path: folders from which the functions import, before the project's own.
        queue_enabled: whether messages of the events queue are handed to the builder.
        batch_size: how many messages an invocation gets at most.
        batching_window_seconds: how long to collect a batch; 0 hands over what is there.
        queue_concurrency: how many invocations of the builder run at once at most.
        timer_enabled: whether the sweeper runs on its timer.
        sweep_interval_seconds: the timer's interval.
        glue_minute_seconds: how long a minute of a Glue job's `Timeout` lasts.
        glue_stop_grace_seconds: how long a stopped run may take to end by itself.
        glue_cores: how many tasks Spark runs at once.
        glue_driver_memory: the heap of Spark's JVM, such as `1g`.
        iam_managed_policies: whether AWS's managed policies exist, as Terraform wants; costs a second.
    """

    environment: str = "dev"
    feeds: tuple[str, ...] = ("",)
    region: str = DEFAULT_REGION
    resources: ResourceSettings = field(default_factory=ResourceSettings)
    manifest_builder_handler: str = "lambda_ingest.manifest_builder.handler"
    sweeper_handler: str = "lambda_ingest.sweeper.handler"
    generator_handler: str = "lambda_ingest.generate_ndjson.handler"
    lambda_timeout_seconds: float = LAMBDA_TIMEOUT_SECONDS
    lambda_memory_mb: int = 256
    lambda_variables: Mapping[str, str] = field(default_factory=dict)
    python_path: tuple[str, ...] = ()
    queue_enabled: bool = True
    batch_size: int = 10
    batching_window_seconds: float = 0.0
    queue_concurrency: int = 2
    timer_enabled: bool = True
    sweep_interval_seconds: float = 30.0
    glue_minute_seconds: float = 60.0
    glue_stop_grace_seconds: float = 5.0
    glue_cores: int = 2
    glue_driver_memory: str = "1g"
    iam_managed_policies: bool = False

    def __post_init__(self) -> None:
        if len(set(self.feeds)) < len(self.feeds):
            raise LocalAwsError(f"feeds must name each feed once, got {self.feeds!r}")

    @property
    def shared_variables(self) -> dict[str, str]:
        """What the functions and the code location must be told alike; empty where it keeps its default."""
        return {name: self.lambda_variables.get(name, "") for name in SHARED_VARIABLES}

    def shared(self) -> SharedSettings:
        """Read those.

        Raises:
            LocalAwsError: one makes no sense.
        """
        reader = SettingsReader(self.lambda_variables)
        shared = SharedSettings.read(reader)
        if reader.problems:
            raise LocalAwsError("lambda_variables need mending: " + "; ".join(reader.problems) + ".")
        return shared

    def to_json(self) -> str:
        """Write the settings for another process."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read settings; what is left out keeps its default.

        Raises:
            LocalAwsError: it is no JSON object, or names a setting that does not exist.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            if "resources" in values:
                values["resources"] = ResourceSettings(**values["resources"])
            for name in ("feeds", "python_path"):
                if name in values:
                    values[name] = tuple(values[name])
            return cls(**values)
        except (ValueError, TypeError) as error:
            raise LocalAwsError(
                f"settings must be a JSON object of LocalAwsSettings' attributes: {error}"
            ) from error


def project_directory() -> Path:
    """Return the folder from which the project's packages are imported."""
    return Path(__file__).resolve().parents[2]
