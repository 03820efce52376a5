"""What a Glue run is billed for."""

from ndjson_pipeline.glue.runs import GlueRun

# us-east-1's list price of a DPU-hour of Spark jobs: https://aws.amazon.com/glue/pricing/
LIST_PRICE_USD = 0.44
# Since Glue 2.0 by the second, at least a minute; the versions before bill ten.
_SHORTEST_BILLED_SECONDS = 60
_SHORTEST_BILLED_SECONDS_BEFORE_2 = 600
_VERSIONS_BEFORE_2 = frozenset({"0.9", "1.0"})
# https://docs.aws.amazon.com/glue/latest/dg/worker-types.html; memory-optimized workers have a price of
# their own and are none of these.
DPU_OF_WORKER = {
    "Standard": 1.0,
    "G.025X": 0.25,
    "G.1X": 1.0,
    "G.2X": 2.0,
    "G.4X": 4.0,
    "G.8X": 8.0,
    "G.12X": 12.0,
    "G.16X": 16.0,
}


def dpu_hours(run: GlueRun) -> float | None:
    """Return the DPU-hours that a run is billed, or None where Glue does not say enough to know.

    Glue gives `DPUSeconds` for runs with auto scaling and of the flexible class; for the others it is workers
    times their size times the billed time.
    """
    if run.dpu_seconds is not None:
        return run.dpu_seconds / 3600
    size = DPU_OF_WORKER.get(run.worker_type or "")
    if size is None or run.number_of_workers is None:
        return None
    if run.execution_seconds == 0:
        # It never ran.
        return 0.0
    shortest = (
        _SHORTEST_BILLED_SECONDS_BEFORE_2
        if run.glue_version in _VERSIONS_BEFORE_2
        else _SHORTEST_BILLED_SECONDS
    )
    return size * run.number_of_workers * max(run.execution_seconds, shortest) / 3600
