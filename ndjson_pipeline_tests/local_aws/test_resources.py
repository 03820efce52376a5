"""What create_resources makes, in an in-process mock."""

import io
import json
import zipfile
from datetime import date

import boto3
import pytest
from moto import mock_aws

from lambda_ingest.contract.keys import split_s3_uri
from lambda_ingest.contract.records import MANIFESTS_BY_STATUS_INDEX, PENDING_FILES_INDEX
from ndjson_pipeline.deployment import packaging
from ndjson_pipeline.local_aws import ResourceSettings, create_resources, lambda_environment
from ndjson_pipeline.local_aws.errors import MissingResourceError


@pytest.fixture(autouse=True)
def account(monkeypatch):
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with mock_aws():
        yield


def client(service, region="us-east-1"):
    return boto3.client(service, region_name=region)


def queue_attributes(queue):
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def test_names_bear_account_and_environment():
    names = create_resources("prod")
    assert names.account == "123456789012"
    assert names.input_bucket == "ndjson-input-sqs-123456789012-prod"
    buckets = {bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]}
    assert buckets == set(names.buckets)


def test_tracking_table():
    names = create_resources()
    table = client("dynamodb").describe_table(TableName=names.tracking_table)["Table"]
    assert [key["AttributeName"] for key in table["KeySchema"]] == ["date_prefix", "file_key"]
    throughput = table["ProvisionedThroughput"]
    assert (throughput["ReadCapacityUnits"], throughput["WriteCapacityUnits"]) == (5, 25)
    indexes = {index["IndexName"]: index for index in table["GlobalSecondaryIndexes"]}
    pending = indexes[PENDING_FILES_INDEX]
    assert [key["AttributeName"] for key in pending["KeySchema"]] == ["pending_date", "created_at"]
    assert pending["Projection"] == {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["file_size_mb"]}
    manifests = indexes[MANIFESTS_BY_STATUS_INDEX]
    assert [key["AttributeName"] for key in manifests["KeySchema"]] == ["status", "file_count"]
    assert manifests["Projection"] == {"ProjectionType": "ALL"}


