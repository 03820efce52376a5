"""Spark finds its Java and its master in the environment of a run."""

import pytest

from ndjson_pipeline.local_aws import LocalAws, LocalAwsSettings
from ndjson_pipeline_tests.local_aws.conftest import eventually
from ndjson_pipeline_tests.local_aws.glue_script import replace_script

SCRIPT = b"""
from pyspark.sql import SparkSession

spark = SparkSession.builder.appName("sum").getOrCreate()
context = spark.sparkContext
total = context.parallelize(range(10), 2).map(lambda number: number * 2).sum()
print(context.master, total, spark.conf.get("spark.driver.host"))
print(context._jvm.java.lang.System.getProperty("java.io.tmpdir"))
spark.stop()
"""


@pytest.mark.spark
def test_a_script_without_a_word_of_local_runs(tmp_path):
    settings = LocalAwsSettings(queue_enabled=False, timer_enabled=False, glue_cores=1)
    with LocalAws(directory=tmp_path / "a folder", settings=settings) as aws:
        glue = aws.client("glue")
        replace_script(aws.client("s3"), glue, aws.names.glue_job, SCRIPT)
        run_id = glue.start_job_run(JobName=aws.names.glue_job)["JobRunId"]

        def ended():
            run = glue.get_job_run(JobName=aws.names.glue_job, RunId=run_id)["JobRun"]
            return run["JobRunState"] not in ("STARTING", "RUNNING") and run

        run = eventually(ended, 90)
    assert run["JobRunState"] == "SUCCEEDED", run
    output = (tmp_path / "a folder/glue" / run_id / "stdout.log").read_text()
    assert output.splitlines() == ["local[1] 90 127.0.0.1", str(tmp_path / "a folder/glue" / run_id / "tmp")]
