"""Dagster: whether it answers, has the code, and its sensors and daemons run."""

from collections.abc import Iterator

from ndjson_pipeline.deployment.names import GLUE_POOL, location_name
from ndjson_pipeline.deployment.settings import DAGSTER_URL_VARIABLE
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.dagster_api import DagsterApi, Location
from ndjson_pipeline.desk.doctor.finding import Finding, State, judged, ok

SENSORS = (
    "manifest_sensor",
    "reconcile_sensor",
    "failure_alert_sensor",
    "lambda_report_sensor",
    "raw_files_sensor",
    "handover_sensor",
)


def dagster(desk: Desk) -> Iterator[Finding]:
    """Tell whether Dagster goes on."""
    url = desk.settings.dagster_url
    if url is None:
        step = f"set {DAGSTER_URL_VARIABLE} to where the UI answers"
        yield Finding("Dagster", State.UNSEEN, "nobody said where it is", step)
        return
    api = DagsterApi(url)
    yield ok("Dagster", f"{url}, version {api.version()}")
    yield _sensors(desk.settings.feed, api.locations())
    pool = desk.settings.feed or GLUE_POOL
    unhealthy, places = api.unhealthy_daemons(pool)
    step = "start the daemon, one, never two; see its log"
    yield judged("daemons", [(f"{one} does not run", step) for one in unhealthy], "all run")
    expected = desk.settings.max_concurrent_runs
    if places is not None and places != expected:
        said = f"pool {pool} has {places} places, GLUE_MAX_CONCURRENT_RUNS is {expected}"
        yield Finding("pool", State.WARNING, said, "a limit set in the UI stays until it is deleted there")
    else:
        yield ok("pool", f"{pool}, {places if places is not None else expected} places")


def _sensors(feed: str, locations: list[Location]) -> Finding:
    """Tell whether the feed's sensors run."""
    named = [one for one in locations if one.name == location_name(feed)]
    # In a Dagster of somebody's own it may be called otherwise.
    own = [one for one in named or locations if one.error is None and (named or SENSORS[0] in one.sensors)]
    broken = [one for one in named or locations if one.error is not None]
    if not own:
        said = "; ".join(f"{one.name}: {one.error}" for one in broken) or "no code location has them"
        return Finding("sensors", State.WRONG, said, "reload the code location; does its server run?")
    problems = [
        (f"{sensor} of {one.name} is off", "switch it on (Automation)")
        for one in own
        for sensor in SENSORS
        if not one.sensors.get(sensor, False)
    ]
    return judged("sensors", problems, f"{len(SENSORS)} on, in {', '.join(one.name for one in own)}")
