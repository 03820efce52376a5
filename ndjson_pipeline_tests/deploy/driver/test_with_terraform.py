"""The driver with the real Terraform, against the local AWS; the root module is a small one."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from deploy.driver.packages import ROOT, Packages
from ndjson_pipeline.local_aws import LocalAws, LocalAwsSettings
from ndjson_pipeline_tests.deploy.driver.conftest import lay_kept
from ndjson_pipeline_tests.deploy.terraform_command import (
    GO_VARIABLES,
    Terraform,
    kept_provider,
    provider_mirror,
    require_terraform,
)
from ndjson_pipeline_tests.patience import PATIENCE

pytestmark = pytest.mark.timeout(300)

FEED = "orders"
MODULE = """
variable "environment" { type = string }
variable "region" {
  type    = string
  default = "us-east-1"
}
variable "package_directory" { type = string }
variable "deploy_dagster" {
  type    = bool
  default = false
}
variable "dagster_image" {
  type    = string
  default = null
}
variable "dagster_image_tag" { type = string }

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
  }
}

provider "aws" {
  region                      = var.region
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  max_retries                 = 2
}

data "aws_caller_identity" "current" {}

locals {
  account = data.aws_caller_identity.current.account_id
  buckets = {
    for one in ["input", "scripts"] : one => "ndjson-orders-${one}-sqs-${local.account}-${var.environment}"
  }
  scripts = "s3://${local.buckets.scripts}"
  files   = jsondecode(file("${var.package_directory}/glue/job.json"))
}

resource "aws_s3_bucket" "this" {
  for_each      = local.buckets
  bucket        = each.value
  force_destroy = true
}

resource "aws_glue_job" "batch" {
  name     = "ndjson-orders-parquet-batch-job-${var.environment}"
  execution_class = "STANDARD"
  role_arn = "arn:aws:iam::${local.account}:role/glue"
  command {
    script_location = "s3://${aws_s3_bucket.this["scripts"].bucket}/${local.files.script}"
  }
  default_arguments = {
    "--extra-py-files"                  = "${local.scripts}/${local.files.modules}"
    "--additional-python-modules"       = "${local.scripts}/${local.files.wheels[0]}"
    "--python-modules-installer-option" = local.files.installer_option
  }
}

output "buckets" {
  value = { orders = local.buckets }
}
output "dagster" { value = null }
"""


class Driven:
    """The driver's command, with Terraform and the local AWS.

    Args:
        aws: it.
        root: the root module's folder.
        packages: what the driver makes, too.
        folder: where it makes them.
        environment: of Terraform, and of its provider.
        reattached: what has Terraform ask a provider that runs.
    """

    def __init__(
        self,
        aws: LocalAws,
        root: Path,
        packages: Packages,
        folder: Path,
        environment: Mapping[str, str],
        reattached: Mapping[str, str],
    ) -> None:
        self.aws = aws
        self.root = root
        self.packages = packages
        self.folder = folder
        self.environment = environment
        self.reattached = reattached

    def run(
        self, step: str, *options: str, starts_providers: bool = False
    ) -> "subprocess.CompletedProcess[str]":
        """Run it; where it starts providers, each of Terraform's commands has its own, as a person's has."""
        mirror = provider_mirror()
        return subprocess.run(
            [
                *(sys.executable, "-m", "deploy.driver", step, "--environment", "dev"),
                *("--terraform", str(self.root), "--folder", str(self.folder), *options),
            ],
            cwd=ROOT,
            env={
                **self.environment,
                "PYTHONPATH": str(ROOT),
                "CHECKPOINT_DISABLE": "1",
                **({"TF_CLI_ARGS_init": f"-plugin-dir={mirror}"} if mirror else {}),
                **({} if starts_providers else self.reattached),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=280 * PATIENCE,
        )

    def bucket(self, purpose: str) -> str:
        return f"ndjson-{FEED}-{purpose}-sqs-{self.aws.names.account}-dev"

    def buckets(self) -> set[str]:
        listed = self.aws.client("s3").list_buckets()["Buckets"]
        return {one["Name"] for one in listed if f"-{FEED}-" in one["Name"]}


@pytest.fixture(scope="module")
def driven(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driven]:
    require_terraform()
    root = tmp_path_factory.mktemp("root")
    (root / "main.tf").write_text(MODULE)
    (root / "dev.tfvars").write_text('environment = "dev"\n')
    folder = tmp_path_factory.mktemp("build")
    lay_kept(packages, folder, compiles_anew=False)
    settings = LocalAwsSettings(queue_enabled=False, timer_enabled=False)
    with LocalAws(directory=tmp_path_factory.mktemp("aws"), settings=settings) as aws:
        own = {name: os.environ[name] for name in ("PATH", "HOME")}
        environment = {**aws.client_environment(), **own, **GO_VARIABLES}
        Terraform(root, environment).init()
        with kept_provider(root, environment) as reattached:
            yield Driven(aws, root, packages, folder, environment, reattached)


def test_a_deployment_makes_fills_and_points_at_what_it_filled(driven: Driven) -> None:
    deployed = driven.run("deploy", "--yes", "--no-smoke")
    assert deployed.returncode == 0, deployed.stdout[-3000:] + deployed.stderr[-3000:]
    assert driven.buckets() == {driven.bucket("input"), driven.bucket("scripts")}
    s3, glue = driven.aws.client("s3"), driven.aws.client("glue")
    job = glue.get_job(JobName=f"ndjson-{FEED}-parquet-batch-job-dev")["Job"]
    arguments = job["DefaultArguments"]
    named = [
        job["Command"]["ScriptLocation"],
        arguments["--extra-py-files"],
        arguments["--additional-python-modules"],
    ]
    for uri, path in zip(named, driven.packages.glue_files.values(), strict=True):
        key = uri.removeprefix(f"s3://{driven.bucket('scripts')}/")
        head = s3.head_object(Bucket=driven.bucket("scripts"), Key=key)
        assert head["ContentLength"] == path.stat().st_size
    # The plan that was shown is the whole one; what had to come first is a part of it.
    plans = re.findall(r"Plan: (\d+) to add", re.sub(r"\x1b\[\d*m", "", deployed.stdout))
    assert plans == ["3", "1", "2"]
    assert "Not in the plan" not in deployed.stdout
    again = driven.run("deploy", "--yes", "--no-smoke", starts_providers=True)
    assert again.returncode == 0, again.stderr[-3000:]
    assert "Nothing to change." in again.stdout, again.stdout[-3000:]
    assert f"{driven.bucket('scripts')}: has all files" in again.stdout


def test_its_end_spares_data_until_it_is_told_not_to(driven: Driven) -> None:
    driven.aws.client("s3").put_object(Bucket=driven.bucket("input"), Key="a.ndjson", Body=b"{}\n")
    refused = driven.run("destroy", "--confirm", "dev")
    assert refused.returncode == 1
    assert f"{driven.bucket('input')} hold data" in refused.stderr
    assert len(driven.buckets()) == 2
    gone = driven.run("destroy", "--confirm", "dev", "--delete-data")
    assert gone.returncode == 0, gone.stdout[-3000:] + gone.stderr[-3000:]
    assert "2  aws_s3_bucket" in gone.stdout
    assert driven.buckets() == set()
    state = driven.root / "terraform.tfstate.d" / "dev" / "terraform.tfstate"
    assert json.loads(state.read_text())["resources"] == []
