"""Spark: the context, and tasks spread over it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import glue_jobs
from glue_jobs.errors import SparkRunError
from glue_jobs.reporting.progress import ProgressWatch, Totals
from glue_jobs.storage import s3_client
from glue_jobs.task import PartResult, PartTask, convert_part
from glue_jobs.worker import kept_ready

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mypy_boto3_s3 import S3Client
    from pyspark import SparkContext


class PartRunner(Protocol):
    """Runs tasks, wherever."""

    @property
    def cores(self) -> int:
        """How many tasks run at once."""

    def run(self, tasks: Sequence[PartTask]) -> list[PartResult]:
        """Run tasks; results come in their order.

        Raises:
            SparkRunError: tasks were lost.
        """


class SparkPartRunner:
    """Runs tasks on Spark.

    Args:
        context: a running Spark context; its owner stops it.
        announce: takes a line of progress.
        make_client: makes a worker's S3 client for a region; the workers get it pickled.
    """

    def __init__(
        self,
        context: SparkContext,
        announce: Callable[[str], None],
        make_client: Callable[[str | None], S3Client] = s3_client,
    ) -> None:
        self._context = context
        self._announce = announce
        self._make_client = make_client

    @property
    def cores(self) -> int:
        """How many tasks run at once."""
        return max(1, self._context.defaultParallelism)

    def run(self, tasks: Sequence[PartTask]) -> list[PartResult]:
        """Run tasks; results come in their order.

        Raises:
            SparkRunError: Spark lost tasks, even on their retries.
        """
        if not tasks:
            return []
        files = self._context.accumulator(0)
        records = self._context.accumulator(0)
        input_bytes = self._context.accumulator(0)
        # Not of `self`: a Spark context can't be sent to workers.
        make_client = self._make_client

        def run_task(task: PartTask) -> PartResult:
            with kept_ready():
                result = convert_part(task, make_client(task.region))
            files.add(len(task.files))
            records.add(result.records_read)
            input_bytes.add(result.input_bytes)
            return result

        def totals() -> Totals:
            return Totals(files.value, records.value, input_bytes.value)

        of_all = sum(len(task.files) for task in tasks)
        with ProgressWatch(totals, of_all, self._announce):
            try:
                return list(self._context.parallelize(tasks, len(tasks)).map(run_task).collect())
            except Exception as error:
                # Tasks turn their failures into results, so what comes here is Spark's own: a lost executor.
                raise SparkRunError(
                    f"Spark lost the job ({_short(error)}); see the executors' logs"
                ) from error


def start_spark(app_name: str) -> SparkContext:
    """Start Spark, or take the one that runs; settings from outside win over these.

    Raises:
        SparkRunError: it does not start.
    """
    from pyspark import SparkConf, SparkContext  # noqa: PLC0415 - half a second, not needed to fail early

    try:
        # Without a JVM, SparkConf would not see what spark-submit set, and would override it.
        SparkContext._ensure_initialized()
        conf = SparkConf()
        conf.setIfMissing("spark.master", "local[*]")
        conf.setIfMissing("spark.app.name", app_name)
        conf.setIfMissing("spark.ui.enabled", "false")
        # Started from Python, Spark takes itself for a shell and would draw bars into the log.
        conf.set("spark.ui.showConsoleProgress", "false")
        if conf.get("spark.master", "").startswith("local"):
            # Workers on this machine find the packages that this interpreter does. Elsewhere, whoever submits
            # the job sees to it, as Glue does with its zip.
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
            conf.setIfMissing("spark.executorEnv.PYTHONPATH", _python_path())
        return SparkContext.getOrCreate(conf)
    except Exception as error:
        raise SparkRunError(
            f"Spark does not start ({_short(error)}); check Java 17 and Spark's settings"
        ) from error


def _python_path() -> str:
    home = str(Path(glue_jobs.__file__).parent.parent)
    given = os.environ.get("PYTHONPATH", "")
    return os.pathsep.join(part for part in (home, given) if part)


def _short(error: Exception) -> str:
    # What Java raised says more in its second line than in its first.
    lines = [line.strip(" :") for line in str(error).splitlines() if line.strip()][:2]
    return f"{type(error).__name__}: {' '.join(lines)[:400]}" if lines else type(error).__name__
