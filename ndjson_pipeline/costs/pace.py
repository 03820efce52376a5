"""How fast things go, as a plan counts on it; the simulated days and the bill share these; pure."""

from ndjson_pipeline.glue.capacity import MB_PER_SECOND_AND_WORKER, Capacity
from ndjson_pipeline.glue.cost import DPU_OF_WORKER

SECONDS_A_DAY = 86_400.0
# Dagster's daemon looks so often: at the sensor, and at its queue.
TICK_SECONDS = 5.0
# From a run's place to its claim: its process starts.
CLAIM_SECONDS = 3.0
# Glue starts its workers, which is not billed; then it works so long besides the bytes.
GLUE_START_SECONDS = 30.0
GLUE_FIXED_SECONDS = 40.0
# https://aws.amazon.com/glue/pricing/: by the second, a minute at least.
SHORTEST_BILLED_SECONDS = 60.0
# The sweeper's timer: once a date is over, the files that fill no batch are cut by it.
SWEEP_SECONDS = 300.0


def working_seconds(mb: float, workers: int) -> float:
    """Return how long a Glue run works for so many MB; one of its workers is the driver."""
    return GLUE_FIXED_SECONDS + mb / (MB_PER_SECOND_AND_WORKER * (workers - 1))


def billed_dpu_seconds(working: float, workers: int, capacity: Capacity) -> float:
    """Return the DPU-seconds that a run of so many workers is billed for."""
    return workers * DPU_OF_WORKER[capacity.worker_type] * max(working, SHORTEST_BILLED_SECONDS)
