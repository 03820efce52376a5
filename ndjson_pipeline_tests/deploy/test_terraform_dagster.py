"""The Terraform of the shared Dagster.

Most is asked of what Terraform would make, with the provider's own schema and made-up answers of AWS: that
knows every value, and takes no server. `terraform test` is what does it, and its JSON tells the whole state.
"""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ndjson_pipeline.local_aws.server.process import LocalAwsProcess
from ndjson_pipeline.local_aws.settings import LocalAwsSettings
from ndjson_pipeline_tests.deploy.dagster_cases import (
    ACCOUNT,
    CASES,
    CLIENT_SECRET,
    COMPLETE,
    DATABASE_SECRET,
    FEEDS,
    HOST,
    MOCK,
    OIDC,
    READ_ONLY_HOST,
    arn,
)
from ndjson_pipeline_tests.deploy.dagster_refusals import REFUSALS, ROUNDS
from ndjson_pipeline_tests.deploy.made import Made
from ndjson_pipeline_tests.deploy.terraform_command import LOCAL_PROVIDER, Terraform, require_terraform

ROOT = Path(__file__).parents[2] / "deploy" / "terraform"
MODULE = ROOT / "modules" / "dagster"
CLIENTS = Path(__file__).parents[2] / "ndjson_pipeline" / "deployment" / "clients.py"
COST = Path(__file__).parents[2] / "docs" / "cost.md"
# Of a month, as AWS counts them.
_HOURS = 730


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What `terraform test` told of all cases and refusals."""
    require_terraform()
    folder = tmp_path_factory.mktemp("module")
    shutil.copytree(MODULE, folder, dirs_exist_ok=True)
    for name, variables in CASES.items():
        _write_test(folder / f"{name}.tftest.json", {name: {"command": "apply", "variables": variables}})
    rounds = [f"refusals_{round_number}" for round_number in range(len(ROUNDS))]
    for name, numbers in zip(rounds, ROUNDS, strict=True):
        variables = dict(COMPLETE)
        for number in numbers:
            variables |= REFUSALS[number][2]
        expected = sorted({REFUSALS[number][1] for number in numbers})
        _write_test(
            folder / f"{name}.tftest.json",
            {name: {"command": "plan", "variables": variables, "expect_failures": expected}},
        )
    terraform = Terraform(folder, {})
    terraform.init()
    with terraform.kept_provider() as kept:
        # A verbose run tells all schemas, 13 MB; of a refusal nobody asks for its state.
        told = _told(kept, list(CASES), "-verbose") + _told(kept, rounds)
    return [json.loads(line) for line in told.splitlines()]


def _told(terraform: Terraform, names: list[str], *options: str) -> str:
    filters = [f"-filter={name}.tftest.json" for name in names]
    return terraform.run("test", "-json", *options, *filters, statuses=(0, 1))


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
    resources = state["test_state"]["root_module"]["resources"]
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
    [round_number] = [place for place, numbers in enumerate(ROUNDS) if number in numbers]
    run = f"refusals_{round_number}"
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
    for name, block in _blocks(MODULE / "variables.tf", "variable").items():
        assert re.search(r"^  type +=", block, re.MULTILINE), name
        assert re.search(r'^  description += "', block, re.MULTILINE), name
        # A switch has no other values; of the bucket's name S3 judges.
        assert "validation {" in block or "= bool\n" in block or name == "access_logs", name


def test_the_root_passes_every_variable_on() -> None:
    declared = set(_blocks(MODULE / "variables.tf", "variable"))
    passed = set(
        re.findall(r"^  ([a-z_]+) +=", _blocks(ROOT / "dagster.tf", "module")["dagster"], re.MULTILINE)
    )
    assert passed - {"count", "source"} == declared
    offered = re.findall(
        r"^    ([a-z_]+) += optional",
        _blocks(ROOT / "dagster_variables.tf", "variable")["dagster"],
        re.MULTILINE,
    )
    assert {*offered, "environment", "code_locations", "image", "image_tag"} == declared


def _blocks(path: Path, kind: str) -> dict[str, str]:
    parts = re.split(rf'^{kind} "([a-z_]+)"', path.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


# The network


def test_nothing_is_open_to_the_world(any_case: Made) -> None:
    blocks = {
        rule["cidr_ipv4"] or rule["cidr_ipv6"]
        for direction in ("ingress", "egress")
        for rule in any_case.of(f"aws_vpc_security_group_{direction}_rule").values()
    }
    assert blocks & {"0.0.0.0/0", "::/0"} == set()
    for service in any_case.of("aws_ecs_service").values():
        assert service["network_configuration"][0]["assign_public_ip"] is False
    for database in any_case.of("aws_db_instance").values():
        assert database["publicly_accessible"] is False
    for balancer in any_case.of("aws_lb").values():
        assert balancer["internal"] is True


def test_each_service_hears_whom_it_must_and_nobody_else(services: Made) -> None:
    callers = ("code-server", "daemon", "webserver")
    assert services.talks("ingress") == {
        ("load_balancer", "10.0.0.0/8", 443),
        ("load_balancer", "172.16.0.0/12", 443),
        ("webserver", "load_balancer", 3000),
        ("code-server", "daemon", 4000),
        ("code-server", "webserver", 4000),
        *(("database", caller, 5432) for caller in callers),
        *(("endpoints", caller, 443) for caller in callers),
    }


def test_each_service_speaks_to_whom_it_must_and_nobody_else(services: Made) -> None:
    callers = ("code-server", "daemon", "webserver")
    assert services.talks("egress") == {
        ("load_balancer", "webserver", 3000),
        ("load_balancer", "203.0.113.0/24", 443),
        ("daemon", "code-server", 4000),
        ("webserver", "code-server", 4000),
        ("code-server", "dynamodb", 443),
        *((caller, "s3", 443) for caller in callers),
        *((caller, "database", 5432) for caller in callers),
        *((caller, "endpoints", 443) for caller in callers),
    }


def test_one_task_hears_nobody_where_it_has_no_load_balancer(one_task: Made) -> None:
    assert one_task.talks("ingress") == {("database", "platform", 5432), ("endpoints", "platform", 443)}


def test_an_existing_networks_ways_are_used(existing: Made) -> None:
    assert existing.of("aws_vpc") == existing.of("aws_subnet") == existing.of("aws_vpc_endpoint") == {}
    assert ("daemon", "10.1.0.0/16", 443) in existing.talks("egress")
    for service in existing.of("aws_ecs_service").values():
        assert service["network_configuration"][0]["subnets"] == ["subnet-1", "subnet-2"]


def test_the_own_network_leads_nowhere_but_to_aws(services: Made, one_task: Made) -> None:
    for kind in ("aws_nat_gateway", "aws_internet_gateway", "aws_route"):
        assert services.of(kind) == one_task.of(kind) == {}
    called = {"ecr.api", "ecr.dkr", "logs", "secretsmanager", "sts", "glue", "sns", "lambda"}
    assert _endpoints(services) == called | {"s3", "dynamodb"}
    assert _endpoints(one_task) == called | {"s3", "dynamodb", "ssmmessages"}
    assert {len(one["subnet_ids"]) for one in services.of("aws_vpc_endpoint.interface").values()} == {2}
    assert {len(one["subnet_ids"]) for one in one_task.of("aws_vpc_endpoint.interface").values()} == {1}


def test_what_the_code_calls_has_an_endpoint(services: Made) -> None:
    """A client that is new in the code location would wait for a service that it can't reach."""
    text = CLIENTS.read_text()
    called = set(re.findall(r'session\.client\("([a-z0-9-]+)"', text))
    assert {"sts", "glue"} <= called
    assert called <= _endpoints(services)


