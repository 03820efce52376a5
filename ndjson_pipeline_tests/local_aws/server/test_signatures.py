"""Signatures as botocore writes them, and what becomes of them where something is changed."""

from dataclasses import replace
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from ndjson_pipeline.local_aws.credentials import LocalCredentials
from ndjson_pipeline.local_aws.server.signatures import (
    SignatureRefusedError,
    SignedRequest,
    check_signature,
    service_of,
)

CREDENTIALS = LocalCredentials.make()
OTHER = LocalCredentials.make()
ENDPOINT = "http://127.0.0.1:4566"


class SentError(Exception):
    """Takes the place of an answer."""


def signed(service, operation, credentials=CREDENTIALS, **parameters):
    """Return the request of an operation as boto3 sends it."""
    client = boto3.client(
        service,
        endpoint_url=ENDPOINT,
        region_name="us-east-1",
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
    )
    caught = []

    def catch(request, **_named):
        caught.append(request)
        raise SentError

    client.meta.events.register("before-send", catch)
    with pytest.raises(SentError):
        getattr(client, operation)(**parameters)
    return read(caught[0].method, caught[0].url, caught[0].headers, caught[0].body)


def read(method, url, headers=(), body=b""):
    parts = urlsplit(url)
    found = {name.lower(): value for name, value in dict(headers).items()}
    found = {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}
    found.setdefault("host", parts.netloc)
    content = body.read() if hasattr(body, "read") else body or b""
    content = content.encode() if isinstance(content, str) else content
    return SignedRequest(
        method, parts.path, parts.query, lambda name: found.get(name, ""), lambda: bytes(content)
    )


AWKWARD = "pipeline/input/2026-01-30 a+b%2F(ü)~*'&=#;,@:$!//x.ndjson"
REQUESTS = [
    ("s3", "list_buckets", {}),
    ("s3", "put_object", {"Bucket": "b", "Key": AWKWARD, "Body": b"{}", "Metadata": {"a_b": "two  spaces"}}),
    ("s3", "get_object", {"Bucket": "b", "Key": AWKWARD, "Range": "bytes=0-1", "VersionId": "a+/="}),
    ("s3", "list_objects_v2", {"Bucket": "b", "Prefix": AWKWARD, "StartAfter": "~ü"}),
    ("s3", "create_multipart_upload", {"Bucket": "b", "Key": "k"}),
    ("sqs", "send_message", {"QueueUrl": f"{ENDPOINT}/1/q", "MessageBody": "a+b&c=ü"}),
    ("dynamodb", "get_item", {"TableName": "t", "Key": {"k": {"S": "ü"}}}),
    ("sns", "publish", {"TopicArn": "arn:aws:sns:us-east-1:1:t", "Message": "a+b&c=ü"}),
    ("sts", "get_caller_identity", {}),
    ("glue", "start_job_run", {"JobName": "j"}),
    ("lambda", "invoke", {"FunctionName": "arn:aws:lambda:us-east-1:1:function:f", "Payload": b"{}"}),
    ("logs", "create_log_group", {"logGroupName": "/aws/lambda/f"}),
]


@pytest.mark.parametrize(("service", "operation", "parameters"), REQUESTS)
def test_what_boto3_signs_is_taken(service, operation, parameters):
    check_signature(signed(service, operation, **parameters), CREDENTIALS)


@pytest.mark.parametrize(("service", "operation", "parameters"), REQUESTS)
def test_what_is_signed_with_other_credentials_is_refused(service, operation, parameters):
    body_of_a_stranger = replace(signed(service, operation, OTHER, **parameters), body=lambda: 1 / 0)
    with pytest.raises(SignatureRefusedError, match="not of this start") as refused:
        check_signature(body_of_a_stranger, CREDENTIALS)
    assert refused.value.code == "InvalidAccessKeyId"
    with_our_id = LocalCredentials(CREDENTIALS.access_key_id, OTHER.secret_access_key)
    with pytest.raises(SignatureRefusedError, match="secret access key") as refused:
        check_signature(signed(service, operation, with_our_id, **parameters), CREDENTIALS)
    assert refused.value.code == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "change",
    [
        {"method": "DELETE"},
        {"path": "/other"},
        {"query": "tagging="},
        {"body": lambda: b"other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_signed_request_may_not_be_changed(change):
    request = signed("dynamodb", "list_tables")
    with pytest.raises(SignatureRefusedError, match="secret access key"):
        check_signature(replace(request, **change), CREDENTIALS)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic YTpi",
        f"AWS {CREDENTIALS.access_key_id}:c2lnbmF0dXJl",
        f"AWS4-HMAC-SHA256 Credential={CREDENTIALS.access_key_id}/20260130/us-east-1/s3/aws4_request",
        f"AWS4-ECDSA-P256-SHA256 Credential={CREDENTIALS.access_key_id}/20260130/s3/aws4_request, "
        f"SignedHeaders=host, Signature={'0' * 64}",
    ],
    # Not the text itself: the key id is another one in each lane.
    ids=["nothing", "basic", "version 2", "no signature", "other algorithm"],
)
def test_what_is_not_signed_this_way_is_refused(authorization):
    request = read("GET", f"{ENDPOINT}/", {"authorization": authorization})
    with pytest.raises(SignatureRefusedError) as refused:
        check_signature(request, CREDENTIALS)
    assert refused.value.code == "MissingAuthenticationToken"


@pytest.mark.parametrize("credential", ["", "/", "{id}", "{id}/", "{id}/20260130", "{id}/a/b/c/d/e/f"])
def test_a_malformed_credential_is_refused(credential):
    said = credential.format(id=CREDENTIALS.access_key_id)
    request = read(
        "GET",
        f"{ENDPOINT}/",
        {"authorization": f"AWS4-HMAC-SHA256 Credential={said}, SignedHeaders=host, Signature={'0' * 64}"},
    )
    with pytest.raises(SignatureRefusedError):
        check_signature(request, CREDENTIALS)


def presigned(credentials, version="s3v4"):
    client = boto3.client(
        "s3",
        endpoint_url=ENDPOINT,
        region_name="us-east-1",
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        config=Config(signature_version=version),
    )
    return client.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": AWKWARD})


def test_a_presigned_address_is_taken_as_it_was_signed():
    check_signature(read("GET", presigned(CREDENTIALS)), CREDENTIALS)
    with pytest.raises(SignatureRefusedError, match="not of this start"):
        check_signature(read("GET", presigned(OTHER)), CREDENTIALS)
    with pytest.raises(SignatureRefusedError, match="secret access key"):
        check_signature(read("GET", presigned(CREDENTIALS).replace("/b/", "/c/")), CREDENTIALS)
    with pytest.raises(SignatureRefusedError, match="no Authorization"):
        check_signature(read("GET", presigned(CREDENTIALS, "s3")), CREDENTIALS)


def test_credentials_are_new_each_time_and_tell_no_secret():
    made = [LocalCredentials.make() for _ in range(100)]
    assert len({one.access_key_id for one in made}) == len({one.secret_access_key for one in made}) == 100
    assert all(len(one.access_key_id) == 20 and len(one.secret_access_key) >= 40 for one in made)
    assert made[0].secret_access_key not in repr(made[0])


def test_the_service_is_the_credentials_own():
    request = signed("sns", "publish", TopicArn="arn:aws:sns:us-east-1:1:t", Message="m")
    assert service_of(request.header("authorization")) == "sns"
    assert service_of("Basic YTpi") == ""
