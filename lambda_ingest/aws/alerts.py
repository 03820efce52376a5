"""Alerts of ingest on the SNS topic."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambda_ingest.aws.log import logger
from lambda_ingest.contract.clock import Clock
from lambda_ingest.contract.dates import utc_timestamp

if TYPE_CHECKING:
    from mypy_boto3_sns.client import SNSClient

# SNS takes subjects of up to 100 ASCII characters.
_OVERWRITTEN = "NDJSON ingest: an input file was overwritten after its batch"
_REFUSED = "NDJSON ingest: many input files are refused"


@dataclass(frozen=True)
class RefusedExample:
    """A refused file, as an alert shows it.

    Attributes:
        file_path: its URI.
        reason: why it was refused, in a sentence.
    """

    file_path: str
    reason: str


class Alerts:
    """Publishes what an operator has to decide; without a topic, logs it as an error."""

    def __init__(self, sns: "SNSClient", *, topic_arn: str | None, clock: Clock) -> None:
        self._sns = sns
        self._topic_arn = topic_arn
        self._clock = clock

    def overwritten(self, *, date_prefix: str, uri: str, new_etag: str) -> None:
        """Tell that a manifested file has new content that no manifest lists.

        Raises:
            ClientError: SNS refused or failed; the alert stays due.
        """
        logger.error("overwritten", date_prefix=date_prefix, uri=uri, new_etag=new_etag)
        if self._topic_arn is None:
            return
        message = {
            "Alert": "overwritten",
            "FilePath": uri,
            "DatePrefix": date_prefix,
            "NewETag": new_etag,
            "Meaning": (
                "The file was overwritten after its content went into a manifest. The manifest keeps the "
                "former content; the new content is in none. To load it, upload it under a new name."
            ),
            "Timestamp": utc_timestamp(self._clock()),
        }
        self._sns.publish(TopicArn=self._topic_arn, Subject=_OVERWRITTEN, Message=json.dumps(message))

    def refused(
        self,
        *,
        count: int,
        since: str | None,
        reasons: Mapping[str, int],
        examples: Sequence[RefusedExample],
    ) -> None:
        """Tell that many files were refused.

        The reasons are few kinds, the examples three, and their texts are cut where they are kept; so the
        message stays far below what SNS takes.

        Args:
            count: how many, since the last such alert.
            since: when the first of them was, UTC text, where that is known.
            reasons: how many of them for each reason.
            examples: some of them.

        Raises:
            ClientError: SNS refused or failed; the alert stays due.
        """
        logger.error("refused", count=count, since=since, reasons=dict(reasons))
        if self._topic_arn is None:
            return
        message = {
            "Alert": "refused",
            "Count": count,
            "Since": since,
            "Reasons": dict(reasons),
            "Examples": [{"FilePath": example.file_path, "Reason": example.reason} for example in examples],
            "Meaning": (
                "So many input files were refused that their producer is likely at fault. They lie in the "
                "quarantine bucket, or where there is none, where they were; their records have the reasons. "
                "While it goes on, this alert comes once an hour."
            ),
            "Timestamp": utc_timestamp(self._clock()),
        }
        self._sns.publish(TopicArn=self._topic_arn, Subject=_REFUSED, Message=json.dumps(message))
