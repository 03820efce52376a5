"""S3 clients of the driver's and the workers' processes."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Latency dominates small files, so several requests are under way in each process.
CONCURRENT_REQUESTS: Final = 8
# Of files in one task: each small one waits for S3 some 30 ms, and one core starts 1,000 a second.
CONCURRENT_READS: Final = 32


@functools.cache
def s3_client(region: str | None) -> S3Client:
    """Return this process's S3 client, made at the first call: making one takes as long as several requests.

    Args:
        region: None leaves it to the process's own settings.
    """
    config = Config(
        max_pool_connections=CONCURRENT_READS,
        retries={"mode": "standard", "max_attempts": 6},
        connect_timeout=10,
        read_timeout=60,
    )
    return boto3.client("s3", region_name=region, config=config)
