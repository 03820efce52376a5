"""Deployments of the shared Dagster that its tests have Terraform make, and what AWS answers meanwhile."""

import json
from typing import Any

ACCOUNT = "123456789012"
DATABASE_SECRET = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:rds!db-0"
CLIENT_SECRET = "the-text-of-the-client's-secret"
HOST, READ_ONLY_HOST = "dagster.example.com", "viewers.example.com"


def arn(service: str, resource: str) -> str:
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
        "aws_cloudwatch_log_group": {"defaults": {"arn": arn("logs", "log-group:mock")}},
        "aws_lb": {"defaults": {"arn": arn("elasticloadbalancing", "loadbalancer/app/mock/1")}},
        "aws_lb_listener": {"defaults": {"arn": arn("elasticloadbalancing", "listener/app/mock/1/2")}},
        "aws_lb_target_group": {"defaults": {"arn": arn("elasticloadbalancing", "targetgroup/mock/1")}},
        "aws_ecs_cluster": {"defaults": {"id": arn("ecs", "cluster/mock")}},
        "aws_ecs_task_definition": {"defaults": {"arn": arn("ecs", "task-definition/mock:1")}},
        "aws_service_discovery_service": {"defaults": {"arn": arn("servicediscovery", "service/mock")}},
        "aws_ecr_repository": {
            "defaults": {
                "arn": arn("ecr", "repository/mock"),
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


def feed(name: str, **environment: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{name}-output/*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return {"name": name, "environment": environment, "policy_json": json.dumps(policy)}


FEEDS = {
    "main": feed("ndjson", NDJSON_ENVIRONMENT="prod"),
    "orders": feed("ndjson-orders", NDJSON_ENVIRONMENT="prod", NDJSON_FEED="orders"),
}
OIDC = {
    "issuer": "https://login.example.com",
    "authorization_endpoint": "https://login.example.com/authorize",
    "token_endpoint": "https://login.example.com/token",
    "user_info_endpoint": "https://login.example.com/userinfo",
    "client_id": "dagster",
    "client_secret_arn": arn("secretsmanager", "secret:oidc"),
    "egress_cidr_blocks": ["203.0.113.0/24"],
}
UI = {
    "ui_host": HOST,
    "ui_certificate_arn": arn("acm", "certificate/1"),
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
        "kms_key_arn": arn("kms", "key/1"),
        **UI,
    },
}
COMPLETE = {"environment": "dev", "code_locations": {"main": FEEDS["main"]}, "image_tag": "a", **UI}