def _endpoints(made: Made) -> set[str]:
    return {
        one["service_name"].removeprefix("com.amazonaws.us-east-1.")
        for one in made.of("aws_vpc_endpoint").values()
    }


def test_the_gateways_let_through_what_is_the_accounts_own(services: Made) -> None:
    for endpoint in services.of("aws_vpc_endpoint.gateway").values():
        for statement in json.loads(endpoint["policy"])["Statement"]:
            if "starport-layer-bucket" in statement["Resource"]:
                assert statement["Action"] == "s3:GetObject"
            else:
                assert statement["Condition"] == {"StringEquals": {"aws:ResourceAccount": [ACCOUNT]}}
    for endpoint in services.of("aws_vpc_endpoint.interface").values():
        [statement] = json.loads(endpoint["policy"])["Statement"]
        assert statement["Condition"] == {"StringEquals": {"aws:PrincipalAccount": [ACCOUNT]}}


# The database


def test_the_database_is_guarded(services: Made, one_task: Made) -> None:
    prod, dev = (made.resources["aws_db_instance.this"] for made in (services, one_task))
    for database in (prod, dev):
        assert database["storage_encrypted"] is True
        assert database["manage_master_user_password"] is True
        assert database["password"] is None
        assert database["engine_version"] == "17"
        assert database["max_allocated_storage"] > database["allocated_storage"]
        assert sorted(database["enabled_cloudwatch_logs_exports"]) == ["postgresql", "upgrade"]
    for made in (services, one_task):
        parameters = {
            one["name"]: one["value"] for one in made.resources["aws_db_parameter_group.this"]["parameter"]
        }
        assert parameters["rds.force_ssl"] == "1"
    protection = ("deletion_protection", "multi_az", "skip_final_snapshot", "delete_automated_backups")
    assert [prod[name] for name in protection] == [True, True, False, False]
    assert [dev[name] for name in protection] == [False, False, True, True]


