"""The order of a deployment's steps, and what it refuses; Terraform and docker are played."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from deploy.driver.deployment import DeploymentSteps, Options, Tools
from deploy.driver.errors import DeployError, RefusedError
from deploy.driver.packages import Packages as Built
from deploy.driver.removal import Removal
from deploy.driver.terraform import Terraform
from ndjson_pipeline_tests.deploy.driver.played import REGION, PlayedCommands, bucket, change, document

TAG = "0123456789abcdef"
KEY = "glue_jobs/0123456789abcdef/ndjson_to_parquet.py"
SCRIPTS = change(
    'module.feed[""].aws_s3_bucket.this["scripts"]', "create", bucket=bucket("scripts"), force_destroy=True
)
INPUT = change('module.feed[""].aws_s3_bucket.this["input"]', "create", bucket=bucket("input"))
JOB = change('module.feed[""].aws_glue_job.batch', "create", name="job")
REPOSITORY = change("module.dagster[0].aws_ecr_repository.image[0]", "create", name="ndjson-dagster-dev")
CHANGED_JOB = change('module.feed[""].aws_glue_job.batch', "update", name="job")


class Account:
    """An account of moto's, and a person before it."""

    def __init__(self, folder: Path) -> None:
        self.s3 = boto3.client("s3", region_name=REGION)
        self.ecr = boto3.client("ecr", region_name=REGION)
        self.told: list[str] = []
        self.asked: list[str] = []
        self.typed = "yes"
        self.reachable = True
        self.folder = folder
        script = folder / "script.py"
        script.write_text("pass\n")
        (folder / "image").mkdir()
        self.packages = Built(folder, {KEY: script}, TAG, ())

    def make_bucket(self, name: str, *, versioned: bool = False) -> None:
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        if versioned:
            self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def tools(self, commands: Any) -> Tools:
        def ask(question: str) -> str:
            self.asked.append(question)
            return self.typed

        return Tools(
            commands=commands,
            client=lambda service, region: boto3.client(service, region_name=region),
            ask=ask,
            say=self.told.append,
            answers=lambda _address: self.reachable,
        )

    def deploy(self, commands: PlayedCommands, **options: Any) -> None:
        chosen = Options("dev", **{"smokes": False, **options})
        terraform = Terraform(commands, self.folder, "dev")
        DeploymentSteps(chosen, self.packages, terraform, self.tools(commands)).run(
            {"dagster_image_tag": TAG}
        )

    def destroy(
        self, commands: PlayedCommands, *, deletes_data: bool = False, confirmed: str | None = None
    ) -> None:
        terraform = Terraform(commands, self.folder, "dev")
        Removal("dev", terraform, self.tools(commands), self.folder).run(
            {}, deletes_data=deletes_data, confirmed=confirmed
        )


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    with mock_aws():
        yield Account(tmp_path)


class FirstTime(PlayedCommands):
    """Terraform that makes bucket and repository where it is told to, as moto has them."""

    account: Account

    def run(self, command: Any, **rest: Any) -> int:
        if command[:2] == ["terraform", "apply"] and not any("apply" in line for line in self.ran):
            self.account.make_bucket(bucket("scripts"))
            self.account.ecr.create_repository(repositoryName="ndjson-dagster-dev")
        return super().run(command, **rest)


def test_at_first_the_places_are_made_alone_and_filled_before_the_rest(account: Account) -> None:
    whole = document(SCRIPTS, INPUT, JOB, REPOSITORY)
    commands = FirstTime([whole, document(SCRIPTS, REPOSITORY), document(INPUT, JOB)])
    commands.account = account
    account.deploy(commands)
    saved = account.folder / "dev.tfplan"
    options = (
        f"-input=false -detailed-exitcode -var-file=dev.tfvars -out={saved} -var=dagster_image_tag={TAG}"
    )
    targets = f"-target={SCRIPTS['address']} -target={REPOSITORY['address']}"
    image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/ndjson-dagster-dev:" + TAG
    context = account.folder / "image"
    assert commands.ran == [
        "terraform init -input=false",
        "terraform workspace select -or-create=true dev",
        f"terraform plan {options}",
        f"terraform plan {options} {targets}",
        f"terraform apply -input=false {saved}",
        commands.lines("docker login")[0],
        f"docker buildx build --platform linux/arm64 --tag {image} --push "
        f"--file {context}/deploy/docker/Dockerfile {context}",
        f"terraform plan {options}",
        f"terraform apply -input=false {saved}",
    ]
    # One question for all of it; the password goes where nobody sees it.
    assert len(account.asked) == 1
    assert commands.inputs
    assert commands.inputs[0] not in " ".join(commands.ran)
    assert account.s3.get_object(Bucket=bucket("scripts"), Key=KEY)["Body"].read() == b"pass\n"
    assert not saved.exists()


