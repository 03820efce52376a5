"""Terraform makes two feeds on the local AWS: what it makes, that it works, that nothing of it stays."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lambda_ingest.contract import settings as shared_settings
from ndjson_pipeline.deployment import settings as pipeline_settings
from ndjson_pipeline.deployment.archives import archive
from ndjson_pipeline.deployment.deadlines import GLUE_TIMEOUT
from ndjson_pipeline.deployment.names import Names, location_name
from ndjson_pipeline.deployment.packaging import installed_glue_package
from ndjson_pipeline.local_aws import LocalAws, LocalAwsSettings
from ndjson_pipeline_tests.deploy.described import Description, described
from ndjson_pipeline_tests.deploy.policies import Request, allows, refuses
from ndjson_pipeline_tests.deploy.terraform_command import (
    LOCAL_PROVIDER,
    Terraform,
    TerraformError,
    require_terraform,
)
from ndjson_pipeline_tests.local_aws.conftest import eventually
from ndjson_pipeline_tests.permissions import record
from ndjson_pipeline_tests.permissions.policies import Allowance, allowances, missing, unused

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
TERRAFORM = ROOT / "deploy" / "terraform"
FEED = TERRAFORM / "modules" / "feed"
SECOND = "orders"
SHOP = "arn:aws:iam::123456789012:role/shop"
OPERATOR = "arn:aws:iam::123456789012:role/operator"
STRANGER = "arn:aws:iam::123456789012:role/stranger"


@dataclass(frozen=True)
class Deployment:
    """Two feeds that Terraform made.

    Attributes:
        aws: the local AWS, alive with what was made.
        terraform: in the folder of the root.
        outputs: its outputs.
        made: what the unnamed feed's resources were like right after.
        made_locally: what `create_resources` makes of them.
    """

    aws: LocalAws
    terraform: Terraform
    outputs: dict[str, Any]
    made: dict[str, Description]
    made_locally: dict[str, Description]

    def names(self, feed: str = "") -> Names:
        return Names("dev", self.aws.names.account, feed)

    def granted(self, component: str) -> Iterator[Allowance]:
        """Yield what the role of the unnamed feed's component allows."""
        if component == "code-location":
            yield from allowances(self.outputs["code_locations"][""]["policy_json"])
            return
        iam = self.aws.client("iam")
        role = f"ndjson-parquet-{component}-dev"
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            yield from allowances(json.dumps(policy))


