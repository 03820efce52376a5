"""The report of a Glue run, among its messages."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lambda_ingest.contract.text import printable
from ndjson_pipeline.errors import ReportFormatError
from ndjson_pipeline.glue.messages import read_custom_messages
from ndjson_pipeline.glue.report import GlueReport, parse_glue_report
from ndjson_pipeline.glue.runs import IDENTITY_ARGUMENT, NONCE_ARGUMENT, GlueRun

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

REPORT_MESSAGE_KIND = "glue_report"

logger = logging.getLogger(__name__)


def read_report(s3: "S3Client", manifest_bucket: str, run: GlueRun) -> GlueReport | None:
    """Return what a run reported, from where its messages lie; None where it sealed no report.

    Args:
        s3: the client.
        manifest_bucket: has the messages.
        run: as Glue shows it, with the nonce among its arguments.
    """
    identity, nonce = run.arguments.get(IDENTITY_ARGUMENT), run.arguments.get(NONCE_ARGUMENT)
    if identity is None or not nonce:
        return None
    return find_report(read_custom_messages(s3, manifest_bucket, identity, nonce), run)


def find_report(messages: Sequence[Any], run: GlueRun) -> GlueReport | None:
    """Return the report of a run among custom messages, the newest where there are several."""
    for message in reversed(messages):
        if not isinstance(message, dict) or message.get("kind") != REPORT_MESSAGE_KIND:
            continue
        try:
            report = parse_glue_report(message.get("report_uri"), message.get("report") or {})
        except ReportFormatError as error:
            logger.warning("%s", error)
            continue
        if report.job_run_id not in {None, run.run_id}:
            logger.warning(
                "A report of Glue run %s does not count for %s", printable(str(report.job_run_id)), run.run_id
            )
            continue
        return report
    return None