def test_later_files_and_image_are_there_before_what_reads_them_changes(account: Account) -> None:
    account.make_bucket(bucket("scripts"))
    account.ecr.create_repository(repositoryName="ndjson-dagster-dev")
    commands = PlayedCommands([document(CHANGED_JOB)])
    account.deploy(commands)
    order = [line.split(" -")[0] for line in commands.ran]
    assert order[2:] == ["terraform plan", "docker login", "docker buildx build", "terraform apply"]
    assert account.told[0] == f"{bucket('scripts')}: {KEY}"
    # A file of that key is there: it is not sent again, and a run that reads it is not disturbed.
    before = account.s3.head_object(Bucket=bucket("scripts"), Key=KEY)["LastModified"]
    account.deploy(PlayedCommands([document(CHANGED_JOB)]))
    assert account.s3.head_object(Bucket=bucket("scripts"), Key=KEY)["LastModified"] == before
    assert f"{bucket('scripts')}: has all files" in account.told


@pytest.mark.parametrize(
    "variables", [{"deploy_dagster": False}, {"dagster_image": "a/b:1"}], ids=["alone", "given"]
)
def test_no_image_is_built_where_none_is_needed(account: Account, variables: dict[str, Any]) -> None:
    account.make_bucket(bucket("scripts"))
    commands = PlayedCommands([document(CHANGED_JOB, **variables)], lacks=("docker",))
    account.deploy(commands)
    assert commands.lines("docker") == []
    assert commands.lines("terraform apply")


