"""Runs that went on when a platform ended."""

from pathlib import Path

import dagster as dg
from dagster._core.test_utils import create_run_for_test

from ndjson_pipeline.deployment.instance.home import prepare_home
from ndjson_pipeline.laptop.left_runs import end_left_runs


def test_what_has_no_process_any_more_is_ended_and_what_waits_still_waits(tmp_path: Path) -> None:
    prepare_home(tmp_path)
    before = {
        dg.DagsterRunStatus.STARTED: dg.DagsterRunStatus.FAILURE,
        dg.DagsterRunStatus.STARTING: dg.DagsterRunStatus.FAILURE,
        dg.DagsterRunStatus.CANCELING: dg.DagsterRunStatus.CANCELED,
        dg.DagsterRunStatus.NOT_STARTED: dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.SUCCESS: dg.DagsterRunStatus.SUCCESS,
    }
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        ids = {status: create_run_for_test(instance, status=status).run_id for status in before}
    assert end_left_runs(tmp_path) == 2
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        for status, after in before.items():
            run = instance.get_run_by_id(ids[status])
            assert run is not None
            assert run.status is after
    assert end_left_runs(tmp_path) == 0
