"""How long things may take: one derivation, which every place that ends something follows."""

from datetime import timedelta
from importlib import resources

import pytest
import yaml

from ndjson_pipeline.deployment.deadlines import GLUE_TIMEOUT, Deadlines
from ndjson_pipeline.deployment.instance.home import LOCAL, PRODUCTION
from ndjson_pipeline.glue.reconciliation import ReconcileRules
from ndjson_pipeline.glue.runs import LIST_LAG, WatchRules
from ndjson_pipeline.glue.session import BUSY_LOOKS, BUSY_WAIT_SECONDS
from ndjson_pipeline.local_aws.resources import ResourceSettings
from ndjson_pipeline.resources import PipelineResource

DEADLINES = Deadlines()


def max_runtime(instance: str) -> timedelta:
    text = resources.files("ndjson_pipeline.deployment.instance").joinpath(instance).read_text()
    return timedelta(seconds=yaml.safe_load(text)["run_monitoring"]["max_runtime_seconds"])


def test_each_comes_after_the_one_whose_work_it_does() -> None:
    order = [DEADLINES.glue_timeout, DEADLINES.watch, DEADLINES.reconcile, DEADLINES.run]
    assert order == sorted(order)
    assert len(set(order)) == len(order)


def test_glue_ends_its_run_after_the_timeout_of_the_job() -> None:
    assert ResourceSettings().glue_timeout_minutes * timedelta(minutes=1) == GLUE_TIMEOUT
    assert DEADLINES.glue_timeout == GLUE_TIMEOUT


def test_the_run_and_the_reconciler_follow() -> None:
    pipeline = PipelineResource()
    assert timedelta(seconds=pipeline.deadline_seconds) == DEADLINES.watch
    assert timedelta(seconds=WatchRules().deadline_seconds) == DEADLINES.watch
    assert pipeline.reconcile_rules.deadline == DEADLINES.reconcile == ReconcileRules().deadline
    assert pipeline.reconcile_rules.start_grace == DEADLINES.start_grace == ReconcileRules().start_grace


def test_a_start_with_all_its_waits_and_looks_is_over_within_its_grace() -> None:
    waits = WatchRules().concurrency_waits
    looks = (len(waits) + 1) * LIST_LAG + LIST_LAG + 2 * BUSY_LOOKS * timedelta(seconds=BUSY_WAIT_SECONDS)
    assert timedelta(seconds=sum(waits)) + looks < DEADLINES.start_grace


@pytest.mark.parametrize("instance", [LOCAL, PRODUCTION])
def test_the_run_monitor_comes_last(instance: str) -> None:
    assert max_runtime(instance) == DEADLINES.run
    # A run that begins its last Glue run as late as it may has recorded that one's end by then.
    slowest = DEADLINES.begin_within + DEADLINES.start_grace + DEADLINES.watch
    assert max_runtime(instance) > slowest + timedelta(seconds=10 * WatchRules().longest_poll_seconds)
