"""S3: one call at a time, whole event records, the conditions of copies, and whom a policy binds."""

import functools
import itertools
import json
import time
import uuid
from typing import Any
from urllib.parse import unquote, urlparse
from xml.etree import ElementTree

import moto.s3.models
import moto.s3.notifications
import moto.s3.responses
from moto.events.models import events_backends
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.exceptions import PreconditionFailed

from ndjson_pipeline.local_aws.moto_patches.locks import S3_LOCK
from ndjson_pipeline.local_aws.moto_patches.registry import Services, locked, replaces


@replaces(moto.s3.responses.S3Response, "key_response", "bucket_response")
def _one_s3_call_at_a_time(original: Any, _services: Services) -> Any:
    """Stock moto lets two PutObject with If-None-Match both win, and breaks a listing that meets a delete."""
    return locked(original, S3_LOCK)


@replaces(moto.s3.notifications, "_get_s3_event")
def _events_have_all_their_fields(original: Any, _services: Services) -> Any:
    """Stock moto leaves sequencer, versionId, requester, owner out of event records."""
    sequence = itertools.count(time.time_ns())

    @functools.wraps(original)
    def get_s3_event(event_name: str, bucket: Any, key: Any, notification_id: str) -> Any:
        event = original(event_name, bucket, key, notification_id)
        for record in event["Records"]:
            record["userIdentity"] = {"principalId": "AWS:LOCAL"}
            record["requestParameters"] = {"sourceIPAddress": "127.0.0.1"}
            record["responseElements"] = {"x-amz-request-id": "LOCAL", "x-amz-id-2": "LOCAL"}
            record["s3"]["bucket"]["ownerIdentity"] = {"principalId": "LOCAL"}
            stored = record["s3"]["object"]
            stored["sequencer"] = f"{next(sequence):018X}"
            if bucket.is_versioned:
                stored["versionId"] = key.version_id
        return event

    return get_s3_event


@replaces(moto.s3.notifications, "_send_event_bridge_message")
def _eventbridge_is_told_as_s3_tells_it(_original: Any, _services: Services) -> Any:
    """Stock moto writes `eTag` for `etag`, a version where there are none, and the same ids in every event.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    """
    sequence = itertools.count(time.time_ns())

    def send_event_bridge_message(account_id: str, bucket: Any, event_name: str, key: Any) -> None:
        stored = {
            "key": key.name,
            "size": key.size,
            "etag": key.etag.strip('"'),
            "sequencer": f"{next(sequence):018X}",
        }
        if bucket.is_versioned:
            stored["version-id"] = key.version_id
        event: Any = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": moto.s3.notifications._detail_type(event_name),
            "source": "aws.s3",
            "account": account_id,
            # The target writes it as text.
            "time": time.time(),
            "region": bucket.region_name,
            "resources": [bucket.arn],
            "detail": {
                "version": "0",
                "bucket": {"name": bucket.name},
                "object": stored,
                "request-id": "LOCAL",
                "requester": account_id,
                "source-ip-address": "127.0.0.1",
                "reason": event_name.partition(":")[2],
            },
        }
        for event_bus in events_backends[account_id][bucket.region_name].event_buses.values():
            for rule in event_bus.rules.values():
                rule.send_to_targets(event, transform_input=False)

    return send_event_bridge_message


@replaces(moto.s3.responses.S3Response, "copy_object")
def _copies_look_at_their_conditions(original: Any, _services: Services) -> Any:
    """Stock moto ignores two of a copy's conditions, so that it takes or overwrites what nobody asked for.

    CopySourceIfMatch is of the source, IfNoneMatch of what lies where the copy should.
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
    """

    @functools.wraps(original)
    def copy_object(response: Any) -> Any:
        _demand_source(response)
        if response.headers.get("If-None-Match") == "*":
            there = response.backend.get_object(response.bucket_name, response.parse_key_name())
            if there is not None:
                raise PreconditionFailed("If-None-Match")
        return original(response)

    return copy_object


@replaces(moto.s3.responses.S3Response, "upload_part_copy")
def _copies_of_parts_look_at_their_condition(original: Any, _services: Services) -> Any:
    """Stock moto ignores CopySourceIfMatch, so that a part may be of other content than its neighbours."""

    @functools.wraps(original)
    def upload_part_copy(response: Any) -> Any:
        _demand_source(response)
        return original(response)

    return upload_part_copy


