"""Glue runs that ended without this process: what they reported is read from where it lies."""

import logging
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ndjson_pipeline.errors import GlueBusyError
from ndjson_pipeline.glue.begun_runs import BegunRuns
from ndjson_pipeline.glue.outputs import Outputs
from ndjson_pipeline.glue.reported import read_report
from ndjson_pipeline.glue.runs import GlueRun, GlueRuns
from ndjson_pipeline.glue.session import Conversion

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


class EndedRuns:
    """Conversions that others watched, or nobody; each is read once, however many manifests it had.

    Args:
        runs: of the Glue job.
        s3: where their messages lie.
        manifest_bucket: the bucket of the messages.
        output_bucket: the bucket of what they say was written.
        log: takes why a run can't be read.
    """

    def __init__(
        self,
        runs: GlueRuns,
        s3: "S3Client",
        *,
        manifest_bucket: str,
        output_bucket: str,
        log: logging.Logger,
    ) -> None:
        self._outputs = Outputs(s3, output_bucket)
        self._begun = BegunRuns(runs)
        self._s3 = s3
        self._manifest_bucket = manifest_bucket
        self._log = log
        self._read: dict[str, Conversion] = {}

    def conversion(self, run: GlueRun) -> Conversion:
        """Return how a run ended, with what it reported.

        Args:
            run: one that has ended, as Glue shows it.
        """
        if run.run_id not in self._read:
            report = read_report(self._s3, self._manifest_bucket, run)
            if report is not None:
                report = self._outputs.confirmed(report)
            self._read[run.run_id] = Conversion(run, report)
        return self._read[run.run_id]

    def find(self, manifest_filename: str, attempt: int, glue_job_run_id: str | None) -> Conversion | None:
        """Return how the run of a manifest's attempt ended; None where that can't be told (any more).

        Args:
            manifest_filename: the manifest.
            attempt: its attempt.
            glue_job_run_id: the run's id where one was stored; without it the run's arguments tell.
        """
        if glue_job_run_id in self._read:
            return self._read[glue_job_run_id]
        try:
            run = self._begun.find(manifest_filename, attempt, glue_job_run_id)
            return self.conversion(run) if run is not None and run.is_terminal else None
        except (GlueBusyError, ClientError, BotoCoreError) as error:
            self._log.warning("What Glue reported of %s can't be read: %s", manifest_filename, error)
            return None
