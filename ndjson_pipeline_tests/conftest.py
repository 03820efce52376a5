"""The order of the tests, fast ones first, and what a run says at its end."""

from typing import Any

import pytest

from ndjson_pipeline_tests.lambda_ingest.proofs.figures import FIGURE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what starts a JVM behind what does not, and what starts Dagster last; else the order stays."""
    items.sort(key=_weight)


def _weight(item: pytest.Item) -> int:
    if item.get_closest_marker("daemon"):
        return 2
    return 1 if item.get_closest_marker("spark") else 0


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
        terminalreporter.section("proofs of ingest")
        for figure in figures:
            terminalreporter.write_line(figure)
