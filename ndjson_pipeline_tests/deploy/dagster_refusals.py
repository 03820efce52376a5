"""Variables of the shared Dagster that Terraform must refuse."""

import json
from typing import Any

from ndjson_pipeline_tests.deploy.dagster_cases import FEEDS, HOST, OIDC, READ_ONLY_HOST, arn, feed

# What is refused, by which of Terraform's checks, and how it differs from what is complete.
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
        {"code_locations": {"a": feed("ndjson", DAGSTER_POSTGRES_PASSWORD="x")}},
    ),
    (
        "a policy that IAM does not take",
        "var.code_locations",
        {"code_locations": {"a": {**FEEDS["main"], "policy_json": json.dumps({"Statement": "x" * 6_144})}}},
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
    ("a key's alias", "var.kms_key_arn", {"kms_key_arn": arn("kms", "alias/mine")}),
    ("a size of nobody's", "var.code_server_size", {"code_server_size": {"cpu": 512, "memory": 512}}),
    ("cores of nobody's", "var.daemon_size", {"daemon_size": {"cpu": 300, "memory": 1024}}),
    ("memory of nobody's", "var.webserver_size", {"webserver_size": {"cpu": 256, "memory": 4096}}),
    ("a task of nobody's", "var.one_task_size", {"one_task_size": {"cpu": 1024, "memory": 1024}}),
    ("no run at all", "var.max_concurrent_runs", {"max_concurrent_runs": 0}),
    ("logs for a day and a half", "var.log_retention_days", {"log_retention_days": 2}),
    ("a topic's name", "var.alarm_topic_arns", {"alarm_topic_arns": ["alerts"]}),
    ("a host with a scheme", "var.ui_host", {"ui_host": "https://dagster.example.com"}),
    ("a UI without TLS", "var.ui_host", {"ui_certificate_arn": None}),
    ("a UI for nobody", "var.ui_host", {"ui_cidr_blocks": []}),
    ("a UI for the world", "var.ui_cidr_blocks", {"ui_cidr_blocks": ["0.0.0.0/0"]}),
    ("a UI for half the world", "var.ui_cidr_blocks", {"ui_cidr_blocks": ["128.0.0.0/1"]}),
    ("a certificate's name", "var.ui_certificate_arn", {"ui_certificate_arn": "mine"}),
    ("viewers alone", "var.ui_read_only_host", {"ui_read_only_host": READ_ONLY_HOST, "ui_host": None}),
    ("viewers by the same name", "var.ui_read_only_host", {"ui_read_only_host": HOST}),
    (
        "viewers in one task",
        "var.ui_read_only_host",
        {"ui_read_only_host": READ_ONLY_HOST, "one_task": True},
    ),
    ("a provider without TLS", "var.oidc", {"oidc": {**OIDC, "issuer": "http://login.example.com"}}),
    ("a client's secret itself", "var.oidc", {"oidc": {**OIDC, "client_secret_arn": "hunter2"}}),
    ("a provider out of reach", "var.oidc", {"oidc": {**OIDC, "egress_cidr_blocks": []}}),
    ("a session of a month", "var.oidc", {"oidc": {**OIDC, "session_seconds": 2_592_000}}),
    ("no way to AWS", "aws_ecs_service.this", {"interface_endpoints": []}),
)


# Variables that the checks of others look at; a check is not made where one of these is refused itself.
_LOOKED_AT = {
    "var.one_task": {"environment"},
    "var.image_tag": {"image"},
    "var.nat_gateway": {"existing_network"},
    "var.ui_host": {"ui_certificate_arn", "ui_cidr_blocks"},
    "var.ui_read_only_host": {"ui_host", "ui_certificate_arn", "ui_cidr_blocks", "one_task"},
}


def _rounds() -> list[list[int]]:
    """Return the refusals' numbers in rounds; those of a round are asked at once, for each takes seconds."""
    rounds: list[list[int]] = []
    for number in range(len(REFUSALS)):
        for others in rounds:
            if not any(_meet(number, other) for other in others):
                others.append(number)
                break
        else:
            rounds.append([number])
    return rounds


def _meet(one: int, other: int) -> bool:
    """Tell whether one refusal changes what another's check looks at."""
    changed = [set(REFUSALS[number][2]) for number in (one, other)]
    checks = [REFUSALS[number][1].removeprefix("var.") for number in (one, other)]
    looked = [{check, *_LOOKED_AT.get(f"var.{check}", ())} for check in checks]
    is_apart = not (changed[0] & (changed[1] | looked[1]) or changed[1] & looked[0] or checks[0] == checks[1])
    return not is_apart or _is_alone(one) or _is_alone(other)


def _is_alone(number: int) -> bool:
    """Tell whether it is refused only where every variable is accepted."""
    return not REFUSALS[number][1].startswith("var.")


ROUNDS = _rounds()
