"""Overwrites: content that came over what a manifest lists, told once an invocation.

recorded, alert due ──compare──▶ same bytes ─────▶ noted as the record's alias; nobody is told
                        └─▶ other, or untold ──▶ one alert of all ──published──▶ each noted as told

A crash before the note leaves an alert due: the message, or the audit, brings it up again. So it may be told
twice, and never not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.aws.alerts import Alerts, OverwrittenFile
from lambda_ingest.aws.log import logger
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.items import Item, is_condition_failure, to_item
from lambda_ingest.files.contents import Comparison, Contents, Likeness


@dataclass(frozen=True)
class Overwritten:
    """A file whose overwrite is recorded, and of which nobody was told yet.

    Attributes:
        date_prefix: the partition of its record.
        file_key: the sort key of its record.
        uri: the object.
        etag: the content that is in no manifest.
    """

    date_prefix: str
    file_key: str
    uri: str
    etag: str


@dataclass(frozen=True)
class Told:
    """What became of the overwrites of an invocation.

    Attributes:
        told: those that the alert names, with what was found of each.
        failed: those that stay due, each with the error.
    """

    told: list[tuple[Overwritten, Comparison]]
    failed: list[tuple[Overwritten, Exception]]


class Overwrites:
    """Settles the overwrites that are due."""

    def __init__(self, table: Table, contents: Contents, alerts: Alerts) -> None:
        self._table = table
        self._contents = contents
        self._alerts = alerts

    def tell(self, overwritten: Sequence[Overwritten]) -> Told:
        """Tell of what is other content, or may be, in one alert; each fails alone."""
        result = Told([], [])
        due: list[tuple[Overwritten, Comparison]] = []
        for each in dict.fromkeys(overwritten):
            try:
                comparison = self._compare(each)
            except (BotoCoreError, ClientError, IngestError) as error:
                result.failed.append((each, error))
                continue
            if comparison is not None:
                due.append((each, comparison))
        if not due:
            return result
        try:
            self._alerts.overwritten([_shown(each, comparison) for each, comparison in due])
        except (BotoCoreError, ClientError) as error:
            result.failed.extend((each, error) for each, _ in due)
            return result
        for each, comparison in due:
            result.told.append((each, comparison))
            try:
                self._note_told(each)
            except (BotoCoreError, ClientError) as error:
                result.failed.append((each, error))
        return result

    def _compare(self, overwritten: Overwritten) -> Comparison | None:
        """Compare contents, or return None where there is nobody to tell: it was told, or is the same."""
        record = self._table.read(overwritten.date_prefix, overwritten.file_key)
        if (
            record is None
            or not record.get("overwrite_alert_due")
            or record.get("overwritten_etag") != overwritten.etag
        ):
            return None
        comparison = self._contents.compare(record)
        if comparison.likeness is not Likeness.SAME:
            return comparison
        logger.info(
            "The same content came under another entity tag", uri=overwritten.uri, reason=comparison.reason
        )
        self._update(
            overwritten,
            "SET alias_etag = :etag, updated_at = :now "
            "REMOVE overwritten_etag, overwritten_at, overwritten_size_bytes, overwrite_alert_due",
            {":now": utc_timestamp(self._table.clock())},
        )
        return None

    def _note_told(self, overwritten: Overwritten) -> None:
        self._update(overwritten, "REMOVE overwrite_alert_due", {})

    def _update(self, overwritten: Overwritten, expression: str, values: Item) -> None:
        try:
            self._table.dynamodb.update_item(
                TableName=self._table.name,
                Key=to_item({"date_prefix": overwritten.date_prefix, "file_key": overwritten.file_key}),
                UpdateExpression=expression,
                ConditionExpression="overwritten_etag = :etag",
                ExpressionAttributeValues=to_item({**values, ":etag": overwritten.etag}),
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            logger.info("Another overwrite followed before this one was settled", uri=overwritten.uri)


def _shown(overwritten: Overwritten, comparison: Comparison) -> OverwrittenFile:
    return OverwrittenFile(
        file_path=overwritten.uri,
        date_prefix=overwritten.date_prefix,
        new_etag=overwritten.etag,
        is_certain=comparison.likeness is Likeness.OTHER,
        reason=comparison.reason,
    )