def test_an_image_that_is_there_is_not_built_again(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.make_bucket(bucket("scripts"))
    account.ecr.create_repository(repositoryName="ndjson-dagster-dev")
    manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"})
    account.ecr.put_image(repositoryName="ndjson-dagster-dev", imageManifest=manifest, imageTag=TAG)
    commands = PlayedCommands([document(CHANGED_JOB)])
    account.deploy(commands)
    assert commands.lines("docker") == []


def test_without_docker_nothing_is_changed_and_it_is_said_what_else_to_do(account: Account) -> None:
    commands = PlayedCommands([document(SCRIPTS, REPOSITORY)], lacks=("docker",))
    with pytest.raises(DeployError, match=r"pass its name: make deploy ENV=\.\.\. IMAGE="):
        account.deploy(commands)
    assert commands.lines("terraform apply") == []
    assert account.asked == []


@pytest.mark.parametrize("typed", ["no", "", "y"])
def test_whoever_does_not_say_yes_changes_nothing(account: Account, typed: str) -> None:
    account.typed = typed
    commands = PlayedCommands([document(SCRIPTS, INPUT, deploy_dagster=False)])
    with pytest.raises(RefusedError, match="not applied"):
        account.deploy(commands)
    assert commands.lines("terraform apply") == []


def test_a_confirmed_deployment_asks_nothing(account: Account) -> None:
    account.make_bucket(bucket("scripts"))
    account.deploy(PlayedCommands([document(CHANGED_JOB, deploy_dagster=False)]), is_confirmed=True)
    assert account.asked == []


def test_what_was_not_in_the_plan_that_was_shown_is_asked_for(account: Account) -> None:
    whole = document(SCRIPTS, JOB, deploy_dagster=False)
    surprise = change('module.feed[""].aws_dynamodb_table.tracking', "delete", "create", name="table")
    commands = FirstTime([whole, document(SCRIPTS), document(JOB, surprise, deploy_dagster=False)])
    commands.account = account
    account.deploy(commands)
    assert len(account.asked) == 2
    assert 'delete/create module.feed[""].aws_dynamodb_table.tracking' in " ".join(account.told)


def test_where_nothing_changes_lost_files_are_sent_all_the_same(account: Account) -> None:
    account.make_bucket(bucket("scripts"))
    commands = PlayedCommands([None])
    account.deploy(commands)
    assert commands.lines("terraform apply") == []
    assert account.s3.head_object(Bucket=bucket("scripts"), Key=KEY)


def test_the_ui_is_asked_to_reload_where_it_answers(account: Account) -> None:
    account.make_bucket(bucket("scripts"))
    outputs = {"dagster": {"ui_url": "https://dagster.example.com"}}
    commands = PlayedCommands([document(CHANGED_JOB, deploy_dagster=False)], outputs)
    account.deploy(commands)
    assert commands.ran[-1] == (
        "python -m ndjson_pipeline.deployment.services reload --url https://dagster.example.com"
    )
    account.reachable = False
    commands = PlayedCommands([document(CHANGED_JOB, deploy_dagster=False)], outputs)
    account.deploy(commands)
    assert not [line for line in commands.ran if " reload " in line]
    assert "does not answer here" in account.told[-1]


def test_each_feed_is_smoked_and_a_failure_is_one_of_the_deployment(account: Account) -> None:
    for feed in ("", "orders"):
        account.make_bucket(bucket("scripts", feed))
    commands = PlayedCommands([document(CHANGED_JOB, feeds=("", "orders"), deploy_dagster=False)])
    account.deploy(commands, smokes=True)
    assert commands.lines("ndjson-pipeline") == [
        f"ndjson-pipeline smoke --env dev --feed {feed} --region {REGION}" for feed in ("", "orders")
    ]
    commands = PlayedCommands([None], fails=("ndjson-pipeline smoke",))
    with pytest.raises(DeployError, match="deployed, but the smoke test of the stream without a name failed"):
        account.deploy(commands, smokes=True)


def removed(purpose: str, *, force: bool = True) -> dict[str, Any]:
    return change(
        f'module.feed[""].aws_s3_bucket.this["{purpose}"]',
        "delete",
        bucket=bucket(purpose),
        force_destroy=force,
    )


FEEDS = {"buckets": {"": {"scripts": bucket("scripts"), "input": bucket("input")}}}


def test_an_environment_goes_once_its_name_is_typed(account: Account) -> None:
    for purpose in ("scripts", "input"):
        account.make_bucket(bucket(purpose))
    account.s3.put_object(Bucket=bucket("scripts"), Key=KEY, Body=b"")
    account.typed = "dev\n"
    commands = PlayedCommands([document(removed("scripts"), removed("input"))], FEEDS)
    account.destroy(commands)
    assert "   2  aws_s3_bucket" in account.told[0]
    assert "terraform workspace select dev" in commands.ran
    assert "-destroy" in commands.lines("terraform plan")[0]
    assert commands.ran[-1].startswith("terraform apply")


@pytest.mark.parametrize("typed", ["yes", "prod", ""])
def test_any_other_word_takes_nothing_away(account: Account, typed: str) -> None:
    account.typed = typed
    commands = PlayedCommands([document(removed("input"))], FEEDS)
    with pytest.raises(RefusedError, match="that is not dev"):
        account.destroy(commands)
    assert commands.lines("terraform apply") == []


@pytest.mark.parametrize("versioned", [False, True], ids=["an object", "a former version"])
def test_data_stays_unless_it_is_said_that_it_goes(account: Account, versioned: bool) -> None:
    account.make_bucket(bucket("input"), versioned=versioned)
    account.s3.put_object(Bucket=bucket("input"), Key="a", Body=b"")
    if versioned:
        account.s3.delete_object(Bucket=bucket("input"), Key="a")
    with pytest.raises(RefusedError, match=f"{bucket('input')} hold data.*pass DELETE_DATA=1"):
        account.destroy(PlayedCommands([document(removed("input"))], FEEDS), confirmed="dev")
    commands = PlayedCommands([document(removed("input"))], FEEDS)
    account.destroy(commands, deletes_data=True, confirmed="dev")
    assert commands.lines("terraform apply")


def test_what_is_protected_stays_whatever_is_said(account: Account) -> None:
    account.make_bucket(bucket("input"))
    account.s3.put_object(Bucket=bucket("input"), Key="a", Body=b"")
    commands = PlayedCommands([document(removed("input", force=False))], FEEDS)
    with pytest.raises(RefusedError, match=r"protected; set protect = false in dev\.tfvars"):
        account.destroy(commands, deletes_data=True, confirmed="dev")
    assert commands.lines("terraform apply") == []


def test_where_nothing_is_nothing_goes(account: Account) -> None:
    commands = PlayedCommands([None])
    account.destroy(commands)
    assert account.told == ["There is nothing of dev."]
    assert commands.lines("terraform apply") == []
