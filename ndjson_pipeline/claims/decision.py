"""Which move a run makes with a manifest's record."""

from dataclasses import dataclass
from datetime import datetime

from lambda_ingest.contract.dates import utc_timestamp
from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.claims.dagster_runs import Ancestry, Purpose, RunView
from ndjson_pipeline.claims.moves import Move
from ndjson_pipeline.claims.record import ManifestRecord


@dataclass(frozen=True)
class LeftAlone:
    """A record that is none of the run's business.

    Attributes:
        reason: why, for the run's log.
    """

    reason: str


def decide(record: ManifestRecord, run_id: str, ancestry: Ancestry, now: datetime) -> Move | LeftAlone:
    """Decide; pure.

    Args:
        record: as it was read.
        run_id: the run that asks.
        ancestry: where that run comes from.
        now: the present instant.
    """
    if record.status is ManifestStatus.PROCESSING:
        return _decide_held(record, run_id, ancestry)
    if record.status is ManifestStatus.PENDING:
        return Move.CLAIM
    if record.retry_at is not None:
        # A person need not wait, who may know that the cause is mended.
        is_asked_for = ancestry.purpose is not Purpose.LAUNCH and not ancestry.is_automatic
        if is_asked_for or record.retry_at <= utc_timestamp(now):
            return Move.RETRY
        return LeftAlone(f"it failed, and is tried again at {record.retry_at}")
    # A retry by Dagster itself finishes what the run before it left; how a manifest ended there stands.
    has_ended_before = ancestry.is_automatic and record.dagster_run_id in ancestry.repeated
    if ancestry.purpose is Purpose.LAUNCH or has_ended_before:
        return LeftAlone(f"it is {record.status.value} already")
    return Move.RECLAIM


def _decide_held(record: ManifestRecord, run_id: str, ancestry: Ancestry) -> Move | LeftAlone:
    holder = record.dagster_run_id or ""
    if holder == run_id:
        # A step that is repeated within its run meets its own claim.
        return Move.CLAIM
    view = ancestry.ancestors.get(holder)
    if view is RunView.ENDED:
        return Move.TAKE_OVER
    if view is RunView.IN_FLIGHT:
        return LeftAlone(f"run {holder}, which this one was launched in the place of, is still going")
    return LeftAlone(f"run {holder} is converting it")
