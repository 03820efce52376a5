"""Glue: runs that run, in states of their own, and the calls that moto lacks."""

import threading
from typing import Any

import moto.glue.models
import moto.glue.responses
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.glue.exceptions import (
    ConcurrentRunsExceededException,
    GlueClientError,
    JobRunNotFoundException,
)

from ndjson_pipeline.local_aws.glue.runs import RunRequest
from ndjson_pipeline.local_aws.moto_patches.registry import Services, replaces


@replaces(moto.glue.models.FakeJob, "start_job_run")
def _runs_run_the_script(_original: Any, services: Services) -> Any:
    """Stock moto runs nothing: a run is SUCCEEDED at once, so that MaxConcurrentRuns never bites."""

    def start_job_run(
        job: Any,
        *,
        arguments: dict[str, str] | None,
        timeout: int | None,
        max_capacity: float | None,
        worker_type: str | None,
        number_of_workers: int | None,
        previous_run_id: str | None,
        **_others: Any,
    ) -> str:
        runs = services.glue_runs
        with runs.lock:
            active = sum(not run.state.terminal for run in job.job_runs)
            if active >= job.execution_property.get("MaxConcurrentRuns", 1):
                raise ConcurrentRunsExceededException(f"Concurrent runs exceeded for {job.name}")
            run = runs.start(
                RunRequest(
                    job_name=job.name,
                    script_location=job.command["ScriptLocation"],
                    default_arguments=job.default_arguments,
                    arguments=arguments or {},
                    fixed_arguments=job.non_overridable_arguments or {},
                    timeout_minutes=timeout or job.timeout,
                    glue_version=job.glue_version,
                    worker_type=worker_type or job.worker_type,
                    number_of_workers=number_of_workers or job.number_of_workers,
                    max_capacity=max_capacity or job.max_capacity,
                    previous_run_id=previous_run_id,
                )
            )
            job.job_runs.append(run)
        return run.job_run_id

    return start_job_run


@replaces(moto.glue.models.FakeJob, "get_job_run")
def _a_run_is_what_it_is(_original: Any, _services: Services) -> Any:
    """Stock moto moves a run to its next state when somebody looks at it."""

    def get_job_run(job: Any, run_id: str) -> Any:
        for run in job.job_runs:
            if run.job_run_id == run_id:
                return run
        raise JobRunNotFoundException(run_id)

    return get_job_run


@replaces(moto.glue.models.FakeJob, "get_job_runs")
def _runs_come_newest_first(_original: Any, _services: Services) -> Any:
    """Stock moto lists runs oldest first, and moves them all to their next state."""

    def get_job_runs(job: Any) -> list[Any]:
        return list(reversed(job.job_runs))

    return get_job_runs


@replaces(moto.glue.responses.GlueResponse, "batch_stop_job_run")
def _runs_can_be_stopped(_original: Any, _services: Services) -> Any:
    """Stock moto has no BatchStopJobRun."""

    def batch_stop_job_run(handler: Any) -> Any:
        job_name = handler.parameters["JobName"]
        job = handler.glue_backend.get_job(job_name)
        runs = {run.job_run_id: run for run in job.job_runs}
        stopped, errors = [], []
        for run_id in handler.parameters["JobRunIds"]:
            if run_id not in runs:
                error = ("EntityNotFoundException", f"Job run {run_id} not found.")
            elif not runs[run_id].request_stop():
                error = ("InvalidInputException", f"Job run {run_id} is {runs[run_id].state.value}.")
            else:
                stopped.append({"JobName": job_name, "JobRunId": run_id})
                continue
            detail = {"ErrorCode": error[0], "ErrorMessage": error[1]}
            errors.append({"JobName": job_name, "JobRunId": run_id, "ErrorDetail": detail})
        return ActionResult({"SuccessfulSubmissions": stopped, "Errors": errors})

    return batch_stop_job_run


@replaces(moto.glue.responses.GlueResponse, "update_job")
def _jobs_can_be_updated(_original: Any, _services: Services) -> Any:
    """Stock moto has no UpdateJob."""
    fields: dict[str, tuple[str, Any]] = {
        "Command": ("command", None),
        "Connections": ("connections", None),
        "DefaultArguments": ("default_arguments", {}),
        "Description": ("description", None),
        "ExecutionClass": ("execution_class", "STANDARD"),
        "ExecutionProperty": ("execution_property", {}),
        "GlueVersion": ("glue_version", None),
        "MaxCapacity": ("max_capacity", None),
        "MaxRetries": ("max_retries", 0),
        "NonOverridableArguments": ("non_overridable_arguments", None),
        "NotificationProperty": ("notification_property", None),
        "NumberOfWorkers": ("number_of_workers", None),
        "Role": ("role", None),
        "SecurityConfiguration": ("security_configuration", None),
        "Timeout": ("timeout", None),
        "WorkerType": ("worker_type", None),
    }

    def update_job(handler: Any) -> Any:
        job = handler.glue_backend.get_job(handler.parameters["JobName"])
        update = handler.parameters["JobUpdate"]
        # The service overwrites the whole definition: what the update leaves out is gone.
        for field, (attribute, default) in fields.items():
            setattr(job, attribute, update.get(field, default))
        job.last_modified_on = utcnow()
        return ActionResult({"JobName": job.name})

    return update_job


@replaces(moto.glue.responses.GlueResponse, "update_table")
def _tables_change_one_after_the_other(_original: Any, _services: Services) -> Any:
    """Stock moto ignores VersionId, so that the last of two updates wins, and keeps every former version."""
    lock = threading.Lock()

    def update_table(handler: Any) -> Any:
        parameters = handler.parameters
        table_input = parameters["TableInput"]
        with lock:
            table = handler.glue_backend.get_table(parameters["DatabaseName"], table_input["Name"])
            current = table.as_dict()["VersionId"]
            if parameters.get("VersionId") not in {None, current}:
                raise GlueClientError(
                    "ConcurrentModificationException", f"Update table failed: its version is {current}"
                )
            table.update(table_input)
            if parameters.get("SkipArchive"):
                table.delete_version(current)
        return EmptyResult()

    return update_table
