"""What a Glue run's end means to each of its manifests."""

from collections.abc import Sequence
from dataclasses import dataclass

from ndjson_pipeline.claims.store import Claim
from ndjson_pipeline.glue.report import GlueReport
from ndjson_pipeline.glue.runs import GlueRun

# A manifest whose attempts crash this often is left failed, for a person to look at.
MAX_ATTEMPTS = 3


@dataclass(frozen=True)
class Settlement:
    """How a claim ends.

    Attributes:
        claim: the claim.
        failure: why it failed, or None where it completed.
        records_processed: rows written, where a report tells.
        retry_due: whether it failed by a crash, not by its data, and may be tried again by itself.
    """

    claim: Claim
    failure: str | None
    records_processed: int | None = None
    retry_due: bool = False


def settle(claims: Sequence[Claim], run: GlueRun, report: GlueReport | None) -> list[Settlement]:
    """Decide each manifest's end; pure.

    The report decides where it names the manifest: in a run that failed for one manifest the others are
    converted, and need no other run. Without it the run's state counts for all.
    """
    return [_settle_one(claim, run, report) for claim in claims]


def may_retry(claim: Claim) -> bool:
    """Tell whether another attempt may follow a crash by itself."""
    return claim.attempt < MAX_ATTEMPTS


def _settle_one(claim: Claim, run: GlueRun, report: GlueReport | None) -> Settlement:
    outcome = report.manifests.get(claim.record.manifest_path) if report is not None else None
    if outcome is None and not run.has_succeeded:
        # It died before it could tell; a run that someone stopped stays stopped.
        return Settlement(claim, run.describe_end(), retry_due=run.has_crashed and may_retry(claim))
    if outcome is None:
        return Settlement(claim, None)
    if not outcome.is_completed:
        return Settlement(claim, outcome.error_message or run.describe_end())
    if outcome.records_read != outcome.records_processed + outcome.records_rejected:
        return Settlement(
            claim,
            f"{outcome.records_read} lines in, but {outcome.records_processed} rows out and "
            f"{outcome.records_rejected} rejected",
        )
    return Settlement(claim, None, outcome.records_processed)