# The services


def test_two_daemons_and_two_code_servers_never_go_at_once(services: Made) -> None:
    deployed = {
        name.removeprefix("this."): (
            one["deployment_minimum_healthy_percent"],
            one["deployment_maximum_percent"],
            one["desired_count"],
        )
        for name, one in services.of("aws_ecs_service").items()
    }
    assert deployed == {
        "daemon": (0, 100, 1),
        "code-server-ndjson": (0, 100, 1),
        "code-server-ndjson-orders": (0, 100, 1),
        "webserver": (100, 200, 1),
        "webserver-read-only": (100, 200, 1),
    }


def test_a_deployment_that_fails_goes_back(any_case: Made) -> None:
    for service in any_case.of("aws_ecs_service").values():
        assert service["deployment_circuit_breaker"] == [{"enable": True, "rollback": True}]
        assert service["availability_zone_rebalancing"] == "DISABLED"
    for task in any_case.of("aws_ecs_task_definition").values():
        assert task["skip_destroy"] is True
        assert task["runtime_platform"] == [{"cpu_architecture": "ARM64", "operating_system_family": "LINUX"}]


def test_no_container_is_told_a_secret(any_case: Made) -> None:
    for name, container in any_case.containers().items():
        assert container.get("secrets", []) == [], name
        text = json.dumps(container)
        assert CLIENT_SECRET not in text
        assert not re.search("PASSWORD|SECRET_ACCESS_KEY|SESSION_TOKEN", text), name
        assert any_case.environment(name)["DAGSTER_POSTGRES_SECRET_ARN"] == DATABASE_SECRET
        assert any_case.environment(name)["PGSSLMODE"] == "verify-full"


def test_containers_write_into_one_folder_of_their_own(services: Made, one_task: Made) -> None:
    for made, dropped in ((services, ["ALL"]), (one_task, [])):
        for name, container in made.containers().items():
            assert container["mountPoints"] == [
                {"sourceVolume": name, "containerPath": "/tmp", "readOnly": False}
            ]
            assert made.environment(name)["DAGSTER_HOME"].startswith("/tmp/")
            assert container["linuxParameters"] == {
                "initProcessEnabled": True,
                "capabilities": {"drop": dropped},
            }
    assert {one["readonlyRootFilesystem"] for one in services.containers().values()} == {True}
    # ECS Exec's agent writes.
    assert {one["readonlyRootFilesystem"] for one in one_task.containers().values()} == {False}


