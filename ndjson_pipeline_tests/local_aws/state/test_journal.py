"""What clients changed is there again at the next start, however the former one ended."""

import json
import os
import signal
import sqlite3
import textwrap

import pytest
from botocore.exceptions import ClientError

from ndjson_pipeline.local_aws import LocalAws, LocalAwsProcess, LocalAwsSettings
from ndjson_pipeline.local_aws.state.store import StateStore
from ndjson_pipeline_tests.local_aws.conftest import eventually
from ndjson_pipeline_tests.local_aws.glue_script import replace_script

QUIET = LocalAwsSettings(queue_enabled=False, timer_enabled=False)
EMPTY = LocalAwsSettings(feeds=())
ATTRIBUTES = ["RedrivePolicy", "VisibilityTimeout"]


@pytest.fixture
def start(tmp_path):
    """Start a local AWS that goes on where the last one ended."""

    def start(settings=EMPTY):
        return LocalAws(directory=tmp_path / "aws", state=tmp_path / "state", settings=settings)

    return start


def without_metadata(answer):
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


class TestS3:
    """Buckets and objects."""

    def test_objects_come_back_as_they_were(self, start):
        def looks(s3, bucket):
            heads = [
                without_metadata(s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED"))
                for key in ("a b/ü+%.json", "parts", "copy")
            ]
            contents = [s3.get_object(Bucket=bucket, Key=head)["Body"].read() for head in ("parts", "copy")]
            return heads, contents, without_metadata(s3.list_objects_v2(Bucket=bucket))

        with start() as aws:
            s3, bucket = aws.client("s3"), "mine"
            s3.create_bucket(Bucket=bucket)
            s3.put_object(
                Bucket=bucket,
                Key="a b/ü+%.json",
                Body=b"{}",
                Metadata={"schema-generation": "3"},
                ContentType="application/json",
                ChecksumAlgorithm="SHA256",
            )
            upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
            parts = []
            for number, content in ((1, b"x" * 5 * 1024 * 1024), (2, b"y")):
                part = s3.upload_part(
                    Bucket=bucket, Key="parts", UploadId=upload, PartNumber=number, Body=content
                )
                parts.append({"PartNumber": number, "ETag": part["ETag"]})
            s3.complete_multipart_upload(
                Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload={"Parts": parts}
            )
            s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "parts"})
            for key in ("gone", "gone too"):
                s3.put_object(Bucket=bucket, Key=key, Body=b"x")
            s3.delete_object(Bucket=bucket, Key="gone")
            s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "gone too"}]})
            s3.put_object_tagging(
                Bucket=bucket, Key="copy", Tagging={"TagSet": [{"Key": "colour", "Value": "red"}]}
            )
            seen = looks(s3, bucket)
        with start() as aws:
            s3 = aws.client("s3")
            assert looks(s3, bucket) == seen
            assert s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == [
                {"Key": "colour", "Value": "red"}
            ]
            # What came back is an object like any other.
            s3.put_object(Bucket=bucket, Key="parts", Body=b"new")
            s3.delete_object(Bucket=bucket, Key="copy")
        with start() as aws:
            s3 = aws.client("s3")
            assert s3.get_object(Bucket=bucket, Key="parts")["Body"].read() == b"new"
            assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [
                "a b/ü+%.json",
                "parts",
            ]

    def test_versions_and_delete_markers_come_back(self, start):
        def looks(s3):
            listed = s3.list_object_versions(Bucket="mine")
            contents = [
                s3.get_object(Bucket="mine", Key="a", VersionId=each["VersionId"])["Body"].read()
                for each in listed["Versions"]
            ]
            return listed["Versions"], listed["DeleteMarkers"], contents

        with start() as aws:
            s3 = aws.client("s3")
            s3.create_bucket(Bucket="mine")
            s3.put_bucket_versioning(Bucket="mine", VersioningConfiguration={"Status": "Enabled"})
            for content in (b"1", b"2"):
                s3.put_object(Bucket="mine", Key="a", Body=content)
            s3.delete_object(Bucket="mine", Key="a")
            seen = looks(s3)
        with start() as aws:
            s3 = aws.client("s3")
            assert looks(s3) == seen
            assert s3.get_bucket_versioning(Bucket="mine")["Status"] == "Enabled"
            with pytest.raises(ClientError, match="Not Found"):
                s3.head_object(Bucket="mine", Key="a")

    def test_settings_of_a_bucket_come_back(self, start):
        policy = json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::mine/*"}
                ],
            }
        )
        rules = [
            {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 3}},
        ]
        with start() as aws:
            s3 = aws.client("s3")
            s3.create_bucket(Bucket="mine")
            s3.put_bucket_policy(Bucket="mine", Policy=policy)
            s3.put_bucket_lifecycle_configuration(Bucket="mine", LifecycleConfiguration={"Rules": rules})
            s3.create_bucket(Bucket="gone")
            s3.delete_bucket(Bucket="gone")
        with start() as aws:
            s3 = aws.client("s3")
            assert json.loads(s3.get_bucket_policy(Bucket="mine")["Policy"]) == json.loads(policy)
            assert s3.get_bucket_lifecycle_configuration(Bucket="mine")["Rules"] == rules
            assert "gone" not in {each["Name"] for each in s3.list_buckets()["Buckets"]}

    def test_no_file_is_left_of_what_is_gone(self, start, tmp_path):
        with start() as aws:
            s3, bucket = aws.client("s3"), "mine"
            s3.create_bucket(Bucket=bucket)
            before = len(list((tmp_path / "state/contents").glob("*/*")))
            for number in range(3):
                s3.put_object(Bucket=bucket, Key="a", Body=str(number).encode())
            assert len(list((tmp_path / "state/contents").glob("*/*"))) == before + 1
            s3.delete_object(Bucket=bucket, Key="a")
            assert len(list((tmp_path / "state/contents").glob("*/*"))) == before
        (tmp_path / "state/contents/aa").mkdir(exist_ok=True)
        left = tmp_path / "state/contents/aa" / ("b" * 30)
        left.write_bytes(b"a crash left this")
        with start():
            assert not left.exists()


