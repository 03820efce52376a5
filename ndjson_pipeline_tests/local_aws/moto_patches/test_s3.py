"""S3 put right: each test fails where its patch is missing."""

import json
import threading
import time
from datetime import datetime

import pytest
from botocore.exceptions import ClientError
from moto.s3.models import S3Backend
from moto.s3.utils import _VersionedKeyStore

from ndjson_pipeline_tests.local_aws.conftest import eventually
from ndjson_pipeline_tests.local_aws.moto_patches.conftest import at_once, code, slow


class TestS3:
    """S3Response.key_response, S3Response.bucket_response."""

    def test_one_conditional_put_wins(self, aws, monkeypatch):
        s3 = aws.client("s3")
        slow(monkeypatch, S3Backend, "get_object", 0.05)

        def put():
            return s3.put_object(Bucket=aws.names.output_bucket, Key="once", Body=b"", IfNoneMatch="*")

        outcomes = at_once(*[put] * 6)
        losers = [outcome for outcome in outcomes if isinstance(outcome, ClientError)]
        assert len(losers) == 5
        assert {code(error) for error in losers} == {"PreconditionFailed"}

    def test_a_copy_takes_no_other_content_than_it_asks_for(self, aws):
        s3, bucket = aws.client("s3"), aws.names.output_bucket
        key = "to copy/ä+1"
        wanted = s3.put_object(Bucket=bucket, Key=key, Body=b"first")["ETag"]
        source = {"Bucket": bucket, "Key": key}
        s3.copy_object(Bucket=bucket, Key="copied", CopySource=source, CopySourceIfMatch=wanted)
        s3.put_object(Bucket=bucket, Key=key, Body=b"second")
        with pytest.raises(ClientError) as refusal:
            s3.copy_object(Bucket=bucket, Key="copied", CopySource=source, CopySourceIfMatch=wanted)
        assert code(refusal.value) == "PreconditionFailed"
        assert s3.get_object(Bucket=bucket, Key="copied")["Body"].read() == b"first"

    def test_a_copy_overwrites_nothing_where_it_says_so(self, aws):
        s3, bucket = aws.client("s3"), aws.names.output_bucket
        s3.put_object(Bucket=bucket, Key="evidence/source", Body=b"new")
        s3.put_object(Bucket=bucket, Key="evidence/there ä", Body=b"old")
        source = {"Bucket": bucket, "Key": "evidence/source"}
        with pytest.raises(ClientError) as refusal:
            s3.copy_object(Bucket=bucket, Key="evidence/there ä", CopySource=source, IfNoneMatch="*")
        assert code(refusal.value) == "PreconditionFailed"
        assert s3.get_object(Bucket=bucket, Key="evidence/there ä")["Body"].read() == b"old"
        s3.copy_object(Bucket=bucket, Key="evidence/free", CopySource=source, IfNoneMatch="*")
        assert s3.get_object(Bucket=bucket, Key="evidence/free")["Body"].read() == b"new"

    def test_of_several_the_deletion_takes_no_other_content_than_it_asks_for(self, aws):
        s3, bucket = aws.client("s3"), aws.names.output_bucket
        keys = ["several/same", "several/other ä", "several/gone", "several/free"]
        etags = {key: s3.put_object(Bucket=bucket, Key=key, Body=b"first")["ETag"] for key in keys}
        s3.put_object(Bucket=bucket, Key=keys[1], Body=b"second")
        s3.delete_object(Bucket=bucket, Key=keys[2])
        asked = [{"Key": key, "ETag": etags[key]} for key in keys[:3]] + [{"Key": keys[3]}]

        def refused(objects):
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            return {each["Key"]: each["Code"] for each in answer.get("Errors", [])}

        assert refused(asked) == {keys[1]: "PreconditionFailed", keys[2]: "NoSuchKey"}
        left = s3.list_objects_v2(Bucket=bucket, Prefix="several/")["Contents"]
        assert [each["Key"] for each in left] == [keys[1]]
        assert refused(asked[1:2]) == {keys[1]: "PreconditionFailed"}

    def test_a_copy_of_a_part_takes_no_other_content_than_it_asks_for(self, aws):
        s3, bucket = aws.client("s3"), aws.names.output_bucket
        s3.put_object(Bucket=bucket, Key="parts/source", Body=b"new")
        upload = s3.create_multipart_upload(Bucket=bucket, Key="parts/copy")["UploadId"]
        with pytest.raises(ClientError) as refusal:
            s3.upload_part_copy(
                Bucket=bucket,
                Key="parts/copy",
                UploadId=upload,
                PartNumber=1,
                CopySource={"Bucket": bucket, "Key": "parts/source"},
                CopySourceIfMatch="0" * 32,
            )
        assert code(refusal.value) == "PreconditionFailed"
        s3.abort_multipart_upload(Bucket=bucket, Key="parts/copy", UploadId=upload)

    def test_a_listing_stands_a_delete(self, aws, monkeypatch):
        s3 = aws.client("s3")
        bucket = aws.names.output_bucket
        for number in range(3):
            s3.put_object(Bucket=bucket, Key=f"going/{number}", Body=b"")
        listing_begun = threading.Event()
        original = _VersionedKeyStore._self_iterable

        def self_iterable(store):
            names = original(store)
            listing_begun.set()
            time.sleep(0.2)
            return names

        monkeypatch.setattr(_VersionedKeyStore, "_self_iterable", self_iterable)

        def delete():
            listing_begun.wait(5)
            s3.delete_object(Bucket=bucket, Key="going/1")

        listed, _ = at_once(lambda: s3.list_objects_v2(Bucket=bucket, Prefix="going/"), delete)
        assert listed["KeyCount"] in (2, 3)
        assert listed["ResponseMetadata"]["RetryAttempts"] == 0
        assert s3.list_objects_v2(Bucket=bucket, Prefix="going/")["KeyCount"] == 2


