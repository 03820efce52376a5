"""Buckets, their notifications, and the tables."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from lambda_ingest.contract.records import (
    ALERTS_PENDING_INDEX,
    FAILED_MANIFESTS_INDEX,
    MANIFESTS_BY_STATUS_INDEX,
    PENDING_FILES_INDEX,
    RETRIES_DUE_INDEX,
)
from ndjson_pipeline.desk.aws_errors import is_absent, is_denied
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.doctor.finding import Finding, State, judged, ok

_DEPLOY = "deploy again (`make deploy`)"
_INDEXES = (
    PENDING_FILES_INDEX,
    MANIFESTS_BY_STATUS_INDEX,
    ALERTS_PENDING_INDEX,
    RETRIES_DUE_INDEX,
    FAILED_MANIFESTS_INDEX,
)


def buckets(desk: Desk) -> Iterator[Finding]:
    """Tell whether the five buckets are there."""
    problems, unseen = [], []
    for bucket in desk.names.buckets:
        try:
            desk.s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            if is_denied(error):
                unseen.append(bucket)
            elif is_absent(error):
                problems.append((f"{bucket} is not there", _DEPLOY))
            else:
                raise
    if unseen:
        # Another account's bucket of that name answers so, too.
        step = "give s3:ListBucket on them"
        yield Finding("buckets", State.UNSEEN, f"{', '.join(unseen)} may not be looked at", step)
    if problems or not unseen:
        yield judged("buckets", problems, f"all {len(desk.names.buckets)}")


def notifications(desk: Desk) -> Iterator[Finding]:
    """Tell whether S3 tells the queue of each new input object."""
    bucket = desk.names.input_bucket
    found: Any = desk.s3.get_bucket_notification_configuration(Bucket=bucket)
    if "EventBridgeConfiguration" in found:
        yield ok("notifications", "by EventBridge; its rule was not looked at")
        return
    ours = [
        one
        for one in found.get("QueueConfigurations", [])
        if str(one["QueueArn"]).endswith(f":{desk.names.queue}") and "s3:ObjectCreated:*" in one["Events"]
    ]
    if not ours:
        said = f"{bucket} tells {desk.names.queue} of no new object"
        yield Finding("notifications", State.WRONG, said, f"{_DEPLOY}; then `reconcile` the dates since")
        return
    problems = []
    rules = {
        str(rule["Name"]).lower(): str(rule["Value"])
        for one in ours
        for rule in one.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    }
    prefix = desk.shared.input_prefix
    if not prefix.startswith(rules.get("prefix", "")):
        problems.append((f"only of {rules['prefix']}, and input lies below {prefix}", "make both the same"))
    if rules.get("suffix"):
        problems.append(
            (f"only of names that end in {rules['suffix']}", "take the suffix out: it hides what is refused")
        )
    yield judged("notifications", problems, f"of {rules.get('prefix', 'all')} to {desk.names.queue}")


def tracking_table(desk: Desk) -> Iterator[Finding]:
    """Tell whether the tracking table has its keys, its indexes and its TTL."""
    table: Any = desk.dynamodb.describe_table(TableName=desk.names.tracking_table)["Table"]
    keys = [key["AttributeName"] for key in table["KeySchema"]]
    states = {
        index["IndexName"]: index.get("IndexStatus", "ACTIVE")
        for index in table.get("GlobalSecondaryIndexes", [])
    }
    problems = []
    if table.get("TableStatus") != "ACTIVE":
        problems.append((f"the table is {table.get('TableStatus')}", "wait until it is ACTIVE"))
    if keys != ["date_prefix", "file_key"]:
        problems.append((f"its key is {', '.join(keys)}", "it is another table; make it anew"))
    for name in _INDEXES:
        if name not in states:
            problems.append((f"index {name} is not there", _DEPLOY))
        elif states[name] != "ACTIVE":
            problems.append((f"index {name} is {states[name]}", "wait until it is ACTIVE"))
    yield judged("tracking table", problems, f"{desk.names.tracking_table}, {len(_INDEXES)} indexes")


def metrics_table(desk: Desk) -> Iterator[Finding]:
    """Tell whether the metrics table is there."""
    table: Any = desk.dynamodb.describe_table(TableName=desk.names.metrics_table)["Table"]
    keys = [key["AttributeName"] for key in table["KeySchema"]]
    wrong = keys != ["metric_type", "timestamp"]
    problems = [(f"its key is {', '.join(keys)}", "it is another table; make it anew")] if wrong else []
    yield judged("metrics table", problems, desk.names.metrics_table)


def time_to_live(desk: Desk) -> Iterator[Finding]:
    """Tell whether ended rows expire."""
    problems = []
    for table in (desk.names.tracking_table, desk.names.metrics_table):
        found = desk.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
        if found.get("TimeToLiveStatus") not in {"ENABLED", "ENABLING"}:
            problems.append((f"rows of {table} never expire", f"{_DEPLOY}; the attribute is ttl"))
        elif found.get("AttributeName") != "ttl":
            problems.append((f"{table} expires by {found.get('AttributeName')}", "make it ttl"))
    yield judged("TTL", problems, "by ttl, of both tables")
