"""From arguments to a run, with the real clock, clients and Spark."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from glue_jobs.arguments import parse_arguments
from glue_jobs.job import Environment, run_job
from glue_jobs.reporting.pipes import Announcer, open_announcer
from glue_jobs.spark import SparkPartRunner, start_spark
from glue_jobs.storage import s3_client

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mypy_boto3_glue import GlueClient

    from glue_jobs.spark import PartRunner


def run_from_arguments(argv: Sequence[str]) -> None:
    """Run the job as its arguments say.

    Args:
        argv: the arguments after the script's name.

    Raises:
        GlueJobError: the run failed; the message says why.
    """
    arguments = parse_arguments(argv)
    region = boto3.session.Session().region_name
    client = s3_client(region)
    with open_announcer(arguments.pipes, client, arguments.nonce) as announcer:
        run_job(
            arguments,
            Environment(
                s3=client,
                make_glue=_glue_client,
                make_catalog=_catalog_client,
                region=region,
                now=lambda: datetime.now(UTC),
                sleep=time.sleep,
                unique=lambda: uuid.uuid4().hex,
                start_runner=lambda: _spark_runner(arguments.job_name, announcer),
                announcer=announcer,
            ),
        )


@contextmanager
def _spark_runner(app_name: str, announcer: Announcer) -> Iterator[PartRunner]:
    context = start_spark(app_name)
    try:
        yield SparkPartRunner(context, announcer.line)
    finally:
        context.stop()


def _glue_client() -> GlueClient:
    # Only three fields of the report depend on it, so a Glue out of reach must not hold the run up.
    return boto3.client(
        "glue",
        config=Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "max_attempts": 2}),
    )


def _catalog_client() -> GlueClient:
    # Runs of all feeds share the account's rate of requests, so it may take some tries.
    return boto3.client(
        "glue",
        config=Config(connect_timeout=5, read_timeout=20, retries={"mode": "standard", "max_attempts": 6}),
    )
