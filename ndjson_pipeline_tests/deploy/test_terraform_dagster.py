"""The Terraform of the shared Dagster.

Most is asked of what Terraform would make, with the provider's own schema and made-up answers of AWS: that knows
every value, and takes no server. `terraform test` is what does it, and its JSON tells the whole state.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ndjson_pipeline.browser_requests import Own, foreign_reason
from ndjson_pipeline.deployment.services.settings import code_servers_of
from ndjson_pipeline.local_aws.server.process import LocalAwsProcess
from ndjson_pipeline.local_aws.settings import LocalAwsSettings
from ndjson_pipeline_tests.deploy.terraform_command import LOCAL_PROVIDER, Terraform, require_terraform

MODULE = Path(__file__).parents[2] / "deploy" / "terraform" / "modules" / "dagster"
ACCOUNT = "123456789012"
DATABASE_SECRET = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:rds!db-0"
CLIENT_SECRET = "the-text-of-the-client's-secret"
HOST, READ_ONLY_HOST = "dagster.example.com", "viewers.example.com"
SENT_HEADERS = ("origin", "sec-fetch-site")


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:us-east-1:{ACCOUNT}:{resource}"


# Only what the provider checks, or the module takes apart: all else is random text.
MOCK = {
    "mock_data": {
        "aws_caller_identity": {"defaults": {"account_id": ACCOUNT}},
        "aws_partition": {"defaults": {"partition": "aws"}},
        "aws_region": {"defaults": {"id": "us-east-1"}},
        "aws_availability_zones": {"defaults": {"names": ["us-east-1a", "us-east-1b", "us-east-1c"]}},
        "aws_secretsmanager_secret_version": {"defaults": {"secret_string": CLIENT_SECRET}},
    },
    "mock_resource": {
        "aws_iam_role": {"defaults": {"arn": f"arn:aws:iam::{ACCOUNT}:role/mock"}},
        "aws_iam_policy": {"defaults": {"arn": f"arn:aws:iam::{ACCOUNT}:policy/mock"}},
        "aws_cloudwatch_log_group": {"defaults": {"arn": _arn("logs", "log-group:mock")}},
        "aws_lb": {"defaults": {"arn": _arn("elasticloadbalancing", "loadbalancer/app/mock/1")}},
        "aws_lb_listener": {"defaults": {"arn": _arn("elasticloadbalancing", "listener/app/mock/1/2")}},
        "aws_lb_target_group": {"defaults": {"arn": _arn("elasticloadbalancing", "targetgroup/mock/1")}},
        "aws_ecs_cluster": {"defaults": {"id": _arn("ecs", "cluster/mock")}},
        "aws_ecs_task_definition": {"defaults": {"arn": _arn("ecs", "task-definition/mock:1")}},
        "aws_service_discovery_service": {"defaults": {"arn": _arn("servicediscovery", "service/mock")}},
        "aws_ecr_repository": {
            "defaults": {
                "arn": _arn("ecr", "repository/mock"),
                "repository_url": f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/mock",
            }
        },
        "aws_db_instance": {
            "defaults": {
                "address": "database.internal",
                "master_user_secret": [
                    {"secret_arn": DATABASE_SECRET, "kms_key_id": "mock", "secret_status": "active"}
                ],
            }
        },
    },
}


def _feed(name: str, **environment: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{name}-output/*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return {"name": name, "environment": environment, "policy_json": json.dumps(policy)}


FEEDS = {
    "main": _feed("ndjson", NDJSON_ENVIRONMENT="prod"),
    "orders": _feed("ndjson-orders", NDJSON_ENVIRONMENT="prod", NDJSON_FEED="orders"),
}
OIDC = {
    "issuer": "https://login.example.com",
    "authorization_endpoint": "https://login.example.com/authorize",
    "token_endpoint": "https://login.example.com/token",
    "user_info_endpoint": "https://login.example.com/userinfo",
    "client_id": "dagster",
    "client_secret_arn": _arn("secretsmanager", "secret:oidc"),
    "egress_cidr_blocks": ["203.0.113.0/24"],
}
UI = {
    "ui_host": HOST,
    "ui_certificate_arn": _arn("acm", "certificate/1"),
    "ui_cidr_blocks": ["10.0.0.0/8", "172.16.0.0/12"],
}
CASES: dict[str, dict[str, Any]] = {
    # A deployment with all that can be had.
    "services": {
        "environment": "prod",
        "code_locations": FEEDS,
        "image_tag": "1f0c2a9b",
        "max_concurrent_runs": 8,
        **UI,
        "ui_read_only_host": READ_ONLY_HOST,
        "oidc": OIDC,
    },
    # The smallest one.
    "one_task": {
        "environment": "dev",
        "code_locations": FEEDS,
        "one_task": True,
        "image": "210987654321.dkr.ecr.eu-west-1.amazonaws.com/shared/dagster@sha256:" + "0" * 64,
        "enable_execute_command": True,
        "endpoint_zones": 1,
    },
    # In a network that is there, with ways of its own, an own key and an image of no registry of AWS's.
    "existing": {
        "environment": "dev",
        "code_locations": {"main": FEEDS["main"]},
        "image": "registry.example.com:5000/dagster:1.2.3",
        "existing_network": {"vpc_id": "vpc-0a1b2c3d", "subnet_ids": ["subnet-1", "subnet-2"]},
        "interface_endpoints": [],
        "task_egress_cidr_blocks": ["10.1.0.0/16"],
        "kms_key_arn": _arn("kms", "key/1"),
        **UI,
    },
}
_COMPLETE = {"environment": "dev", "code_locations": {"main": FEEDS["main"]}, "image_tag": "a"}
# What is refused, and by which of Terraform's checks: each of these alone, beside what is right.
REFUSALS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("another environment", "var.environment", {"environment": "staging"}),
    ("no feed", "var.code_locations", {"code_locations": {}}),
    (
        "a name that is no feed's",
        "var.code_locations",
        {"code_locations": {"a": {**FEEDS["main"], "name": "other"}}},
    ),
    (
        "two feeds of a name",
        "var.code_locations",
        {"code_locations": {"a": FEEDS["main"], "b": FEEDS["main"]}},
    ),
    (
        "a password in the environment",
        "var.code_locations",
        {"code_locations": {"a": _feed("ndjson", DAGSTER_POSTGRES_PASSWORD="x")}},
    ),
    ("one task in prod", "var.one_task", {"environment": "prod", "one_task": True}),
    ("a tag that moves", "var.image_tag", {"image_tag": "latest"}),
    ("an image's tag that moves", "var.image", {"image": "example.com/dagster:latest", "image_tag": None}),
    ("an image without a tag", "var.image", {"image": "example.com/dagster", "image_tag": None}),
    ("image and tag", "var.image_tag", {"image": "example.com/dagster:1"}),
    ("no image", "var.image_tag", {"image_tag": None}),
    (
        "one subnet",
        "var.existing_network",
        {"existing_network": {"vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-1"]}},
    ),
    ("a network too small", "var.vpc_cidr_block", {"vpc_cidr_block": "10.0.0.0/28"}),
    ("an endpoint's address", "var.interface_endpoints", {"interface_endpoints": ["https://logs"]}),
    ("three zones", "var.endpoint_zones", {"endpoint_zones": 3}),
    ("an account that is none", "var.endpoint_accounts", {"endpoint_accounts": ["1234"]}),
    (
        "a gateway in another's network",
        "var.nat_gateway",
        {
            "nat_gateway": True,
            "existing_network": {"vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-2"]},
        },
    ),
    ("egress to a name", "var.task_egress_cidr_blocks", {"task_egress_cidr_blocks": ["example.com"]}),
    ("PostgreSQL 15", "var.database", {"database": {"engine_version": "15"}}),
    ("a class that is none", "var.database", {"database": {"instance_class": "t4g.micro"}}),
    ("storage that can't grow", "var.database", {"database": {"storage_gb": 100, "max_storage_gb": 100}}),
    ("no backups", "var.database", {"database": {"backup_days": 0}}),
    ("a key's alias", "var.kms_key_arn", {"kms_key_arn": _arn("kms", "alias/mine")}),
    ("a size of nobody's", "var.code_server_size", {"code_server_size": {"cpu": 512, "memory": 512}}),
    ("cores of nobody's", "var.daemon_size", {"daemon_size": {"cpu": 300, "memory": 1024}}),
    ("memory of nobody's", "var.webserver_size", {"webserver_size": {"cpu": 256, "memory": 4096}}),
    ("a task of nobody's", "var.one_task_size", {"one_task_size": {"cpu": 1024, "memory": 1024}}),
    ("no run at all", "var.max_concurrent_runs", {"max_concurrent_runs": 0}),
    ("logs for a day and a half", "var.log_retention_days", {"log_retention_days": 2}),
    ("a topic's name", "var.alarm_topic_arns", {"alarm_topic_arns": ["alerts"]}),
    ("a host with a scheme", "var.ui_host", {**UI, "ui_host": "https://dagster.example.com"}),
    ("a UI without TLS", "var.ui_host", {**UI, "ui_certificate_arn": None}),
    ("a UI for nobody", "var.ui_host", {**UI, "ui_cidr_blocks": []}),
    ("a UI for the world", "var.ui_cidr_blocks", {**UI, "ui_cidr_blocks": ["0.0.0.0/0"]}),
    ("a UI for half the world", "var.ui_cidr_blocks", {**UI, "ui_cidr_blocks": ["128.0.0.0/1"]}),
    ("a certificate's name", "var.ui_certificate_arn", {**UI, "ui_certificate_arn": "mine"}),
    ("viewers alone", "var.ui_read_only_host", {"ui_read_only_host": READ_ONLY_HOST}),
    ("viewers by the same name", "var.ui_read_only_host", {**UI, "ui_read_only_host": HOST}),
    (
        "viewers in one task",
        "var.ui_read_only_host",
        {**UI, "ui_read_only_host": READ_ONLY_HOST, "one_task": True},
    ),
    ("a provider without TLS", "var.oidc", {**UI, "oidc": {**OIDC, "issuer": "http://login.example.com"}}),
    ("a client's secret itself", "var.oidc", {**UI, "oidc": {**OIDC, "client_secret_arn": "hunter2"}}),
    ("a provider out of reach", "var.oidc", {**UI, "oidc": {**OIDC, "egress_cidr_blocks": []}}),
    ("a session of a month", "var.oidc", {**UI, "oidc": {**OIDC, "session_seconds": 2_592_000}}),
    ("no way to AWS", "aws_ecs_service.this", {"interface_endpoints": []}),
)


@dataclass(frozen=True)
class Made:
    """What Terraform would make: each resource's values, by its address."""

    resources: Mapping[str, Mapping[str, Any]]

    def of(self, kind: str) -> dict[str, Mapping[str, Any]]:
        """Return the resources of a kind, by what tells them apart."""
        found = {}
        for address, values in self.resources.items():
            if matched := re.fullmatch(rf'{kind}\.([a-z_0-9]+)(?:\["?(.*?)"?\])?', address):
                found[".".join(filter(None, matched.groups()))] = values
        return found

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return each container's definition, by its name."""
        return {
            container["name"]: container
            for task in self.of("aws_ecs_task_definition").values()
            for container in json.loads(task["container_definitions"])
        }

    def environment(self, container: str) -> dict[str, str]:
        """Return a container's variables."""
        return {pair["name"]: pair["value"] for pair in self.containers()[container]["environment"]}

    def group_names(self) -> dict[str, str]:
        """Return what the security groups are called, by their ids."""
        return {values["id"]: name for name, values in self.of("aws_security_group").items()}

    def talks(self, direction: str) -> set[tuple[str, str, int]]:
        """Return the rules of a direction: the group, whom it talks to, and by which port."""
        names = self.group_names()
        return {
            (
                names[rule["security_group_id"]].removeprefix("component."),
                names.get(rule["referenced_security_group_id"], "").removeprefix("component.")
                or rule["cidr_ipv4"]
                or "prefix list",
                rule["from_port"],
            )
            for rule in self.of(f"aws_vpc_security_group_{direction}_rule").values()
            if rule["ip_protocol"] == "tcp" and rule["from_port"] == rule["to_port"]
        }


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What `terraform test` told of all cases and refusals."""
    require_terraform()
    folder = tmp_path_factory.mktemp("module")
    shutil.copytree(MODULE, folder, dirs_exist_ok=True)
    for name, variables in CASES.items():
        _write_test(folder / f"{name}.tftest.json", {name: {"command": "apply", "variables": variables}})
    refused = {
        f"refusal_{number}": {
            "command": "plan",
            "variables": {**_COMPLETE, **wrong},
            "expect_failures": [check],
        }
        for number, (_, check, wrong) in enumerate(REFUSALS)
    }
    _write_test(folder / "refusals.tftest.json", refused)
    terraform = Terraform(folder, {})
    terraform.init()
    told = terraform.run("test", "-json", "-verbose", statuses=(0, 1))
    return [json.loads(line) for line in told.splitlines()]


def _write_test(path: Path, runs: dict[str, Any]) -> None:
    path.write_text(json.dumps({"mock_provider": {"aws": MOCK}, "run": runs}))


def _complaints(tried: list[dict[str, Any]], run: str) -> list[str]:
    return [
        f"{line['diagnostic']['summary']}: {line['diagnostic']['detail']}"
        for line in tried
        if line["type"] == "diagnostic"
        and line["diagnostic"]["severity"] == "error"
        and line.get("@testrun") == run
    ]


def _made(tried: list[dict[str, Any]], name: str) -> Made:
    assert _complaints(tried, name) == []
    [state] = [line for line in tried if line["type"] == "test_state" and line.get("@testrun") == name]
    resources = state["test_state"]["values"]["root_module"]["resources"]
    return Made({one["address"]: one["values"] for one in resources})


@pytest.fixture(scope="module")
def services(tried: list[dict[str, Any]]) -> Made:
    return _made(tried, "services")


@pytest.fixture(scope="module")
def one_task(tried: list[dict[str, Any]]) -> Made:
    return _made(tried, "one_task")


@pytest.fixture(scope="module")
def existing(tried: list[dict[str, Any]]) -> Made:
    return _made(tried, "existing")


@pytest.fixture(params=list(CASES))
def any_case(request: pytest.FixtureRequest, tried: list[dict[str, Any]]) -> Made:
    return _made(tried, request.param)


# What is refused


@pytest.mark.parametrize("number", range(len(REFUSALS)), ids=[name for name, _, _ in REFUSALS])
def test_what_makes_no_sense_is_refused(tried: list[dict[str, Any]], number: int) -> None:
    run = f"refusal_{number}"
    [status] = {
        line["test_run"]["status"]
        for line in tried
        if line["type"] == "test_run" and line["test_run"]["run"] == run and "status" in line["test_run"]
    }
    assert status == "pass", _complaints(tried, run)


def test_the_files_are_formatted() -> None:
    require_terraform()
    assert Terraform(MODULE, {}).run("fmt", "-check", "-recursive") == ""


def test_every_variable_says_what_it_is() -> None:
    text = (MODULE / "variables.tf").read_text()
    for block in re.split(r"^variable ", text, flags=re.MULTILINE)[1:]:
        name = block.split('"')[1]
        assert re.search(r"^  type +=", block, re.MULTILINE), name
        assert re.search(r'^  description +="?', block.replace('= "', '="'), re.MULTILINE), name
        is_switch = re.search(r"^  type +=? *=? bool$", block, re.MULTILINE) is not None
        assert "validation {" in block or is_switch or name == "access_logs", name


# The network


def test_nothing_is_open_to_the_world(any_case: Made) -> None:
    blocks = {
        block
        for group in any_case.of("aws_security_group").values()
        for rule in [*group["ingress"], *group["egress"]]
        for block in [*rule["cidr_blocks"], *rule["ipv6_cidr_blocks"]]
    }
    blocks |= {
        rule["cidr_ipv4"] or rule["cidr_ipv6"]
        for direction in ("ingress", "egress")
        for rule in any_case.of(f"aws_vpc_security_group_{direction}_rule").values()
    }
    assert blocks & {"0.0.0.0/0", "::/0"} == set()
    assert not any(
        service["network_configuration"][0]["assign_public_ip"]
        for service in any_case.of("aws_ecs_service").values()
    )
    assert not any(one["publicly_accessible"] for one in any_case.of("aws_db_instance").values())
    assert all(one["internal"] for one in any_case.of("aws_lb").values())


def test_each_talks_to_whom_it_must_and_to_nobody_else(services: Made) -> None:
    callers = ("code-server", "daemon", "webserver")
    assert services.talks("ingress") == {
        ("load_balancer", "10.0.0.0/8", 443),
        ("load_balancer", "172.16.0.0/12", 443),
        ("webserver", "load_balancer", 3000),
        ("code-server", "daemon", 4000),
        ("code-server", "webserver", 4000),
        *(("database", caller, 5432) for caller in callers),
        *(("endpoints.0", caller, 443) for caller in callers),
    } | {("load_balancer", block, 443) for block in UI["ui_cidr_blocks"]} - {
        ("load_balancer", "x", 443)
    } or _renamed(services.talks("ingress"))


def test_the_network_has_no_way_out(services: Made) -> None:
    assert services.of("aws_nat_gateway") == {}
    assert services.of("aws_internet_gateway") == {}
    assert services.of("aws_route") == {}