def test_each_service_runs_its_command(services: Made) -> None:
    containers = services.containers()
    assert {name: one["command"] for name, one in containers.items()} == {
        "daemon": ["daemon"],
        "webserver": ["webserver"],
        "webserver-read-only": ["webserver", "--read-only"],
        "code-server-ndjson": ["code-server", "--port", "4000"],
        "code-server-ndjson-orders": ["code-server", "--port", "4000"],
    }
    assert {tuple(one["entryPoint"]) for one in containers.values()} == {
        ("python", "-m", "ndjson_pipeline.deployment.services")
    }
    assert {one["image"].rpartition(":")[2] for one in containers.values()} == {"1f0c2a9b"}
    assert {name: one["stopTimeout"] for name, one in containers.items()}["code-server-ndjson"] == 120
    looks = {name: " ".join(one["healthCheck"]["command"]) for name, one in containers.items()}
    assert "127.0.0.1:3000/server_info" in looks["webserver"]
    assert looks["daemon"] == "CMD dagster-daemon liveness-check"
    assert looks["code-server-ndjson"] == "CMD dagster api grpc-health-check --port 4000"


def test_the_code_servers_are_found(services: Made, one_task: Made) -> None:
    for name in ("daemon", "webserver", "webserver-read-only"):
        assert services.environment(name)["NDJSON_CODE_SERVERS"] == (
            "ndjson_pipeline=ndjson.ndjson-dagster-prod.internal:4000,"
            "orders=ndjson-orders.ndjson-dagster-prod.internal:4000"
        )
    assert {
        one["name"]: [record["ttl"] for record in one["dns_config"][0]["dns_records"]]
        for one in services.of("aws_service_discovery_service").values()
    } == {"ndjson": [10], "ndjson-orders": [10]}
    assert services.resources["aws_service_discovery_private_dns_namespace.this[0]"]["name"] == (
        "ndjson-dagster-prod.internal"
    )
    registered = {name for name, one in services.of("aws_ecs_service").items() if one["service_registries"]}
    assert registered == {"this.code-server-ndjson", "this.code-server-ndjson-orders"}
    assert one_task.environment("daemon")["NDJSON_CODE_SERVERS"] == (
        "ndjson_pipeline=127.0.0.1:4000,orders=127.0.0.1:4001"
    )


def test_each_code_server_has_its_feeds_environment(services: Made, one_task: Made) -> None:
    for made in (services, one_task):
        assert made.environment("code-server-ndjson-orders")["NDJSON_FEED"] == "orders"
        assert "NDJSON_FEED" not in made.environment("code-server-ndjson")
        assert "NDJSON_FEED" not in made.environment("daemon")
    assert services.environment("code-server-ndjson")["NDJSON_DAGSTER_URL"] == f"https://{HOST}"
    assert services.environment("webserver")["NDJSON_DAGSTER_URL"] == f"https://{HOST}"
    assert services.environment("webserver-read-only")["NDJSON_DAGSTER_URL"] == f"https://{READ_ONLY_HOST}"
    assert services.environment("daemon")["DAGSTER_MAX_CONCURRENT_RUNS"] == "8"
    assert "DAGSTER_MAX_CONCURRENT_RUNS" not in one_task.environment("daemon")


def test_one_task_has_them_all(one_task: Made) -> None:
    [service] = one_task.of("aws_ecs_service").values()
    assert (service["deployment_minimum_healthy_percent"], service["deployment_maximum_percent"]) == (0, 100)
    [task] = one_task.of("aws_ecs_task_definition").values()
    names = ["code-server-ndjson", "code-server-ndjson-orders", "daemon", "webserver"]
    assert sorted(one_task.containers()) == names
    assert sorted(volume["name"] for volume in task["volume"]) == names
    commands = {name: one["command"] for name, one in one_task.containers().items()}
    assert commands["code-server-ndjson-orders"] == ["code-server", "--port", "4001"]
    ports = [
        mapping["containerPort"] for one in one_task.containers().values() for mapping in one["portMappings"]
    ]
    assert sorted(ports) == [3000, 4000, 4001]
    assert one_task.of("aws_lb") == one_task.of("aws_service_discovery_service") == {}


def test_logs_are_kept_for_two_weeks(any_case: Made) -> None:
    groups = any_case.of("aws_cloudwatch_log_group").values()
    assert {one["retention_in_days"] for one in groups} == {14}
    written = {one["logConfiguration"]["options"]["awslogs-group"] for one in any_case.containers().values()}
    assert written <= {one["name"] for one in groups}


# The load balancer


