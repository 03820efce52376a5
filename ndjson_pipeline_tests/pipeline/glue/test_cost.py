"""What a Glue run is billed."""

from typing import Any

import pytest

from ndjson_pipeline.glue.cost import dpu_hours
from ndjson_pipeline.glue.runs import GlueRun


def run(seconds: int, **attributes: Any) -> GlueRun:
    given = {"WorkerType": "G.1X", "NumberOfWorkers": 2, "GlueVersion": "5.1", **attributes}
    return GlueRun.from_response({"Id": "jr_1", "ExecutionTime": seconds, **given})


@pytest.mark.parametrize(
    ("of_run", "hours"),
    [
        (run(1800), 1.0),
        # By the second, at least a minute.
        (run(90), 0.05),
        (run(60), 2 / 60),
        (run(7), 2 / 60),
        (run(0), 0.0),
        (run(7, GlueVersion="1.0"), 20 / 60),
        (run(7, GlueVersion=None), 2 / 60),
        (run(1800, WorkerType="G.2X"), 2.0),
        (run(1800, WorkerType="G.025X", NumberOfWorkers=4), 0.5),
        # What Glue says itself goes before what can be computed.
        (run(1800, DPUSeconds=5400.0), 1.5),
        (run(1800, DPUSeconds=5400.0, WorkerType=None), 1.5),
        (run(1800, WorkerType="R.1X"), None),
        (run(1800, WorkerType=None), None),
        (run(1800, NumberOfWorkers=None), None),
    ],
)
def test_a_run_costs_its_workers_times_its_billed_time(of_run: GlueRun, hours: float | None) -> None:
    assert dpu_hours(of_run) == (None if hours is None else pytest.approx(hours))
