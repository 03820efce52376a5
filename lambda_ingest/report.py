"""The Lambda report: one object per invocation that touched a file."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.builder import BuiltManifest
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.keys import report_key, s3_uri
from lambda_ingest.log import logger

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


@dataclass
class InvocationResult:
    """What one invocation did, as it happens.

    Attributes:
        processed: accepted files per date.
        quarantined: refused files per date.
        manifests: those committed.
        errors: what went wrong, each with the thing it concerns; never a file's content.
    """

    processed: Counter[str] = field(default_factory=Counter)
    quarantined: Counter[str] = field(default_factory=Counter)
    manifests: list[BuiltManifest] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)

    @property
    def touched_anything(self) -> bool:
        """Whether the invocation deserves a report."""
        return bool(self.processed or self.quarantined or self.manifests or self.errors)

    @property
    def status(self) -> str:
        """`success`, or `partial` where something went wrong."""
        return "partial" if self.errors else "success"

    def add_error(self, kind: str, subject: str, message: str) -> None:
        """Note an error about a named thing."""
        self.errors.append({"kind": kind, "subject": subject, "message": message})


@dataclass(frozen=True)
class ExecutionInfo:
    """Which invocation it was.

    Attributes:
        request_id: the service's id of it.
        function_name: the function.
        memory_limit_mb: its memory.
        execution_time_ms: how long it took up to the report.
    """

    request_id: str
    function_name: str
    memory_limit_mb: int
    execution_time_ms: int


def report_document(result: InvocationResult, info: ExecutionInfo, now: datetime) -> dict[str, Any]:
    """Return the report; pure.

    `dates` goes beyond the contract's fields: the counts of each date, for whoever sums them per partition.
    """
    created = Counter(manifest.date_prefix for manifest in result.manifests)
    dates = sorted(result.processed.keys() | result.quarantined.keys() | created.keys())
    return {
        "execution_info": asdict(info),
        "processing_summary": {
            "files_processed": result.processed.total(),
            "files_quarantined": result.quarantined.total(),
            "manifests_created": len(result.manifests),
            "status": result.status,
        },
        "manifests": [asdict(manifest) for manifest in result.manifests],
        "dates": {
            date_prefix: {
                "files_processed": result.processed[date_prefix],
                "files_quarantined": result.quarantined[date_prefix],
                "manifests_created": created[date_prefix],
            }
            for date_prefix in dates
        },
        "errors": result.errors,
        "timestamp": utc_timestamp(now),
    }


def write_report(
    s3: "S3Client", bucket: str, document: dict[str, Any], now: datetime, unique: str
) -> str | None:
    """Write a report; a failure is logged and changes nothing else.

    Returns:
        The report's URI, or None where it could not be written.
    """
    key = report_key("lambda", now, unique)
    try:
        s3.put_object(
            Bucket=bucket, Key=key, Body=json.dumps(document).encode(), ContentType="application/json"
        )
    except (BotoCoreError, ClientError):
        logger.exception("The report could not be written; the work stands", report_key=key)
        return None
    return s3_uri(bucket, key)
