"""The op that sweeps now."""

import dagster as dg

from ndjson_pipeline.ops.sweep_answer import show_answer
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline.sweeper_function import call_sweeper


@dg.op(description="Calls the sweeper, waits for it and shows its answer.", out=dg.Out(dg.Nothing))
def sweep(context: dg.OpExecutionContext, pipeline: PipelineResource) -> None:
    """Sweep once, recent dates' listings included.

    Raises:
        Failure: a part of the sweep failed; the answer says which.
    """
    deployment = pipeline.deployment
    show_answer(context, call_sweeper(deployment.functions, deployment.names.sweeper_function, {}))
