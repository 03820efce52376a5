"""Two streams from an empty account: planned, made, used and taken away by Terraform, on the local AWS."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from lambda_ingest.contract.settings import SHARED_VARIABLES
from ndjson_pipeline.definitions import build_defs
from ndjson_pipeline.deployment.archives import archive
from ndjson_pipeline.deployment.deadlines import GLUE_TIMEOUT
from ndjson_pipeline.deployment.names import Names
from ndjson_pipeline.deployment.packaging import installed_glue_package
from ndjson_pipeline.glue.runs import (
    ATTEMPTS_ARGUMENT,
    IDENTITY_ARGUMENT,
    MANIFESTS_ARGUMENT,
    NONCE_ARGUMENT,
    SHA256_ARGUMENT,
)
from ndjson_pipeline.local_aws import LocalAws, LocalAwsSettings
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline_tests.deploy.terraform_command import LOCAL_PROVIDER, Terraform, require_terraform
from ndjson_pipeline_tests.end_to_end.processes import await_true
from ndjson_pipeline_tests.permissions import record
from ndjson_pipeline_tests.permissions.policies import Allowance, allowances, missing, unused

pytestmark = [pytest.mark.spark, pytest.mark.timeout(1200)]

ROOT = Path(__file__).parents[2] / "deploy" / "terraform"
# The second comes by the other route, and on tables that scale.
FEEDS = {
    "": {"max_files_per_manifest": 2, "alert_emails": ["data@example.com"]},
    "orders": {"max_files_per_manifest": 1, "event_route": "sns", "dynamodb_on_demand": False},
}


@dataclass(frozen=True)
class Deployed:
    """What Terraform has made.

    Attributes:
        aws: where.
        terraform: which made it.
        outputs: the root's.
        changes: what a second plan would change; empty where nothing.
    """

    aws: LocalAws
    terraform: Terraform
    outputs: dict[str, Any]
    changes: str

    def names(self, feed: str) -> Names:
        return Names("dev", "123456789012", feed)

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


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    require_terraform()
    folder = tmp_path_factory.mktemp("terraform")
    root, build = folder / "root", folder / "build"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    (build / "glue").mkdir(parents=True)
    # Functions run from the project's folder here; test_package.py runs what is in the real one.
    (build / "lambda.zip").write_bytes(archive([("lambda_ingest/__init__.py", b"")]))
    package = installed_glue_package()
    (build / "glue" / "job.json").write_text(json.dumps(package.description()))
    (root / "override.tf.json").write_text(json.dumps({"provider": {"aws": LOCAL_PROVIDER}}))
    shutil.copy(root / "dev.tfvars", root / "dev.auto.tfvars")
    variables = {"build_folder": str(build), "feeds": FEEDS, "deploy_dagster": False}
    (root / "test.auto.tfvars.json").write_text(json.dumps(variables))
    settings = LocalAwsSettings(feeds=(), iam_managed_policies=True)
    with LocalAws(directory=folder / "aws", settings=settings) as aws:
        terraform = Terraform(root, aws.client_environment())
        terraform.init()
        terraform.run("validate", "-no-color")
        terraform.apply()
        changes = terraform.changes()
        outputs = {
            name: output["value"] for name, output in json.loads(terraform.run("output", "-json")).items()
        }
        for feed in FEEDS:
            bucket = outputs["feeds"][feed]["buckets"]["scripts"]
            for file in package.files:
                aws.client("s3").put_object(Bucket=bucket, Key=file.key, Body=file.content)
        aws.run_what_others_made()
        yield Deployed(aws, terraform, outputs, changes)


def test_every_file_is_formatted() -> None:
    require_terraform()
    assert Terraform(ROOT, {}).run("fmt", "-check", "-recursive", "-no-color") == ""


def test_a_second_plan_changes_nothing(deployed: Deployed) -> None:
    assert deployed.changes == ""


@pytest.mark.parametrize("feed", sorted(FEEDS))
def test_everything_has_its_name(deployed: Deployed, feed: str) -> None:
    names, made = deployed.names(feed), deployed.outputs["feeds"][feed]
    assert sorted(made["buckets"].values()) == sorted(names.buckets)
    assert made["queue_urls"]["events"].rpartition("/")[2] == names.queue
    assert made["queue_urls"]["dead_letter"].rpartition("/")[2] == names.dead_letter_queue
    assert made["functions"] == {
        "manifest-builder": names.manifest_builder_function,
        "sweeper": names.sweeper_function,
        "generator": names.generator_function,
    }
    assert made["glue_job"] == names.glue_job
    assert made["alert_topic_arn"].rpartition(":")[2] == names.alert_topic
    assert made["catalog_table"] == f"{names.catalog_database}.{names.catalog_table}"
    tables = deployed.aws.client("dynamodb").list_tables()["TableNames"]
    assert {names.tracking_table, names.metrics_table} <= set(tables)


@pytest.mark.parametrize("feed", sorted(FEEDS))
def test_lambdas_and_code_location_are_told_alike(deployed: Deployed, feed: str) -> None:
    names = deployed.names(feed)
    function = deployed.aws.client("lambda").get_function_configuration(FunctionName=names.sweeper_function)
    of_lambda = function["Environment"]["Variables"]
    of_location = deployed.outputs["code_locations"][feed]["environment"]
    assert {name: of_lambda[name] for name in SHARED_VARIABLES} == {
        name: of_location[name] for name in SHARED_VARIABLES
    }


@pytest.mark.parametrize("feed", sorted(FEEDS))
def test_a_file_that_is_put_comes_out_as_parquet_and_in_the_catalog(
    deployed: Deployed, feed: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    aws, names = deployed.aws, deployed.names(feed)
    today = datetime.now(UTC).date().isoformat()
    count = int(str(FEEDS[feed]["max_files_per_manifest"]))
    for number in range(count):
        aws.client("s3").put_object(
            Bucket=names.input_bucket,
            Key=f"pipeline/input/{today}-{number}.ndjson",
            Body=b'{"order": 1, "customer": {"name": "a"}}\n{"order": 2}\n',
        )

    def manifests() -> list[str]:
        listed = aws.client("s3").list_objects_v2(Bucket=names.manifest_bucket, Prefix="manifests/")
        return [each["Key"] for each in listed.get("Contents", [])]

    await_true(manifests, 60)
    environment = {**aws.client_environment(), **deployed.outputs["code_locations"][feed]["environment"]}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    definitions = build_defs(
        feed=feed,
        resource_overrides={
            "pipeline": PipelineResource(shortest_poll_seconds=0.2, longest_poll_seconds=1.0)
        },
    )
    key = dg.AssetKey([*([feed] if feed else []), "merged_parquet"])
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.get_implicit_global_asset_job_def()
        result = job.execute_in_process(
            partition_key=today, asset_selection=[key], instance=instance, raise_on_error=True
        )
    assert result.success
    listed = aws.client("s3").list_objects_v2(Bucket=names.output_bucket)["Contents"]
    (path,) = [each["Key"] for each in listed]
    assert path.startswith(f"merged-parquet-{today}/part-")
    aws.client("s3").download_file(names.output_bucket, path, str(tmp_path / "a.parquet"))
    rows = duckdb.sql(f"select count(*), sum(\"order\") from '{tmp_path}/a.parquet'").fetchone()
    assert rows == (2 * count, 3 * count)
    table = aws.client("glue").get_table(DatabaseName=names.catalog_database, Name=names.catalog_table)[
        "Table"
    ]
    columns = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
    assert columns["order"] == "bigint"
    assert columns["customer"] == "struct<name:string>"


# What no call of the product's asks for, by component and action, with the reason.
BESIDE = {
    "manifest-builder": {
        "logs:CreateLogStream": "Lambda writes the log",
        "logs:PutLogEvents": "Lambda writes the log",
        "sqs:ReceiveMessage": "the event source mapping polls by the function's role",
        "sqs:DeleteMessage": "likewise",
        "sqs:GetQueueAttributes": "likewise",
        "sqs:ChangeMessageVisibility": "likewise, where a batch fails in part",
        "s3:ListBucket": "what is not there answers 404 by it, and 403 without",
    },
    "sweeper": {
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
        "s3:ListBucket": "what is not there answers 404 by it, and 403 without",
    },
    "code-location": {
        "s3:ListBucket": "what is not there answers 404 by it, and 403 without",
    },
}
# Glue reads the job's own code by the job's role.
OWN_CODE = Allowance("s3:GetObject", "arn:aws:s3:::ndjson-scripts-sqs-123456789012-dev/glue_jobs/*")


@pytest.mark.parametrize("component", sorted(BESIDE))
def test_a_role_allows_what_its_component_calls_and_nothing_else(deployed: Deployed, component: str) -> None:
    needs, granted = record.read()[component], list(deployed.granted(component))
    names = deployed.names("")
    assert granted, f"{component} has no policy"
    assert missing(needs, granted, names) == []
    left = [one for one in unused(needs, granted, names) if one.action not in BESIDE[component]]
    assert [one for one in left if one != OWN_CODE] == []
    assert not [one for one in granted if "*" in one.action]


def test_what_is_allowed_beside_is_allowed(deployed: Deployed) -> None:
    for component, actions in BESIDE.items():
        assert set(actions) <= {one.action for one in deployed.granted(component)}, component


def test_nothing_is_allowed_on_everything_but_what_knows_no_resource(deployed: Deployed) -> None:
    everything = {
        one.action for component in BESIDE for one in deployed.granted(component) if one.resource == "*"
    }
    assert everything == {"cloudwatch:PutMetricData"}


def test_each_place_has_its_one_writer(deployed: Deployed) -> None:
    names = deployed.names("")
    writers = {
        f"{names.manifest_bucket}/manifests/a": {"manifest-builder", "sweeper"},
        f"{names.manifest_bucket}/schemas/a": {"glue"},
        f"{names.output_bucket}/merged-parquet-2026-01-30/a": {"glue"},
        f"{names.scripts_bucket}/glue_jobs/a": set(),
        f"{names.input_bucket}/pipeline/input/a": {"generator"},
    }
    for place, expected in writers.items():
        found = {
            component
            for component in BESIDE
            if any(one.covers("s3:PutObject", f"arn:aws:s3:::{place}") for one in deployed.granted(component))
        }
        assert found == expected, place


def test_a_start_of_the_job_can_change_nothing_but_what_it_is_for(deployed: Deployed) -> None:
    job = deployed.aws.client("glue").get_job(JobName=deployed.names("").glue_job)["Job"]
    assert job.get("DefaultArguments", {}) == {}
    fixed = set(job["NonOverridableArguments"])
    assert {
        "--extra-py-files",
        "--additional-python-modules",
        "--INPUT_BUCKET",
        "--OUTPUT_BUCKET",
    } <= fixed | {
        # There are none in this test's build.
        "--additional-python-modules"
    }
    given = {MANIFESTS_ARGUMENT, SHA256_ARGUMENT, IDENTITY_ARGUMENT, ATTEMPTS_ARGUMENT, NONCE_ARGUMENT}
    assert not fixed & given
    assert (job["MaxRetries"], job["Timeout"]) == (0, GLUE_TIMEOUT // timedelta(minutes=1))
    assert job["ExecutionProperty"]["MaxConcurrentRuns"] == 2


def test_it_is_all_taken_away_again(deployed: Deployed) -> None:
    # Tests run in their order, and this one is the last.
    deployed.terraform.destroy()
    aws = deployed.aws
    assert aws.client("s3").list_buckets()["Buckets"] == []
    assert aws.client("dynamodb").list_tables()["TableNames"] == []
    assert aws.client("sqs").list_queues().get("QueueUrls", []) == []
    assert aws.client("lambda").list_functions()["Functions"] == []
    assert aws.client("iam").list_roles()["Roles"] == []
    assert json.loads(deployed.terraform.run("show", "-json")).get("values") is None