def lay_root(folder: Path) -> Path:
    """Lay the root with a package beside it, and the local AWS's provider over its own."""
    package = folder / "build"
    (package / "glue").mkdir(parents=True)
    # Functions run from the project's folder here; another test runs what is in the real archive.
    (package / "lambda.zip").write_bytes(archive([("lambda_ingest/__init__.py", b"")]))
    (package / "glue" / "job.json").write_text(json.dumps(installed_glue_package().description()))
    root = folder / "terraform"
    shutil.copytree(TERRAFORM, root, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    settings = "\n".join(f"  {name} = {json.dumps(value)}" for name, value in LOCAL_PROVIDER.items())
    (root / "override.tf").write_text(f'provider "aws" {{\n{settings}\n}}\n')
    feeds = {"": {}, SECOND: {"dynamodb_on_demand": True, "event_route": "eventbridge", "launch_min_mb": 9}}
    variables = {
        "package_directory": str(package),
        "deploy_dagster": False,
        "region": "us-east-1",
        "expected_file_size_mb": 0,
        "feeds": feeds,
        "alert_emails": ["nobody@example.com"],
        "producers": {SHOP: "shop/"},
        "redrive_principals": [OPERATOR],
    }
    (root / "test.auto.tfvars.json").write_text(json.dumps(variables))
    return root


@pytest.fixture(scope="module")
def made_locally(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Description]:
    require_terraform()
    settings = LocalAwsSettings(queue_enabled=False, timer_enabled=False)
    with LocalAws(directory=tmp_path_factory.mktemp("local"), settings=settings) as aws:
        return described(aws.client, aws.names)


@pytest.fixture(scope="module")
def deployment(
    made_locally: dict[str, Description], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("deployment")
    root = lay_root(folder)
    with LocalAws(
        directory=folder / "aws",
        settings=LocalAwsSettings(feeds=(), iam_managed_policies=True),
    ) as aws:
        fresh = Terraform(root, aws.client_environment())
        fresh.init()
        with fresh.kept_provider() as terraform:
            terraform.apply()
            outputs = {
                name: output["value"] for name, output in json.loads(terraform.run("output", "-json")).items()
            }
            made = described(aws.client, Names("dev", aws.names.account))
            for feed in ("", SECOND):
                upload(aws, outputs["buckets"][feed]["scripts"])
            yield Deployment(aws, terraform, outputs, made, made_locally)


def upload(aws: LocalAws, bucket: str) -> None:
    for file in installed_glue_package().files:
        aws.client("s3").put_object(Bucket=bucket, Key=file.key, Body=file.content)


def test_it_validates_and_is_formatted(deployment: Deployment) -> None:
    deployment.terraform.run("validate", "-no-color")
    deployment.terraform.run("fmt", "-check", "-recursive", str(TERRAFORM))


def test_another_plan_changes_nothing(deployment: Deployment) -> None:
    assert deployment.terraform.changes() == ""


def test_capacity_that_autoscaling_raised_stays(deployment: Deployment) -> None:
    """And an index that a later version adds would still be seen: nothing of the table is ignored."""
    dynamodb = deployment.aws.client("dynamodb")
    table = deployment.names().tracking_table
    raised = {"ReadCapacityUnits": 50, "WriteCapacityUnits": 70}
    index = {"Update": {"IndexName": "pending-files", "ProvisionedThroughput": raised}}
    dynamodb.update_table(TableName=table, ProvisionedThroughput=raised, GlobalSecondaryIndexUpdates=[index])
    assert deployment.terraform.changes() == ""


@pytest.mark.parametrize(
    "resource",
    [
        "tracking table",
        "metrics table",
        "queue",
        "dead-letter queue",
        "input events",
        "buckets",
        "topic",
        "log groups",
        "catalog",
    ],
)
def test_what_the_local_aws_makes_is_what_terraform_makes(deployment: Deployment, resource: str) -> None:
    assert deployment.made[resource] == deployment.made_locally[resource]


def test_the_glue_job_is_the_same_but_for_what_a_laptop_has_no_use_for(
    deployment: Deployment,
) -> None:
    local, made = deployment.made_locally["Glue job"], deployment.made["Glue job"]
    local_arguments, arguments = local["NonOverridableArguments"], made["NonOverridableArguments"]
    assert {name: arguments.get(name) for name in local_arguments} == local_arguments
    assert {name: value for name, value in made.items() if name != "NonOverridableArguments"} == {
        name: value for name, value in local.items() if name != "NonOverridableArguments"
    }
    assert made["DefaultArguments"] is None
    assert made["Timeout"] == GLUE_TIMEOUT / timedelta(minutes=1)


@pytest.mark.parametrize("feed", ["", SECOND])
def test_names_are_as_the_code_makes_them(deployment: Deployment, feed: str) -> None:
    names, outputs = deployment.names(feed), deployment.outputs
    assert outputs["buckets"][feed] == {
        "input": names.input_bucket,
        "manifest": names.manifest_bucket,
        "output": names.output_bucket,
        "quarantine": names.quarantine_bucket,
        "scripts": names.scripts_bucket,
    }
    assert outputs["functions"][feed] == {
        "manifest-builder": names.manifest_builder_function,
        "sweeper": names.sweeper_function,
        "generator": names.generator_function,
    }
    assert outputs["glue_jobs"][feed] == names.glue_job
    assert outputs["catalogs"][feed] == {"database": names.catalog_database, "table": names.catalog_table}
    assert outputs["alert_topic_arns"][feed].endswith(f":{names.alert_topic}")
    assert outputs["queues"][feed]["events"].endswith(f"/{names.queue}")
    assert outputs["queues"][feed]["dead_letters"].endswith(f"/{names.dead_letter_queue}")
    assert outputs["code_locations"][feed]["name"] == location_name(feed)
    roles = {role["RoleName"] for role in deployment.aws.client("iam").list_roles()["Roles"]}
    assert names.glue_role in roles


def test_the_functions_are_told_all_that_they_read(deployment: Deployment) -> None:
    modules = ("settings.py", "contract/settings.py")
    source = "".join((ROOT / "lambda_ingest" / each).read_text() for each in modules)
    read = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', source))
    assert read > set(shared_settings.SHARED_VARIABLES)
    configuration = deployment.aws.client("lambda").get_function_configuration(
        FunctionName=deployment.names().sweeper_function
    )
    assert set(configuration["Environment"]["Variables"]) == read


def test_the_code_location_is_told_all_that_it_reads(deployment: Deployment) -> None:
    told = deployment.outputs["code_locations"][SECOND]["environment"]
    read = set(pipeline_settings.SETTINGS_VARIABLES) | {"NDJSON_FEED", "GLUE_MAX_CONCURRENT_RUNS"}
    assert set(told) == read - {pipeline_settings.DAGSTER_URL_VARIABLE} | {"AWS_REGION"}
    settings = pipeline_settings.PipelineSettings.from_environment(told)
    assert settings.launch_min_mb == 9
    assert told["NDJSON_FEED"] == SECOND


def test_a_runs_own_arguments_alone_can_be_given(deployment: Deployment) -> None:
    """Whoever may start a run could otherwise have another script run by the job's role."""
    fixed = set(deployment.made["Glue job"]["NonOverridableArguments"])
    read = set(re.findall(r'"([A-Z_]{4,})"', (ROOT / "glue_jobs" / "arguments.py").read_text()))
    given = {"JOB_NAME", "MANIFEST_PATH", "JOB_RUN_ID", "MANIFEST_SHA256"}
    assert {f"--{name}" for name in read - given} <= fixed
    assert not fixed & {f"--{name}" for name in given}
    # What brings code along.
    assert {
        "--scriptLocation",
        "--extra-py-files",
        "--extra-jars",
        "--extra-files",
        "--user-jars-first",
        "--conf",
    } <= fixed


def test_a_file_that_is_put_comes_out_as_parquet(deployment: Deployment) -> None:
    aws, names = deployment.aws, deployment.names()
    aws.adopt()
    s3, dynamodb, glue = aws.client("s3"), aws.client("dynamodb"), aws.client("glue")
    # Of a past date, so that a single file is a batch.
    day = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()
    content = b"".join(json.dumps({"n": number}).encode() + b"\n" for number in range(7))
    s3.put_object(Bucket=names.input_bucket, Key=f"pipeline/input/{day}-a.ndjson", Body=content)

    def manifests() -> list[dict[str, Any]]:
        return dynamodb.query(
            TableName=names.tracking_table,
            KeyConditionExpression="date_prefix = :day AND begins_with(file_key, :manifest)",
            ExpressionAttributeValues={":day": {"S": day}, ":manifest": {"S": "MANIFEST#"}},
        )["Items"]

    (record,) = eventually(manifests, 60)
    run_id = glue.start_job_run(
        JobName=names.glue_job, Arguments={"--MANIFEST_PATH": record["manifest_path"]["S"]}
    )["JobRunId"]

    def end() -> dict[str, Any] | None:
        run = glue.get_job_run(JobName=names.glue_job, RunId=run_id)["JobRun"]
        return run if run["JobRunState"] not in ("STARTING", "RUNNING") else None

    run = eventually(end, 120)
    assert run is not None
    assert run["JobRunState"] == "SUCCEEDED", run.get("ErrorMessage")
    table = glue.get_table(DatabaseName=names.catalog_database, Name=names.catalog_table)["Table"]
    parameters = table["Parameters"]
    (key,) = [each["Name"] for each in table["PartitionKeys"]]
    first, last = parameters[f"projection.{key}.range"].split(",")
    assert first <= day
    assert last == "NOW+1DAY"
    # Where Athena looks for the day's rows.
    folder = parameters["storage.location.template"].replace(f"${{{key}}}", day)
    bucket, _, prefix = folder.removeprefix("s3://").partition("/")
    assert f"s3://{bucket}/" == table["StorageDescriptor"]["Location"]
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]
    assert prefix.endswith("/")
    assert [file["Key"].rpartition(".")[2] for file in listed] == ["parquet"]
    columns = {each["Name"]: each["Type"] for each in table["StorageDescriptor"]["Columns"]}
    assert columns["n"] == "bigint"


def test_an_event_comes_by_eventbridge_too(deployment: Deployment) -> None:
    aws, names = deployment.aws, deployment.names(SECOND)
    key = f"pipeline/input/{datetime.now(UTC).date().isoformat()}-b.ndjson"
    aws.client("s3").put_object(Bucket=names.input_bucket, Key=key, Body=b'{"n": 1}\n')

    def tracked() -> list[dict[str, Any]]:
        return aws.client("dynamodb").scan(TableName=names.tracking_table)["Items"]

    rows = eventually(tracked, 60)
    assert [row["file_key"]["S"] for row in rows] == [key.rpartition("/")[2]]


def test_every_alarm_of_the_contract_tells_the_topic(deployment: Deployment) -> None:
    alarms = {
        alarm["AlarmName"]: alarm
        for page in deployment.aws.client("cloudwatch").get_paginator("describe_alarms").paginate()
        for alarm in page["MetricAlarms"]
    }
    expected = {
        "Lambda-Errors": 10,
        "Lambda-Throttles": 5,
        "Lambda-ConcurrentExecutions": 40,
        "FileTracking-ReadThrottle": 5,
        "FileTracking-WriteThrottle": 5,
        "GlueJob-Failures": 10,
        "DeadLetters": 0,
        "OldestMessage": 900,
        "OldestPendingFile": 90_000,
        "OldestWaitingManifest": 3_600,
        "Sweeper-Errors": 2,
    }
    for feed in ("", SECOND):
        prefix = f"{deployment.names(feed).prefix}-parquet"
        found = {name: alarms[f"{prefix}-{name}-dev"] for name in expected}
        wait = 900 if feed else 0
        assert {name: alarm["Threshold"] for name, alarm in found.items()} == {
            **expected,
            "OldestWaitingManifest": 3_600 + wait,
        }
        topic = deployment.outputs["alert_topic_arns"][feed]
        assert all(alarm["AlarmActions"] == [topic] for alarm in found.values())


# What no call of the product's asks for, by component and action, with the reason.
BESIDE = {
    "manifest-builder": {
        "logs:CreateLogStream": "Lambda writes the log",
        "logs:PutLogEvents": "Lambda writes the log",
        "sqs:ReceiveMessage": "the event source mapping polls by the function's role",
        "sqs:DeleteMessage": "likewise",
        "sqs:GetQueueAttributes": "likewise",
        "s3:ListBucket": "what is not there answers 404 by it, and 403 without",
    },
    "sweeper": {
        "s3:AbortMultipartUpload": "a copy in parts that ends early, as the builder's",
        "logs:CreateLogStream": "Lambda writes the log",
        "logs:PutLogEvents": "Lambda writes the log",
        "s3:ListBucket": "what is not there answers 404 by it, and 403 without",
    },
    "generator": {
        "logs:CreateLogStream": "Lambda writes the log",
        "logs:PutLogEvents": "Lambda writes the log",
    },
    "glue": {
        "logs:CreateLogGroup": "Glue writes the log",
        "logs:CreateLogStream": "Glue writes the log",
        "logs:PutLogEvents": "Glue writes the log",
        "cloudwatch:PutMetricData": "Glue writes the job's metrics",
        "glue:GetJobRun": "the report's workers; the tests have no Glue that runs in their own process",
        "s3:AbortMultipartUpload": "rejects of a task that fails, in a process of Spark's",
        "s3:ListBucket": "what is not there answers 404 by it, and 403 without",
    },
    "code-location": {
        "s3:ListBucket": "what is not there answers 404 by it, and 403 without",
        # A run's process and the daemon's make these, on platforms that are processes of their own.
        "glue:BatchStopJobRun": "a run that is stopped",
        "glue:GetJobRun": "a run that watches",
        "glue:GetJobRuns": "a run that looks for what was begun",
        "glue:StartJobRun": "a run",
        "lambda:InvokeFunction": "the operator's sweep",
        "sns:Publish": "alerts",
    },
}
# Glue reads the job's own code by the job's role.
OWN_CODE = Allowance("s3:GetObject", "arn:aws:s3:::ndjson-scripts-sqs-123456789012-dev/*")


@pytest.mark.parametrize("component", sorted(BESIDE))
def test_a_role_allows_what_its_component_calls_and_nothing_else(
    deployment: Deployment, component: str
) -> None:
    needs, granted = record.read()[component], list(deployment.granted(component))
    names = deployment.names()
    assert granted, f"{component} has no policy"
    assert missing(needs, granted, names) == []
    left = [one for one in unused(needs, granted, names) if one.action not in BESIDE[component]]
    assert [one for one in left if one != OWN_CODE] == []
    assert not [one for one in granted if "*" in one.action]


def test_what_is_allowed_beside_is_allowed(deployment: Deployment) -> None:
    for component, actions in BESIDE.items():
        assert set(actions) <= {one.action for one in deployment.granted(component)}, component


def test_each_place_has_its_one_writer(deployment: Deployment) -> None:
    names = deployment.names()
    granted = {component: list(deployment.granted(component)) for component in BESIDE}
    writers = {
        f"{names.manifest_bucket}/manifests/a": {"manifest-builder", "sweeper"},
        f"{names.manifest_bucket}/schemas/{names.output_bucket}/commits/a": {"glue"},
        # By runs, and by hand.
        f"{names.manifest_bucket}/schemas/{names.output_bucket}/schema.json": {"glue", "code-location"},
        f"{names.output_bucket}/merged-parquet-2026-01-30/a": {"glue"},
        f"{names.scripts_bucket}/glue_jobs/a": set(),
        f"{names.input_bucket}/pipeline/input/a": {"generator"},
    }
    for place, expected in writers.items():
        found = {
            component
            for component in BESIDE
            if any(one.covers("s3:PutObject", f"arn:aws:s3:::{place}") for one in granted[component])
        }
        assert found == expected, place


def test_a_second_stream_shares_nothing_with_the_first(deployment: Deployment) -> None:
    """No policy of a feed names what is the other's."""
    iam = deployment.aws.client("iam")
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        if not name.startswith("ndjson-"):
            continue
        text = json.dumps(iam.get_role_policy(RoleName=name, PolicyName=component(name))["PolicyDocument"])
        owned = set(
            re.findall(r"(ndjson(?:-orders)?)-(?:parquet|input|manifest|output|quarantine|scripts)-", text)
        )
        assert owned == {"ndjson-orders" if "-orders-" in name else "ndjson"}, name


def component(role: str) -> str:
    return role.removesuffix("-dev").partition("-parquet-")[2]


def test_nothing_is_allowed_on_everything_but_what_knows_no_resource(deployment: Deployment) -> None:
    iam = deployment.aws.client("iam")
    documents = [
        iam.get_role_policy(RoleName=role["RoleName"], PolicyName=component(role["RoleName"]))[
            "PolicyDocument"
        ]
        for role in iam.list_roles()["Roles"]
        if role["RoleName"].startswith("ndjson-")
    ]
    documents += [
        json.loads(location["policy_json"]) for location in deployment.outputs["code_locations"].values()
    ]
    on_all = set()
    for statement in (each for document in documents for each in document["Statement"]):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        assert not any("*" in action for action in actions)
        assert not any(action.startswith(("iam:", "sts:")) for action in actions)
        if statement["Resource"] == "*":
            on_all.update(actions)
    assert on_all == {"cloudwatch:PutMetricData"}


def test_manifests_and_schemas_have_their_own_writers(deployment: Deployment) -> None:
    iam, bucket = deployment.aws.client("iam"), deployment.names().manifest_bucket
    writers: dict[str, set[str]] = {"manifests/": set(), "schemas/": set()}
    policies = {
        component(role["RoleName"]): iam.get_role_policy(
            RoleName=role["RoleName"], PolicyName=component(role["RoleName"])
        )["PolicyDocument"]
        for role in iam.list_roles()["Roles"]
        if role["RoleName"].startswith("ndjson-parquet-")
    }
    policies["code-location"] = json.loads(deployment.outputs["code_locations"][""]["policy_json"])
    for role, document in policies.items():
        for statement in document["Statement"]:
            resources = (
                statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            )
            if "s3:PutObject" not in statement["Action"]:
                continue
            for folder, found in writers.items():
                if any(one.startswith(f"arn:aws:s3:::{bucket}/{folder}") for one in resources):
                    found.add(role)
            assert f"arn:aws:s3:::{bucket}/*" not in resources
            assert not any("-scripts-" in one for one in resources)
    assert writers == {
        "manifests/": {"manifest-builder", "sweeper"},
        "schemas/": {"glue", "code-location"},
    }


@pytest.mark.parametrize(
    ("context", "refused"),
    [
        ({}, []),
        ({"aws:SecureTransport": "false"}, ["DenyPlainHttp"]),
        ({"s3:x-amz-server-side-encryption-customer-algorithm": "AES256"}, ["DenyCustomerKeys"]),
        ({"s3:x-amz-server-side-encryption": "aws:kms"}, []),
        ({"s3:x-amz-server-side-encryption-aws-kms-key-id": "arn:aws:kms:x:1:key/2"}, ["DenyForeignKeys"]),
        ({"s3:x-amz-storage-class": "GLACIER"}, ["DenyColdStorage"]),
        ({"s3:x-amz-storage-class": "DEEP_ARCHIVE"}, ["DenyColdStorage"]),
        ({"s3:x-amz-storage-class": "GLACIER_IR"}, []),
        ({"s3:x-amz-acl": "public-read"}, ["DenyAclsOfObjects"]),
        ({"s3:x-amz-acl": "bucket-owner-full-control"}, []),
    ],
)
def test_the_input_bucket_refuses_what_could_not_be_read(
    deployment: Deployment, context: dict[str, str], refused: list[str]
) -> None:
    key = f"arn:aws:s3:::{deployment.names().input_bucket}/pipeline/input/shop/a.ndjson"
    for principal in (SHOP, STRANGER):
        request = Request("s3:PutObject", key, principal, context)
        assert refuses(bucket_policy(deployment), request) == refused


def test_a_producer_has_its_folder(deployment: Deployment) -> None:
    policy, bucket = bucket_policy(deployment), f"arn:aws:s3:::{deployment.names().input_bucket}"
    own = Request("s3:PutObject", f"{bucket}/pipeline/input/shop/a.ndjson", SHOP)
    assert allows(policy, own) == ["AllowProducer0"]
    for key in ("pipeline/input/a.ndjson", "pipeline/input/shopping/a.ndjson", "elsewhere/a.ndjson"):
        request = Request("s3:PutObject", f"{bucket}/{key}", SHOP)
        assert allows(policy, request) == []
        assert refuses(policy, request) == ["BoundProducer0"]
        assert refuses(policy, Request("s3:PutObject", f"{bucket}/{key}", STRANGER)) == []


def bucket_policy(deployment: Deployment) -> dict[str, Any]:
    s3 = deployment.aws.client("s3")
    document: dict[str, Any] = json.loads(
        s3.get_bucket_policy(Bucket=deployment.names().input_bucket)["Policy"]
    )
    return document


@pytest.mark.parametrize("feed", ["", SECOND])
def test_the_queue_takes_messages_of_its_bucket_and_the_sweeper_alone(
    deployment: Deployment, feed: str
) -> None:
    names, sqs = deployment.names(feed), deployment.aws.client("sqs")
    attributes = sqs.get_queue_attributes(
        QueueUrl=deployment.outputs["queues"][feed]["events"], AttributeNames=["Policy", "QueueArn"]
    )["Attributes"]
    policy, queue = json.loads(attributes["Policy"]), attributes["QueueArn"]

    def sent(principal: str | None, **context: str) -> Request:
        return Request("sqs:SendMessage", queue, principal, context)

    rule = f"arn:aws:events:us-east-1:123456789012:rule/{names.prefix}-parquet-input-dev"
    source = rule if feed else f"arn:aws:s3:::{names.input_bucket}"
    own = sent(None, **{"aws:SourceArn": source, "aws:SourceAccount": "123456789012"})
    assert allows(policy, own) == ["InputBucketSendsEvents"]
    assert refuses(policy, own) == []
    for context in (
        {"aws:SourceArn": "arn:aws:s3:::another", "aws:SourceAccount": "123456789012"},
        {"aws:SourceArn": source, "aws:SourceAccount": "210987654321"},
    ):
        assert allows(policy, sent(None, **context)) == []
    sweeper = f"arn:aws:iam::123456789012:role/{names.prefix}-parquet-sweeper-dev"
    assert [refuses(policy, sent(one)) for one in (sweeper, OPERATOR)] == [[], []]
    assert refuses(policy, sent(STRANGER)) == ["NobodyElseSends"]


def test_in_prod_nothing_that_holds_data_can_be_deleted(deployment: Deployment) -> None:
    planned = planned_by(deployment.terraform, "prod")
    buckets = [one for one in planned if one["type"] == "aws_s3_bucket"]
    tables = [one for one in planned if one["type"] == "aws_dynamodb_table"]
    assert (len(buckets), len(tables)) == (10, 4)
    assert {bucket["values"]["force_destroy"] for bucket in buckets} == {False}
    assert {table["values"]["deletion_protection_enabled"] for table in tables} == {True}
    functions = {one["values"]["function_name"] for one in planned if one["type"] == "aws_lambda_function"}
    assert not any("generate" in name for name in functions)


def test_in_dev_the_size_check_is_off(deployment: Deployment) -> None:
    planned = planned_by(deployment.terraform, "dev")
    sizes = {
        one["values"]["environment"][0]["variables"]["EXPECTED_FILE_SIZE_MB"]
        for one in planned
        if one["type"] == "aws_lambda_function"
    }
    assert sizes == {"0"}


def planned_by(terraform: Terraform, environment: str) -> list[dict[str, Any]]:
    """Return the feeds' resources as a plan with an environment's file has them."""
    plan = f"{environment}.plan"
    # The environment is another, or the same: of what is there nothing is asked.
    options = ["-input=false", "-no-color", "-refresh=false", "-parallelism=20"]
    terraform.run("plan", *options, f"-var-file={environment}.tfvars", f"-out={plan}")
    values = json.loads(terraform.run("show", "-json", plan))["planned_values"]["root_module"]
    return [one for module in values["child_modules"] for one in module["resources"]]


def test_wrong_settings_are_refused_by_name(deployment: Deployment) -> None:
    """All of them at once, before anything is asked of AWS."""
    wrong = {
        "queue_max_concurrency": "51",
        "record_format": "csv",
        "record_path": " Records[*]",
        "record_envelope": "true",
        "max_object_members": "0",
        "max_columns": "1.5",
        "glue_execution_class": "FLEX",
        "glue_worker_type": "G.4X",
        "max_files_per_manifest": "10001",
        "input_prefix": "pipeline",
        "partition_start_date": "2025-13-01",
        "dynamodb_max_write_capacity": "24",
        "feeds": "{ Orders = {} }",
        "producers": '{ "arn:aws:iam::123456789012:role/shop" = "shop" }',
    }
    with pytest.raises(TerraformError) as refused:
        deployment.terraform.run(
            "plan", "-no-color", *(f"-var={name}={value}" for name, value in wrong.items())
        )
    text = str(refused.value)
    missing = [name for name in wrong if f'variable "{name}"' not in text]
    # The class is wrong by the type of the workers, which is right by itself.
    assert missing == ["glue_worker_type"]


def test_a_feed_may_not_take_the_name_of_the_unnamed_ones_pool(deployment: Deployment) -> None:
    with pytest.raises(TerraformError) as refused:
        deployment.terraform.run("plan", "-no-color", "-var=feeds={ glue = {} }")
    assert "feed must not be glue" in " ".join(str(refused.value).split())


def test_destroying_leaves_nothing(deployment: Deployment) -> None:
    """In dev buckets go with what is in them; in prod they, and the tables, refuse."""
    try:
        deployment.terraform.destroy()
    except TerraformError as error:
        # On a busy machine an answer may be lost. The SDK asks again for what is gone by then, and the
        # provider takes that for a failure, of a dashboard say. Whatever else fails is one.
        failures = re.findall(r"Error: (.*)", str(error))
        if not failures or not all("StatusCode: 404" in failure for failure in failures):
            raise
        deployment.terraform.destroy()
    assert deployment.aws.client("s3").list_buckets()["Buckets"] == []
    assert deployment.aws.client("dynamodb").list_tables()["TableNames"] == []
    assert deployment.aws.client("sqs").list_queues().get("QueueUrls", []) == []
