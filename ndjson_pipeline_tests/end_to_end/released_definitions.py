"""A code location of which a deployment brings another release, with a job and a sensor of its own."""

import os

import dagster as dg

from ndjson_pipeline_tests.end_to_end.mortal_definitions import defs as former

RELEASE_VARIABLE = "NDJSON_TESTS_RELEASE"


def released(name: str) -> dg.Definitions:
    """Return a job and a sensor of a release."""

    @dg.op(name=f"op_of_{name}")
    def nothing() -> None:
        """Do nothing."""

    @dg.job(name=f"job_of_{name}")
    def job() -> None:
        """Do nothing."""
        nothing()

    @dg.sensor(
        name=f"sensor_of_{name}",
        target=job,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def sensor() -> dg.SkipReason:
        """Tick."""
        return dg.SkipReason("nothing to do")

    return dg.Definitions(jobs=[job], sensors=[sensor])


_release = os.environ.get(RELEASE_VARIABLE)
defs = dg.Definitions.merge(former, released(_release)) if _release else former
