"""What a deployment brings: the same bytes each time, and each part runs where nothing else is."""

import ast
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow.dataset as pads
import pytest
from packaging.utils import canonicalize_name, parse_wheel_filename

from deploy.driver.image_context import DOCKERFILE, LAPTOP
from deploy.driver.lambda_zip import AWS_SERVICES
from deploy.driver.packages import ROOT, Packages
from lambda_ingest.contract.clock import utc_now
from ndjson_pipeline.deployment.packaging import REQUIREMENTS
from ndjson_pipeline.local_aws import LocalAws, LocalAwsSettings, lambda_environment
from ndjson_pipeline.local_aws.clients import AwsClients
from ndjson_pipeline.local_aws.glue.java import find_java_home
from ndjson_pipeline_tests.deploy.driver.conftest import lay_kept
from ndjson_pipeline_tests.patience import PATIENCE

SOURCES = ("lambda_ingest", "glue_jobs", "ndjson_pipeline", "deploy")


def contents(folder: Path) -> dict[str, tuple[bytes, int, float]]:
    """Return bytes, mode and time of each file, but of the wheels and the compiler that are kept."""
    return {
        str(path.relative_to(folder)): (
            path.read_bytes(),
            stat.S_IMODE(path.stat().st_mode),
            path.stat().st_mtime,
        )
        for path in sorted(folder.rglob("*"))
        if path.relative_to(folder).parts[0] not in ("wheels", "compiler") and path.is_file()
    }


def test_the_same_sources_give_the_same_bytes_wherever_they_lie(packages: Packages, tmp_path: Path) -> None:
    checkout, build = tmp_path / "another checkout", tmp_path / "another build"
    for name in SOURCES:
        shutil.copytree(
            ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__", ".terraform")
        )
    shutil.copy(ROOT / "pyproject.toml", checkout)
    for path in checkout.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o700)
    # The same wheels, by the lock's hashes; so nothing is downloaded again.
    lay_kept(packages, build, compiles_anew=True)
    made = subprocess.run(
        [sys.executable, "-m", "deploy.driver", "package", "--folder", str(build)],
        cwd=checkout,
        env={"PYTHONPATH": str(checkout), "PATH": "/usr/bin:/bin", "TZ": "Asia/Tokyo", "PIP_NO_INDEX": "1"},
        umask=0o077,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-3000:]
    first, second = contents(packages.folder), contents(build)
    assert list(first) == list(second)
    assert [name for name in first if first[name] != second[name]] == []
    for artifact in packages.artifacts:
        assert artifact.digest in made.stdout


def test_a_changed_source_has_another_key_and_another_tag(packages: Packages) -> None:
    job = json.loads((packages.folder / "glue/job.json").read_text())
    keys = [job["script"], job["modules"], *job["wheels"]]
    assert sorted(keys) == sorted(packages.glue_files)
    for key, path in packages.glue_files.items():
        assert key.split("/")[1] == next(
            one.digest for one in packages.artifacts if one.name == f"glue/{key}"
        )
        assert path.is_file()


def test_the_image_gets_what_it_runs_and_nothing_of_a_laptop(packages: Packages) -> None:
    names = {str(path.relative_to(packages.image_context)) for path in packages.image_context.rglob("*.*")}
    assert {
        "deploy/locks/code_location.lock",
        "lambda_ingest/contract/manifest.py",
        "ndjson_pipeline/definitions.py",
        "ndjson_pipeline/deployment/instance/production.yaml",
    } <= names
    assert [name for name in names if name.startswith(LAPTOP) or "tests" in name] == []


def test_the_context_holds_what_the_dockerfile_copies(packages: Packages) -> None:
    text = (packages.image_context / DOCKERFILE).read_text().replace("\\\n", " ")
    copied = {
        source
        for line in text.splitlines()
        if line.startswith("COPY ") and "--from=" not in line
        for source in line.split()[1:-1]
        if not source.startswith("--")
    }
    assert copied
    assert [source for source in copied if not (packages.image_context / source).exists()] == []


def clients_made(folder: Path) -> set[str]:
    """Return the services whose clients the sources make."""
    return {
        str(node.args[0].value)
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "client"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }


def test_the_zip_knows_the_services_that_the_lambdas_call_and_no_other(unzipped_lambda: Path) -> None:
    assert clients_made(ROOT / "lambda_ingest") == set(AWS_SERVICES)
    data = unzipped_lambda / "botocore" / "data"
    assert {path.name for path in data.iterdir() if path.is_dir()} == set(AWS_SERVICES)


