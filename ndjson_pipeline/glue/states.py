"""States of a Glue job run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# https://docs.aws.amazon.com/glue/latest/dg/job-run-statuses.html
SUCCEEDED = "SUCCEEDED"
CRASHED_STATES = frozenset({"FAILED", "ERROR", "EXPIRED"})
TERMINAL_STATES = frozenset({SUCCEEDED, "FAILED", "STOPPED", "TIMEOUT", "ERROR", "EXPIRED"})


@dataclass(frozen=True)
class GlueRun:
    """A job run as Glue shows it.

    Attributes:
        job_name: the job.
        run_id: such as `jr_...`.
        state: such as `RUNNING`.
        error_message: why it ended other than succeeded, where Glue says.
        execution_seconds: how long it ran, as Glue bills it.
        started_on: when it was started.
        arguments: what it was started with.
        completed_on: when it ended.
        dpu_seconds: what it is billed, where Glue says: for auto scaling and the flexible class.
        worker_type: such as `G.1X`.
        number_of_workers: how many.
        glue_version: such as `5.1`.
    """

    job_name: str
    run_id: str
    state: str
    error_message: str | None
    execution_seconds: int
    started_on: datetime | None
    arguments: Mapping[str, str]
    completed_on: datetime | None = None
    dpu_seconds: float | None = None
    worker_type: str | None = None
    number_of_workers: int | None = None
    glue_version: str | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether it will never change again."""
        return self.state in TERMINAL_STATES

    @property
    def has_succeeded(self) -> bool:
        """Whether it ended well."""
        return self.state == SUCCEEDED

    @property
    def has_crashed(self) -> bool:
        """Whether it ended badly, but neither by a stop nor by its time limit."""
        return self.state in CRASHED_STATES

    @classmethod
    def from_response(cls, job_run: Mapping[str, Any]) -> "GlueRun":
        """Read the `JobRun` of GetJobRun or an entry of GetJobRuns."""
        return cls(
            job_name=job_run.get("JobName", ""),
            run_id=job_run["Id"],
            state=job_run.get("JobRunState", ""),
            error_message=job_run.get("ErrorMessage") or None,
            execution_seconds=int(job_run.get("ExecutionTime") or 0),
            started_on=job_run.get("StartedOn"),
            arguments=job_run.get("Arguments") or {},
            completed_on=job_run.get("CompletedOn"),
            dpu_seconds=job_run.get("DPUSeconds"),
            worker_type=job_run.get("WorkerType"),
            number_of_workers=job_run.get("NumberOfWorkers"),
            glue_version=job_run.get("GlueVersion"),
        )

    def describe_end(self) -> str:
        """Say in a sentence how it ended."""
        cause = self.error_message or "Glue gives no reason; its log has the end of the output"
        return f"Glue run {self.run_id} of {self.job_name} ended {self.state}: {cause}"
