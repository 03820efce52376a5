"""The op that compares a date's input listing with the table."""

import dagster as dg

from ndjson_pipeline.ops.sweep_answer import show_answer
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sweeper_function import call_sweeper


@dg.op(
    description="Has the sweeper compare the date's listing with its records and send lost events again.",
    out=dg.Out(dg.Nothing),
)
def reconcile_listing(context: dg.OpExecutionContext, pipeline: PipelineResource) -> None:
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
            f"The sweeper's time did not reach for all of {context.partition_key}; run this once more after "
            "the events that it sent are handled"
        )