def test_the_zip_is_small_and_any_machines(packages: Packages, unzipped_lambda: Path) -> None:
    # 3 MB is what the console still shows and edits; 50 MB is what Lambda takes of a zip.
    assert (packages.folder / "lambda.zip").stat().st_size < 3_000_000
    endings = {path.suffix for path in unzipped_lambda.rglob("*") if path.is_file()}
    assert endings == {".py", ".json", ".gz", ".pem"}


RUN_HANDLER = """
import importlib, json, sys
sys.path[:] = [sys.argv[1], *(part for part in sys.path if "site-packages" not in part)]
module, event = sys.argv[2], json.loads(sys.argv[3])

class Context:
    function_name = "test"
    function_version = "$LATEST"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:test"
    aws_request_id = "00000000-0000-0000-0000-000000000000"
    def get_remaining_time_in_millis(self):
        return 60_000

answer = importlib.import_module(module).handler(event, Context())
outside = [
    name for name, one in sys.modules.items()
    if "site-packages" in (getattr(one, "__file__", None) or "")
]
import boto3
assert boto3.__file__.startswith(sys.argv[1]) and not outside, outside
print(json.dumps(answer))
"""


class Account:
    """A local AWS whose functions and Glue runs are started by the test, from what was packaged."""

    def __init__(self, aws: LocalAws, task: Path) -> None:
        self.aws = aws
        self.task = task

    def invoke(self, module: str, event: Any) -> Any:
        """Run a handler as Lambda does: the zip, Python, its standard library."""
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", RUN_HANDLER, str(self.task), module, json.dumps(event)],
            env={**self.aws.client_environment(), **self.variables()},
            capture_output=True,
            text=True,
            check=False,
            timeout=120 * PATIENCE,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    def variables(self) -> dict[str, str]:
        clients = AwsClients.for_endpoint(self.aws.endpoint_url, self.aws.credentials)
        return lambda_environment(clients=clients)

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        listed = self.aws.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [one["Key"] for one in listed.get("Contents", [])]


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory, unzipped_lambda: Path) -> Iterator[Account]:
    settings = LocalAwsSettings(queue_enabled=False, timer_enabled=False)
    with LocalAws(directory=tmp_path_factory.mktemp("aws"), settings=settings) as aws:
        yield Account(aws, unzipped_lambda)


@pytest.fixture(scope="module")
def manifest(account: Account) -> str:
    """A batch of today that the packaged Lambdas made: generated, tracked and cut."""
    names = account.aws.names
    request = {"file_count": 10, "file_size_mb": 0.01, "seed": 1}
    generated = account.invoke("lambda_ingest.generate_ndjson", request)
    assert generated["files_created"] == 10
    messages: list[Any] = []
    # S3's test event comes first.
    while len(messages) < 11:
        messages += account.aws.client("sqs").receive_message(
            QueueUrl=account.variables()["QUEUE_URL"], MaxNumberOfMessages=10, WaitTimeSeconds=1
        )["Messages"]
    records = [
        {"messageId": one["MessageId"], "body": one["Body"], "eventSource": "aws:sqs"} for one in messages
    ]
    answer = account.invoke("lambda_ingest.manifest_builder", {"Records": records})
    assert answer == {"batchItemFailures": []}
    (key,) = account.keys(names.manifest_bucket, "manifests/")
    return f"s3://{names.manifest_bucket}/{key}"


def test_the_lambdas_run_from_their_zip_alone(account: Account, manifest: str) -> None:
    body = account.aws.client("s3").get_object(
        Bucket=account.aws.names.manifest_bucket, Key=manifest.split("/", 3)[3]
    )["Body"]
    assert json.loads(body.read())["file_count"] == 10
    swept = account.invoke("lambda_ingest.sweeper", {})
    assert swept is not None


CONVERT_LINE = """
import sys
from glue_jobs.native import build, library
from glue_jobs.native.builder import NativeBuilder
from glue_jobs.schema.types import INT64
assert not build.SOURCES.exists() and sys.argv[1] in build.__file__
assert library.load() is not None
columns = {"a": INT64}
with NativeBuilder(columns, columns, accepts_new=False) as builder:
    builder.feed(b'{"a": 1}\\n{"a": "x", "b": 0.5}')
    taken = builder.take()
print(taken.table.to_pylist(), taken.rescued.to_pylist())
"""


