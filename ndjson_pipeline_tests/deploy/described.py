"""What AWS says of one feed's resources, in a shape that can be compared, whoever made them."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from ndjson_pipeline.deployment.names import Names

Description = dict[str, Any]


def described(client: Callable[[str], Any], names: Names) -> dict[str, Description]:
    """Return what each of a feed's resources is like, by a name that says which it is."""
    return {
        "tracking table": _table(client("dynamodb"), names.tracking_table),
        "metrics table": _table(client("dynamodb"), names.metrics_table),
        "queue": _queue(client("sqs"), names.queue),
        "dead-letter queue": _queue(client("sqs"), names.dead_letter_queue),
        "input events": _notifications(client("s3"), names.input_bucket),
        "buckets": {
            name: client("s3").head_bucket(Bucket=name)["ResponseMetadata"]["HTTPStatusCode"]
            for name in names.buckets
        },
        "topic": {"arn": _topic(client("sns"), names.alert_topic)},
        "log groups": _log_groups(client("logs"), names),
        "Glue job": _glue_job(client("glue"), names.glue_job),
        "catalog": _catalog_table(client("glue"), names),
    }


def _table(dynamodb: Any, name: str) -> Description:
    table = dynamodb.describe_table(TableName=name)["Table"]
    time_to_live = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    return {
        "attributes": {
            each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]
        },
        "keys": _keys(table),
        "capacity": _capacity(table),
        "indexes": {
            index["IndexName"]: {
                "keys": _keys(index),
                "projection": index["Projection"]["ProjectionType"],
                "also holds": sorted(index["Projection"].get("NonKeyAttributes", [])),
                "capacity": _capacity(index),
            }
            for index in table.get("GlobalSecondaryIndexes", [])
        },
        "time to live": time_to_live,
    }


def _keys(schema: Mapping[str, Any]) -> dict[str, str]:
    return {key["KeyType"]: key["AttributeName"] for key in schema["KeySchema"]}


def _capacity(schema: Mapping[str, Any]) -> tuple[int, int]:
    throughput = schema["ProvisionedThroughput"]
    return throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"]


def _queue(sqs: Any, name: str) -> Description:
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    policy = json.loads(attributes.get("Policy") or '{"Statement": []}')
    return {
        "seconds hidden": attributes["VisibilityTimeout"],
        "seconds kept": attributes["MessageRetentionPeriod"],
        "redrive": json.loads(attributes.get("RedrivePolicy", "{}")),
        "who may send": [one for one in policy["Statement"] if one["Effect"] == "Allow"],
    }


def _notifications(s3: Any, bucket: str) -> Description:
    configuration = s3.get_bucket_notification_configuration(Bucket=bucket)
    del configuration["ResponseMetadata"]
    for queue in configuration["QueueConfigurations"]:
        for rule in queue["Filter"]["Key"]["FilterRules"]:
            # S3 takes both `prefix` and `Prefix`.
            rule["Name"] = rule["Name"].lower()
    return dict(configuration)


def _topic(sns: Any, name: str) -> str | None:
    arns = [
        topic["TopicArn"] for page in sns.get_paginator("list_topics").paginate() for topic in page["Topics"]
    ]
    return next((arn for arn in arns if arn.endswith(f":{name}")), None)


def _log_groups(logs: Any, names: Names) -> Description:
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/aws/lambda/")
    days = {
        group["logGroupName"]: group.get("retentionInDays") for page in pages for group in page["logGroups"]
    }
    functions = (names.manifest_builder_function, names.sweeper_function, names.generator_function)
    return {function: days.get(f"/aws/lambda/{function}", "none") for function in functions}


def _glue_job(glue: Any, name: str) -> Description:
    job = glue.get_job(JobName=name)["Job"]
    fields = (
        "Command",
        "DefaultArguments",
        "ExecutionProperty",
        "GlueVersion",
        "MaxRetries",
        "NonOverridableArguments",
        "NumberOfWorkers",
        "Role",
        "Timeout",
        "WorkerType",
    )
    return {field: job.get(field) or None for field in fields}


def _catalog_table(glue: Any, names: Names) -> Description:
    table = glue.get_table(DatabaseName=names.catalog_database, Name=names.catalog_table)["Table"]
    storage = table["StorageDescriptor"]
    return {
        "type": table["TableType"],
        "parameters": table["Parameters"],
        "partitions": _columns(table["PartitionKeys"]),
        "columns": _columns(storage["Columns"]),
        "location": storage["Location"],
        "formats": (storage["InputFormat"], storage["OutputFormat"]),
        "SerDe": (storage["SerdeInfo"]["SerializationLibrary"], storage["SerdeInfo"]["Parameters"]),
    }


def _columns(columns: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(column["Name"], column["Type"]) for column in columns]
