"""The Lambda that writes test input."""

import os
import time
from collections.abc import Mapping
from typing import Any

import boto3
from aws_lambda_powertools.utilities.typing import LambdaContext

from lambda_ingest.aws.log import logger
from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.sample_input import DEFAULT_FILE_SIZE_MB, BucketSink, GeneratorRequest, generate
from lambda_ingest.errors import SettingsError
from lambda_ingest.settings import Settings

# What is kept back of the Lambda's time for writing the files themselves and the answer.
RESERVED_SECONDS = 5.0


@logger.inject_lambda_context(clear_state=True)
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Generate files into the input bucket.

    Args:
        event: `file_count`, `ingestion_rate`, `delay_seconds`, `date_prefix`, `file_size_mb`, `seed`; each
            may be absent or null.
        context: the invocation's; a rate that would outlast it is refused before anything is written.

    Returns:
        `files_created`, `files` [names], `total_size_bytes`, `seed`, `stopped_early`.

    Raises:
        GeneratorRequestError: the event makes no sense, or would take longer than there is time.
        SettingsError: the environment variables are missing or wrong.
    """
    settings = Settings.from_environment(os.environ)
    if settings.input_bucket is None:
        raise SettingsError("The Lambda's environment variables need mending: INPUT_BUCKET is missing.")
    request = GeneratorRequest.parse(event, settings.expected_file_size_mb or DEFAULT_FILE_SIZE_MB)
    generated = generate(
        request,
        BucketSink(boto3.client("s3"), bucket=settings.input_bucket, prefix=settings.input_prefix),
        clock=utc_now,
        sleep=time.sleep,
        remaining_seconds=lambda: context.get_remaining_time_in_millis() / 1000,
        reserved_seconds=RESERVED_SECONDS,
    )
    logger.info("Generated files", file_count=len(generated.names), stopped_early=generated.stopped_early)
    return {
        "files_created": len(generated.names),
        "files": list(generated.names),
        "total_size_bytes": generated.size_bytes,
        "seed": generated.seed,
        "stopped_early": generated.stopped_early,
    }
