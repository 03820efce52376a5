"""Everything that Terraform makes in a real account, made with plain boto3."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from glue_jobs.catalog.definition import table_input
from lambda_ingest.contract.records import (
    ALERT_PENDING_ATTRIBUTE,
    ALERTS_PENDING_INDEX,
    FAILED_DATE_ATTRIBUTE,
    FAILED_MANIFESTS_INDEX,
    MANIFESTS_BY_STATUS_INDEX,
    PENDING_DATE_ATTRIBUTE,
    PENDING_FILES_INDEX,
    RETRIES_DUE_INDEX,
    RETRY_AT_ATTRIBUTE,
)
from lambda_ingest.contract.settings import SharedSettings
from ndjson_pipeline.deployment.deadlines import GLUE_TIMEOUT
from ndjson_pipeline.deployment.names import Names
from ndjson_pipeline.deployment.packaging import GluePackage, installed_glue_package
from ndjson_pipeline.deployment.settings import PipelineSettings
from ndjson_pipeline.local_aws.clients import AwsClients, names_in

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import (
        AttributeDefinitionTypeDef,
        GlobalSecondaryIndexTypeDef,
        ProvisionedThroughputTypeDef,
        TableDescriptionTypeDef,
    )
    from mypy_boto3_glue.type_defs import JobUpdateTypeDef
    from mypy_boto3_s3.literals import BucketLocationConstraintType
    from mypy_boto3_s3.type_defs import QueueConfigurationOutputTypeDef
    from mypy_boto3_sqs.literals import QueueAttributeNameType

LAMBDA_TIMEOUT_SECONDS = 60
LOG_RETENTION_DAYS = 14

_EVENT_RETENTION_SECONDS = 7 * 86_400
_READ_CAPACITY = 5
_WRITE_CAPACITY = 25
# boto3 refuses to create a bucket with a location constraint in this region alone.
_REGION_WITHOUT_CONSTRAINT = "us-east-1"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResourceSettings:
    """What may differ from the defaults of the deployment.

    Attributes:
        visibility_timeout_seconds: how long SQS hides a received message; 6 x the Lambda's timeout.
        max_receive_count: after how many receives SQS moves a message to the dead-letter queue.
        max_concurrent_glue_runs: how many runs of the Glue job may be active at once.
        glue_timeout_minutes: after how many minutes Glue ends a run.
        glue_worker_type: of the Glue job's workers; a laptop's runs are no larger for it.
        glue_number_of_workers: how many the Glue job has.
        job_arguments: of the Glue job, on top of its own, such as `--SCHEMA_MODE`.
    """

    visibility_timeout_seconds: int = 6 * LAMBDA_TIMEOUT_SECONDS
    max_receive_count: int = 3
    max_concurrent_glue_runs: int = PipelineSettings.max_concurrent_runs
    glue_timeout_minutes: int = int(GLUE_TIMEOUT / timedelta(minutes=1))
    glue_worker_type: str = PipelineSettings.worker_type
    glue_number_of_workers: int = PipelineSettings.number_of_workers
    job_arguments: Mapping[str, str] = field(default_factory=dict)


def create_resources(
    environment: str = "dev",
    *,
    feed: str | None = None,
    settings: ResourceSettings | None = None,
    clients: AwsClients | None = None,
    input_prefix: str = SharedSettings.input_prefix,
    partition_start_date: date = SharedSettings.partition_start_date,
) -> Names:
    """Make buckets, queues, tables, topic, log groups, Glue job and the catalog's table; what exists stays.

    Args:
        environment: `dev` or `prod`; part of every name.
        feed: the feed's name, empty for the one that has none; None is what the environment names.
        settings: what differs from the defaults.
        clients: where to make them; by default whatever endpoint, region or in-process mock boto3 finds.
        input_prefix: objects below it are told to the events queue, and alone are read by the Glue job.
        partition_start_date: the first date that the catalog's table has.

    Returns:
        The names of everything made.

    Raises:
        ClientError: AWS refused; an existing resource is never a reason.
        PackagingError: the Glue script is not where the project keeps it.
        SettingsError: the feed's name makes no sense.
    """
    settings = settings or ResourceSettings()
    clients = clients or AwsClients.from_environment()
    names = names_in(clients, environment, feed)
    for bucket in names.buckets:
        _create_bucket(clients, bucket)
    _create_tracking_table(clients, names)
    _create_metrics_table(clients, names)
    queue_arn = _create_queues(clients, names, settings)
    _notify_queue_of_input(clients, names, queue_arn, input_prefix)
    clients.sns.create_topic(Name=names.alert_topic)
    for function in (names.manifest_builder_function, names.sweeper_function, names.generator_function):
        _create_log_group(clients, f"/aws/lambda/{function}")
    package = installed_glue_package()
    for file in package.files:
        clients.s3.put_object(Bucket=names.scripts_bucket, Key=file.key, Body=file.content)
    _create_glue_job(clients, names, settings, input_prefix, package)
    output_prefix = settings.job_arguments.get("--OUTPUT_PREFIX", "")
    _create_catalog_table(clients, names, output_prefix, partition_start_date)
    return names


def _create_bucket(clients: AwsClients, bucket: str) -> None:
    try:
        clients.s3.head_bucket(Bucket=bucket)
        return
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
    if clients.region == _REGION_WITHOUT_CONSTRAINT:
        clients.s3.create_bucket(Bucket=bucket)
    else:
        region: BucketLocationConstraintType = clients.region  # type: ignore[assignment]
        clients.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": region})


def _create_tracking_table(clients: AwsClients, names: Names) -> None:
    _create_table(
        clients,
        names.tracking_table,
        hash_key="date_prefix",
        range_key="file_key",
        attributes=[
            {"AttributeName": "date_prefix", "AttributeType": "S"},
            {"AttributeName": "file_key", "AttributeType": "S"},
            {"AttributeName": PENDING_DATE_ATTRIBUTE, "AttributeType": "S"},
            {"AttributeName": "created_at", "AttributeType": "S"},
            {"AttributeName": "status", "AttributeType": "S"},
            {"AttributeName": "file_count", "AttributeType": "N"},
            {"AttributeName": ALERT_PENDING_ATTRIBUTE, "AttributeType": "S"},
            {"AttributeName": RETRY_AT_ATTRIBUTE, "AttributeType": "S"},
            {"AttributeName": FAILED_DATE_ATTRIBUTE, "AttributeType": "S"},
        ],
        indexes=[
            {
                "IndexName": PENDING_FILES_INDEX,
                "KeySchema": [
                    {"AttributeName": PENDING_DATE_ATTRIBUTE, "KeyType": "HASH"},
                    {"AttributeName": "created_at", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["file_size_mb"]},
                "ProvisionedThroughput": _throughput(),
            },
            {
                # Only manifests carry file_count, which keeps files out of this index.
                "IndexName": MANIFESTS_BY_STATUS_INDEX,
                "KeySchema": [
                    {"AttributeName": "status", "KeyType": "HASH"},
                    {"AttributeName": "file_count", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
                "ProvisionedThroughput": _throughput(),
            },
            _sparse_index(ALERTS_PENDING_INDEX, ALERT_PENDING_ATTRIBUTE),
            _sparse_index(RETRIES_DUE_INDEX, RETRY_AT_ATTRIBUTE),
            _sparse_index(FAILED_MANIFESTS_INDEX, FAILED_DATE_ATTRIBUTE),
        ],
    )


def _sparse_index(name: str, attribute: str) -> "GlobalSecondaryIndexTypeDef":
    """Return an index of the manifests that carry an attribute, in order of their names."""
    return {
        "IndexName": name,
        "KeySchema": [
            {"AttributeName": attribute, "KeyType": "HASH"},
            {"AttributeName": "file_key", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "ALL"},
        "ProvisionedThroughput": _throughput(),
    }


def _create_metrics_table(clients: AwsClients, names: Names) -> None:
    _create_table(
        clients,
        names.metrics_table,
        hash_key="metric_type",
        range_key="timestamp",
        attributes=[
            {"AttributeName": "metric_type", "AttributeType": "S"},
            {"AttributeName": "timestamp", "AttributeType": "N"},
        ],
        indexes=[],
    )


def _create_table(
    clients: AwsClients,
    table: str,
    *,
    hash_key: str,
    range_key: str,
    attributes: "list[AttributeDefinitionTypeDef]",
    indexes: "list[GlobalSecondaryIndexTypeDef]",
) -> None:
    dynamodb = clients.dynamodb
    try:
        present = dynamodb.describe_table(TableName=table)["Table"]
        _add_indexes(clients, present, attributes, indexes)
    except dynamodb.exceptions.ResourceNotFoundException:
        # DynamoDB refuses an empty list of indexes.
        optional = {"GlobalSecondaryIndexes": indexes} if indexes else {}
        dynamodb.create_table(
            TableName=table,
            KeySchema=[
                {"AttributeName": hash_key, "KeyType": "HASH"},
                {"AttributeName": range_key, "KeyType": "RANGE"},
            ],
            AttributeDefinitions=attributes,
            BillingMode="PROVISIONED",
            ProvisionedThroughput=_throughput(),
            **optional,  # type: ignore[arg-type]
        )
        dynamodb.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1})
    time_to_live = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if time_to_live["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
        dynamodb.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}
        )


def _add_indexes(
    clients: AwsClients,
    present: "TableDescriptionTypeDef",
    attributes: "list[AttributeDefinitionTypeDef]",
    indexes: "list[GlobalSecondaryIndexTypeDef]",
) -> None:
    """Add what a table lacks that a former version made; the service takes one index a call."""
    names = {index["IndexName"] for index in present.get("GlobalSecondaryIndexes", [])}
    for index in indexes:
        if index["IndexName"] not in names:
            clients.dynamodb.update_table(
                TableName=present["TableName"],
                AttributeDefinitions=attributes,
                GlobalSecondaryIndexUpdates=[{"Create": index}],
            )


def _throughput() -> "ProvisionedThroughputTypeDef":
    return {"ReadCapacityUnits": _READ_CAPACITY, "WriteCapacityUnits": _WRITE_CAPACITY}


def _create_queues(clients: AwsClients, names: Names, settings: ResourceSettings) -> str:
    _create_queue(clients, names.dead_letter_queue, {"MessageRetentionPeriod": str(14 * 86_400)})
    queue_arn = _queue_arn(clients, names, names.queue)
    redrive = {
        "deadLetterTargetArn": _queue_arn(clients, names, names.dead_letter_queue),
        "maxReceiveCount": settings.max_receive_count,
    }
    _create_queue(
        clients,
        names.queue,
        {
            "MessageRetentionPeriod": str(_EVENT_RETENTION_SECONDS),
            "VisibilityTimeout": str(settings.visibility_timeout_seconds),
            "RedrivePolicy": json.dumps(redrive),
            "Policy": json.dumps(_queue_policy(names, queue_arn)),
        },
    )
    return queue_arn


def _create_queue(clients: AwsClients, queue: str, attributes: "dict[QueueAttributeNameType, str]") -> None:
    # CreateQueue on an existing queue refuses attributes that differ, so an existing one is set instead.
    try:
        url = clients.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    except clients.sqs.exceptions.QueueDoesNotExist:
        clients.sqs.create_queue(QueueName=queue, Attributes=attributes)
        return
    clients.sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)


def _queue_arn(clients: AwsClients, names: Names, queue: str) -> str:
    return f"arn:aws:sqs:{clients.region}:{names.account}:{queue}"


def _queue_policy(names: Names, queue_arn: str) -> dict[str, object]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "InputBucketSendsEvents",
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue_arn,
                "Condition": {
                    "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{names.input_bucket}"},
                    "StringEquals": {"aws:SourceAccount": names.account},
                },
            }
        ],
    }


def _notify_queue_of_input(clients: AwsClients, names: Names, queue_arn: str, input_prefix: str) -> None:
    present = clients.s3.get_bucket_notification_configuration(Bucket=names.input_bucket)
    if any(
        each["QueueArn"] == queue_arn and _prefix_of(each) == input_prefix
        for each in present.get("QueueConfigurations", [])
    ):
        # Setting it again would send another s3:TestEvent.
        return
    clients.s3.put_bucket_notification_configuration(
        Bucket=names.input_bucket,
        NotificationConfiguration={
            "QueueConfigurations": [
                {
                    "Id": "input-to-events-queue",
                    "QueueArn": queue_arn,
                    "Events": ["s3:ObjectCreated:*"],
                    # No suffix: it would hide files of another extension instead of quarantining them.
                    "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": input_prefix}]}},
                }
            ]
        },
    )


def _prefix_of(configuration: "QueueConfigurationOutputTypeDef") -> str:
    rules = configuration.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    return next((rule["Value"] for rule in rules if rule["Name"].lower() == "prefix"), "")


def _create_log_group(clients: AwsClients, group: str) -> None:
    try:
        clients.logs.create_log_group(logGroupName=group)
    except clients.logs.exceptions.ResourceAlreadyExistsException:
        _logger.debug("log group %s exists", group)
    clients.logs.put_retention_policy(logGroupName=group, retentionInDays=LOG_RETENTION_DAYS)


def _create_glue_job(
    clients: AwsClients, names: Names, settings: ResourceSettings, input_prefix: str, package: GluePackage
) -> None:
    definition: JobUpdateTypeDef = {
        "Role": f"arn:aws:iam::{names.account}:role/{names.glue_role}",
        "Command": {
            "Name": "glueetl",
            "ScriptLocation": package.script_location(names.scripts_bucket),
            "PythonVersion": "3",
        },
        # All but a run's own, as in a deployment.
        "NonOverridableArguments": {
            "--INPUT_BUCKET": names.input_bucket,
            "--INPUT_PREFIX": input_prefix,
            "--MANIFEST_BUCKET": names.manifest_bucket,
            "--OUTPUT_BUCKET": names.output_bucket,
            "--QUARANTINE_BUCKET": names.quarantine_bucket,
            "--COMPRESSION_TYPE": "snappy",
            "--CATALOG_DATABASE": names.catalog_database,
            "--CATALOG_TABLE": names.catalog_table,
            **settings.job_arguments,
            **package.arguments(names.scripts_bucket),
        },
        "ExecutionProperty": {"MaxConcurrentRuns": settings.max_concurrent_glue_runs},
        # Retries belong to the orchestrator alone.
        "MaxRetries": 0,
        "Timeout": settings.glue_timeout_minutes,
        "GlueVersion": "5.1",
        "WorkerType": settings.glue_worker_type,  # type: ignore[typeddict-item]
        "NumberOfWorkers": settings.glue_number_of_workers,
    }
    try:
        present = clients.glue.get_job(JobName=names.glue_job)["Job"]
    except clients.glue.exceptions.EntityNotFoundException:
        clients.glue.create_job(Name=names.glue_job, **definition)
        return
    if any(present.get(name) != value for name, value in definition.items()):
        # A former start left it, with that start's package and settings.
        clients.glue.update_job(JobName=names.glue_job, JobUpdate=definition)


def _create_catalog_table(
    clients: AwsClients, names: Names, output_prefix: str, partition_start_date: date
) -> None:
    glue = clients.glue
    try:
        glue.create_database(DatabaseInput={"Name": names.catalog_database})
    except glue.exceptions.AlreadyExistsException:
        _logger.debug("database %s exists", names.catalog_database)
    table = table_input(names.catalog_table, names.output_bucket, output_prefix, partition_start_date)
    try:
        glue.create_table(DatabaseName=names.catalog_database, TableInput=table)
    except glue.exceptions.AlreadyExistsException:
        _logger.debug("table %s.%s exists", names.catalog_database, names.catalog_table)