class TestDynamoDb:
    """Tables and items."""

    @staticmethod
    def create(dynamodb, table, sort_key_type="S"):
        dynamodb.create_table(
            TableName=table,
            KeySchema=[
                {"AttributeName": "date_prefix", "KeyType": "HASH"},
                {"AttributeName": "file_key", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "date_prefix", "AttributeType": "S"},
                {"AttributeName": "file_key", "AttributeType": sort_key_type},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-key",
                    "KeySchema": [{"AttributeName": "file_key", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )

    def test_items_of_every_type_come_back(self, start):
        items = [
            {
                "date_prefix": {"S": "2026-01-30"},
                "file_key": {"S": "ü/$bytes"},
                "map": {"M": {"$bytes": {"S": "a"}, "list": {"L": [{"N": "1.50"}, {"NULL": True}]}}},
                "binary": {"B": b"\x00\xff"},
                "set": {"SS": ["a", "b"]},
                "flag": {"BOOL": False},
            },
            {"date_prefix": {"S": "2026-01-30"}, "file_key": {"S": "b"}, "status": {"S": "pending"}},
        ]

        def looks(dynamodb, table):
            found = dynamodb.query(
                TableName=table,
                KeyConditionExpression="date_prefix = :date",
                ExpressionAttributeValues={":date": {"S": "2026-01-30"}},
            )["Items"]
            described = dynamodb.describe_table(TableName=table)["Table"]
            return found, described, dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]

        with start() as aws:
            dynamodb, table, other = aws.client("dynamodb"), "mine", "other"
            self.create(dynamodb, table)
            self.create(dynamodb, other, "B")
            dynamodb.update_time_to_live(
                TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"}
            )
            for item in items:
                dynamodb.put_item(TableName=table, Item=item)
            gone = {"date_prefix": {"S": "2026-01-30"}, "file_key": {"S": "gone"}}
            dynamodb.put_item(TableName=table, Item=gone)
            dynamodb.delete_item(TableName=table, Key=gone)
            dynamodb.transact_write_items(
                TransactItems=[
                    {
                        "Update": {
                            "TableName": table,
                            "Key": {"date_prefix": {"S": "2026-01-30"}, "file_key": {"S": "b"}},
                            "UpdateExpression": "SET #status = :status",
                            "ExpressionAttributeNames": {"#status": "status"},
                            "ExpressionAttributeValues": {":status": {"S": "manifested"}},
                        }
                    }
                ]
            )
            dynamodb.batch_write_item(
                RequestItems={
                    other: [{"PutRequest": {"Item": {"date_prefix": {"S": "a"}, "file_key": {"B": b"\xff"}}}}]
                }
            )
            seen = looks(dynamodb, table)
        with start() as aws:
            dynamodb = aws.client("dynamodb")
            assert looks(dynamodb, table) == seen
            assert dynamodb.scan(TableName=other)["Count"] == 1
            assert dynamodb.scan(TableName=table, IndexName="by-key")["Count"] == 2
            dynamodb.delete_table(TableName=other)
            self.create(dynamodb, other, "B")
        with start() as aws:
            assert aws.client("dynamodb").scan(TableName=other)["Count"] == 0


class TestSqs:
    """Queues and messages."""

    @staticmethod
    def create(sqs):
        sqs.create_queue(QueueName="dead")
        redrive = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead", "maxReceiveCount": 3}
        url = sqs.create_queue(
            QueueName="mine",
            Attributes={"RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "360"},
        )["QueueUrl"]
        return url

    def test_messages_come_back_also_those_in_flight(self, start):
        with start() as aws:
            sqs = aws.client("sqs")
            url = self.create(sqs)
            for body in ("deleted", "in flight", "waiting"):
                sqs.send_message(
                    QueueUrl=url,
                    MessageBody=body,
                    MessageAttributes={"kind": {"DataType": "Binary", "BinaryValue": b"\xff"}},
                )
            received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=2)["Messages"]
            sqs.delete_message(QueueUrl=url, ReceiptHandle=received[0]["ReceiptHandle"])
            attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=ATTRIBUTES)
        with start() as aws:
            sqs = aws.client("sqs")
            url = sqs.get_queue_url(QueueName="mine")["QueueUrl"]
            messages = sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            )["Messages"]
            assert [each["Body"] for each in messages] == ["in flight", "waiting"]
            assert [each["Attributes"]["ApproximateReceiveCount"] for each in messages] == ["2", "1"]
            assert messages[0]["MessageAttributes"]["kind"]["BinaryValue"] == b"\xff"
            again = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=ATTRIBUTES)
            assert again["Attributes"] == attributes["Attributes"]

    def test_a_message_that_fails_for_good_ends_in_the_dead_letter_queue(self, start):
        with start() as aws:
            sqs = aws.client("sqs")
            url = self.create(sqs)
            sqs.send_message(QueueUrl=url, MessageBody="poison")
        for _ in range(3):
            with start() as aws:
                sqs = aws.client("sqs")
                url = sqs.get_queue_url(QueueName="mine")["QueueUrl"]
                assert len(sqs.receive_message(QueueUrl=url)["Messages"]) == 1
        with start() as aws:
            sqs = aws.client("sqs")
            url = sqs.get_queue_url(QueueName="mine")["QueueUrl"]
            assert "Messages" not in sqs.receive_message(QueueUrl=url)
            dead = sqs.get_queue_url(QueueName="dead")["QueueUrl"]
            assert sqs.receive_message(QueueUrl=dead)["Messages"][0]["Body"] == "poison"


