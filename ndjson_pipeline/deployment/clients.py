"""AWS clients and names of the deployment that the environment points at."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from ndjson_pipeline.deployment.names import Names
from ndjson_pipeline.deployment.settings import SETTINGS_VARIABLES, PipelineSettings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_glue.client import GlueClient
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sns.client import SNSClient


# A Lambda's longest time, and some more.
_LONGEST_CALL_SECONDS = 910


@dataclass(frozen=True)
class Deployment:
    """One feed in an environment of an account, with clients; `glue_starts` alone makes one attempt only."""

    settings: PipelineSettings
    names: Names
    dynamodb: "DynamoDBClient"
    functions: "LambdaClient"
    glue: "GlueClient"
    glue_starts: "GlueClient"
    s3: "S3Client"
    sns: "SNSClient"

    @property
    def region(self) -> str:
        """Where everything is."""
        return self.sns.meta.region_name

    @property
    def alert_topic_arn(self) -> str:
        """The alert topic."""
        region = self.region
        partition = boto3.session.Session().get_partition_for_region(region)
        return f"arn:{partition}:sns:{region}:{self.names.account}:{self.names.alert_topic}"


def deployment_of(variables: Mapping[str, str]) -> Deployment:
    """Return the deployment, connecting once for each set of variables.

    Raises:
        SettingsError: a setting makes no sense.
        BotoCoreError: no credentials, or AWS can't be reached.
    """
    relevant = {
        name: value
        for name, value in variables.items()
        if name.startswith("AWS_") or name in SETTINGS_VARIABLES
    }
    return _connect(tuple(sorted(relevant.items())))


def current_deployment() -> Deployment:
    """Return the deployment that the process's environment points at."""
    return deployment_of(os.environ)


@lru_cache(maxsize=8)
def _connect(variables: tuple[tuple[str, str], ...]) -> Deployment:
    settings = PipelineSettings.from_environment(dict(variables))
    # Adaptive retries slow down together where Glue or DynamoDB throttle.
    config = Config(retries={"mode": "adaptive", "total_max_attempts": 6}, max_pool_connections=32)
    # A call of a function lasts as long as the function, and is not made again by itself.
    patient = Config(retries={"total_max_attempts": 1}, read_timeout=_LONGEST_CALL_SECONDS)
    # StartJobRun has no idempotency token: tried again after a lost answer, it would start a second run.
    once = Config(retries={"total_max_attempts": 1})
    session = boto3.session.Session()
    account = session.client("sts", config=config).get_caller_identity()["Account"]
    return Deployment(
        settings=settings,
        names=Names(settings.environment, account, settings.feed),
        dynamodb=session.client("dynamodb", config=config),
        functions=session.client("lambda", config=patient),
        glue=session.client("glue", config=config),
        glue_starts=session.client("glue", config=once),
        s3=session.client("s3", config=config),
        sns=session.client("sns", config=config),
    )
