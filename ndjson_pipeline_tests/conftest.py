"""The order of the tests: fast ones first."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what starts a JVM behind what does not, and what starts Dagster last; else the order stays."""
    items.sort(key=_weight)


def _weight(item: pytest.Item) -> int:
    if item.get_closest_marker("daemon"):
        return 2
    return 1 if item.get_closest_marker("spark") else 0
