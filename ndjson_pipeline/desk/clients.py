"""The deployment that an operator looks at, with clients that give up soon."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.contract.clock import Clock, utc_now
from lambda_ingest.contract.settings import SettingsReader, SharedSettings
from ndjson_pipeline.claims.store import ManifestRecordStore
from ndjson_pipeline.deployment.names import Names
from ndjson_pipeline.deployment.settings import PipelineSettings
from ndjson_pipeline.desk.calls import LastCalls
from ndjson_pipeline.desk.rows import Rows

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_glue.client import GlueClient
    from mypy_boto3_lambda.client import LambdaClient
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_sns.client import SNSClient
    from mypy_boto3_sqs.client import SQSClient

# A person waits: what does not answer is said soon. AWS_MAX_ATTEMPTS says how often it is tried, else 3.
_CONFIG = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard"}, max_pool_connections=16)
# A call of a function lasts as long as the function, and is not made again by itself.
_PATIENT = Config(retries={"total_max_attempts": 1}, read_timeout=910)


class Desk:
    """One feed in an environment of an account; each client is made when it is first used.

    Args:
        variables: settings and AWS's own variables, as an environment has them.
        calls: notes the calls.
        clock: tells the time.
    """

    def __init__(
        self, variables: Mapping[str, str], calls: LastCalls | None = None, clock: Clock = utc_now
    ) -> None:
        self.variables = variables
        self.settings = PipelineSettings.from_environment(variables)
        self.calls = calls or LastCalls()
        self.clock = clock

    @cached_property
    def session(self) -> boto3.session.Session:
        """Of AWS.

        Raises:
            BotoCoreError: the profile that is named does not exist.
        """
        region = self.variables.get("AWS_REGION") or self.variables.get("AWS_DEFAULT_REGION") or None
        session = boto3.session.Session(region_name=region)
        self.calls.watch(session)
        return session

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        """Whose credentials these are, as AWS tells it.

        Raises:
            BotoCoreError, ClientError: no credentials, or nobody answers.
        """
        client: Any = self.session.client("sts", config=_CONFIG, endpoint_url=self._endpoint)
        found: Mapping[str, Any] = client.get_caller_identity()
        return found

    @property
    def account(self) -> str:
        """The account's 12 digits."""
        return str(self.identity["Account"])

    @cached_property
    def names(self) -> Names:
        """What everything is called."""
        return Names(self.settings.environment, self.account, self.settings.feed)

    @property
    def region(self) -> str:
        """Where everything is."""
        return self.dynamodb.meta.region_name

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        """The client."""
        return self.session.client("dynamodb", config=_CONFIG, endpoint_url=self._endpoint)

    @cached_property
    def s3(self) -> "S3Client":
        """The client."""
        return self.session.client("s3", config=_CONFIG, endpoint_url=self._endpoint)

    @cached_property
    def sqs(self) -> "SQSClient":
        """The client."""
        return self.session.client("sqs", config=_CONFIG, endpoint_url=self._endpoint)

    @cached_property
    def sns(self) -> "SNSClient":
        """The client."""
        return self.session.client("sns", config=_CONFIG, endpoint_url=self._endpoint)

    @cached_property
    def glue(self) -> "GlueClient":
        """The client."""
        return self.session.client("glue", config=_CONFIG, endpoint_url=self._endpoint)

    @cached_property
    def functions(self) -> "LambdaClient":
        """The client."""
        return self.session.client("lambda", config=_CONFIG, endpoint_url=self._endpoint)

    @cached_property
    def patient_functions(self) -> "LambdaClient":
        """The client that waits for a function's end."""
        return self.session.client("lambda", config=_PATIENT, endpoint_url=self._endpoint)

    @cached_property
    def rows(self) -> Rows:
        """The tracking table."""
        return Rows(self.dynamodb, self.names.tracking_table)

    @cached_property
    def records(self) -> ManifestRecordStore:
        """The manifest records."""
        return ManifestRecordStore(
            self.dynamodb,
            table=self.names.tracking_table,
            manifest_bucket=self.names.manifest_bucket,
            clock=self.clock,
            ttl=timedelta(days=self.settings.ttl_days),
        )

    @cached_property
    def shared(self) -> SharedSettings:
        """Where files lie and how they are dated: as the manifest builder has it, else the environment."""
        try:
            variables = self.builder_variables()
        except (BotoCoreError, ClientError):
            variables = self.variables
        return SharedSettings.read(SettingsReader(variables))

    @cached_property
    def output_prefix(self) -> str:
        """The folder that the Glue job writes below, without slashes at its ends; as the job has it.

        Raises:
            ClientError: there is no such job, or it may not be looked at.
        """
        job = self.glue.get_job(JobName=self.names.glue_job)["Job"]
        arguments = {**job.get("DefaultArguments", {}), **job.get("NonOverridableArguments", {})}
        return str(arguments.get("--OUTPUT_PREFIX", "")).strip().strip("/")

    def builder_variables(self) -> Mapping[str, str]:
        """Return the manifest builder's environment.

        Raises:
            ClientError: there is no such function, or it may not be looked at.
        """
        answer = self.functions.get_function_configuration(FunctionName=self.names.manifest_builder_function)
        return answer.get("Environment", {}).get("Variables", {})

    @property
    def _endpoint(self) -> str | None:
        return self.variables.get("AWS_ENDPOINT_URL") or None
