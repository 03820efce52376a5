"""Completes manifests together with their date's totals, many in one transaction."""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from lambda_ingest.contract.items import cancellation_reasons, error_code, from_item, to_item
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.claim import Claim
from ndjson_pipeline.claims.totals import (
    Counted,
    GlueCharge,
    ManifestNumbers,
    difference,
    glue_charge_key,
    parse_counted,
    sum_of,
    totals_key,
)
from ndjson_pipeline.errors import StaleHolderError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

# TransactWriteItems takes 100 actions; one is the date's totals.
MANIFESTS_PER_TRANSACTION = 99
# Transactions that meet another, or too little capacity, are tried again after a random part of a growing
# wait: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
_FIRST_WAIT_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 5.0
# Waits without any progress end here. Capacity that scales up takes a minute or two.
_PATIENCE_SECONDS = 180.0
_REFUSED = "ConditionalCheckFailed"
# What is learnt from attempts that failed, for those that follow by themselves.
OF_EARLIER_ATTEMPTS = ("crashes", "refused_starts", "group_size")
# What a completed record says no more.
OF_FAILURES = ("error_message", *OF_EARLIER_ATTEMPTS)
_CONFLICTS = frozenset(
    {"TransactionConflict", "TransactionConflictException", "TransactionInProgressException"}
)
_THROTTLED = frozenset(
    {
        "ThrottlingError",
        "ThrottlingException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
    }
)


@dataclass(frozen=True)
class Completion:
    """A claimed manifest that was converted.

    Attributes:
        claim: the attempt that converted it.
        numbers: what its output holds, or None where no report tells.
    """

    claim: Claim
    numbers: ManifestNumbers | None


@dataclass(frozen=True)
class Refused:
    """A claim that no longer holds its record.

    Attributes:
        claim: the claim.
        error: who holds it.
    """

    claim: Claim
    error: StaleHolderError


@dataclass(frozen=True)
class _Refusal:
    """Why a transaction was not written: a code for each of its actions, and the item where one was shown."""

    error: ClientError
    reasons: Sequence[Mapping[str, Any]]

    def has(self, codes: Set[str]) -> bool:
        return any(reason.get("Code") in codes for reason in self.reasons)


@dataclass(frozen=True)
class _Open:
    """A completion that is not written yet, with what its record counts in the totals so far."""

    completion: Completion
    former: Counted | None

    @property
    def new(self) -> Counted:
        return Counted(self.completion.claim.attempt, self.completion.numbers)


