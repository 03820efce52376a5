"""Alerts of ingest on the SNS topic."""

import json
from typing import TYPE_CHECKING

from lambda_ingest.aws.log import logger
from lambda_ingest.contract.clock import Clock
from lambda_ingest.contract.dates import utc_timestamp

if TYPE_CHECKING:
    from mypy_boto3_sns.client import SNSClient

# SNS takes subjects of up to 100 ASCII characters.
_SUBJECT = "NDJSON ingest: an input file was overwritten after its batch"


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
        self._sns.publish(TopicArn=self._topic_arn, Subject=_SUBJECT, Message=json.dumps(message))
