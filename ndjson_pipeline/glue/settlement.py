"""What a Glue run's end means to each of its manifests."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ndjson_pipeline.claims.claim import Claim
from ndjson_pipeline.claims.retries import FailureKind
from ndjson_pipeline.glue.grouping import group_size_after_crash
from ndjson_pipeline.glue.report import GlueReport
from ndjson_pipeline.glue.runs import GlueRun


@dataclass(frozen=True)
class Settlement:
    """How a claim ends.

    Attributes:
        claim: the claim.
        failure: why it failed, or None where it completed.
        records_processed: rows written, where a report tells.
        kind: what the failure means to another attempt.
        group_size: how many manifests the next Glue run of it takes at most, where this one died with
            several.
        glue_job_run_id: its Glue run, where it had one.
    """

    claim: Claim
    failure: str | None
    records_processed: int | None = None
    kind: FailureKind = FailureKind.FINAL
    group_size: int | None = None
    glue_job_run_id: str | None = None


def settle(
    claims: Sequence[Claim], run: GlueRun, report: GlueReport | None, *, manifests: int = 0
) -> list[Settlement]:
    """Decide each manifest's end; pure.

    The report decides where it names the manifest: in a run that failed for one manifest the others are
    converted, and need no other run. It does so only as the run itself sealed it, if its numbers agree and
    if the output that it names was found. Without it the run's state counts for all.

    Args:
        claims: of manifests of the run.
        run: as it ended.
        report: what it reported.
        manifests: how many the run had, where that is more than the claims.
    """
    named = report.manifests if report is not None else {}
    # Those that a report tells of did not bring it down.
    suspects = max(len(claims), manifests) - sum(claim.record.manifest_path in named for claim in claims)
    return [_settle_one(claim, run, report, suspects) for claim in claims]


def _settle_one(claim: Claim, run: GlueRun, report: GlueReport | None, suspects: int) -> Settlement:
    outcome = report.manifests.get(claim.record.manifest_path) if report is not None else None
    end = Settlement(claim, None, glue_job_run_id=run.run_id)
    if outcome is None and not run.has_succeeded:
        # It died before it could tell; a run that someone stopped stays stopped.
        return replace(
            end,
            failure=run.describe_end(),
            kind=_KINDS.get(run.state, FailureKind.FINAL),
            group_size=group_size_after_crash(suspects) if run.has_crashed and suspects > 1 else None,
        )
    if outcome is None:
        return end
    if not outcome.is_completed:
        return replace(end, failure=outcome.error_message or run.describe_end())
    if outcome.imbalance is not None:
        return replace(end, failure=outcome.imbalance)
    if outcome.missing_output is not None:
        # Another run may have replaced it, or somebody have taken it away: another attempt writes it again.
        return replace(end, failure=outcome.missing_output, kind=FailureKind.CRASHED)
    return replace(end, records_processed=outcome.records_processed)


# EXPIRED is a run that waited for its workers for too long, and never began. A person or the deadline ended
# what is not named here.
_KINDS = {
    "FAILED": FailureKind.CRASHED,
    "ERROR": FailureKind.CRASHED,
    "EXPIRED": FailureKind.NOT_STARTED,
}