def test_the_load_balancers_rules_are_those_of_the_readme(services: Made) -> None:
    """In their order; the README's table has one line each, for one UI."""
    table = (
        (ROOT.parent / "README.md").read_text().partition("| condition | action |")[2].partition("\n\n")[0]
    )
    lines = [line for line in table.splitlines() if line.startswith("| `Host`")]
    told = [
        (
            (["path"] if "`/graphql*`" in line else []) + re.findall(r"`(Origin|Sec-Fetch-Site)`", line),
            "forward" in line,
        )
        for line in lines
    ]
    assert len(told) == 4
    rules = sorted(services.of("aws_lb_listener_rule").values(), key=lambda rule: rule["priority"])
    made = [_rule(rule) for rule in rules]
    for host in (HOST, READ_ONLY_HOST):
        own = [rule for rule in made if rule["host"] == [host]]
        assert [
            ([*(["path"] if one["path"] else []), *one["headers"]], one["target"] != "") for one in own
        ] == told
        assert [one["path"] for one in own] == [[], [], ["/graphql*"], []]
        assert [one["headers"] for one in own] == [
            {"Origin": [f"https://{host}"]},
            {"Origin": ["?*"]},
            {"Sec-Fetch-Site": ["cross-site", "same-site"]},
            {},
        ]
        # Who has no login yet is led to it, but for what a page asks by itself.
        assert [one["login"] for one in own] == ["deny", "", "", "authenticate"]
    [default] = services.resources["aws_lb_listener.this[0]"]["default_action"]
    assert default["fixed_response"][0]["status_code"] == "403"


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return a rule's conditions, where it forwards to, and what it does with who has no login."""
    actions = {
        action["type"]: action for action in sorted(rule["action"], key=lambda action: action["order"])
    }
    kinds = list(actions)
    assert kinds in (["authenticate-oidc", "forward"], ["forward"], ["fixed-response"])
    if "fixed-response" in actions:
        assert actions["fixed-response"]["fixed_response"][0]["status_code"] == "403"
    conditions = rule["condition"]
    return {
        "host": [value for one in conditions for host in one["host_header"] for value in host["values"]],
        "path": [value for one in conditions for path in one["path_pattern"] for value in path["values"]],
        "headers": {
            header["http_header_name"]: sorted(header["values"])
            for one in conditions
            for header in one["http_header"]
        },
        "target": actions["forward"]["target_group_arn"] if "forward" in actions else "",
        "login": (
            actions["authenticate-oidc"]["authenticate_oidc"][0]["on_unauthenticated_request"]
            if "authenticate-oidc" in actions
            else ""
        ),
    }


def test_the_load_balancer_is_strict(services: Made, existing: Made) -> None:
    for made, is_protected in ((services, True), (existing, False)):
        balancer = made.resources["aws_lb.this[0]"]
        assert balancer["drop_invalid_header_fields"] is True
        assert balancer["enable_deletion_protection"] is is_protected
        listener = made.resources["aws_lb_listener.this[0]"]
        assert (listener["protocol"], listener["port"]) == ("HTTPS", 443)
        assert "TLS13-1-2" in listener["ssl_policy"]
        for group in made.of("aws_lb_target_group").values():
            assert group["health_check"][0]["path"] == "/server_info"
            assert len(group["name"]) <= 32


def test_without_a_provider_whoever_comes_is_let_in(existing: Made) -> None:
    kinds = [
        [action["type"] for action in rule["action"]]
        for rule in sorted(existing.of("aws_lb_listener_rule").values(), key=lambda rule: rule["priority"])
    ]
    assert kinds == [["forward"], ["fixed-response"], ["fixed-response"], ["forward"]]


# The roles


def test_roles_are_assumed_by_tasks_of_this_account_alone(any_case: Made) -> None:
    for role in any_case.of("aws_iam_role").values():
        [statement] = json.loads(role["assume_role_policy"])["Statement"]
        assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
        assert statement["Condition"] == {
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
            "ArnLike": {"aws:SourceArn": f"arn:aws:ecs:us-east-1:{ACCOUNT}:*"},
        }


