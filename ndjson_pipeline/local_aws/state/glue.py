"""What is kept of Glue: the catalog's databases and tables, jobs, and what became of their runs."""

import json
from collections.abc import Iterator
from typing import Any

from moto.glue import models

from ndjson_pipeline.local_aws.errors import StateRefusedError
from ndjson_pipeline.local_aws.glue.runs import GlueRun, GlueRuns
from ndjson_pipeline.local_aws.state.changes import Changes
from ndjson_pipeline.local_aws.state.codec import Codec, Kept
from ndjson_pipeline.local_aws.state.documents import Documents, steady
from ndjson_pipeline.local_aws.state.store import Row

CATALOG = "catalog and jobs"

GLUE_CLASSES = (
    Kept(models.FakeDatabase),
    Kept(models.FakeTable),
    Kept(models.FakePartition),
    Kept(models.FakeJob, {"backend": lambda: None, "job_runs": list}),
)
_codec = Codec(GLUE_CLASSES)


class KeptGlue:
    """Reads catalog, jobs and runs for their rows, and makes them again.

    Args:
        account: the AWS account.
        runs: knows the runs of this start.
    """

    def __init__(self, account: str, runs: GlueRuns) -> None:
        self._account = account
        self._runs = runs
        self._databases = Documents("database")
        self._jobs = Documents("job")

    def rows(self, changes: Changes) -> Iterator[Row]:
        """Yield what changed."""
        if CATALOG in changes.places:
            databases, jobs = steady(self._read)
            yield from self._databases.changed(databases)
            yield from self._jobs.changed(jobs)
        for run_id in sorted(changes.runs):
            run = self._runs.find(run_id)
            if run is not None:
                yield Row("run", run_id, json.dumps(run.to_document()))

    def _read(self) -> tuple[dict[str, str], dict[str, str]]:
        databases, jobs = {}, {}
        for region, backend in list(models.glue_backends[self._account].items()):
            for name, database in list(backend.databases.items()):
                databases[f"{region}/{name}"] = json.dumps(_codec.encode(database))
            for name, job in list(backend.jobs.items()):
                jobs[f"{region}/{name}"] = json.dumps(_codec.encode(job))
        return databases, jobs

    def restore(
        self,
        databases: Iterator[tuple[str, str]],
        jobs: Iterator[tuple[str, str]],
        runs: Iterator[tuple[str, str]],
    ) -> None:
        """Make catalog, jobs and ended runs again; a run that went on when its AWS ended has failed.

        Raises:
            StateRefusedError: a row makes no sense.
        """
        for name, text in databases:
            region, _, database_name = name.partition("/")
            database = _codec.decode(json.loads(text))
            models.glue_backends[self._account][region].databases[database_name] = database
            self._databases.known(name, text)
        by_name: dict[str, list[Any]] = {}
        for name, text in jobs:
            region, _, job_name = name.partition("/")
            job = _codec.decode(json.loads(text))
            job.backend = backend = models.glue_backends[self._account][region]
            backend.jobs[job_name] = job
            by_name.setdefault(job_name, []).append(job)
            self._jobs.known(name, text)
        found = []
        for name, text in runs:
            try:
                found.append(GlueRun.from_document(json.loads(text), self._runs))
            except (TypeError, ValueError, KeyError) as error:
                raise StateRefusedError(f"the Glue run {name} can't be read: {error}") from error
        for run in sorted(found, key=lambda each: each.started_on):
            # A deleted job's runs are gone, as the service's are.
            for job in by_name.get(run.request.job_name, [])[:1]:
                job.job_runs.append(run)
