"""Jobs: what sensors launch, and what an operator launches from the UI, with the ops of these."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.assets import merged_parquet
from ndjson_pipeline.deployment.partitions import daily_partitions
from ndjson_pipeline.errors import SweeperError
from ndjson_pipeline.resources import PipelineResource

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient

# What Dagster calls the job of runs that are launched from an asset's page, and of backfills.
_IMPLICIT_ASSET_JOB = "__ASSET_JOB"

convert_manifests = dg.define_asset_job(
    "convert_manifests",
    selection=[merged_parquet],
    description="Converts the manifests that the run's tags name; launched by the manifest sensor.",
)


@dg.op(
    description="Marks the date's failed manifests for another attempt, which the manifest sensor launches.",
    out=dg.Out(dg.Nothing),
)
def retry_failed(context: dg.OpExecutionContext, pipeline: PipelineResource) -> None:
    """Mark each failed manifest of the partition's date; whatever has another status is not touched."""
    records = pipeline.records()
    marked: list[str] = []
    moved: list[str] = []
    untouched = 0
    for record in records.of_date(context.partition_key):
        if record.status is not ManifestStatus.FAILED:
            untouched += 1
        elif records.retry_later(record):
            marked.append(record.name.filename)
            context.log.info(
                f"{record.name.filename} is tried again; "
                f"attempt {record.attempt} failed: {record.error_message}"
            )
        else:
            moved.append(record.name.filename)
            context.log.info(f"Left {record.name.filename} alone: it has moved on meanwhile")
    if not marked:
        context.log.info(f"No manifest of {context.partition_key} has failed")
    context.add_output_metadata(
        {
            "manifests_marked": dg.MetadataValue.int(len(marked)),
            "manifests_moved_on": dg.MetadataValue.int(len(moved)),
            "manifests_untouched": dg.MetadataValue.int(untouched),
            "manifests": dg.MetadataValue.json(marked),
        }
    )


@dg.op(description="Calls the sweeper, waits for it and shows its answer.", out=dg.Out(dg.Nothing))
def sweep(context: dg.OpExecutionContext, pipeline: PipelineResource) -> None:
    """Sweep once, recent dates' listings included.

    Raises:
        Failure: a part of the sweep failed; the answer says which.
    """
    deployment = pipeline.deployment
    show_answer(context, call_sweeper(deployment.functions, deployment.names.sweeper_function, {}))


@dg.op(
    description="Has the sweeper compare the date's listing with its records and send lost events again.",
    out=dg.Out(dg.Nothing),
)
def audit_listing(context: dg.OpExecutionContext, pipeline: PipelineResource) -> None:
    """Audit one date.

    Raises:
        Failure: a part of the sweep failed; the answer says which.
    """
    deployment = pipeline.deployment
    answer = call_sweeper(
        deployment.functions, deployment.names.sweeper_function, {"dates": [context.partition_key]}
    )
    show_answer(context, answer)
    if context.partition_key in answer.get("events_incomplete", ()):
        context.log.warning(
            f"The sweeper's time did not reach for all of {context.partition_key}; run this once more, and "
            "it goes on from there"
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
        "choose the date and launch. Files younger than 15 minutes are left to their own events; of a date "
        "so old that records may have expired, what a manifest lists is known by that. Safe at any time."
    ),
)
def audit_input_listing() -> None:
    """Send a date's lost events again."""
    audit_listing()


def converts(run: dg.DagsterRun) -> bool:
    """Tell whether a run is one of `merged_parquet`, however it was launched."""
    if run.asset_selection:
        return merged_parquet.key in run.asset_selection
    return run.job_name in {convert_manifests.name, _IMPLICIT_ASSET_JOB}


def call_sweeper(
    functions: "LambdaClient", function_name: str, event: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Call the sweeper, wait for its end and return its answer.

    Args:
        functions: the client.
        function_name: the sweeper's.
        event: what it is asked, such as `{}` or `{"dates": ["2026-01-30"]}`.

    Raises:
        SweeperError: the function failed as a whole, or answered in another shape.
        ClientError: Lambda did not call it.
    """
    response = functions.invoke(
        FunctionName=function_name, InvocationType="RequestResponse", Payload=json.dumps(event).encode()
    )
    text = response["Payload"].read().decode()
    if kind := response.get("FunctionError"):
        raise SweeperError(f"{function_name} failed ({kind}): {text}")
    try:
        answer = json.loads(text)
    except ValueError as error:
        raise SweeperError(f"{function_name} answered no JSON: {text!r}") from error
    if not isinstance(answer, dict) or not isinstance(answer.get("failed"), list):
        raise SweeperError(f"{function_name} answered in another shape, without a list `failed`: {text}")
    return answer


def show_answer(context: dg.OpExecutionContext, answer: Mapping[str, Any]) -> None:
    """Log a sweep's answer and keep it with the op's output.

    Raises:
        Failure: a part of the sweep failed; the failure bears the answer.
    """
    metadata = {
        "answer": dg.MetadataValue.json(dict(answer)),
        "files_flushed": dg.MetadataValue.int(_sum(answer, "flushed")),
        "events_resent": dg.MetadataValue.int(_sum(answer, "events_resent")),
        "manifests_removed": dg.MetadataValue.int(len(answer.get("manifests_removed", ()))),
    }
    for name, value in answer.items():
        context.log.info(f"{name}: {value}")
    if failed := answer["failed"]:
        raise dg.Failure(
            description=(
                f"{len(failed)} parts of the sweep failed: {', '.join(map(str, failed))}. The others are "
                "done; the sweeper's log has the reasons, and the next sweep does these again"
            ),
            metadata=metadata,
            allow_retries=False,
        )
    context.add_output_metadata(metadata)


def _sum(answer: Mapping[str, Any], name: str) -> int:
    """Return the sum of `{date: files}`."""
    return sum(int(files) for files in answer.get(name, {}).values())
