"""The code location with short graces, whose processes die at the AWS call that a test names."""

import os
from functools import cache
from pathlib import Path

from ndjson_pipeline.definitions import build_defs
from ndjson_pipeline.deployment.clients import Deployment, current_deployment
from ndjson_pipeline.resources import PipelineResource
from ndjson_pipeline_tests.end_to_end.deaths import RUN, Deaths

DEATHS_VARIABLE = "MORTAL_DEATHS"


class MortalPipelineResource(PipelineResource):
    """The pipeline's AWS, whose calls may be the last."""

    @property
    def deployment(self) -> Deployment:
        """Names and clients that look at each call."""
        deployment = current_deployment()
        _watch(deployment)
        return deployment


@cache
def _watch(deployment: Deployment) -> None:
    deaths = Deaths(Path(os.environ[DEATHS_VARIABLE]), RUN)
    deaths.watch(deployment.dynamodb, "dynamodb")
    deaths.watch(deployment.glue, "glue")
    deaths.watch(deployment.glue_starts, "glue")


defs = build_defs(
    resource_overrides={
        "pipeline": MortalPipelineResource(
            shortest_poll_seconds=0.5,
            longest_poll_seconds=1.0,
            concurrency_wait_seconds=2.0,
            settle_grace_seconds=6.0,
            start_grace_seconds=60.0,
            abandoned_grace_seconds=4.0,
            claim_grace_seconds=8.0,
            idle_run_seconds=20.0,
            retry_waits_seconds=[2.0],
        )
    }
)
