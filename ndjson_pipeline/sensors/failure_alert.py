"""The alert of a failed or canceled run."""

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.text import printable, printable_lines
from ndjson_pipeline.claims.due_alerts import DueAlert
from ndjson_pipeline.claims.record import ManifestRecord

if TYPE_CHECKING:
    from mypy_boto3_sns.client import SNSClient

# SNS takes subjects of up to 100 characters, of ASCII alone.
SUBJECT = "NDJSON pipeline: a conversion failed"
# SNS takes messages of 256 KB. A queue that listens gets the message as a text within another document, in
# which each quote and each backslash is two bytes: half leaves room for that.
MOST_BYTES = 128 * 1024
_CUT_MARK = " ... (cut)"


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
    """Return the alert, of at most `MOST_BYTES` as `encode` writes it; pure.

    `ManifestPaths`, `ManifestCount`, `ManifestsLeftOut`, `GlueJobRunIds` and `WillRetry` go beyond the
    contract's fields: the manifests of the run as far as there is room, how many there are and how many are
    left out, its Glue runs, and whether another attempt follows by itself.
    """
    paths = list(dict.fromkeys(record.manifest_path for record, _ in failed.failures))
    alerts = [alert for _, alert in failed.failures]
    # Reasons quote keys and lines of producers.
    reasons = list(dict.fromkeys(printable_lines(alert.error_message, MOST_BYTES) for alert in alerts)) or [
        printable_lines(failed.cause, MOST_BYTES)
    ]
    glue_runs = list(dict.fromkeys(alert.glue_job_run_id for alert in alerts if alert.glue_job_run_id))
    document: dict[str, Any] = {
        "FunctionError": f"Glue job failed for manifest: {paths[0]}" if paths else "A Dagster run failed",
        "DatePrefix": failed.failures[0][0].date_prefix if paths else failed.date_prefix,
        "ManifestPath": paths[0] if paths else None,
        "ManifestPaths": [],
        "ManifestCount": len(paths),
        "ManifestsLeftOut": len(paths),
        "Error": {"Error": failed.error, "Cause": ""},
        "WillRetry": failed.is_retried or (bool(alerts) and all(alert.will_retry for alert in alerts)),
        "Timestamp": utc_timestamp(now),
        "DagsterRunId": printable(failed.run_id),
        "DagsterRunUrl": failed.url,
        "GlueJobRunId": glue_runs[0] if glue_runs else None,
        "GlueJobRunIds": [],
        "JobName": job_name,
    }
    room = MOST_BYTES - len(encode(document))
    # Reasons say the most; what they leave is for the names.
    document["Error"]["Cause"] = _joined(reasons, room // 2)
    for name, texts, share in (("GlueJobRunIds", glue_runs, 4), ("ManifestPaths", paths, 1)):
        room = MOST_BYTES - len(encode(document))
        document[name] = _fitting(texts, room // share)
    document["ManifestsLeftOut"] = len(paths) - len(document["ManifestPaths"])
    return document


def encode(document: dict[str, Any]) -> str:
    """Return an alert as SNS gets it: ASCII alone, so that its length is its bytes."""
    return json.dumps(document)


def publish(sns: "SNSClient", topic_arn: str, document: dict[str, Any]) -> None:
    """Publish an alert.

    Raises:
        ClientError: SNS refused or failed; the alert stays due.
    """
    sns.publish(TopicArn=topic_arn, Subject=SUBJECT, Message=encode(document))


def _joined(reasons: Sequence[str], most_bytes: int) -> str:
    """Return reasons as lines, as many as there is room for, the first one cut where it alone has none."""
    left_out = "{} more reasons are left out"
    room = most_bytes - len(left_out) - len(str(len(reasons)))
    kept = _fitting(reasons, room) or [_cut(reason, room) for reason in reasons[:1]]
    missing = len(reasons) - len(kept)
    return "\n".join([*kept, *([left_out.format(missing)] if missing else [])])


def _fitting(texts: Sequence[str], most_bytes: int) -> list[str]:
    """Return the first texts that fit, each with its quotes and what divides it from the next."""
    kept = []
    for text in texts:
        most_bytes -= len(json.dumps(text)) + len(", ")
        if most_bytes < 0:
            break
        kept.append(text)
    return kept


def _cut(text: str, most_bytes: int) -> str:
    """Cut a text between two characters, so that with its mark it takes no more bytes in JSON."""
    room = most_bytes - len(_CUT_MARK)
    # A character is one byte in JSON, or an escape of two, six or twelve.
    first = text[: max(room, 0)]
    kept = bisect_right(range(1, len(first) + 1), room, key=lambda length: len(json.dumps(first[:length])))
    return text[:kept] + _CUT_MARK if kept < len(text) else text
