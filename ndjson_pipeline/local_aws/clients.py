"""The AWS clients that the local AWS needs itself."""

import functools
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import boto3
import botocore.session
from botocore.config import Config

from ndjson_pipeline.deployment.names import Names
from ndjson_pipeline.deployment.settings import FEED_VARIABLE
from ndjson_pipeline.local_aws.credentials import LocalCredentials

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

DEFAULT_REGION = "us-east-1"

# Clients may be used by several threads at once, but not made. They share a session, because a new one
# reads the services' models again.
_session_lock = threading.Lock()


@dataclass(frozen=True)
class AwsClients:
    """One client for each service.

    Attributes:
        region: the region that all of them talk to.
    """

    region: str
    s3: "S3Client"
    sqs: "SQSClient"
    dynamodb: "DynamoDBClient"
    sns: "SNSClient"
    glue: "GlueClient"
    logs: "CloudWatchLogsClient"
    sts: Any

    @classmethod
    def from_environment(cls) -> Self:
        """Make clients as boto3 resolves endpoint, credentials and region, else `DEFAULT_REGION`."""
        region = (boto3.DEFAULT_SESSION or boto3.Session()).region_name or DEFAULT_REGION
        return cls(
            region=region,
            s3=boto3.client("s3", region_name=region),
            sqs=boto3.client("sqs", region_name=region),
            dynamodb=boto3.client("dynamodb", region_name=region),
            sns=boto3.client("sns", region_name=region),
            glue=boto3.client("glue", region_name=region),
            logs=boto3.client("logs", region_name=region),
            sts=boto3.client("sts", region_name=region),
        )

    @classmethod
    def for_endpoint(
        cls, endpoint_url: str, credentials: LocalCredentials, region: str = DEFAULT_REGION
    ) -> Self:
        """Make clients of a local endpoint, whatever the environment says.

        Args:
            endpoint_url: such as `http://127.0.0.1:5000`.
            credentials: those of its start.
            region: the region to sign for.
        """
        return cls(
            region=region,
            s3=local_client("s3", endpoint_url, credentials, region),
            sqs=local_client("sqs", endpoint_url, credentials, region),
            dynamodb=local_client("dynamodb", endpoint_url, credentials, region),
            sns=local_client("sns", endpoint_url, credentials, region),
            glue=local_client("glue", endpoint_url, credentials, region),
            logs=local_client("logs", endpoint_url, credentials, region),
            sts=local_client("sts", endpoint_url, credentials, region),
        )


def names_in(clients: AwsClients, environment: str, feed: str | None) -> Names:
    """Return the names of a feed in the account that the clients' credentials are of.

    Args:
        clients: the clients.
        environment: `dev` or `prod`.
        feed: the feed's name, empty for the one that has none; None is what the environment names.

    Raises:
        SettingsError: the feed's name makes no sense.
    """
    if feed is None:
        feed = os.environ.get(FEED_VARIABLE, "").strip()
    return Names(environment, clients.sts.get_caller_identity()["Account"], feed)


def local_client(
    service: str,
    endpoint_url: str,
    credentials: LocalCredentials,
    region: str = DEFAULT_REGION,
    read_timeout_seconds: float = 60,
) -> Any:
    """Return a client of any service at a local endpoint, whatever the environment says.

    Args:
        service: boto3's name of it, such as `s3`.
        endpoint_url: such as `http://127.0.0.1:5000`.
        credentials: those of its start.
        region: the region to sign for.
        read_timeout_seconds: how long to wait for an answer.
    """
    with _session_lock:
        session: Any = local_session(region)
        return session.client(
            service,
            endpoint_url=endpoint_url,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            config=local_config(read_timeout_seconds),
        )


@functools.cache
def local_session(region: str) -> boto3.Session:
    """Return a session without credentials, which reads none of the user's AWS configuration."""
    session = botocore.session.Session()
    # A profile of the environment would have to exist, and its settings would apply.
    settings = session.get_component("config_store")
    settings.set_config_variable("profile", None)
    settings.set_config_variable("config_file", os.devnull)
    settings.set_config_variable("credentials_file", os.devnull)
    return boto3.Session(botocore_session=session, region_name=region)


def local_config(read_timeout_seconds: float = 60) -> Config:
    """Return the settings of clients of the local endpoint: no proxy between, few retries."""
    return Config(
        proxies={},
        retries={"max_attempts": 2, "mode": "standard"},
        max_pool_connections=20,
        read_timeout=read_timeout_seconds,
    )
