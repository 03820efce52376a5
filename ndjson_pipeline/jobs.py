"""Jobs: what sensors launch, and what an operator launches from the UI."""

import dagster as dg

from ndjson_pipeline.assets.merged_parquet import merged_parquet
from ndjson_pipeline.ops.failed_manifests import retry_failed
from ndjson_pipeline.ops.input_listing import reconcile_listing
from ndjson_pipeline.ops.sweep import sweep
from ndjson_pipeline.partitions import daily_partitions

# What Dagster calls the job of runs that are launched from an asset's page, and of backfills.
_IMPLICIT_ASSET_JOB = "__ASSET_JOB"

convert_manifests = dg.define_asset_job(
    "convert_manifests",
    selection=[merged_parquet],
    description="Converts the manifests that the run's tags name; launched by the manifest sensor.",
)


@dg.job(
    partitions_def=daily_partitions,
    description=(
        "Tries the failed manifests of a date again, however often they were tried. Choose the date and "
        "launch: the manifest sensor launches their conversion within seconds, as a run of merged_parquet. "
        "What is completed, waits or is being converted is not touched. Mend the cause first; the alert and "
        "this run's log say what it was."
    ),
)
def reprocess_failed_manifests() -> None:
    """Try a date's failed manifests again."""
    retry_failed()


@dg.job(
    description=(
        "Sweeps now, as the timer does: past dates' pending files become manifests, what a crash left half "
        "done is finished, and lost events of recent dates are sent again. Safe at any time. The run's "
        "output shows the answer; the run fails, with the answer, if a part of the sweep failed."
    ),
)
def sweep_now() -> None:
    """Sweep now."""
    sweep()


@dg.job(
    partitions_def=daily_partitions,
    description=(
        "Compares the input files of a date with the tracking table, and sends an event for each file that "
        "no record knows, or knows with other content. For a date whose files are missing in the output: "
        "choose the date and launch. Files younger than 15 minutes are left to their own events, and files "
        "so old that their record may have expired are counted (events_undecidable) and left alone. Safe at "
        "any time."
    ),
)
def reconcile_input_listing() -> None:
    """Send a date's lost events again."""
    reconcile_listing()


def converts(run: dg.DagsterRun) -> bool:
    """Tell whether a run is one of `merged_parquet`, however it was launched."""
    if run.asset_selection:
        return merged_parquet.key in run.asset_selection
    return run.job_name in {convert_manifests.name, _IMPLICIT_ASSET_JOB}