def test_daemon_and_webserver_may_read_their_secret_and_no_more(services: Made) -> None:
    roles = {name: one["name"] for name, one in services.of("aws_iam_role").items()}
    assert roles == {
        "execution": "ndjson-dagster-execution-prod",
        "task.daemon": "ndjson-dagster-daemon-prod",
        "task.webserver": "ndjson-dagster-webserver-prod",
        "task.code-server-ndjson": "ndjson-parquet-code-location-prod",
        "task.code-server-ndjson-orders": "ndjson-orders-parquet-code-location-prod",
    }
    for name, policy in services.of("aws_iam_role_policy").items():
        if name.startswith("task"):
            assert json.loads(policy["policy"])["Statement"] == [
                {
                    "Sid": "ReadDatabaseSecret",
                    "Effect": "Allow",
                    "Action": "secretsmanager:GetSecretValue",
                    "Resource": DATABASE_SECRET,
                }
            ]
    attached = {name: one["role"] for name, one in services.of("aws_iam_role_policy_attachment").items()}
    assert attached == {
        "code_location.main": "ndjson-parquet-code-location-prod",
        "code_location.orders": "ndjson-orders-parquet-code-location-prod",
    }
    for key, feed in FEEDS.items():
        policy = services.resources[f'aws_iam_policy.code_location["{key}"]']["policy"]
        assert json.loads(policy) == json.loads(feed["policy_json"])


def test_what_the_mock_cannot_tell_apart_is_chosen_by_its_key() -> None:
    """The mock gives all resources of a kind one ARN, so that these are asked of the text."""
    task = (MODULE / "containers.tf").read_text()
    assert (
        'aws_iam_role.task[each.value.component == "code-server" ? each.key : each.value.component].arn'
        in task
    )
    assert "aws_lb_target_group.ui[each.value.ui].arn" in (MODULE / "load_balancer.tf").read_text()
    service = (MODULE / "services.tf").read_text()
    assert "aws_ecs_task_definition.this[each.key].arn" in service
    assert "aws_service_discovery_service.code_server[service_registries.value].arn" in service


def test_nothing_is_granted_on_everything_but_what_knows_no_resource(any_case: Made) -> None:
    for policy in any_case.of("aws_iam_role_policy").values():
        for statement in json.loads(policy["policy"])["Statement"]:
            actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
            assert not any("*" in action or "PassRole" in action for action in actions)
            if statement["Resource"] == "*":
                assert all(
                    action == "ecr:GetAuthorizationToken" or action.startswith("ssmmessages:")
                    for action in actions
                )


def test_an_image_is_pulled_with_rights_on_its_repository_alone(
    services: Made, one_task: Made, existing: Made
) -> None:
    def pulled(made: Made) -> list[str]:
        statements = json.loads(made.resources["aws_iam_role_policy.execution"]["policy"])["Statement"]
        return [arn for one in statements if one["Sid"] == "PullImage" for arn in one["Resource"]]

    assert pulled(services) == [arn("ecr", "repository/mock")]
    assert pulled(one_task) == ["arn:aws:ecr:eu-west-1:210987654321:repository/shared/dagster"]
    assert pulled(existing) == []


def test_the_repository_keeps_what_its_tags_say(services: Made, one_task: Made) -> None:
    [repository] = services.of("aws_ecr_repository").values()
    assert repository["image_tag_mutability"] == "IMMUTABLE"
    assert repository["image_scanning_configuration"] == [{"scan_on_push": True}]
    assert repository["force_delete"] is False
    assert one_task.of("aws_ecr_repository") == {}


def test_an_own_key_encrypts_and_may_be_used_for_the_secret_alone(existing: Made) -> None:
    key = arn("kms", "key/1")
    database = existing.resources["aws_db_instance.this"]
    assert database["kms_key_id"] == database["master_user_secret_kms_key_id"] == key
    for policy in (
        one for name, one in existing.of("aws_iam_role_policy").items() if name.startswith("task")
    ):
        [decrypts] = [
            one for one in json.loads(policy["policy"])["Statement"] if one["Action"].startswith("kms:")
        ]
        assert (decrypts["Action"], decrypts["Resource"]) == ("kms:Decrypt", key)
        assert decrypts["Condition"] == {"StringEquals": {"kms:EncryptionContext:SecretARN": DATABASE_SECRET}}


# What it costs while nothing happens


