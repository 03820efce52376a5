"""The IAM actions that a call needs, and on what.

Sources: "Actions, resources, and condition keys" of each service in the Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/), for S3 also "Required permissions for
Amazon S3 API operations", for DynamoDB "Using IAM with transactions".
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# What a bucket of the project is for, by its name; the conversion's tests have buckets of their own.
_BUCKET = re.compile(
    r"(?:ndjson-(?:[a-z][a-z0-9-]*-)?)?(input|manifest|output|quarantine|scripts)(?:-sqs-\d{12}-\w+|-[0-9a-f]{8})"
)
# Where in its bucket a key lies, the first that fits.
_PLACES = {
    "input": ["*"],
    "manifest": ["manifests/*", "logs/lambda/*", "logs/glue/*", "pipes/*", "schemas/*"],
    "output": ["merged-parquet-*"],
    "quarantine": ["rejected/*", "*"],
    "scripts": ["*"],
}
# What is none of the deployment's, such as a bucket that a test made for a stranger.
ELSEWHERE = "?"


@dataclass(frozen=True, order=True)
class Need:
    """One action on one kind of resource.

    Attributes:
        action: such as `s3:GetObject`.
        resource: such as `manifest/manifests/*`, `tracking`, `tracking/index/pending-files`, `glue-job`, or
            `ELSEWHERE`.
    """

    action: str
    resource: str


def needs_of(service: str, operation: str, request: Mapping[str, Any]) -> set[Need]:
    """Return what a call needs.

    Args:
        service: botocore's name of it, such as `s3`.
        operation: such as `PutObject`.
        request: its parameters.

    Raises:
        KeyError: the operation is not known here; look up what it needs, and add it.
    """
    rule = _RULES[service][operation]
    return set(rule(request))


Rule = Callable[[Mapping[str, Any]], Iterable[Need]]


def _object(*actions: str) -> Rule:
    """Return a rule for calls of one object; with a version, S3 checks another action."""

    def rule(request: Mapping[str, Any]) -> Iterator[Need]:
        version = "Version" if request.get("VersionId") else ""
        for action in actions:
            yield Need(f"s3:{action}{version}", _place(request["Bucket"], request["Key"]))

    return rule


def _plain_object(action: str) -> Rule:
    return lambda request: [Need(f"s3:{action}", _place(request["Bucket"], request["Key"]))]


def _bucket_rule(action: str) -> Rule:
    return lambda request: [Need(f"s3:{action}", _bucket(request["Bucket"]) or ELSEWHERE)]


def _copy(request: Mapping[str, Any]) -> Iterator[Need]:
    source = request["CopySource"]
    if isinstance(source, str):
        bucket, _, key = source.removeprefix("/").partition("/")
        source = {"Bucket": bucket, "Key": key.partition(ELSEWHERE)[0], "VersionId": "versionId=" in key}
    version = "Version" if source.get("VersionId") else ""
    yield Need(f"s3:GetObject{version}", _place(source["Bucket"], source["Key"]))
    yield Need("s3:PutObject", _place(request["Bucket"], request["Key"]))


def _copy_whole(request: Mapping[str, Any]) -> Iterator[Need]:
    """CopyObject takes tags along unless it is told not to, which needs the right to read and write them."""
    yield from _copy(request)
    if request.get("TaggingDirective", "COPY") == "COPY":
        for need in list(_copy(request)):
            # GetObjectVersion has its GetObjectVersionTagging.
            yield Need(f"{need.action}Tagging", need.resource)


def _delete_all(request: Mapping[str, Any]) -> Iterator[Need]:
    for each in request["Delete"]["Objects"]:
        version = "Version" if each.get("VersionId") else ""
        place = _place(request["Bucket"], each["Key"])
        yield Need(f"s3:DeleteObject{version}", place)
        if each.get("ETag"):
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
            yield Need("s3:GetObject", place)


def _item(action: str) -> Rule:
    def rule(request: Mapping[str, Any]) -> Iterator[Need]:
        table = _table(request["TableName"])
        index = request.get("IndexName")
        yield Need(f"dynamodb:{action}", f"{table}/index/{index}" if index else table)

    return rule


def _batch(action: str) -> Rule:
    return lambda request: [Need(f"dynamodb:{action}", _table(name)) for name in request["RequestItems"]]


def _transaction(request: Mapping[str, Any]) -> Iterator[Need]:
    for item in request["TransactItems"]:
        for kind, parameters in item.items():
            action = "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item"
            yield Need(f"dynamodb:{action}", _table(parameters["TableName"]))


def _on(action: str, resource: str) -> Rule:
    return lambda _request: [Need(action, resource)]


def _queue(action: str) -> Rule:
    def rule(request: Mapping[str, Any]) -> Iterator[Need]:
        name = str(request.get("QueueUrl") or request.get("QueueName")).rpartition("/")[2]
        yield Need(action, "dead-letter-queue" if "-dlq-" in name else "queue")

    return rule


def _function(request: Mapping[str, Any]) -> Iterator[Need]:
    name = str(request["FunctionName"])
    found = re.search(r"manifest-builder|sweeper|generate", name)
    yield Need("lambda:InvokeFunction", f"function/{found[0]}" if found else ELSEWHERE)


def _bucket(name: str) -> str | None:
    found = _BUCKET.fullmatch(name)
    return found[1] if found else None


def _place(bucket: str, key: str) -> str:
    kind = _bucket(bucket)
    if kind is None:
        return ELSEWHERE
    for place in _PLACES[kind]:
        if place == "*" or re.search(rf"(?:^|/){re.escape(place.removesuffix('*'))}", key):
            return f"{kind}/{place}"
    return ELSEWHERE


def _table(name: str) -> str:
    found = re.fullmatch(r"ndjson-(?:[a-z][a-z0-9-]*-)?parquet-(sqs-file-tracking|metrics)-\w+", name)
    return {"sqs-file-tracking": "tracking", "metrics": "metrics"}[found[1]] if found else ELSEWHERE


def _none(_request: Mapping[str, Any]) -> Iterable[Need]:
    return ()


_RULES: dict[str, dict[str, Rule]] = {
    "s3": {
        "AbortMultipartUpload": _plain_object("AbortMultipartUpload"),
        "CompleteMultipartUpload": _plain_object("PutObject"),
        "CopyObject": _copy_whole,
        "CreateMultipartUpload": _plain_object("PutObject"),
        "DeleteObject": _object("DeleteObject"),
        "DeleteObjects": _delete_all,
        "GetObject": _object("GetObject"),
        "HeadObject": _object("GetObject"),
        "ListMultipartUploads": _bucket_rule("ListBucketMultipartUploads"),
        "ListObjectVersions": _bucket_rule("ListBucketVersions"),
        "ListObjectsV2": _bucket_rule("ListBucket"),
        "ListParts": _plain_object("ListMultipartUploadParts"),
        "PutObject": _plain_object("PutObject"),
        "UploadPart": _plain_object("PutObject"),
        "UploadPartCopy": _copy,
    },
    "dynamodb": {
        **{name: _item(name) for name in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "Scan")},
        "BatchGetItem": _batch("BatchGetItem"),
        "BatchWriteItem": _batch("BatchWriteItem"),
        "TransactWriteItems": _transaction,
        "TransactGetItems": _transaction,
    },
    "sqs": {
        "SendMessage": _queue("sqs:SendMessage"),
        "SendMessageBatch": _queue("sqs:SendMessage"),
        "GetQueueUrl": _queue("sqs:GetQueueUrl"),
        "GetQueueAttributes": _queue("sqs:GetQueueAttributes"),
    },
    "sns": {"Publish": _on("sns:Publish", "topic"), "PublishBatch": _on("sns:Publish", "topic")},
    "glue": {
        **{
            name: _on(f"glue:{name}", "glue-job")
            for name in ("StartJobRun", "GetJobRun", "GetJobRuns", "BatchStopJobRun", "GetJob")
        },
        "GetTable": _on("glue:GetTable", "catalog"),
        "UpdateTable": _on("glue:UpdateTable", "catalog"),
    },
    "lambda": {"Invoke": _function},
    "logs": {
        "GetLogEvents": _on("logs:GetLogEvents", "glue-logs"),
        "FilterLogEvents": _on("logs:FilterLogEvents", "glue-logs"),
    },
    "cloudwatch": {"PutMetricData": _on("cloudwatch:PutMetricData", "*")},
    "secretsmanager": {"GetSecretValue": _on("secretsmanager:GetSecretValue", "database-secret")},
    # Anybody may ask who they are.
    "sts": {"GetCallerIdentity": _none},
}
