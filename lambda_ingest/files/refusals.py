"""Refused input, counted across invocations: many within an hour are alerted, once an hour while they go on.

One item of the tracking table counts. An invocation that refused something adds to it with one write, and
two while it has too few examples. Once the count reaches the threshold, whoever sees it claims the alert,
publishes it, and takes what was told off the count; what others add meanwhile stays. A crash between leaves a
count that the next invocation or the sweeper finds; a claim whose holder died runs out.

count 0 ──add──▶ first_at set ──add──▶ threshold ──claim──▶ publish ──▶ alerted_at set, told ones taken off
                     │ an hour without the threshold            └─ SNS refuses ─▶ claim released
                     ▼
                 begins anew
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lambda_ingest.aws.alerts import Alerts, RefusedExample
from lambda_ingest.aws.log import logger
from lambda_ingest.aws.patience import Patience, Refusal, RemainingSeconds
from lambda_ingest.aws.table import Table
from lambda_ingest.contract.clock import NewId
from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.items import Item, from_item, is_condition_failure, item_of_failure, to_item
from lambda_ingest.contract.records import REFUSALS_FILE_KEY, REFUSALS_PARTITION
from lambda_ingest.contract.rows import text_of
from lambda_ingest.contract.text import printable
from lambda_ingest.contract.validation import RefusedFile

WINDOW = timedelta(hours=1)
# Longer than an invocation lives, so that no claim runs out in its holder's hands.
CLAIM_LIFE = timedelta(minutes=15)
EXAMPLES = 3
_KEY = {"date_prefix": REFUSALS_PARTITION, "file_key": REFUSALS_FILE_KEY}
# Counts of reasons are attributes of their own, for ADD reaches no deeper.
_REASON = "reason: "


class CountContentionError(IngestError):
    """The count of refusals began anew at every attempt to add to it."""


@dataclass(frozen=True)
class _Claim:
    """An alert that is ours to publish, with the count as it was claimed."""

    claim_id: str
    item: Item


class RefusalCount:
    """Counts refused files, and publishes the alert that is due."""

    def __init__(
        self, table: Table, alerts: Alerts, patience: Patience, *, new_id: NewId, threshold: int
    ) -> None:
        self._table = table
        self._alerts = alerts
        self._patience = patience
        self._new_id = new_id
        self._threshold = threshold

    def add(self, refused: Sequence[RefusedFile], remaining_seconds: RemainingSeconds) -> None:
        """Count refused files, and publish the alert where one is due.

        Raises:
            ClientError: DynamoDB refused or failed; or SNS did, and the alert stays due.
            CountContentionError: the count began anew at every attempt.
        """
        if not refused or self._threshold == 0:
            return
        item = self._add(refused, remaining_seconds)
        if (missing := EXAMPLES - len(_examples(item))) > 0:
            self._add_examples(refused[:missing])
        if is_due(item, self._threshold, self._table.clock()):
            self._publish()

    def publish_due(self) -> bool:
        """Publish the alert that an invocation left due, and tell whether there was one.

        Raises:
            ClientError: DynamoDB refused or failed; or SNS did, and the alert stays due.
        """
        if self._threshold == 0:
            return False
        item = self._table.read(**_KEY)
        return item is not None and is_due(item, self._threshold, self._table.clock()) and self._publish()

    def _add(self, refused: Sequence[RefusedFile], remaining_seconds: RemainingSeconds) -> Item:
        """Add to the count, which begins anew where an hour passed without the threshold; return it."""
        waits = self._patience.waits(remaining_seconds)
        while True:
            item = self._add_to_open(refused) or self._begin_anew(refused)
            if item is not None:
                return item
            if not waits.again(Refusal.CONTENDED):
                raise CountContentionError(f"{len(refused)} refused files could not be counted {waits}")

    def _add_to_open(self, refused: Sequence[RefusedFile]) -> Item | None:
        """Add to the count, or return None where it is of an hour that has passed."""
        now = self._table.clock()
        reasons = list(Counter(each.kind for each in refused).items())
        names = {f"#reason{number}": f"{_REASON}{kind}" for number, (kind, _) in enumerate(reasons)}
        values = {f":count{number}": count for number, (_, count) in enumerate(reasons)}
        added = ", ".join(f"#reason{number} :count{number}" for number in range(len(reasons)))
        try:
            response = self._table.dynamodb.update_item(
                TableName=self._table.name,
                Key=to_item(_KEY),
                UpdateExpression=(
                    "SET first_at = if_not_exists(first_at, :now), updated_at = :now "
                    f"ADD refused :refused, {added}"
                ),
                ConditionExpression=(
                    "attribute_not_exists(first_at) OR first_at > :hour_ago OR refused >= :threshold"
                ),
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=to_item(
                    {
                        **values,
                        ":refused": len(refused),
                        ":now": utc_timestamp(now),
                        ":hour_ago": utc_timestamp(now - WINDOW),
                        ":threshold": self._threshold,
                    }
                ),
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            return None
        return from_item(response["Attributes"])

    def _begin_anew(self, refused: Sequence[RefusedFile]) -> Item | None:
        """Put a new count, or return None where another invocation did."""
        now = self._table.clock()
        reasons = Counter(f"{_REASON}{each.kind}" for each in refused)
        values: Item = {
            **_KEY,
            **reasons,
            "refused": len(refused),
            "first_at": utc_timestamp(now),
            "updated_at": utc_timestamp(now),
        }
        try:
            self._table.dynamodb.put_item(
                TableName=self._table.name,
                Item=to_item(values),
                ConditionExpression="first_at <= :hour_ago AND refused < :threshold",
                ExpressionAttributeValues=to_item(
                    {":hour_ago": utc_timestamp(now - WINDOW), ":threshold": self._threshold}
                ),
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            return None
        return values

    def _add_examples(self, refused: Sequence[RefusedFile]) -> None:
        """Add examples where there are too few; of several invocations at once a few more may stay."""
        try:
            self._table.dynamodb.update_item(
                TableName=self._table.name,
                Key=to_item(_KEY),
                UpdateExpression="SET examples = list_append(if_not_exists(examples, :none), :examples)",
                ConditionExpression="attribute_not_exists(examples) OR size(examples) < :most",
                ExpressionAttributeValues=to_item(
                    {
                        ":none": [],
                        ":most": EXAMPLES,
                        ":examples": [
                            {
                                "file_path": printable(each.object.uri),
                                "reason": printable(each.reason),
                            }
                            for each in refused
                        ],
                    }
                ),
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            logger.info("Others left enough examples of refused files")

    def _publish(self) -> bool:
        claim = self._claim()
        if claim is None:
            return False
        item = claim.item
        reasons = _reasons(item)
        try:
            self._alerts.refused(
                count=_count(item),
                since=text_of(item, "first_at"),
                reasons=reasons,
                examples=_examples(item)[:EXAMPLES],
            )
        except (BotoCoreError, ClientError):
            self._release(claim)
            raise
        self._settle(claim, reasons)
        return True

    def _claim(self) -> _Claim | None:
        """Take the alert that is due, or return None where another invocation has it or told it."""
        now, claim_id = self._table.clock(), self._new_id()
        try:
            response = self._table.dynamodb.update_item(
                TableName=self._table.name,
                Key=to_item(_KEY),
                UpdateExpression="SET claim_id = :ours, claimed_at = :now",
                ConditionExpression=(
                    "refused >= :threshold AND (attribute_not_exists(alerted_at) OR alerted_at <= :hour_ago) "
                    "AND (attribute_not_exists(claimed_at) OR claimed_at <= :stale)"
                ),
                ExpressionAttributeValues=to_item(
                    {
                        ":ours": claim_id,
                        ":now": utc_timestamp(now),
                        ":threshold": self._threshold,
                        ":hour_ago": utc_timestamp(now - WINDOW),
                        ":stale": utc_timestamp(now - CLAIM_LIFE),
                    }
                ),
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            # A claim that took effect and then timed out is refused by itself at the retry.
            existing = item_of_failure(error) or {}
            return _Claim(claim_id, existing) if existing.get("claim_id") == claim_id else None
        return _Claim(claim_id, from_item(response["Attributes"]))

    def _release(self, claim: _Claim) -> None:
        """Give the alert back, so that the next invocation or the sweeper publishes it."""
        self._update_claimed(claim, "REMOVE claim_id, claimed_at", {}, {})

    def _settle(self, claim: _Claim, reasons: Mapping[str, int]) -> None:
        """Take what was told off the count; what was added since the claim stays."""
        told = list(reasons.items())
        names = {f"#reason{number}": f"{_REASON}{kind}" for number, (kind, _) in enumerate(told)}
        values: Item = {f":count{number}": -count for number, (_, count) in enumerate(told)}
        taken = "".join(f", #reason{number} :count{number}" for number in range(len(told)))
        self._update_claimed(
            claim,
            "SET alerted_at = :now REMOVE claim_id, claimed_at, first_at, examples "
            f"ADD refused :refused{taken}",
            names,
            {
                **values,
                ":refused": -_count(claim.item),
                ":now": utc_timestamp(self._table.clock()),
            },
        )

    def _update_claimed(
        self, claim: _Claim, expression: str, names: Mapping[str, str], values: Mapping[str, Any]
    ) -> None:
        request: dict[str, Any] = {"ExpressionAttributeNames": dict(names)} if names else {}
        try:
            self._table.dynamodb.update_item(
                TableName=self._table.name,
                Key=to_item(_KEY),
                UpdateExpression=expression,
                ConditionExpression="claim_id = :ours",
                ExpressionAttributeValues=to_item({**values, ":ours": claim.claim_id}),
                **request,
            )
        except ClientError as error:
            if not is_condition_failure(error):
                raise
            logger.warning("The claim of the refusals' alert ran out; it may be told twice")


def is_due(item: Mapping[str, Any], threshold: int, now: datetime) -> bool:
    """Tell whether a count wants an alert that nobody is about to publish; pure.

    Args:
        item: the count's attributes.
        threshold: how many refused files within an hour are many.
        now: the present instant, aware.
    """
    told, claimed = text_of(item, "alerted_at"), text_of(item, "claimed_at")
    return (
        _count(item) >= threshold
        and (told is None or told <= utc_timestamp(now - WINDOW))
        and (claimed is None or claimed <= utc_timestamp(now - CLAIM_LIFE))
    )


def _count(item: Mapping[str, Any]) -> int:
    """Return how many were refused; 0 where the item is of another shape."""
    count = item.get("refused", 0)
    return int(count) if isinstance(count, Decimal | int) else 0


def _examples(item: Mapping[str, Any]) -> list[RefusedExample]:
    """Return the examples that are kept, as far as they are of the right shape."""
    kept = item.get("examples")
    return [
        RefusedExample(str(each.get("file_path")), str(each.get("reason")))
        for each in (kept if isinstance(kept, list) else ())
        if isinstance(each, Mapping)
    ]


def _reasons(item: Mapping[str, Any]) -> dict[str, int]:
    """Return the counts of reasons, the most frequent first."""
    counts = {
        name.removeprefix(_REASON): int(count)
        for name, count in item.items()
        if name.startswith(_REASON) and isinstance(count, Decimal) and count > 0
    }
    return dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))
