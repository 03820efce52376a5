"""The lanes and the order of the tests, and what a run says at its end."""

import gc
from typing import Any

import pytest

from ndjson_pipeline_tests import lanes
from ndjson_pipeline_tests.lambda_ingest.proofs.figures import FIGURE
from ndjson_pipeline_tests.patience import PATIENCE
from ndjson_pipeline_tests.permissions.plugin import CallRecord
from ndjson_pipeline_tests.service_models import share_service_models

# The collector looks through what thousands of tests hold, and finds next to nothing: it may look less often.
gc.set_threshold(10_000, 20, 20)


def pytest_configure(config: pytest.Config) -> None:
    """Hold the product's calls to AWS against the record, in each process of tests."""
    config.pluginmanager.register(CallRecord(config), "call-record")
    patch = pytest.MonkeyPatch()
    share_service_models(patch)
    config.add_cleanup(patch.undo)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Answer `-n auto`."""
    return lanes.worker_count(config)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> lanes.LaneScheduling:
    """Let the lanes of `lanes.py` be the only ones."""
    return lanes.LaneScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    """Sort the files, whose tests keep their order, and give each test the time that lanes need."""
    items.sort(key=lanes.place_in_lanes if hasattr(config, "workerinput") else lanes.place_alone)
    for item in items:
        if mark := item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(mark.args[0] * PATIENCE), append=False)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how much was tried: a proof that silently explores less proves less."""
    figures = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
        if name == FIGURE
    ]
    if figures:
        terminalreporter.section("what the proofs tried")
        for figure in figures:
            terminalreporter.write_line(figure)
