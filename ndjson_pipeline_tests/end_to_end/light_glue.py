"""The Glue job without Spark: the same conversion, its tasks in the script's own process.

Starting a JVM takes longer than all that Dagster does for a run, and these tests are about Dagster.
"""

from pathlib import Path

from ndjson_pipeline.deployment.clients import Deployment
from ndjson_pipeline_tests.local_aws.glue_script import replace_script

_SCRIPT = '''
"""The Glue job's script, with tasks in this process."""

import logging
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import boto3

from glue_jobs import entry
from glue_jobs.task import convert_part
from glue_jobs.storage import s3_client
from ndjson_pipeline_tests.end_to_end.deaths import GLUE, Deaths


class InProcessRunner:
    cores = 1

    def run(self, tasks):
        time.sleep({seconds})
        while Path({hold!r}).exists():
            time.sleep(0.1)
        return [convert_part(task, s3_client(task.region)) for task in tasks]


@contextmanager
def in_process_runner(app_name, announcer):
    yield InProcessRunner()


logging.basicConfig(level=logging.INFO)
# The same client serves the driver and the tasks.
Deaths(Path({deaths!r}), GLUE).watch(s3_client(boto3.session.Session().region_name), "s3")
entry._spark_runner = in_process_runner
entry.run_from_arguments(sys.argv[1:])
'''


def hold_of(deaths: Path) -> Path:
    """Return the file that keeps every run going for as long as it exists."""
    return deaths / "hold"


def install_light_glue(deployment: Deployment, deaths: Path, seconds: float = 0.0) -> None:
    """Put the script in the place of the job's.

    Args:
        deployment: whose job it is.
        deaths: the folder that says at which call a run's process dies.
        seconds: how long each run takes besides what it has to do, so that a test meets it at work.
    """
    script = _SCRIPT.format(seconds=seconds, deaths=str(deaths), hold=str(hold_of(deaths))).encode()
    replace_script(deployment.s3, deployment.glue, deployment.names.glue_job, script)
