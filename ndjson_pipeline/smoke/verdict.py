"""What an observation means; pure."""

from lambda_ingest.contract.records import FileStatus, ManifestStatus
from ndjson_pipeline.smoke.observation import Observation
from ndjson_pipeline.smoke.plan import SmokePlan

_MOST_NAMED = 3


def is_settled(observation: Observation) -> bool:
    """Tell whether nothing more will happen: all is converted, or something has failed for good."""
    return all_completed(observation) or bool(lost_for_good(observation))


def all_completed(observation: Observation) -> bool:
    """Tell whether each file is in a manifest that was converted."""
    return (
        observation.count(FileStatus.MANIFESTED) == len(observation.files)
        and {file.manifest_path for file in observation.files}
        == {record.manifest_path for record in observation.manifests}
        and all(record.status is ManifestStatus.COMPLETED for record in observation.manifests)
    )


def lost_for_good(observation: Observation) -> list[str]:
    """Return what went wrong and will not mend itself."""
    refused = [
        f"{file.name} was refused: {file.reason or 'its record has no reason'}"
        for file in observation.files
        if file.status == FileStatus.QUARANTINED
    ]
    failed = [
        f"{record.manifest_path} failed: {record.error_message or 'its record has no reason'}"
        for record in observation.manifests
        if record.status is ManifestStatus.FAILED and record.retry_at is None
    ]
    return _named(refused) + failed


def problems_of(plan: SmokePlan, observation: Observation) -> list[str]:
    """Return what is wrong at the end; empty where the deployment did what it should.

    One run is asked for where the files fill one batch and lie in one manifest alone. At most one run of a
    date waits at a time, and takes what waits when it starts, so several manifests may become several runs.
    """
    found = lost_for_good(observation)
    if not all_completed(observation):
        return found or [_unfinished(observation)]
    of_others = sum(record.file_count for record in observation.manifests) - len(plan.files)
    rows = sum(record.records_processed or 0 for record in observation.manifests)
    if not of_others and rows != plan.records:
        found.append(f"{plan.records} records were put in, and {rows} rows came out")
    if of_others and rows < plan.records:
        found.append(f"{plan.records} records were put in, and {rows} rows came out with others' files")
    if not observation.parquet_files:
        found.append("there is no Parquet of the manifests in the output bucket")
    again = [record for record in observation.manifests if record.attempt > 1]
    found += [f"{record.manifest_path} took {record.attempt} attempts" for record in again]
    if plan.is_one_batch and not of_others and len(observation.manifests) != 1:
        found.append(f"one batch became {len(observation.manifests)} manifests")
    runs = len(observation.runs), len(observation.glue_runs)
    if plan.is_one_batch and len(observation.manifests) == 1 and runs != (1, 1):
        found.append(f"one manifest took {runs[0]} Dagster runs and {runs[1]} Glue runs")
    found += [
        f"Glue run {run.run_id} is {run.state}" for run in observation.glue_runs if run.state != "SUCCEEDED"
    ]
    return found


def _unfinished(observation: Observation) -> str:
    """Say where the files are that did not come out in time, and where to look."""
    unknown, pending = observation.count(None), observation.count(FileStatus.PENDING)
    open_manifests = [
        f"{record.manifest_path} is {record.status.value}"
        for record in observation.manifests
        if record.status is not ManifestStatus.COMPLETED
    ]
    if unknown:
        return (
            f"{unknown} of {len(observation.files)} files have no record: look at the queue, its dead-letter "
            "queue, and the manifest builder's log"
        )
    if pending:
        return f"{pending} of {len(observation.files)} files are in no manifest: look at the builder's log"
    return "; ".join(open_manifests[:_MOST_NAMED]) + ": look at Dagster's manifest_sensor and its runs"


def _named(problems: list[str]) -> list[str]:
    more = len(problems) - _MOST_NAMED
    return [*problems[:_MOST_NAMED], *([f"... and {more} more"] if more > 0 else [])]
