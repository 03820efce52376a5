"""Alerts of ingest on the SNS topic."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lambda_ingest.aws.log import logger
from lambda_ingest.contract.clock import Clock
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.text import printable, printable_values

if TYPE_CHECKING:
    from mypy_boto3_sns.client import SNSClient

# SNS takes subjects of up to 100 ASCII characters.
_OVERWRITTEN = "NDJSON ingest: input files were overwritten after their batch"
_REFUSED = "NDJSON ingest: many input files are refused"
_MOST_FILES = 20
# SNS takes 256 KB. https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
_MOST_BYTES = 200_000


@dataclass(frozen=True)
class RefusedExample:
    """A refused file, as an alert shows it.

    Attributes:
        file_path: its URI.
        reason: why it was refused, in a sentence.
    """

    file_path: str
    reason: str


@dataclass(frozen=True)
class OverwrittenFile:
    """A file that was written again after its batch, as an alert shows it.

    Attributes:
        file_path: its URI.
        date_prefix: its date.
        new_etag: the content that is in no manifest.
        is_certain: whether it is other content for sure.
        reason: what tells, or why nothing does, in a sentence.
    """

    file_path: str
    date_prefix: str
    new_etag: str
    is_certain: bool
    reason: str


class Alerts:
    """Publishes what an operator has to decide; without a topic, logs it as an error."""

    def __init__(self, sns: "SNSClient", *, topic_arn: str | None, clock: Clock) -> None:
        self._sns = sns
        self._topic_arn = topic_arn
        self._clock = clock

    def overwritten(self, files: Sequence[OverwrittenFile]) -> None:
        """Tell that manifested files have new content that no manifest lists, all in one message.

        `FilePath`, `DatePrefix` and `NewETag` are the first file's; `Files` names up to twenty.

        Raises:
            ClientError: SNS refused or failed; the alert stays due.
        """
        shown = [
            {
                "FilePath": printable(file.file_path),
                "DatePrefix": printable(file.date_prefix),
                "NewETag": printable(file.new_etag),
                "Certain": file.is_certain,
                "Reason": printable(file.reason),
            }
            for file in files[:_MOST_FILES]
        ]
        certain = sum(file.is_certain for file in files)
        logger.error("overwritten", count=len(files), certain=certain, files=shown)
        if self._topic_arn is None:
            return
        message = {
            "Alert": "overwritten",
            **{name: shown[0][name] for name in ("FilePath", "DatePrefix", "NewETag")},
            "Count": len(files),
            "Certain": certain,
            "Untold": len(files) - certain,
            "Files": shown,
            "Meaning": (
                "These files were written again after their content went into a manifest. The manifest keeps "
                "the former content; the new content is in none. To load it, upload it under a new name. "
                "Where Certain is false, S3 could not tell whether the bytes changed: after a re-encryption "
                "or a copy in place they are the same, and nothing is to be done."
            ),
            "Timestamp": utc_timestamp(self._clock()),
        }
        # Each escape of JSON takes up to twelve bytes a character, and SNS counts bytes.
        while len(shown) > 1 and len(json.dumps(message)) > _MOST_BYTES:
            shown.pop()
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
            "Reasons": printable_values(dict(reasons)),
            "Examples": [
                {"FilePath": printable(example.file_path), "Reason": printable(example.reason)}
                for example in examples
            ],
            "Meaning": (
                "So many input files were refused that their producer is likely at fault. They lie in the "
                "quarantine bucket, or where there is none, where they were; their records have the reasons. "
                "While it goes on, this alert comes once an hour."
            ),
            "Timestamp": utc_timestamp(self._clock()),
        }
        self._sns.publish(TopicArn=self._topic_arn, Subject=_REFUSED, Message=json.dumps(message))