@replaces(moto.s3.responses.S3Response, "_bucket_response_delete_keys")
def _deletions_of_several_look_at_their_conditions(original: Any, _services: Services) -> Any:
    """Stock moto ignores the ETag of an object that DeleteObjects names, and removes what nobody meant.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
    """

    @functools.wraps(original)
    def delete_keys(response: Any, bucket_name: str, authenticated: bool = True) -> Any:
        document = ElementTree.fromstring(response.body)
        namespace = document.tag.partition("}")[0] + "}" if document.tag.startswith("{") else ""
        refused = []
        for each in document.findall(f"{namespace}Object"):
            key, etag = each.findtext(f"{namespace}Key"), each.findtext(f"{namespace}ETag")
            found = response.backend.get_object(bucket_name, key)
            if etag and (found is None or found.etag.strip('"') != etag.strip('"')):
                refused.append((key, "NoSuchKey" if found is None else "PreconditionFailed"))
                document.remove(each)
        if not refused:
            return original(response, bucket_name, authenticated)
        if document.find(f"{namespace}Object") is None:
            status, headers, answer = 200, {}, ElementTree.Element("DeleteResult")
        else:
            # moto reads the body by plain names.
            response.body = ElementTree.tostring(
                document, encoding="unicode", default_namespace=namespace.strip("{}") or None
            )
            status, headers, body = original(response, bucket_name, authenticated)
            answer = ElementTree.fromstring(body)
        prefix = answer.tag.rpartition("}")[0] + "}" if answer.tag.startswith("{") else ""
        for key, code in refused:
            error = ElementTree.SubElement(answer, f"{prefix}Error")
            ElementTree.SubElement(error, f"{prefix}Key").text = key
            ElementTree.SubElement(error, f"{prefix}Code").text = code
        return status, headers, ElementTree.tostring(answer, encoding="unicode")

    return delete_keys


@replaces(moto.s3.responses.S3Response, "get_bucket_notification")
def _notifications_say_that_eventbridge_is_told(original: Any, _services: Services) -> Any:
    """Stock moto sends to EventBridge, and leaves that out where it is asked for a bucket's notifications."""

    @functools.wraps(original)
    def get_bucket_notification(response: Any) -> Any:
        status, headers, body = original(response)
        configuration = response.backend.get_bucket_notification_configuration(response.bucket_name)
        if configuration and configuration.event_bridge is not None:
            document = ElementTree.fromstring(body)
            namespace = document.tag.partition("}")[0]
            ElementTree.SubElement(document, f"{namespace}}}EventBridgeConfiguration")
            body = ElementTree.tostring(document, encoding="unicode")
        return status, headers, body

    return get_bucket_notification


@replaces(moto.s3.models.FakeBucket, "get_permission")
def _policies_bind_whom_they_name(_original: Any, _services: Services) -> Any:
    """Stock moto applies a statement of a bucket's policy whatever its condition, and whomever it names.

    So a policy that refuses plain HTTP, as every bucket's should, refuses every call; and one that keeps a
    producer to its folder keeps everybody. Here a statement with a condition, or for some principals alone,
    counts for nothing: whoever signs with this start's credentials is the account's owner, by a line that
    does not leave the machine.
    """

    def get_permission(bucket: Any, action: str, resource: str) -> Any:
        if bucket.policy is None:
            return PermissionResult.NEUTRAL
        document = json.loads(bucket.policy)
        statements = document["Statement"]
        document["Statement"] = [
            statement
            for statement in (statements if isinstance(statements, list) else [statements])
            if "Condition" not in statement and statement.get("Principal") in ("*", {"AWS": "*"})
        ]
        return IAMPolicy(json.dumps(document)).is_action_permitted(action, resource)

    return get_permission


def _demand_source(response: Any) -> None:
    """Refuse a copy whose source has other content than it asks for."""
    expected = response.headers.get("x-amz-copy-source-if-match")
    if expected is None:
        return
    source = unquote(urlparse(response.headers["x-amz-copy-source"]).path).lstrip("/")
    found = response.backend.get_object(*source.split("/", 1))
    if found is not None and found.etag.strip('"') != expected.strip('"'):
        raise PreconditionFailed("x-amz-copy-source-If-Match")
