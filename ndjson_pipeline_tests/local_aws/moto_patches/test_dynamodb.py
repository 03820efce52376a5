"""moto put right: each test fails where its patch is missing."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import moto
import pytest
from botocore.exceptions import ClientError
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table
from moto.s3.models import S3Backend
from moto.s3.utils import _VersionedKeyStore
from moto.sqs.models import Message, Queue

from ndjson_pipeline.local_aws import LocalAws, LocalAwsSettings, moto_patches
from ndjson_pipeline.local_aws.errors import LocalAwsError, MotoVersionError
from ndjson_pipeline_tests.local_aws.conftest import eventually

KEY = {"date_prefix": {"S": "2026-01-30"}}


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    settings = LocalAwsSettings(queue_enabled=False, timer_enabled=False)
    with LocalAws(directory=tmp_path_factory.mktemp("aws"), settings=settings) as aws:
        yield aws


@pytest.fixture
def table(aws):
    dynamodb = aws.client("dynamodb")
    dynamodb.create_table(
        TableName="patches",
        KeySchema=[
            {"AttributeName": "date_prefix", "KeyType": "HASH"},
            {"AttributeName": "file_key", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "date_prefix", "AttributeType": "S"},
            {"AttributeName": "file_key", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    yield "patches"
    dynamodb.delete_table(TableName="patches")


@pytest.fixture
def queue(aws):
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="patches")["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


def slow(monkeypatch, owner, name, seconds):
    """Make a step of moto slow, so that what other threads do falls into it."""
    original = getattr(owner, name)

    def slowed(*arguments, **named):
        result = original(*arguments, **named)
        time.sleep(seconds)
        return result

    monkeypatch.setattr(owner, name, slowed)


def at_once(*actions):
    """Run actions in a thread each; return results, or the errors they raised."""

    def outcome(action):
        try:
            return action()
        except ClientError as error:
            return error

    with ThreadPoolExecutor(len(actions)) as threads:
        return list(threads.map(outcome, actions))


def item(file_key, **attributes):
    return {**KEY, "file_key": {"S": file_key}, **attributes}


def key(file_key):
    return {**KEY, "file_key": {"S": file_key}}


def code(error):
    return error.response["Error"]["Code"]


class TestConditions:
    """DynamoHandler.call_action."""

    def test_one_update_wins(self, aws, table, monkeypatch):
        dynamodb = aws.client("dynamodb")
        dynamodb.put_item(TableName=table, Item=item("a", status={"S": "pending"}))
        # Between the check of the condition and the write.
        slow(monkeypatch, moto.dynamodb.models.UpdateExpressionValidator, "validate", 0.02)

        def claim():
            return dynamodb.update_item(
                TableName=table,
                Key=key("a"),
                UpdateExpression="SET #s = :claimed",
                ConditionExpression="#s = :pending",
                ExpressionAttributeNames={"#s": "status"},
                ExpressionAttributeValues={":claimed": {"S": "claimed"}, ":pending": {"S": "pending"}},
            )

        outcomes = at_once(*[claim] * 6)
        assert sum(not isinstance(outcome, ClientError) for outcome in outcomes) == 1

    def test_one_put_wins(self, aws, table, monkeypatch):
        dynamodb = aws.client("dynamodb")
        slow(monkeypatch, Table, "get_item", 0.02)

        def put():
            return dynamodb.put_item(
                TableName=table, Item=item("a"), ConditionExpression="attribute_not_exists(file_key)"
            )

        outcomes = at_once(*[put] * 6)
        assert sum(not isinstance(outcome, ClientError) for outcome in outcomes) == 1

    @pytest.mark.parametrize("operation", ["put_item", "update_item", "delete_item"])
    def test_a_failed_condition_shows_the_item(self, aws, table, operation):
        dynamodb = aws.client("dynamodb")
        dynamodb.put_item(TableName=table, Item=item("a", owner={"S": "me"}))
        request = {
            "put_item": {"Item": item("a")},
            "update_item": {"Key": key("a"), "UpdateExpression": "REMOVE etag"},
            "delete_item": {"Key": key("a")},
        }[operation]
        with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as caught:
            getattr(dynamodb, operation)(
                TableName=table,
                ConditionExpression="attribute_not_exists(file_key)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **request,
            )
        assert caught.value.response["Item"] == item("a", owner={"S": "me"})


class TestTransactions:
    """DynamoDBBackend.transact_write_items."""

    def test_a_cancelled_transaction_writes_nothing(self, aws, table):
        dynamodb = aws.client("dynamodb")
        dynamodb.put_item(TableName=table, Item=item("taken", owner={"S": "other"}))
        with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as caught:
            dynamodb.transact_write_items(
                TransactItems=[
                    {"Put": {"TableName": table, "Item": item("new")}},
                    {
                        "Put": {
                            "TableName": table,
                            "Item": item("taken"),
                            "ConditionExpression": "attribute_not_exists(file_key)",
                            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                        }
                    },
                    {
                        "ConditionCheck": {
                            "TableName": table,
                            "Key": key("lock"),
                            "ConditionExpression": "attribute_exists(file_key)",
                        }
                    },
                ]
            )
        assert "Item" not in dynamodb.get_item(TableName=table, Key=key("new"))
        reasons = caught.value.response["CancellationReasons"]
        assert [reason["Code"] for reason in reasons] == [
            "None",
            "ConditionalCheckFailed",
            "ConditionalCheckFailed",
        ]
        assert reasons[1]["Item"] == item("taken", owner={"S": "other"})
        assert "Item" not in reasons[2]

    def test_every_operation_takes_effect(self, aws, table):
        dynamodb = aws.client("dynamodb")
        for name in ("changed", "deleted", "checked"):
            dynamodb.put_item(TableName=table, Item=item(name, n={"N": "1"}))
        dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": table, "Item": item("put")}},
                {
                    "Update": {
                        "TableName": table,
                        "Key": key("changed"),
                        "UpdateExpression": "ADD n :one",
                        "ConditionExpression": "n = :one",
                        "ExpressionAttributeValues": {":one": {"N": "1"}},
                    }
                },
                {
                    "Update": {
                        "TableName": table,
                        "Key": key("created"),
                        "UpdateExpression": "SET n = :one",
                        "ExpressionAttributeValues": {":one": {"N": "1"}},
                    }
                },
                {"Delete": {"TableName": table, "Key": key("deleted")}},
                {
                    "ConditionCheck": {
                        "TableName": table,
                        "Key": key("checked"),
                        "ConditionExpression": "attribute_exists(file_key)",
                    }
                },
            ]
        )
        items = {each["file_key"]["S"]: each for each in dynamodb.scan(TableName=table)["Items"]}
        assert set(items) == {"put", "changed", "created", "checked"}
        assert items["changed"]["n"] == {"N": "2"}
        assert items["created"]["n"] == {"N": "1"}

    def test_a_write_that_fails_undoes_those_before_it(self, aws, table):
        dynamodb = aws.client("dynamodb")
        dynamodb.put_item(TableName=table, Item=item("old", n={"N": "1"}))
        dynamodb.put_item(TableName=table, Item=item("text", n={"S": "no number"}))
        add = {
            "TableName": table,
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
        with pytest.raises(ClientError):
            dynamodb.transact_write_items(
                TransactItems=[
                    {"Update": {**add, "Key": key("old")}},
                    {"Update": {**add, "Key": key("new")}},
                    {"Update": {**add, "Key": key("text")}},
                ]
            )
        items = {each["file_key"]["S"]: each["n"] for each in dynamodb.scan(TableName=table)["Items"]}
        assert items == {"old": {"N": "1"}, "text": {"S": "no number"}}

    def test_an_item_occurs_once(self, aws, table):
        put = {"Put": {"TableName": table, "Item": item("a")}}
        with pytest.raises(ClientError, match="multiple operations on one item"):
            aws.client("dynamodb").transact_write_items(TransactItems=[put, put])

    def test_at_most_100_items(self, aws, table):
        puts = [{"Put": {"TableName": table, "Item": item(f"{number:03}")}} for number in range(101)]
        with pytest.raises(ClientError, match="less than or equal to 100"):
            aws.client("dynamodb").transact_write_items(TransactItems=puts)

    def test_a_cancelled_transaction_keeps_others_writes(self, aws, table, monkeypatch):
        dynamodb = aws.client("dynamodb")
        dynamodb.put_item(TableName=table, Item=item("taken"))
        slow(monkeypatch, moto.dynamodb.models.DynamoDBBackend, "get_table", 0.02)

        def cancelled():
            return dynamodb.transact_write_items(
                TransactItems=[
                    {
                        "Put": {
                            "TableName": table,
                            "Item": item("taken"),
                            "ConditionExpression": "attribute_not_exists(file_key)",
                        }
                    }
                ]
            )

        def neighbours():
            for number in range(5):
                dynamodb.put_item(TableName=table, Item=item(f"neighbour-{number}"))

        at_once(cancelled, neighbours, cancelled, cancelled)
        stored = {each["file_key"]["S"] for each in dynamodb.scan(TableName=table)["Items"]}
        assert stored == {"taken", *(f"neighbour-{number}" for number in range(5))}

    def test_a_full_transaction_is_fast_in_a_full_table(self, aws, table):
        dynamodb = aws.client("dynamodb")
        names = [f"{number:04}" for number in range(1_000)]
        for start in range(0, len(names), 100):
            puts = [{"Put": {"TableName": table, "Item": item(name)}} for name in names[start : start + 100]]
            dynamodb.transact_write_items(TransactItems=puts)
        updates = [
            {
                "Update": {
                    "TableName": table,
                    "Key": key(name),
                    "UpdateExpression": "SET n = :one",
                    "ConditionExpression": "attribute_exists(file_key)",
                    "ExpressionAttributeValues": {":one": {"N": "1"}},
                }
            }
            for name in names[:100]
        ]
        started = time.monotonic()
        dynamodb.transact_write_items(TransactItems=updates)
        # Stock moto takes over three seconds.
        assert time.monotonic() - started < 1.5


class TestTransactionTokens:
    """DynamoHandler.transact_write_items."""

    def write(self, aws, table, file_key, token):
        return aws.client("dynamodb").transact_write_items(
            ClientRequestToken=token,
            TransactItems=[
                {
                    "Put": {
                        "TableName": table,
                        "Item": item(file_key),
                        "ConditionExpression": "attribute_not_exists(file_key)",
                    }
                }
            ],
        )

    def test_a_repeated_transaction_succeeds(self, aws, table):
        self.write(aws, table, "a", "first")
        self.write(aws, table, "a", "first")
        with pytest.raises(ClientError, match="ConditionalCheckFailed"):
            self.write(aws, table, "a", "second")

    def test_a_token_belongs_to_its_parameters(self, aws, table):
        self.write(aws, table, "a", "third")
        with pytest.raises(ClientError) as caught:
            self.write(aws, table, "b", "third")
        assert code(caught.value) == "IdempotentParameterMismatchException"

    def test_a_cancelled_transaction_may_be_tried_again(self, aws, table):
        self.write(aws, table, "a", "fourth")
        for _ in range(2):
            with pytest.raises(ClientError, match="ConditionalCheckFailed"):
                self.write(aws, table, "a", "fifth")


def test_a_batch_holds_25_writes(aws, table):
    dynamodb = aws.client("dynamodb")
    puts = [{"PutRequest": {"Item": item(f"{number:02}")}} for number in range(26)]
    with pytest.raises(ClientError) as caught:
        dynamodb.batch_write_item(RequestItems={table: puts})
    assert code(caught.value) == "ValidationException"
    assert dynamodb.batch_write_item(RequestItems={table: puts[:25]})["UnprocessedItems"] == {}


def test_a_query_compares_plain_values_in_order(aws, table, monkeypatch):
    dynamodb = aws.client("dynamodb")
    count = 500
    for start in range(0, count, 25):
        puts = [
            {"PutRequest": {"Item": item(f"{(number * 7919) % count:04}")}}
            for number in range(start, start + 25)
        ]
        dynamodb.batch_write_item(RequestItems={table: puts})
    comparisons = []
    original = DynamoType.__lt__
    counted = lambda one, other: comparisons.append(1) or original(one, other)  # noqa: E731
    monkeypatch.setattr(DynamoType, "__lt__", counted)
    found = dynamodb.scan(TableName=table)["Items"]
    assert [each["file_key"]["S"] for each in found] == [f"{number:04}" for number in range(count)]
    assert not comparisons


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


class TestQueues:
    """SQSBackend, Queue."""

    def test_a_message_sent_while_another_is_deleted_stays(self, aws, queue, monkeypatch):
        sqs = aws.client("sqs")
        sqs.send_message(QueueUrl=queue, MessageBody="first")
        (first,) = sqs.receive_message(QueueUrl=queue)["Messages"]
        in_the_middle = threading.Event()

        def replace(queue, messages):
            in_the_middle.set()
            time.sleep(0.2)
            vars(queue)["_messages"] = messages

        # A delete replaces the list of messages by one without the deleted.
        messages = property(lambda queue: vars(queue)["_messages"], replace)
        monkeypatch.setattr(Queue, "_messages", messages, raising=False)

        def delete():
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"])

        def send():
            in_the_middle.wait(5)
            sqs.send_message(QueueUrl=queue, MessageBody="second")

        at_once(delete, send)
        (second,) = sqs.receive_message(QueueUrl=queue).get("Messages", [])
        assert second["Body"] == "second"

    def test_a_message_goes_to_one_receiver(self, aws, queue, monkeypatch):
        sqs = aws.client("sqs")
        sqs.send_message(QueueUrl=queue, MessageBody="only")
        original = Message.mark_received

        def mark_received(message, visibility_timeout=None):
            time.sleep(0.1)
            return original(message, visibility_timeout)

        monkeypatch.setattr(Message, "mark_received", mark_received)
        answers = at_once(*[lambda: sqs.receive_message(QueueUrl=queue).get("Messages", [])] * 4)
        assert sum(len(messages) for messages in answers) == 1

    def test_a_long_poll_sees_a_message_at_once(self, aws, queue):
        sqs = aws.client("sqs")
        with ThreadPoolExecutor(1) as threads:
            poll = threads.submit(sqs.receive_message, QueueUrl=queue, WaitTimeSeconds=10)
            time.sleep(0.2)
            sent = time.monotonic()
            aws.client("sqs").send_message(QueueUrl=queue, MessageBody="here")
            assert poll.result()["Messages"][0]["Body"] == "here"
        assert time.monotonic() - sent < 2

    def test_a_policy_survives_other_attributes(self, aws):
        sqs = aws.client("sqs")
        url = sqs.get_queue_url(QueueName=aws.names.queue)["QueueUrl"]
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "30"})
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert attributes["VisibilityTimeout"] == "30"
        assert "InputBucketSendsEvents" in attributes["Policy"]

    def test_a_policy_can_be_replaced(self, aws, queue):
        sqs = aws.client("sqs")
        for effect in ("Allow", "Deny"):
            policy = {
                "Version": "2012-10-17",
                "Statement": [{"Sid": "s", "Effect": effect, "Principal": "*", "Action": "sqs:*"}],
            }
            sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
        stored = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"]["Policy"]
        assert json.loads(stored)["Statement"][0]["Effect"] == "Deny"

    def test_counts_tell_waiting_hidden_and_delayed_apart(self, aws, queue):
        sqs = aws.client("sqs")
        for _ in range(2):
            sqs.send_message(QueueUrl=queue, MessageBody="now")
        sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=60)
        sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=1)
        attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        assert attributes["ApproximateNumberOfMessages"] == "1"
        assert attributes["ApproximateNumberOfMessagesNotVisible"] == "1"
        assert attributes["ApproximateNumberOfMessagesDelayed"] == "1"

    def test_a_backlog_does_not_slow_a_send(self, aws, queue, monkeypatch):
        sqs = aws.client("sqs")
        for _ in range(20):
            entries = [{"Id": str(number), "MessageBody": "waiting"} for number in range(10)]
            sqs.send_message_batch(QueueUrl=queue, Entries=entries)
        asked = []
        original = moto.sqs.models.unix_time_millis
        counted = lambda *arguments: asked.append(1) or original(*arguments)  # noqa: E731
        monkeypatch.setattr(moto.sqs.models, "unix_time_millis", counted)
        sqs.send_message(QueueUrl=queue, MessageBody="one more")
        assert len(asked) < 20


def test_an_event_source_mapping_is_inert(aws, queue):
    iam, functions, sqs = aws.client("iam"), aws.client("lambda"), aws.client("sqs")
    trust = {"Version": "2012-10-17", "Statement": []}
    role = iam.create_role(RoleName="role", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    function = functions.create_function(
        FunctionName="mapped",
        Runtime="python3.11",
        Role=role,
        Handler="module.handler",
        Code={"ImageUri": "repository/image:latest"},
        PackageType="Image",
    )
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    mapping = functions.create_event_source_mapping(
        EventSourceArn=arn, FunctionName=function["FunctionName"], Enabled=True
    )
    sqs.send_message(QueueUrl=queue, MessageBody="untouched")
    (message,) = sqs.receive_message(QueueUrl=queue, MessageSystemAttributeNames=["All"])["Messages"]
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    stored = functions.get_event_source_mapping(UUID=mapping["UUID"])
    assert stored["EventSourceArn"] == arn


class TestApplying:
    """apply, remove."""

    def test_one_local_aws_at_a_time(self, aws, tmp_path):
        with (
            pytest.raises(LocalAwsError, match="LocalAwsProcess"),
            LocalAws(directory=tmp_path, settings=LocalAwsSettings()),
        ):
            pass
        assert aws.client("s3").list_buckets()["Buckets"]

    def test_another_version_of_moto_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr(moto, "__version__", "6.0.0")
        with (
            pytest.raises(MotoVersionError, match=r"moto 6\.0\.0 is installed.*5\.2\.5"),
            LocalAws(directory=tmp_path),
        ):
            pass

    def test_every_patch_says_what_stock_moto_does(self):
        assert len(moto_patches.PATCHES) == len({patch.name for patch in moto_patches.PATCHES})
        for patch in moto_patches.PATCHES:
            assert patch.factory.__doc__.startswith("Stock moto "), patch.name