class TestEvents:
    """notifications._get_s3_event."""

    @pytest.fixture
    def events(self, aws):
        sqs = aws.client("sqs")
        url = sqs.get_queue_url(QueueName=aws.names.queue)["QueueUrl"]

        def receive():
            bodies = [
                json.loads(message["Body"])
                for message in sqs.receive_message(
                    QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=60
                ).get("Messages", [])
            ]
            return [record for body in bodies for record in body.get("Records", [])]

        eventually(lambda: not receive())
        return receive

    def test_sequencers_rise(self, aws, events):
        s3 = aws.client("s3")
        for _ in range(3):
            s3.put_object(Bucket=aws.names.input_bucket, Key="pipeline/input/a.ndjson", Body=b"")
        records = events()
        sequencers = [record["s3"]["object"]["sequencer"] for record in records]
        assert sequencers == sorted(set(sequencers))
        assert len(sequencers) == 3
        assert all("versionId" not in record["s3"]["object"] for record in records)
        assert {"userIdentity", "requestParameters", "responseElements"} <= set(records[0])

    def test_a_versioned_bucket_names_the_version(self, aws, events):
        s3 = aws.client("s3")
        bucket = aws.names.input_bucket
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        put = s3.put_object(Bucket=bucket, Key="pipeline/input/versioned.ndjson", Body=b"")
        (record,) = events()
        assert record["s3"]["object"]["versionId"] == put["VersionId"]


@pytest.fixture
def bucket(aws):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="policies")
    yield "policies"
    s3.delete_bucket_policy(Bucket="policies")
    for listed in s3.list_objects_v2(Bucket="policies").get("Contents", []):
        s3.delete_object(Bucket="policies", Key=listed["Key"])
    s3.delete_bucket(Bucket="policies")


def refusing(bucket, **statement):
    """Return a policy that refuses to write, as far as the statement says."""
    refusal = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**refusal, **statement}]})


class TestPolicies:
    """FakeBucket.get_permission."""

    @pytest.mark.parametrize(
        "statement",
        [
            {"Condition": {"Bool": {"aws:SecureTransport": "false"}}},
            {"Principal": {"AWS": "arn:aws:iam::123456789012:role/producer"}},
        ],
    )
    def test_a_refusal_of_others_refuses_not_all(self, aws, bucket, statement):
        s3 = aws.client("s3")
        s3.put_bucket_policy(Bucket=bucket, Policy=refusing(bucket, **statement))
        s3.put_object(Bucket=bucket, Key="a", Body=b"1")
        assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"1"

    def test_a_refusal_of_all_holds(self, aws, bucket):
        s3 = aws.client("s3")
        s3.put_bucket_policy(Bucket=bucket, Policy=refusing(bucket))
        with pytest.raises(ClientError) as refusal:
            s3.put_object(Bucket=bucket, Key="a", Body=b"1")
        assert code(refusal.value) in {"AccessDenied", "403"}


def test_a_bucket_says_that_it_tells_eventbridge(aws, bucket):
    """S3Response.get_bucket_notification."""
    s3 = aws.client("s3")
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    assert "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=bucket)


def test_eventbridge_is_told_as_s3_tells_it(aws, bucket, queue):
    """moto.s3.notifications._send_event_bridge_message."""
    s3, sqs, events = aws.client("s3"), aws.client("sqs"), aws.client("events")
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="input", EventPattern=json.dumps({"source": ["aws.s3"]}))
    events.put_targets(Rule="input", Targets=[{"Id": "queue", "Arn": arn}])
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    try:
        etag = s3.put_object(Bucket=bucket, Key="a b+c", Body=b"12")["ETag"].strip('"')
        (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    finally:
        events.remove_targets(Rule="input", Ids=["queue"])
        events.delete_rule(Name="input")
    event = json.loads(message["Body"])
    assert event["detail-type"] == "Object Created"
    assert datetime.fromisoformat(event["time"]).tzinfo is not None
    stored = event["detail"]["object"]
    assert stored.pop("sequencer")
    assert stored == {"key": "a b+c", "size": 2, "etag": etag}
