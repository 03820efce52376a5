"""The Glue job and the catalog's table."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from ndjson_pipeline.deployment.deadlines import GLUE_TIMEOUT
from ndjson_pipeline.desk.clients import Desk
from ndjson_pipeline.desk.doctor.finding import Finding, State, judged, ok

_GLUE_VERSION = "5.1"


def glue_job(desk: Desk) -> Iterator[Finding]:
    """Compare the Glue job with what the code location counts on."""
    job: Any = desk.glue.get_job(JobName=desk.names.glue_job)["Job"]
    settings, names = desk.settings, desk.names
    problems = []
    places = job.get("ExecutionProperty", {}).get("MaxConcurrentRuns", 1)
    if places != settings.max_concurrent_runs:
        problems.append(
            (
                f"it runs {places} at once, and the pool has {settings.max_concurrent_runs} places",
                "make GLUE_MAX_CONCURRENT_RUNS and the job's MaxConcurrentRuns the same",
            )
        )
    if job.get("MaxRetries", 0):
        problems.append((f"Glue tries {job['MaxRetries']} times more by itself", "set MaxRetries to 0"))
    minutes = int(GLUE_TIMEOUT / timedelta(minutes=1))
    if job.get("Timeout", minutes) > minutes:
        problems.append((f"Glue ends a run after {job['Timeout']} min only", f"set Timeout to {minutes}"))
    if str(job.get("GlueVersion", _GLUE_VERSION)) != _GLUE_VERSION:
        problems.append((f"it has Glue {job['GlueVersion']}", f"set Glue {_GLUE_VERSION}"))
    arguments = {**job.get("DefaultArguments", {}), **job.get("NonOverridableArguments", {})}
    wanted = {"--MANIFEST_BUCKET": names.manifest_bucket, "--OUTPUT_BUCKET": names.output_bucket}
    problems += [
        (f"{name} is {arguments.get(name) or 'not set'}", f"set it to {value}")
        for name, value in wanted.items()
        if arguments.get(name) != value
    ]
    workers = f"{job.get('NumberOfWorkers', '?')} x {job.get('WorkerType', '?')}"
    yield judged("Glue job", problems, f"{names.glue_job}, {workers}, {places} runs at once")


def catalog(desk: Desk) -> Iterator[Finding]:
    """Tell whether queries find the table."""
    names = desk.names
    table: Any = desk.glue.get_table(DatabaseName=names.catalog_database, Name=names.catalog_table)["Table"]
    said = f"{names.catalog_database}.{names.catalog_table}"
    location = str(table.get("StorageDescriptor", {}).get("Location", ""))
    if names.output_bucket not in location:
        yield Finding("catalog", State.WRONG, f"{said} lies at {location}", "deploy again (`make deploy`)")
        return
    left_out = str(table.get("Parameters", {}).get("left_out", "")).strip("{}[] ")
    yield ok("catalog", f"{said}; without {left_out}" if left_out else said)
