"""The daemon dies at each of its own crash points within a tick of the manifest sensor."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ndjson_pipeline.claims.dagster_runs import PARTITION_TAG
from ndjson_pipeline.deployment import clients as aws
from ndjson_pipeline.deployment.clients import deployment_of
from ndjson_pipeline.deployment.instance.home import prepare_home
from ndjson_pipeline.local_aws import LocalAwsProcess, LocalAwsSettings
from ndjson_pipeline_tests.end_to_end.processes import processes_with_variable
from ndjson_pipeline_tests.end_to_end.sensor_iteration import CRASH_POINTS
from ndjson_pipeline_tests.patience import PATIENCE
from ndjson_pipeline_tests.pipeline.harness import ManifestTable, day

pytestmark = [pytest.mark.daemon, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def environment(scratch: Path, restored_environment: None) -> Iterator[dict[str, str]]:
    """The variables of a process that works with an AWS of the module's own; no home yet."""
    settings = LocalAwsSettings(queue_enabled=False, timer_enabled=False)
    with LocalAwsProcess(directory=scratch / "aws", settings=settings) as local:
        yield {**os.environ, **local.client_environment(), "NDJSON_ENVIRONMENT": local.names.environment}


def evaluate(environment: dict[str, str], aim: str) -> int:
    """Evaluate every sensor, to a crash point or until there are so many runs; return the status."""
    module = "ndjson_pipeline_tests.end_to_end.sensor_iteration"
    return subprocess.run(
        [sys.executable, "-m", module, "manifest_sensor", aim],
        env=environment,
        cwd=environment["DAGSTER_HOME"],
        timeout=90 * PATIENCE,
        check=False,
        # No pipes: a dead daemon's code server lives on for a while, and would keep them open.
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ).returncode


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(number, id=name, marks=pytest.mark.soak if name == "TICK_HELD" else ())
        for number, name in enumerate(CRASH_POINTS)
    ],
)
def test_each_date_gets_one_run_all_the_same(environment: dict[str, str], scratch: Path, number: int) -> None:
    home = scratch / f"home-{number}"
    prepare_home(home)
    environment = {**environment, "DAGSTER_HOME": str(home)}
    os.environ.update({name: value for name, value in environment.items() if name.startswith("AWS_")})
    aws._connect.cache_clear()
    manifests = ManifestTable(deployment_of(environment))
    dates = [day(-10 - 2 * number), day(-11 - 2 * number)]
    names = [manifests.commit(1, date) for date in dates]

    assert evaluate(environment, CRASH_POINTS[number]) == -signal.SIGKILL
    for orphan in processes_with_variable("DAGSTER_HOME", str(home)):
        os.kill(orphan, signal.SIGKILL)
    assert evaluate(environment, str(len(dates))) == 0
    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert sorted(run.tags[PARTITION_TAG] for run in instance.get_runs()) == sorted(dates)
    for name in names:
        # What this round left waits for no later one.
        record = manifests.store().read(name)
        assert record is not None
        manifests.put_item(**{**manifests.item(name), "status": "completed"})