def test_the_cost_page_says_what_the_plan_costs(services: Made, one_task: Made) -> None:
    text = COST.read_text().partition("## The idle platform")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    told = [float(number) for row in rows for number in re.findall(r"^\**(\d+\.\d+)\**$", row[1].strip())]
    [core, memory, database, storage, endpoint, balancer, nat, address, zone, secret, alarm, key] = told[-12:]

    def fargate(made: Made, task: str) -> float:
        values = made.resources[f'aws_ecs_task_definition.this["{task}"]']
        return _HOURS * (int(values["cpu"]) / 1024 * core + int(values["memory"]) / 1024 * memory)

    def common(made: Made, alarms: int) -> list[float]:
        values = made.resources["aws_db_instance.this"]
        assert values["instance_class"] == "db.t4g.micro"
        standby = 2 if values["multi_az"] else 1
        places = sum(len(one["subnet_ids"]) for one in made.of("aws_vpc_endpoint.interface").values())
        return [
            _HOURS * database * standby,
            values["allocated_storage"] * storage * standby,
            _HOURS * endpoint * places,
            *([_HOURS * balancer, zone] if made.of("aws_lb") else []),
            secret,
            alarms * alarm,
        ]

    dev = [fargate(one_task, "platform"), *common(one_task, len(one_task.of("aws_cloudwatch_metric_alarm")))]
    # One feed, and no UI for viewers.
    prod = [
        *(fargate(services, task) for task in ("daemon", "webserver", "code-server-ndjson")),
        *common(services, len(services.of("aws_cloudwatch_metric_alarm")) - 2),
    ]
    more = [
        fargate(services, "code-server-ndjson-orders") + alarm,
        fargate(services, "webserver-read-only") + alarm,
        _HOURS * (nat + address),
        key,
    ]
    computed = [*dev, sum(map(_cents, dev)), *prod, sum(map(_cents, prod)), *more]
    assert told[:-12] == pytest.approx([_cents(amount) for amount in computed], abs=0.005)


def _cents(amount: float) -> float:
    return round(amount, 2)


# On the local AWS: what it takes, it takes, and a second plan finds nothing to do.


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["services", "one_task"])
def test_the_module_is_applied_and_destroyed(name: str, tmp_path: Path) -> None:
    require_terraform()
    shutil.copytree(MODULE, tmp_path / "dagster")
    variables: dict[str, Any] = {
        **CASES[name],
        "environment": "dev",
        # The local AWS starts no tasks.
        "wait_for_services": False,
    }
    made: dict[str, Any] = {}
    if name == "services":
        variables["nat_gateway"] = True
        variables["ui_certificate_arn"] = "${aws_acm_certificate.ui.arn}"
        variables["oidc"] = {
            **OIDC,
            "client_secret_arn": "${aws_secretsmanager_secret_version.client.arn}",
        }
        made = {
            "aws_acm_certificate": {"ui": {"domain_name": HOST, "validation_method": "DNS"}},
            "aws_secretsmanager_secret": {"client": {"name": "client"}},
            "aws_secretsmanager_secret_version": {
                "client": {
                    "secret_id": "${aws_secretsmanager_secret.client.id}",
                    "secret_string": CLIENT_SECRET,
                }
            },
        }
    root = {"provider": {"aws": LOCAL_PROVIDER}, "module": {"dagster": {"source": "./dagster", **variables}}}
    (tmp_path / "main.tf.json").write_text(json.dumps({**root, **({"resource": made} if made else {})}))
    settings = LocalAwsSettings(queue_enabled=False, timer_enabled=False)
    with LocalAwsProcess(directory=tmp_path / "aws", settings=settings) as aws:
        terraform = Terraform(tmp_path, aws.client_environment())
        terraform.init()
        terraform.apply()
        assert terraform.changes() == ""
        ecs = aws.client("ecs")
        deployed = ecs.list_services(cluster="ndjson-dagster-dev")["serviceArns"]
        assert len(deployed) == (5 if name == "services" else 1)
        terraform.destroy()
        assert terraform.run("state", "list") == ""
        # ECS tells of what was deleted for a while.
        told = ecs.describe_services(cluster="ndjson-dagster-dev", services=deployed)["services"]
        assert {service["status"] for service in told} <= {"INACTIVE"}
        assert aws.client("rds").describe_db_instances()["DBInstances"] == []
        assert aws.client("elbv2").describe_load_balancers()["LoadBalancers"] == []
