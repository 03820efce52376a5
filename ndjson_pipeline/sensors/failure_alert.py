"""The alert of a failed or canceled run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lambda_ingest.contract.dates import utc_timestamp
from ndjson_pipeline.claims.due_alerts import DueAlert
from ndjson_pipeline.claims.record import ManifestRecord

if TYPE_CHECKING:
    from mypy_boto3_sns.client import SNSClient

# SNS takes subjects of up to 100 characters.
_SUBJECT = "NDJSON pipeline: a conversion failed"
# SNS takes messages of up to 256 KB; a list of this many paths is far below.
_MOST_PATHS = 200


@dataclass(frozen=True)
class FailedRun:
    """A run that an operator should know of.

    Attributes:
        run_id: the Dagster run.
        date_prefix: its partition, where it has one.
        failures: of manifests, in order of their names; none where it failed before it claimed any.
        error: the kind of failure, such as `DagsterRunFailure`.
        cause: why, where Dagster or a record says.
        is_retried: whether Dagster launches the run again by itself.
        url: the run's page, where the UI's address is known.
    """

    run_id: str
    date_prefix: str | None
    failures: Sequence[tuple[ManifestRecord, DueAlert]]
    error: str
    cause: str
    is_retried: bool
    url: str | None


def alert_document(failed: FailedRun, job_name: str, now: datetime) -> dict[str, Any]:
    """Return the alert; pure.

    `ManifestPaths` and `WillRetry` go beyond the contract's fields: all manifests of the run, and whether
    another attempt follows by itself.
    """
    paths = list(dict.fromkeys(record.manifest_path for record, _ in failed.failures))
    alerts = [alert for _, alert in failed.failures]
    first = failed.failures[0][0] if failed.failures else None
    cause = "\n".join(dict.fromkeys(alert.error_message for alert in alerts))
    return {
        "FunctionError": f"Glue job failed for manifest: {paths[0]}" if paths else "A Dagster run failed",
        "DatePrefix": first.date_prefix if first else failed.date_prefix,
        "ManifestPath": paths[0] if paths else None,
        "ManifestPaths": paths[:_MOST_PATHS],
        "ManifestCount": len(paths),
        "Error": {"Error": failed.error, "Cause": cause or failed.cause},
        "WillRetry": failed.is_retried or (bool(alerts) and all(alert.will_retry for alert in alerts)),
        "Timestamp": utc_timestamp(now),
        "DagsterRunId": failed.run_id,
        "DagsterRunUrl": failed.url,
        "GlueJobRunId": next((alert.glue_job_run_id for alert in alerts if alert.glue_job_run_id), None),
        "JobName": job_name,
    }


def publish(sns: "SNSClient", topic_arn: str, document: dict[str, Any]) -> None:
    """Publish an alert.

    Raises:
        ClientError: SNS refused or failed; the alert stays due.
    """
    sns.publish(TopicArn=topic_arn, Subject=_SUBJECT, Message=json.dumps(document))