class CompletionWriter:
    """Writes completions.

    A date's transactions go one after the other: each changes the date's totals, and two at once would only
    meet in conflict.

    Args:
        dynamodb: the client.
        table: the tracking table.
        stamp: returns the instant and the expiry of a record that ends now, as `:now` and `:ttl`.
        sleep: waits for so many seconds.
        jitter: returns a number from 0 to 1.
    """

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        *,
        table: str,
        stamp: Callable[[], Mapping[str, Any]],
        sleep: Callable[[float], None],
        jitter: Callable[[], float],
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._stamp = stamp
        self._sleep = sleep
        self._jitter = jitter

    def complete(self, completions: Sequence[Completion]) -> list[Refused]:
        """Move claimed records to completed, and their dates' totals with them.

        A record counts in the totals in the very transaction that completes it. What a lost answer had
        completed is found completed by the same attempt, and counts as done.

        Returns:
            Those that were refused: a later attempt holds the record, or it has ended already.

        Raises:
            ClientError: DynamoDB refused for another reason, or for longer than patience lasts.
        """
        refused: list[Refused] = []
        by_date: dict[str, list[_Open]] = {}
        for completion in completions:
            record = completion.claim.record
            by_date.setdefault(record.date_prefix, []).append(_Open(completion, record.counted))
        for date_prefix, left in by_date.items():
            refused += self._complete_date(date_prefix, left)
        return refused

    def charge(self, charge: GlueCharge) -> bool:
        """Add a Glue run's time to its date's totals; False where it was counted before.

        A transaction of its own: the time was spent whatever becomes of the manifests.

        Raises:
            ClientError: DynamoDB refused for another reason, or for longer than patience lasts.
        """
        stamp = self._stamp()
        once: TransactWriteItemTypeDef = {
            "Put": {
                "TableName": self._table,
                "Item": to_item(
                    {**glue_charge_key(charge), "created_at": stamp[":now"], "ttl": stamp[":ttl"]}
                ),
                "ConditionExpression": "attribute_not_exists(file_key)",
            }
        }
        patience = self._patience()
        while (refusal := self._transact([once, self._add(charge.date_prefix, charge.added())])) is not None:
            if refusal.has({_REFUSED}):
                return False
            patience.wait(refusal.error)
        return True

    def _complete_date(self, date_prefix: str, left: list[_Open]) -> list[Refused]:
        stale: list[Refused] = []
        size = MANIFESTS_PER_TRANSACTION
        patience = self._patience()
        while left:
            chunk, left = left[:size], left[size:]
            gained = sum_of(difference(one.new, one.former) for one in chunk)
            refusal = self._transact([*map(self._complete_one, chunk), self._add(date_prefix, gained)])
            if refusal is None:
                patience = self._patience()
                continue
            left = self._still_open(chunk, refusal, stale) + left
            if refusal.has({_REFUSED}):
                # What refused is out, or is told otherwise the next time.
                continue
            if refusal.has(_THROTTLED):
                # A smaller one finds room sooner.
                size = max(size // 2, 1)
            patience.wait(refusal.error)
        return stale

    def _still_open(self, chunk: Sequence[_Open], refusal: _Refusal, stale: list[Refused]) -> list[_Open]:
        """Return what is to be tried again, and note what a later attempt holds."""
        remaining: list[_Open] = []
        for place, one in enumerate(chunk):
            # A transaction that was refused as a whole has no reasons of its actions.
            reason = refusal.reasons[place] if place < len(refusal.reasons) else {}
            if reason.get("Code") != _REFUSED:
                remaining.append(one)
                continue
            claim, existing = one.completion.claim, from_item(reason.get("Item") or {})
            is_own = is_of_attempt(existing, claim)
            if is_own and existing.get("status") == ManifestStatus.COMPLETED:
                # It took effect, and its answer was lost.
                continue
            if is_own and existing.get("status") == ManifestStatus.PROCESSING:
                # It counts otherwise than when it was read.
                try:
                    remaining.append(_Open(one.completion, parse_counted(existing)))
                except (KeyError, ValueError, TypeError, AttributeError, ArithmeticError):
                    stale.append(Refused(claim, stale_holder(claim, existing)))
            else:
                stale.append(Refused(claim, stale_holder(claim, existing)))
        return remaining

    def _transact(self, actions: "Sequence[TransactWriteItemTypeDef]") -> _Refusal | None:
        """Write all of it, or return why not where that is worth another try or names a record.

        Raises:
            ClientError: another try would meet the same.
        """
        try:
            self._dynamodb.transact_write_items(TransactItems=actions)
        except ClientError as error:
            reasons = cancellation_reasons(error)
            if reasons is None:
                reasons = [{"Code": error_code(error)}]
            refusal = _Refusal(error, reasons)
            if refusal.has({_REFUSED} | _CONFLICTS | _THROTTLED):
                return refusal
            raise
        return None

    def _complete_one(self, one: _Open) -> "TransactWriteItemTypeDef":
        claim, numbers = one.completion.claim, one.completion.numbers
        record = claim.record
        counts = "counted.attempt = :former" if one.former else "attribute_not_exists(counted)"
        return {
            "Update": {
                "TableName": self._table,
                "Key": to_item({"date_prefix": record.date_prefix, "file_key": record.file_key}),
                "UpdateExpression": (
                    "SET #status = :completed, completed_time = :now, counted = :counted, updated_at = :now, "
                    "#ttl = :ttl"
                    + (", records_processed = :records" if numbers else "")
                    + f" REMOVE {', '.join(OF_FAILURES)}"
                ),
                "ConditionExpression": (
                    f"#status = :processing AND attempt = :attempt AND dagster_run_id = :run AND {counts}"
                ),
                "ExpressionAttributeNames": {"#status": "status", "#ttl": "ttl"},
                "ExpressionAttributeValues": to_item(
                    {
                        **self._stamp(),
                        ":completed": ManifestStatus.COMPLETED.value,
                        ":processing": ManifestStatus.PROCESSING.value,
                        ":attempt": claim.attempt,
                        ":run": claim.run_id,
                        ":counted": one.new.to_item(),
                        ":former": one.former.attempt if one.former else None,
                        ":records": numbers.records_processed if numbers else None,
                    }
                ),
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    def _add(self, date_prefix: str, gained: Mapping[str, Any]) -> "TransactWriteItemTypeDef":
        added = {"revision": 1, **gained}
        return {
            "Update": {
                "TableName": self._table,
                "Key": to_item(totals_key(date_prefix)),
                "UpdateExpression": (
                    "SET updated_at = :now ADD " + ", ".join(f"{name} :{name}" for name in added)
                ),
                "ExpressionAttributeValues": to_item(
                    {":now": self._stamp()[":now"], **{f":{name}": value for name, value in added.items()}}
                ),
            }
        }

    def _patience(self) -> "_Patience":
        return _Patience(self._sleep, self._jitter)


class _Patience:
    """Waits between tries that made no progress, each a random part of a growing one."""

    def __init__(self, sleep: Callable[[float], None], jitter: Callable[[], float]) -> None:
        self._sleep = sleep
        self._jitter = jitter
        self._longest = _FIRST_WAIT_SECONDS
        self._left = _PATIENCE_SECONDS

    def wait(self, error: ClientError) -> None:
        """Wait.

        Raises:
            ClientError: the given error, once patience has ended.
        """
        if self._left <= 0:
            raise error
        # Never less than a tenth: patience must end.
        seconds = self._longest * max(self._jitter(), 0.1)
        self._sleep(seconds)
        self._left -= seconds
        self._longest = min(2 * self._longest, _LONGEST_WAIT_SECONDS)


def is_of_attempt(existing: Mapping[str, Any], claim: Claim) -> bool:
    """Tell whether an item is at the attempt that a claim is, and that run's."""
    return (existing.get("attempt"), existing.get("dagster_run_id")) == (claim.attempt, claim.run_id)


def stale_holder(claim: Claim, existing: Mapping[str, Any]) -> StaleHolderError:
    """Say that a claim no longer holds its record.

    Args:
        claim: the claim.
        existing: the item that refused it; empty where there is none any more.
    """
    return StaleHolderError(
        f"run {claim.run_id} no longer holds attempt {claim.attempt} of {claim.record.manifest_path}: it is "
        f"{existing.get('status', 'gone')} at attempt {existing.get('attempt')} by run "
        f"{existing.get('dagster_run_id')}; nothing was written"
    )