def test_the_packaged_native_parser_converts_a_line_where_nothing_else_is(
    packages: Packages, glue_python: Path, tmp_path: Path
) -> None:
    job = json.loads((packages.folder / "glue/job.json").read_text())
    modules = packages.glue_files[job["modules"]]
    done = subprocess.run(
        [str(glue_python), "-c", CONVERT_LINE, str(modules)],
        # Neither a compiler nor a folder that one may write to.
        env={"PYTHONPATH": str(modules), "PATH": "", "TMPDIR": "/nowhere", "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == """[{'a': 1}, {'a': None}] [None, '{"a":"x","b":0.5}']\n"""


def test_the_packaged_native_parser_needs_no_newer_c_library_than_glue_has(packages: Packages) -> None:
    job = json.loads((packages.folder / "glue/job.json").read_text())
    with zipfile.ZipFile(packages.glue_files[job["modules"]]) as archive:
        library = archive.read("glue_jobs/native/ndjson-portable-x86_64.so")
    versions = {tuple(map(int, found.split(b"."))) for found in re.findall(rb"GLIBC_([0-9.]+)", library)}
    assert max(versions) <= (2, 17)
    assert b"libstdc++" not in library
    assert str(ROOT).encode() not in library
    assert len(library) < 200_000


# What Glue 5.1 has of itself: Spark. The rest comes from the zip of wheels.
PROVIDED = ("pyspark", "py4j")


@pytest.fixture(scope="module")
def glue_python(packages: Packages, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python as Glue's, once it has installed the job's modules by pip from the zip of wheels alone."""
    folder = tmp_path_factory.mktemp("glue")
    venv.create(folder / "python", with_pip=False, symlinks=True)
    python = folder / "python" / "bin" / "python"
    job = json.loads((packages.folder / "glue/job.json").read_text())
    with zipfile.ZipFile(packages.glue_files[job["wheels"][0]]) as archive:
        archive.extractall(folder)
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--isolated", "--quiet"]
    install += [job["installer_option"], "--find-links", str(folder / "wheels")]
    subprocess.run([*install, "-r", str(folder / REQUIREMENTS)], check=True)
    site = next((folder / "python" / "lib").glob("python*")) / "site-packages"
    ours = Path(boto3.__file__).parents[1]
    for name in PROVIDED:
        (site / name).symlink_to(ours / name)
    return python


def test_the_wheels_are_those_of_the_lock(packages: Packages) -> None:
    job = json.loads((packages.folder / "glue/job.json").read_text())
    with zipfile.ZipFile(packages.glue_files[job["wheels"][0]]) as archive:
        wheels = [name.removeprefix("wheels/") for name in archive.namelist() if name.endswith(".whl")]
        pins = archive.read(REQUIREMENTS).decode().splitlines()
    found = [parse_wheel_filename(name) for name in wheels]
    assert pins == [f"{name}=={version}" for name, version, _, _ in found]
    locked = (ROOT / "deploy/locks/glue.lock").read_text()
    assert all(f"{canonicalize_name(pin.split('==')[0])}=={pin.split('==')[1]}" in locked for pin in pins)


@pytest.mark.spark
@pytest.mark.timeout(300)
def test_the_glue_job_runs_by_its_script_with_its_wheels_alone(
    packages: Packages, account: Account, manifest: str, glue_python: Path, tmp_path: Path
) -> None:
    aws = account.aws
    job = json.loads((packages.folder / "glue/job.json").read_text())
    script = shutil.copy(packages.glue_files[job["script"]], tmp_path)
    environment = {
        **aws.client_environment(),
        "PYTHONPATH": str(packages.glue_files[job["modules"]]),
        "JAVA_HOME": str(find_java_home(os.environ)),
        "PYSPARK_PYTHON": str(glue_python),
        # As the local AWS's Glue runs: the JVM's second compiler costs more than it gains.
        "PYSPARK_SUBMIT_ARGS": "--master local[2] --driver-memory 1g"
        " --conf spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 pyspark-shell",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PATH": "/usr/bin:/bin",
        "TMPDIR": str(tmp_path),
    }
    arguments = {
        "--JOB_NAME": aws.names.glue_job,
        "--MANIFEST_PATH": manifest,
        "--MANIFEST_BUCKET": aws.names.manifest_bucket,
        "--INPUT_BUCKET": aws.names.input_bucket,
        "--INPUT_PREFIX": "pipeline/input/",
        "--OUTPUT_BUCKET": aws.names.output_bucket,
        "--COMPRESSION_TYPE": "snappy",
    }
    done = subprocess.run(
        [str(glue_python), script, *(part for pair in arguments.items() for part in pair)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=200 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    s3 = aws.client("s3")
    rows = 0
    for number, key in enumerate(
        account.keys(aws.names.output_bucket, f"merged-parquet-{utc_now():%Y-%m-%d}/")
    ):
        path = tmp_path / f"{number}.parquet"
        path.write_bytes(s3.get_object(Bucket=aws.names.output_bucket, Key=key)["Body"].read())
        rows += pads.dataset(path).count_rows()
    lines = sum(
        s3.get_object(Bucket=aws.names.input_bucket, Key=key)["Body"].read().count(b"\n")
        for key in account.keys(aws.names.input_bucket)
    )
    assert rows == lines > 0
