"""Which code location a tick is of: the daemon says so, a tick outside of it does not."""

import dagster as dg


def location_of(context: dg.SensorEvaluationContext) -> str | None:
    """Return the name of the code location, or None where it is not known."""
    return context.code_location_origin.location_name if context.code_location_origin else None