def test_a_topic_keeps_its_subscriptions(start):
    with start() as aws:
        sqs, sns = aws.client("sqs"), aws.client("sns")
        sqs.create_queue(QueueName="mine")
        topic = sns.create_topic(Name="alerts")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:mine")
    with start() as aws:
        sqs, sns = aws.client("sqs"), aws.client("sns")
        sns.publish(TopicArn=topic, Subject="wrong", Message="something")
        url = sqs.get_queue_url(QueueName="mine")["QueueUrl"]
        (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
        assert json.loads(message["Body"])["Message"] == "something"
        published = (aws.directory / "published.jsonl").read_text().splitlines()
        assert [json.loads(line)["subject"] for line in published] == ["wrong"]


def test_catalog_and_runs_come_back(start):
    with start(QUIET) as aws:
        glue, names = aws.client("glue"), aws.names
        table = glue.get_table(DatabaseName=names.catalog_database, Name=names.catalog_table)["Table"]
        columns = [*table["StorageDescriptor"]["Columns"], {"Name": "new", "Type": "string"}]
        glue.update_table(
            DatabaseName=names.catalog_database,
            TableInput={
                "Name": names.catalog_table,
                "StorageDescriptor": {**table["StorageDescriptor"], "Columns": columns},
            },
        )
        replace_script(aws.client("s3"), glue, names.glue_job, b"raise SystemExit(0)")
        done = glue.start_job_run(JobName=names.glue_job)["JobRunId"]

        def state():
            return glue.get_job_run(JobName=names.glue_job, RunId=done)["JobRun"]["JobRunState"]

        eventually(lambda: state() == "SUCCEEDED")
        replace_script(
            aws.client("s3"),
            glue,
            names.glue_job,
            textwrap.dedent("""
            import time
            time.sleep(600)
            """).encode(),
        )
        cut_off = glue.start_job_run(JobName=names.glue_job, Arguments={"--MANIFEST_PATH": "x"})["JobRunId"]
    with start(QUIET) as aws:
        glue = aws.client("glue")
        found = glue.get_table(DatabaseName=names.catalog_database, Name=names.catalog_table)["Table"]
        assert found["StorageDescriptor"]["Columns"] == columns
        newest, oldest = glue.get_job_runs(JobName=names.glue_job)["JobRuns"]
        assert (newest["Id"], newest["JobRunState"]) == (cut_off, "FAILED")
        assert newest["Arguments"] == {"--MANIFEST_PATH": "x"}
        assert "ended while this run was going" in newest["ErrorMessage"]
        assert (oldest["Id"], oldest["JobRunState"]) == (done, "SUCCEEDED")


def test_what_is_set_anew_counts_at_the_next_start(start):
    with start(QUIET):
        pass
    other = LocalAwsSettings(
        queue_enabled=False, timer_enabled=False, lambda_variables={"INPUT_PREFIX": "drop/"}
    )
    with start(other) as aws:
        s3, glue = aws.client("s3"), aws.client("glue")
        configuration = s3.get_bucket_notification_configuration(Bucket=aws.names.input_bucket)
        (queue,) = configuration["QueueConfigurations"]
        assert queue["Filter"]["Key"]["FilterRules"] == [{"Name": "prefix", "Value": "drop/"}]
        job = glue.get_job(JobName=aws.names.glue_job)["Job"]
        assert job["NonOverridableArguments"]["--INPUT_PREFIX"] == "drop/"


def test_nothing_is_answered_once_it_can_not_be_kept(start, monkeypatch):
    def fail(_store, _rows):
        raise sqlite3.OperationalError("database or disk is full")

    with start() as aws:
        s3 = aws.client("s3")
        s3.create_bucket(Bucket="mine")
        with monkeypatch.context() as context:
            context.setattr(StateStore, "write", fail)
            with pytest.raises(ClientError, match="500"):
                s3.put_object(Bucket="mine", Key="a", Body=b"x")
        assert "disk is full" in aws.journal.problem
        with pytest.raises(ClientError, match="500"):
            s3.list_objects_v2(Bucket="mine")
    with start() as aws:
        assert aws.client("s3").list_objects_v2(Bucket="mine")["KeyCount"] == 0


def test_what_was_answered_is_there_after_a_kill(tmp_path):
    def process():
        return LocalAwsProcess(directory=tmp_path / "aws", state=tmp_path / "state", settings=QUIET)

    with process() as aws:
        s3, dynamodb, names = aws.client("s3"), aws.client("dynamodb"), aws.names
        first = aws.credentials
        for number in range(20):
            s3.put_object(Bucket=names.output_bucket, Key=f"{number:02}", Body=b"x" * 1000)
            dynamodb.put_item(
                TableName=names.tracking_table,
                Item={"date_prefix": {"S": "2026-01-30"}, "file_key": {"S": f"{number:02}"}},
            )
        os.kill(aws.process_id, signal.SIGKILL)
    with process() as aws:
        assert aws.restored["items"] == 20
        assert aws.client("s3").list_objects_v2(Bucket=names.output_bucket)["KeyCount"] == 20
        assert aws.client("dynamodb").scan(TableName=names.tracking_table)["Count"] == 20
        assert aws.credentials != first
    with sqlite3.connect(tmp_path / "state/state.sqlite3") as connection:
        kept = json.dumps(connection.execute("SELECT * FROM kept").fetchall())
    assert first.access_key_id not in kept
    assert first.secret_access_key not in kept
