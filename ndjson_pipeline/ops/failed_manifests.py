"""The op that makes a date's failed manifests wait again."""

import dagster as dg

from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.resources import PipelineResource


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