@pytest.mark.parametrize("table", ["tracking_table", "metrics_table"])
def test_tables_expire_items(table):
    names = create_resources()
    described = client("dynamodb").describe_time_to_live(TableName=getattr(names, table))
    assert described["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}


def test_files_stay_out_of_the_index_of_manifests():
    names = create_resources()
    dynamodb = client("dynamodb")
    for item in (
        {"file_key": {"S": "a.ndjson"}, "status": {"S": "pending"}},
        {"file_key": {"S": "MANIFEST#m"}, "status": {"S": "pending"}, "file_count": {"N": "1"}},
    ):
        dynamodb.put_item(TableName=names.tracking_table, Item={"date_prefix": {"S": "2026-01-30"}, **item})
    found = dynamodb.query(
        TableName=names.tracking_table,
        IndexName=MANIFESTS_BY_STATUS_INDEX,
        KeyConditionExpression="#status = :status",
        ExpressionAttributeNames={"#status": "status"},
        ExpressionAttributeValues={":status": {"S": "pending"}},
    )["Items"]
    assert [item["file_key"]["S"] for item in found] == ["MANIFEST#m"]


def test_queue_redrives_after_three_receives_and_takes_the_input_buckets_events():
    names = create_resources()
    attributes = queue_attributes(names.queue)
    assert attributes["VisibilityTimeout"] == "360"
    redrive = json.loads(attributes["RedrivePolicy"])
    assert redrive["maxReceiveCount"] == 3
    assert redrive["deadLetterTargetArn"].endswith(f":{names.dead_letter_queue}")
    statement = json.loads(attributes["Policy"])["Statement"][0]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert statement["Condition"]["ArnEquals"]["aws:SourceArn"].endswith(names.input_bucket)


def test_input_of_any_extension_reaches_the_queue():
    names = create_resources()
    s3, sqs = client("s3"), client("sqs")
    for key in ("pipeline/input/a.csv", "pipeline/input/sub/b.ndjson", "elsewhere/c.ndjson"):
        s3.put_object(Bucket=names.input_bucket, Key=key, Body=b"{}")
    url = sqs.get_queue_url(QueueName=names.queue)["QueueUrl"]
    bodies = [
        json.loads(message["Body"])
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    ]
    keys = {record["s3"]["object"]["key"] for body in bodies for record in body.get("Records", [])}
    assert keys == {"pipeline%2Finput%2Fa.csv", "pipeline%2Finput%2Fsub%2Fb.ndjson"}


def test_glue_job():
    names = create_resources()
    job = client("glue").get_job(JobName=names.glue_job)["Job"]
    assert job["GlueVersion"] == "5.1"
    assert (job["WorkerType"], job["NumberOfWorkers"]) == ("G.1X", 2)
    assert job["ExecutionProperty"] == {"MaxConcurrentRuns": 2}
    assert (job["MaxRetries"], job["Timeout"]) == (0, 60)
    package = packaging.installed_glue_package()
    assert job["Command"]["ScriptLocation"] == package.script_location(names.scripts_bucket)
    # A run may give its own beside these, and none of these.
    assert job["NonOverridableArguments"] == {
        "--INPUT_BUCKET": names.input_bucket,
        "--INPUT_PREFIX": "pipeline/input/",
        "--MANIFEST_BUCKET": names.manifest_bucket,
        "--OUTPUT_BUCKET": names.output_bucket,
        "--QUARANTINE_BUCKET": names.quarantine_bucket,
        "--COMPRESSION_TYPE": "snappy",
        "--CATALOG_DATABASE": "ndjson_parquet_dev",
        "--CATALOG_TABLE": "merged_parquet",
        **package.arguments(names.scripts_bucket),
    }


def test_a_setting_of_the_job_is_among_its_arguments():
    names = create_resources(settings=ResourceSettings(job_arguments={"--RECORD_FORMAT": "auto"}))
    arguments = client("glue").get_job(JobName=names.glue_job)["Job"]["NonOverridableArguments"]
    assert arguments["--RECORD_FORMAT"] == "auto"
    assert arguments["--COMPRESSION_TYPE"] == "snappy"


def test_the_catalogs_table_is_over_the_output():
    names = create_resources(partition_start_date=date(2026, 1, 1))
    table = client("glue").get_table(DatabaseName=names.catalog_database, Name=names.catalog_table)["Table"]
    assert table["StorageDescriptor"]["Location"] == f"s3://{names.output_bucket}/"
    parameters = table["Parameters"]
    assert parameters["storage.location.template"] == f"s3://{names.output_bucket}/merged-parquet-${{dt}}/"
    assert parameters["projection.dt.range"] == "2026-01-01,NOW+1DAY"
    assert table["PartitionKeys"] == [{"Name": "dt", "Type": "string"}]


def test_what_the_job_names_is_uploaded():
    names = create_resources()
    s3, glue = client("s3"), client("glue")
    job = glue.get_job(JobName=names.glue_job)["Job"]
    arguments = job["NonOverridableArguments"]
    uris = [
        job["Command"]["ScriptLocation"],
        arguments["--extra-py-files"],
        arguments["--additional-python-modules"],
    ]
    script, modules, wheels = (
        s3.get_object(Bucket=bucket, Key=key) for bucket, key in map(split_s3_uri, uris)
    )
    compile(script["Body"].read(), "ndjson_to_parquet.py", "exec")
    archive = zipfile.ZipFile(io.BytesIO(modules["Body"].read()))
    assert "lambda_ingest/contract/manifest.py" in archive.namelist()
    # A laptop has them installed.
    assert zipfile.ZipFile(io.BytesIO(wheels["Body"].read())).namelist() == ["wheels/requirements.txt"]


def test_log_groups_forget_after_14_days():
    names = create_resources()
    groups = client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/")["logGroups"]
    assert {group["logGroupName"]: group["retentionInDays"] for group in groups} == {
        f"/aws/lambda/{function}": 14
        for function in (names.manifest_builder_function, names.sweeper_function, names.generator_function)
    }


def test_twice_does_no_harm():
    names = create_resources()
    s3, sqs = client("s3"), client("sqs")
    s3.put_object(Bucket=names.output_bucket, Key="kept", Body=b"kept")
    url = sqs.get_queue_url(QueueName=names.queue)["QueueUrl"]
    waiting = queue_attributes(names.queue)["ApproximateNumberOfMessages"]
    assert create_resources() == names
    assert s3.get_object(Bucket=names.output_bucket, Key="kept")["Body"].read() == b"kept"
    assert sqs.get_queue_url(QueueName=names.queue)["QueueUrl"] == url
    attributes = queue_attributes(names.queue)
    assert attributes["ApproximateNumberOfMessages"] == waiting
    assert "Policy" in attributes


def test_settings_reach_an_existing_queue():
    names = create_resources()
    create_resources(settings=ResourceSettings(visibility_timeout_seconds=2))
    assert queue_attributes(names.queue)["VisibilityTimeout"] == "2"


def test_another_region(monkeypatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    names = create_resources()
    url = client("sqs", "eu-central-1").get_queue_url(QueueName=names.queue)["QueueUrl"]
    assert lambda_environment()["QUEUE_URL"] == url
    location = client("s3").get_bucket_location(Bucket=names.input_bucket)["LocationConstraint"]
    assert location == "eu-central-1"


def test_lambda_environment_names_every_resource():
    names = create_resources()
    environment = lambda_environment()
    assert environment["MANIFEST_BUCKET"] == names.manifest_bucket
    assert environment["TRACKING_TABLE"] == names.tracking_table
    assert environment["METRICS_TABLE"] == names.metrics_table
    assert environment["QUARANTINE_BUCKET"] == names.quarantine_bucket
    assert environment["INPUT_BUCKET"] == names.input_bucket
    assert environment["EXPECTED_FILE_SIZE_MB"] == "0"
    topics = {topic["TopicArn"] for topic in client("sns").list_topics()["Topics"]}
    assert environment["ALERT_TOPIC_ARN"] in topics
    assert not [name for name in environment if name.startswith("AWS_")]
    assert all(isinstance(value, str) for value in environment.values())


@pytest.fixture
def both():
    return create_resources(), create_resources(feed="orders")


def test_a_feed_has_resources_of_its_own_beside_the_one_without_a_name(both):
    for names in both:
        topic = f"arn:aws:sns:us-east-1:{names.account}:{names.alert_topic}"
        assert topic in {each["TopicArn"] for each in client("sns").list_topics()["Topics"]}
        client("dynamodb").describe_table(TableName=names.tracking_table)
        assert client("glue").get_job(JobName=names.glue_job)["Job"]["Role"].endswith(f"/{names.glue_role}")
        policy = json.loads(queue_attributes(names.queue)["Policy"])
        (statement,) = policy["Statement"]
        source = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
        assert source == f"arn:aws:s3:::{names.input_bucket}"
    assert not set(both[0].buckets) & set(both[1].buckets)


def test_the_variables_of_a_feeds_functions_name_nothing_of_another(both):
    plain, orders = lambda_environment(), lambda_environment(feed="orders")
    assert plain.keys() == orders.keys()
    same = {name for name in plain if plain[name] == orders[name]}
    assert same == {"INPUT_PREFIX", "EXPECTED_FILE_SIZE_MB"}
    assert {orders[name] for name in ("INPUT_BUCKET", "TRACKING_TABLE")} == {
        both[1].input_bucket,
        both[1].tracking_table,
    }


def test_the_environment_names_the_feed_where_the_caller_does_not(monkeypatch):
    monkeypatch.setenv("NDJSON_FEED", "orders")
    assert create_resources().feed == "orders"
    assert "ndjson-orders-parquet-events-dev" in lambda_environment()["QUEUE_URL"]
    assert create_resources(feed="").feed == ""


def test_lambda_environment_needs_resources():
    with pytest.raises(MissingResourceError, match="create_resources"):
        lambda_environment()


def test_the_events_queue_hears_of_the_input_prefix_that_is_set():
    names = create_resources(input_prefix="drop/")
    found = client("s3").get_bucket_notification_configuration(Bucket=names.input_bucket)
    ((rule,),) = [each["Filter"]["Key"]["FilterRules"] for each in found["QueueConfigurations"]]
    assert (rule["Name"].lower(), rule["Value"]) == ("prefix", "drop/")
