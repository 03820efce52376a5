"""Runs of a Glue job: real processes behind Glue's API."""

import io
import json
import os
import signal
import textwrap
import zipfile

import pytest
from botocore.exceptions import ClientError

from ndjson_pipeline.deployment import packaging
from ndjson_pipeline.local_aws import LocalAws, LocalAwsSettings
from ndjson_pipeline_tests.local_aws.conftest import eventually, process_exists
from ndjson_pipeline_tests.local_aws.glue_script import replace_script, script_place

ACTIVE = ("STARTING", "RUNNING", "STOPPING")


class Glue:
    """A local AWS whose Glue job runs whatever script a test gives."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.client = aws.client("glue")
        self.s3 = aws.client("s3")
        self.job = aws.names.glue_job
        self.script = script_place(self.client, self.job)

    def put_script(self, script: str) -> None:
        replace_script(self.s3, self.client, self.job, textwrap.dedent(script).encode())

    def start(self, script: str, **request: object) -> str:
        self.put_script(script)
        return self.client.start_job_run(JobName=self.job, **request)["JobRunId"]

    def run(self, run_id: str) -> dict:
        return self.client.get_job_run(JobName=self.job, RunId=run_id)["JobRun"]

    def running(self, run_id: str) -> dict:
        """Wait until the script has said that it runs."""
        eventually(lambda: self.output(run_id) != "")
        return self.run(run_id)

    def ended(self, run_id: str) -> dict:
        return eventually(lambda: (run := self.run(run_id))["JobRunState"] not in ACTIVE and run)

    def finish(self, script: str, **request: object) -> dict:
        return self.ended(self.start(script, **request))

    def stop(self, *run_ids: str) -> dict:
        return self.client.batch_stop_job_run(JobName=self.job, JobRunIds=list(run_ids))

    def output(self, run_id: str) -> str:
        path = self.aws.directory / "glue" / run_id / "stdout.log"
        return path.read_text() if path.exists() else ""

    def process_id(self, run_id: str) -> int:
        return int((self.aws.directory / "glue" / run_id / "pid").read_text())


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    settings = LocalAwsSettings(
        queue_enabled=False, timer_enabled=False, glue_minute_seconds=1.0, glue_stop_grace_seconds=1.0
    )
    with LocalAws(directory=tmp_path_factory.mktemp("aws"), settings=settings) as aws:
        yield aws


@pytest.fixture
def glue(aws):
    glue = Glue(aws)
    yield glue
    runs = glue.client.get_job_runs(JobName=glue.job)["JobRuns"]
    active = [run["Id"] for run in runs if run["JobRunState"] in ACTIVE]
    if active:
        glue.stop(*active)
    for run in active:
        glue.ended(run)


HANG = "import time; print('begun', flush=True); time.sleep(60)"


def test_a_run_that_succeeds(glue):
    run = glue.finish("print('done')", Arguments={"--MANIFEST_PATH": "s3://a/b"})
    assert run["JobRunState"] == "SUCCEEDED"
    assert "ErrorMessage" not in run
    assert run["JobName"] == glue.job
    assert run["Attempt"] == 0
    assert run["Arguments"] == {"--MANIFEST_PATH": "s3://a/b"}
    assert (run["GlueVersion"], run["WorkerType"], run["NumberOfWorkers"]) == ("5.1", "G.1X", 2)
    assert run["LogGroupName"] == "/aws-glue/jobs"
    assert run["Timeout"] == 60
    assert run["StartedOn"] <= run["CompletedOn"]


def test_execution_time_is_real(glue):
    run = glue.finish("import time; time.sleep(1.1)")
    assert run["ExecutionTime"] in (1, 2)


def test_the_script_gets_the_arguments_of_job_and_run(glue):
    run = glue.finish(
        "import json, sys; print(json.dumps(sys.argv))",
        Arguments={"--MANIFEST_PATH": "s3://a/b c", "--COMPRESSION_TYPE": "zstd"},
    )
    script, *rest = json.loads(glue.output(run["Id"]))
    assert script.endswith("ndjson_to_parquet.py")
    arguments = dict(zip(rest[::2], rest[1::2], strict=True))
    assert arguments == {
        "--INPUT_BUCKET": glue.aws.names.input_bucket,
        "--INPUT_PREFIX": "pipeline/input/",
        "--MANIFEST_BUCKET": glue.aws.names.manifest_bucket,
        "--OUTPUT_BUCKET": glue.aws.names.output_bucket,
        "--QUARANTINE_BUCKET": glue.aws.names.quarantine_bucket,
        # The job's own can't be given.
        "--COMPRESSION_TYPE": "snappy",
        "--CATALOG_DATABASE": glue.aws.names.catalog_database,
        "--CATALOG_TABLE": glue.aws.names.catalog_table,
        **packaging.installed_glue_package().arguments(glue.aws.names.scripts_bucket),
        "--MANIFEST_PATH": "s3://a/b c",
        "--JOB_NAME": glue.job,
        "--JOB_RUN_ID": run["Id"],
    }


def test_the_script_imports_from_the_zip_and_talks_to_this_aws(glue):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("only_in_the_zip.py", "ANSWER = 42\n")
    glue.s3.put_object(Bucket=glue.aws.names.scripts_bucket, Key="other.zip", Body=buffer.getvalue())
    # The project's own job lets nobody bring a zip along.
    glue.client.create_job(
        Name="with-a-zip",
        Role="role",
        Command=glue.client.get_job(JobName=glue.job)["Job"]["Command"],
        DefaultArguments={"--extra-py-files": f"s3://{glue.aws.names.scripts_bucket}/other.zip"},
        GlueVersion="5.1",
        WorkerType="G.1X",
        NumberOfWorkers=2,
    )
    glue.job = "with-a-zip"
    run = glue.finish(
        """
        import os, boto3, only_in_the_zip
        bucket = boto3.client("s3").list_buckets()["Buckets"][0]["Name"]
        print(only_in_the_zip.ANSWER, bucket.startswith("ndjson-"), os.environ["AWS_ACCESS_KEY_ID"])
        print(os.environ["JAVA_HOME"])
        """,
    )
    assert run["JobRunState"] == "SUCCEEDED", run
    first, java_home = glue.output(run["Id"]).splitlines()
    assert first == f"42 True {glue.aws.credentials.access_key_id}"
    assert os.path.exists(f"{java_home}/bin/java")  # noqa: PTH110


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("raise ValueError('no such column')", "ValueError: no such column"),
        ("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e", "KeyError: 'k'"),
        ("import sys; sys.exit('manifest is missing')", "manifest is missing"),
        ("import sys; sys.exit(7)", "exit code 7"),
        (
            "import sys\nsys.stderr.write('26/01/30 12:00:00 WARN Native: x\\n'); sys.exit(7)",
            "exit code 7",
        ),
        ("import os; os.kill(os.getpid(), 11)", "killed by signal 11 (Segmentation fault)"),
    ],
)
def test_a_run_that_fails_says_why(glue, script, message):
    run = glue.finish(script)
    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"] == message


def test_a_killed_script_is_a_failed_run(glue):
    run_id = glue.start(HANG)
    assert glue.running(run_id)["JobRunState"] == "RUNNING"
    os.kill(glue.process_id(run_id), signal.SIGKILL)
    run = glue.ended(run_id)
    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"] == "killed by signal 9 (Killed)"


def test_a_missing_script_is_a_failed_run(glue):
    bucket, key = glue.script
    glue.s3.delete_object(Bucket=bucket, Key=key)
    run_id = glue.client.start_job_run(JobName=glue.job)["JobRunId"]
    run = glue.ended(run_id)
    assert run["JobRunState"] == "FAILED"
    assert f"{key} could not be read" in run["ErrorMessage"]


def test_a_stopped_run_may_clean_up(glue):
    run_id = glue.start(
        """
        import signal, sys, time
        def clean_up(*_):
            print("cleaned up", flush=True)
            sys.exit(1)
        signal.signal(signal.SIGTERM, clean_up)
        print("begun", flush=True)
        time.sleep(60)
        """
    )
    glue.running(run_id)
    assert glue.stop(run_id)["SuccessfulSubmissions"] == [{"JobName": glue.job, "JobRunId": run_id}]
    assert glue.ended(run_id)["JobRunState"] == "STOPPED"
    assert "cleaned up" in glue.output(run_id)


def test_a_run_that_will_not_stop_is_killed_with_its_children(glue):
    run_id = glue.start(
        """
        import signal, subprocess, sys
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        print(child.pid, flush=True)
        child.wait()
        """
    )
    glue.running(run_id)
    processes = [int(glue.output(run_id)), glue.process_id(run_id)]
    glue.stop(run_id)
    assert glue.run(run_id)["JobRunState"] == "STOPPING"
    assert glue.ended(run_id)["JobRunState"] == "STOPPED"
    assert not any(map(process_exists, processes))


def test_stopping_what_has_ended_or_never_was_is_an_error(glue):
    run = glue.finish("print('done')")
    answer = glue.stop(run["Id"], "jr_unknown")
    assert answer["SuccessfulSubmissions"] == []
    codes = {error["JobRunId"]: error["ErrorDetail"]["ErrorCode"] for error in answer["Errors"]}
    assert codes == {run["Id"]: "InvalidInputException", "jr_unknown": "EntityNotFoundException"}
    assert glue.run(run["Id"])["JobRunState"] == "SUCCEEDED"


def test_a_run_past_its_timeout_is_ended(glue):
    run_id = glue.start(HANG, Timeout=1)
    run = glue.ended(run_id)
    assert run["JobRunState"] == "TIMEOUT"
    assert "1 minutes" in run["ErrorMessage"]
    assert not process_exists(glue.process_id(run_id))


def test_no_more_runs_at_once_than_the_job_allows(glue):
    first, second = glue.start(HANG), glue.start(HANG)
    with pytest.raises(ClientError) as caught:
        glue.start(HANG)
    assert caught.value.response["Error"]["Code"] == "ConcurrentRunsExceededException"
    glue.stop(first)
    glue.ended(first)
    glue.ended(glue.start("print('now')"))
    assert glue.run(second)["JobRunState"] == "RUNNING"


def test_runs_come_newest_first_page_by_page(glue):
    started = [glue.finish("print()")["Id"] for _ in range(3)]
    pages = glue.client.get_paginator("get_job_runs").paginate(
        JobName=glue.job, PaginationConfig={"PageSize": 2}
    )
    listed = [run["Id"] for page in pages for run in page["JobRuns"]]
    assert listed[:3] == started[::-1]
    assert len(listed) == len(set(listed))


def test_an_unknown_run_is_an_error(glue):
    with pytest.raises(glue.client.exceptions.EntityNotFoundException):
        glue.run("jr_unknown")


def test_output_reaches_cloudwatch(glue):
    run = glue.finish("import sys; print('to output'); print('to error', file=sys.stderr)")
    logs = glue.aws.client("logs")

    def lines(group):
        events = logs.filter_log_events(logGroupName=group, logStreamNames=[run["Id"]])["events"]
        return [event["message"] for event in events]

    def of(group):
        try:
            return lines(group)
        except logs.exceptions.ResourceNotFoundException:
            return []

    assert eventually(lambda: of("/aws-glue/jobs/output")) == ["to output"]
    assert eventually(lambda: of("/aws-glue/jobs/error")) == ["to error"]


def test_output_reaches_cloudwatch_while_the_run_goes_on(glue):
    run_id = glue.start(HANG)
    logs = glue.aws.client("logs")
    eventually(
        lambda: logs.describe_log_streams(logGroupName="/aws-glue/jobs/output", logStreamNamePrefix=run_id)[
            "logStreams"
        ]
    )
    assert glue.run(run_id)["JobRunState"] == "RUNNING"


def test_a_job_can_be_updated(glue):
    job = glue.client.get_job(JobName=glue.job)["Job"]
    update = {
        "Role": job["Role"],
        "Command": job["Command"],
        "DefaultArguments": {"--ONLY": "this"},
        "ExecutionProperty": {"MaxConcurrentRuns": 1},
        "GlueVersion": "5.1",
        "Timeout": 30,
    }
    kept = ("NonOverridableArguments", "WorkerType", "NumberOfWorkers", "MaxRetries")
    original = {name: job[name] for name in (*update, *kept) if name in job}
    glue.client.update_job(JobName=glue.job, JobUpdate=update)
    try:
        changed = glue.client.get_job(JobName=glue.job)["Job"]
        assert changed["DefaultArguments"] == {"--ONLY": "this"}
        assert changed["Timeout"] == 30
        run = glue.finish("import sys; print(sys.argv[1:3])")
        assert glue.output(run["Id"]) == "['--ONLY', 'this']\n"
    finally:
        glue.client.update_job(JobName=glue.job, JobUpdate=original)
    restored = glue.client.get_job(JobName=glue.job)["Job"]
    assert restored["NonOverridableArguments"] == job["NonOverridableArguments"]
